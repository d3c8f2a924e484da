"""What was met before: names by the hundred thousand in a few megabytes."""

import hashlib
from array import array

_START_SLOTS = 1024


class Seen:
    """A set of texts, kept as 64 bits of each: two different ones are taken for one in one of 10^9 large spools."""

    def __init__(self):
        self._slots = array("Q", bytes(8 * _START_SLOTS))
        self._used = 0

    def add(self, text):
        """Add a text; -> whether it is new."""
        if self._used * 2 >= len(self._slots):
            self._grow()
        key = _key(text)
        at = self._find(key)
        if self._slots[at]:
            return False
        self._slots[at] = key
        self._used += 1
        return True

    def __contains__(self, text):
        return bool(self._slots[self._find(_key(text))])

    def _find(self, key):
        """Where a key is, or the empty slot where it belongs."""
        at, last = key % len(self._slots), len(self._slots) - 1
        while self._slots[at] and self._slots[at] != key:
            at = (at + 1) & last
        return at

    def _grow(self):
        old = self._slots
        self._slots = array("Q", bytes(8 * 2 * len(old)))
        for key in old:
            if key:
                self._slots[self._find(key)] = key


def _key(text):
    digest = hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1

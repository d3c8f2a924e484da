"""Which names have been seen: a set that keeps 16 to 32 bytes of each, however long they are."""

import os
from array import array
from hashlib import blake2b

_SLOTS_FIRST = 1024


class Seen:
    """Names that were added, as keyed sums of 64 bits: of a million names, two have one sum once in 10**7 runs."""

    def __init__(self):
        self._key = os.urandom(16)
        self._slots = array("Q", bytes(8 * _SLOTS_FIRST))
        self._count = 0

    def add(self, name):
        """Add a text. Returns whether it is new."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        # 0 is an empty slot.
        if not self._put(int.from_bytes(digest) or 1):
            return False
        self._count += 1
        if 2 * self._count > len(self._slots):
            before, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for value in before:
                if value:
                    self._put(value)
        return True

    def _put(self, value):
        slots, size = self._slots, len(self._slots)
        at = value % size
        while slots[at]:
            if slots[at] == value:
                return False
            at = (at + 1) % size
        slots[at] = value
        return True

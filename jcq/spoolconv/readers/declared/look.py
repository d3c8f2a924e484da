"""What bytes look like: texts, numbers that could be times or ids, and how often something comes again."""

import collections
import re
import struct

_TEXT = re.compile(rb"[\x20-\x7e]{4,}")
_LONG_TEXT = re.compile(rb"[\x20-\x7e]{5,}")
#: So many bytes of a file are looked at.
LOOKED_BYTES = 64 * 1024
TEXTS_MAX = 24
_SHOWN_CHARACTERS = 48
#: A time in a file is not further from the file's own than this.
_YEARS_S = 3 * 366 * 86_400
_WORDS = {
    "big-endian, 16 bits": struct.Struct(">H"),
    "little-endian, 16 bits": struct.Struct("<H"),
    "big-endian, 32 bits": struct.Struct(">I"),
    "little-endian, 32 bits": struct.Struct("<I"),
    "big-endian, 64 bits": struct.Struct(">Q"),
    "little-endian, 64 bits": struct.Struct("<Q"),
}
#: Ids below it are too common as other numbers.
_ID_MIN = 100
#: A directory may hold damaged files too.
_SHARE = 0.6
#: Sizes of records that are tried.
_STRIDE_MIN, _STRIDE_MAX, _STRIDES = 16, 2048, 3


def texts(data):
    """[(offset, text)] of printable runs."""
    found = []
    for match in _TEXT.finditer(data[:LOOKED_BYTES]):
        found.append((match.start(), match[0].decode()[:_SHOWN_CHARACTERS]))
        if len(found) == TEXTS_MAX:
            break
    return found


def numbers(data, mtime_s, ids):
    """{(word, offset): (what, value)} of aligned numbers that could be times near the file's own, or ids.

    Args:
        data: bytes of the file.
        mtime_s: its modification time.
        ids: numbers of users and groups.
    """
    found, text = {}, _in_text(data)
    for word, codec in _WORDS.items():
        for offset in range(0, min(len(data), LOOKED_BYTES) - codec.size + 1, min(4, codec.size)):
            if offset in text or offset + codec.size - 1 in text:
                continue
            value = codec.unpack_from(data, offset)[0]
            if value in ids and value >= _ID_MIN:
                found[word, offset] = ("id", value)
            elif codec.size > 2 and abs(value - mtime_s) < _YEARS_S:
                found[word, offset] = ("time", value)
    return found


def common(samples):
    """What most samples of one directory have at the same place: [(word, offset, what, value of the first)].

    Args:
        samples: dicts of `numbers`.
    """
    counts, first = collections.Counter(), {}
    for one in samples:
        for (word, offset), (what, value) in one.items():
            counts[word, offset, what] += 1
            first.setdefault((word, offset, what), value)
    least = max(1, len(samples) * _SHARE)
    return sorted((*key, first[key]) for key, count in counts.items() if count >= least)


def byte_order(samples):
    """The words of `numbers` by how many places of most samples speak for them, the most first: [(word, count)]."""
    counts = collections.Counter(word for word, *_ in common(samples))
    return counts.most_common()


def strides(data):
    """[(bytes, share)]: possible sizes of records, by how well what is not NUL lies on itself at that distance."""
    data = data[:LOOKED_BYTES]
    # One bit for each byte, so that a whole file is compared at once.
    used = int.from_bytes(_bits(data), "little")
    found = []
    for stride in range(_STRIDE_MIN, min(_STRIDE_MAX, len(data) // 2) + 1, 4):
        first, second = used & (1 << len(data) - stride) - 1, used >> stride
        either = (first | second).bit_count()
        if either >= _STRIDE_MIN:
            found.append((stride, (first & second).bit_count() / either))
    return sorted(found, key=lambda one: (-one[1], one[0]))[:_STRIDES]


def _bits(data):
    """One bit for each byte: whether it is not NUL."""
    flags = data.translate(bytes([0]) + bytes([1]) * 255) + bytes(-len(data) % 8)
    return bytes(sum(flags[at + bit] << bit for bit in range(8)) for at in range(0, len(flags), 8))


def _in_text(data):
    """Offsets that belong to longer texts, which make fine numbers too."""
    found = set()
    for match in _LONG_TEXT.finditer(data[:LOOKED_BYTES]):
        found.update(range(match.start(), match.end()))
    return found

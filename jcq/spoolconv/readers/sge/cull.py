"""Packed objects of Grid Engine 8.1 (CULL), from their bytes.

The form is read as spool-facts.md section 2 has it: big endian, field names only as numbers, strings that end with
NUL. NULL and the empty string are the same. Whatever does not come out even is refused: a wrong table of fields shows
in left-over bytes or impossible counts, and must never become a job.
"""

import struct
from functools import lru_cache

from jcq.spoolconv.readers.sge import fields

#: Second word of every packed object of 8.1.
VERSION = 0x10020000
#: No job is greater; what is made of the bytes takes some hundred times their memory at worst.
BYTES_MAX = 4 * 1024 * 1024
_U32 = struct.Struct(">I")
_DOUBLE = struct.Struct(">d")
_PLAIN = b"\0\0\0\2"
_ABSENT = b"\0\0\0\0"
#: Deeper than any object of Grid Engine goes.
_DEPTH_MAX = 24
_FIELDS_MAX = 1000
#: Status of an element.
_WITH_DESCRIPTION, _WITHOUT_DESCRIPTION = 1, 2


class Damaged(Exception):
    """The bytes are no packed object of this version; the text says where they leave the form."""


def unpack(data, name, spooled_only=False):
    """Read one packed object.

    Args:
        data: its bytes, all of them.
        name: which kind it is, a key of `fields.TABLES`.
        spooled_only: as Berkeley DB spooling writes, only fields that its filter lets through have a value.
    Returns:
        {name of a field: value}: int, float, bytes, or for lists and objects a list of such dicts.
    Raises:
        Damaged: it has another form.
    """
    if len(data) > BYTES_MAX:
        raise Damaged(f"it has {len(data)} bytes, more than {BYTES_MAX}")
    reader = _Reader(data, spooled_only)
    if reader.u32() != 0:
        raise Damaged("it does not begin as a packed object")
    version = reader.u32()
    if version != VERSION:
        raise Damaged(f"it is of another version of Grid Engine ({version:#x}, not {VERSION:#x})")
    known = fields.description(name)
    own = reader.own_description()
    if own is not None and own.kinds != known.kinds:
        raise Damaged("its fields are those of another version of Grid Engine")
    made = reader.values(known, 0)
    if reader.at != len(data):
        raise Damaged(f"{len(data) - reader.at} bytes are left behind its end")
    return made


class _Reader:
    """Walks through the bytes."""

    def __init__(self, data, spooled_only):
        self._data = data
        self._spooled_only = spooled_only
        self.at = 0

    def u32(self):
        return self._number(_U32, 4)

    def _number(self, form, size):
        try:
            (value,) = form.unpack_from(self._data, self.at)
        except struct.error:
            raise Damaged(f"it ends early, at byte {len(self._data)}") from None
        self.at += size
        return value

    def _string(self):
        end = self._data.find(b"\0", self.at)
        if end < 0:
            raise Damaged(f"a text has no end (byte {self.at})")
        value = self._data[self.at : end]
        self.at = end + 1
        return value

    def own_description(self):
        """-> `Description` at the head of an element, or None: it does not describe itself."""
        status = self.u32()
        if status not in (_WITH_DESCRIPTION, _WITHOUT_DESCRIPTION):
            raise Damaged(f"an element has status {status} (byte {self.at})")
        return self._description() if status == _WITH_DESCRIPTION else None

    def _description(self):
        count = self.u32()
        if not 0 < count <= _FIELDS_MAX:
            raise Damaged(f"it describes {count} fields (byte {self.at})")
        data = self._data[self.at : self.at + 8 * count]
        if len(data) < 8 * count:
            raise Damaged(f"it ends early, at byte {len(self._data)}")
        self.at += len(data)
        return _described(data)

    def values(self, described, depth):
        """-> {name: value} of an element, behind its head."""
        if depth > _DEPTH_MAX:
            raise Damaged("it is nested too deeply")
        count = self.u32()
        if count != described.count:
            raise Damaged(f"{count} fields where {described.count} are known (byte {self.at})")
        data, at, made = self._data, self.at + (count + 7) // 8, {}
        # Most fields are numbers, texts and empty lists: they are read here, without a call for each.
        try:
            for name, kind in described.plans[self._spooled_only]:
                if kind == fields.NUMBER:
                    (made[name],) = _U32.unpack_from(data, at)
                    at += 4
                elif kind == fields.TEXT:
                    end = data.index(b"\0", at)
                    made[name] = data[at:end]
                    at = end + 1
                elif kind == fields.LIST and data[at : at + 4] == _ABSENT:
                    made[name] = []
                    at += 4
                else:
                    self.at = at
                    made[name] = self._value(name, kind, depth)
                    at = self.at
        except struct.error:
            raise Damaged(f"it ends early, at byte {len(data)}") from None
        except ValueError:
            raise Damaged(f"a text has no end (byte {at})") from None
        self.at = at
        return made

    def _value(self, name, kind, depth):
        if kind == fields.LIST:
            return self._list(name, depth + 1)
        if kind == fields.DOUBLE:
            return self._number(_DOUBLE, 8)
        if kind == fields.OBJECT:
            return [self._element(self._description(), depth + 1)] if self._is_present() else []
        raise Damaged(f"field {name} is of the unknown type {kind}")

    def _is_present(self):
        present = self.u32()
        if present > 1:
            raise Damaged(f"a list is neither there nor not (byte {self.at})")
        return present == 1

    def _list(self, name, depth):
        if not self._is_present():
            return []
        count = self.u32()
        self._string()
        self.u32()
        described = self._description()
        # An element has two numbers at least.
        if count > (len(self._data) - self.at) // 8:
            raise Damaged(f"a list of {count} elements does not fit (byte {self.at})")
        needed = fields.NEEDED.get(name, "").split()
        if needed and not dict(described.plans[self._spooled_only]).keys() >= set(needed):
            raise Damaged(f"list {name} is not one of {' '.join(needed)}")
        return [self._element(described, depth) for _ in range(count)]

    def _element(self, described, depth):
        if self._data[self.at : self.at + 4] != _PLAIN:
            raise Damaged(f"an element of a list has another head (byte {self.at})")
        self.at += 4
        return self.values(described, depth)


@lru_cache(maxsize=256)
def _described(data):
    try:
        return fields.described(struct.unpack(f">{len(data) // 4}I", data))
    except ValueError as error:
        raise Damaged(str(error)) from None

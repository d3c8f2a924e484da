"""A C structure: its fields with offset, type and byte order, and the decoding of one out of bytes."""

import os
import struct
from dataclasses import dataclass

from jcq.spoolconv.readers.declared.sheet import shown

#: A structure is not larger than this.
STRUCTURE_BYTES_MAX = 1024 * 1024
ORDERS = {"big": ">", "little": "<"}
_CODES = {"i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "i64": "q", "u64": "Q"}
#: C's words that have one size on every system of this family; `long` is made of `long_bits`.
_C_WORDS = {"char": "i8", "uchar": "u8", "short": "i16", "ushort": "u16", "int": "i32", "uint": "u32"}
STRING = "string"
#: How a string ends: a NUL must follow; a NUL or the end of its place; blanks fill its place.
NUL, FULL, BLANK = "nul", "full", "blank"
ENDS = (NUL, FULL, BLANK)


@dataclass(slots=True)
class Text:
    """A string as it was decoded."""

    data: bytes
    #: It should end with a NUL and fills its place without one: perhaps its end is missing.
    cut: bool = False

    def __str__(self):
        return os.fsdecode(self.data)


@dataclass(slots=True)
class Number:
    """A number as it was decoded."""

    value: int
    #: Every bit is set: C's -1, also where the type has no sign.
    all_ones: bool = False


@dataclass(frozen=True)
class Field:
    """One member of a structure."""

    name: str
    offset: int
    #: A name of `_CODES`, or STRING.
    type: str
    #: Bytes of one element.
    size: int
    #: More than 1: an array; a value is then a tuple.
    count: int
    #: From one element to the next.
    stride: int
    #: NUL, FULL or BLANK.
    end: str
    #: Decodes a number.
    codec: struct.Struct | None
    is_array: bool
    #: Whether it may lie on other fields, as members of a union do.
    overlaps: bool = False

    @property
    def bytes_end(self):
        """The offset behind its last byte."""
        return self.offset + (self.count - 1) * self.stride + self.size

    def decode(self, data, start):
        """Its value in a structure that begins at `start`: a `Number` or `Text`, or a tuple of them."""
        if not self.is_array:
            return self._one(data, start + self.offset)
        first = start + self.offset
        return tuple(self._one(data, first + index * self.stride) for index in range(self.count))

    def _one(self, data, at):
        if self.codec is not None:
            value = self.codec.unpack_from(data, at)[0]
            return Number(value, value == -1 or (self.type[0] == "u" and value == (1 << 8 * self.size) - 1))
        raw = data[at : at + self.size]
        text, nul, _ = raw.partition(b"\0")
        if self.end == BLANK:
            text = text.rstrip(b" ")
        return Text(text, self.end == NUL and not nul)


@dataclass(frozen=True)
class Structure:
    """A C structure."""

    name: str
    size: int
    fields: dict
    #: {name of a field: numbers of which it must be one}; a magic number, a version.
    expect: dict

    def decode(self, data, start=0):
        """{name: value} of all its fields; `data` has `size` bytes from `start` on."""
        return {name: field.decode(data, start) for name, field in self.fields.items()}

    def flaw(self, values):
        """Why these values are not of this structure, in words; empty where they are."""
        for name, wanted in self.expect.items():
            found = values[name].value
            if found not in wanted:
                words = " or ".join(map(_both, wanted))
                return f"{name} is {_both(found)}, not {words}: it is no {self.name}, or its byte order is another"
        return ""


def _both(number):
    return str(number) if abs(number) < 10 else f"{number} ({number:#x})"


def read_types(sheet, long_bits):
    """{word: name of a type} for the types of fields: our own, C's, and those that `[types]` names.

    Args:
        sheet: the `Sheet` of the table.
        long_bits: 32 or 64.
    """
    long_word = {"long": f"i{long_bits}", "ulong": f"u{long_bits}"}
    known = {name: name for name in _CODES} | _C_WORDS | long_word
    for word, value in sheet.pairs():
        if not isinstance(value, str) or value not in known:
            sheet.wrong(word, f"{shown(value)} is no type", f"write one of {', '.join(known)}")
        elif word in known or word == STRING:
            sheet.wrong(word, "this type is known already", "give it another name")
        else:
            known[word] = known[value]
    return known


def read_structure(name, sheet, types, order):
    """Check one table of `[structures]`.

    Args:
        name: of the structure.
        sheet: its `Sheet`.
        types: see `read_types`.
        order: byte order where it says none.
    Returns:
        A `Structure`, also where something in it is wrong.
    """
    size = sheet.number("size", 1, STRUCTURE_BYTES_MAX, 0, needed=True)
    order = sheet.choice("byte_order", ORDERS, order)
    fields = {}
    for word, one in sheet.named("fields").items():
        field = _read_field(word, one, types, order)
        one.close()
        if field is None:
            continue
        if size and field.bytes_end > size:
            one.wrong("", f"it ends at byte {field.bytes_end}, and {name} has {size}", "correct the offset or the size")
            continue
        fields[word] = field
    _check_overlaps(fields, sheet)
    expect = _read_expect(sheet.table("expect"), fields)
    sheet.close()
    return Structure(name, size, fields, expect)


def _check_overlaps(fields, sheet):
    """Two fields at one place are a wrong offset, or `long_bits` is wrong."""
    last = None
    for field in sorted(fields.values(), key=lambda one: one.offset):
        if field.overlaps or field.stride > field.size:
            # Elements of an array of structures leave room for their other members.
            continue
        if last is not None and field.offset < last.bytes_end:
            what = f"it begins at byte {field.offset}, and {last.name} ends at {last.bytes_end}"
            remedy = "correct an offset, a length or long_bits; overlaps = true is for members of a union"
            sheet.wrong(f"fields.{field.name}", what, remedy)
        last = field


def _read_field(name, sheet, types, order):
    """A `Field`, or None."""
    offset = sheet.number("offset", 0, STRUCTURE_BYTES_MAX, needed=True)
    word = sheet.choice("type", [STRING, *types], needed=True)
    order = sheet.choice("byte_order", ORDERS, order)
    is_array = "count" in sheet
    count = sheet.number("count", 1, STRUCTURE_BYTES_MAX, 1)
    length = sheet.number("length", 1, STRUCTURE_BYTES_MAX, 1, needed=word == STRING)
    end = sheet.choice("end", ENDS, NUL)
    stride = sheet.number("stride", 1, STRUCTURE_BYTES_MAX)
    overlaps = sheet.take("overlaps", bool, False)
    if offset is None or word is None:
        return None
    if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit():
        sheet.wrong("", "this is no name of a field", "use letters, digits and _ as C does")
        return None
    kind = types.get(word, STRING)
    if kind == STRING:
        size, codec = length, None
    else:
        size, codec = struct.calcsize(f"={_CODES[kind]}"), struct.Struct(ORDERS[order] + _CODES[kind])
        for key in ("length", "end"):
            if key in sheet:
                sheet.wrong(key, "only a string has it", "remove it; an array of numbers has a count")
    if stride is not None and (not is_array or stride < size):
        sheet.wrong("stride", "it is less than an element, or there is no count", "correct it, or remove it")
        return None
    return Field(name, offset, kind, size, count, stride or size, end, codec, is_array, overlaps)


def _read_expect(sheet, fields):
    expect = {}
    for word, value in sheet.pairs():
        wanted = value if isinstance(value, list) else [value]
        if word not in fields or fields[word].codec is None or fields[word].is_array:
            sheet.wrong(word, "it is no field of this structure that holds one number", "name one")
        elif not wanted or not all(isinstance(one, int) and not isinstance(one, bool) for one in wanted):
            sheet.wrong(word, "it is no number and no list of numbers", "write the magic number, or those allowed")
        elif any(one.bit_length() > 64 for one in wanted):
            sheet.wrong(word, "a number is too large for any field", "correct it")
        else:
            expect[word] = tuple(wanted)
    return expect

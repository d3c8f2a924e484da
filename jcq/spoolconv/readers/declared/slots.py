"""How records lie in a file: one, equal ones in a row, or ones that begin with their size, in blocks or without."""

from dataclasses import dataclass

from jcq.spoolconv.readers.declared.structure import STRUCTURE_BYTES_MAX, Structure
from jcq.spoolconv.readers.declared.value import Condition

ONE, FIXED, SIZED = "one", "fixed", "sized"
LAYOUTS = (ONE, FIXED, SIZED)
#: A smaller slot is none: a file of them would be millions of records.
SLOT_BYTES_MIN = 8
START_MAX = 64 * 1024 * 1024


@dataclass(frozen=True)
class Slots:
    """How a file is cut."""

    layout: str
    #: What every slot begins with; None: nothing is known of it but the file.
    structure: Structure | None
    #: Bytes in front of the first slot.
    start: int = 0
    #: No slot crosses the boundary of a block; 0: there are none.
    block_bytes: int = 0
    #: SIZED: the field with the slot's size; a negative one is a free slot of that size.
    size_field: str = ""
    #: SIZED: what is to be added to it for all bytes of the slot.
    size_add: int = 0
    #: Where this is so, the slot is free: it holds nothing.
    free: Condition | None = None


@dataclass(frozen=True)
class Slot:
    """One slot of a file, or what is none."""

    number: int
    start: int
    end: int
    #: {name: value} of the structure of `Slots`.
    values: dict
    #: Why it cannot be read; empty where it can.
    flaw: str = ""


def cut(slots, data):
    """Yield the `Slot`s of a file that are not free, and one with a flaw for each piece that is no slot.

    Args:
        slots: `Slots`.
        data: bytes of the file.
    """
    if slots.layout == ONE:
        yield _whole(slots, data)
        return
    if len(data) < slots.start:
        yield Slot(0, 0, len(data), {}, f"it has {len(data)} bytes, and records begin at {slots.start}")
        return
    number, step = 0, slots.block_bytes or max(1, len(data))
    walk = _fixed if slots.layout == FIXED else _sized
    for start in range(slots.start, len(data), step):
        end = min(start + step, len(data))
        # Only the rest of a whole block is padding; behind the last whole slot of a file nothing is expected.
        whole_block = bool(slots.block_bytes) and end - start == step
        for slot in walk(slots, data, start, end, whole_block):
            number += 1
            if slot.flaw or slots.free is None or not slots.free.holds(slot.values):
                yield Slot(number, slot.start, slot.end, slot.values, slot.flaw)


def _whole(slots, data):
    if slots.structure is None:
        return Slot(0, 0, len(data), {})
    return _slot(slots, data, slots.start, len(data))


def _slot(slots, data, start, end):
    size = slots.structure.size
    if end - start < size:
        flaw = f"it has {max(0, end - start)} bytes, and {slots.structure.name} has {size}: it is truncated"
        return Slot(0, start, end, {}, flaw if end > start else f"it is empty, and {slots.structure.name} has {size}")
    return Slot(0, start, end, slots.structure.decode(data, start))


def _fixed(slots, data, start, end, whole_block):
    size, at = slots.structure.size, start
    nothing = bytes(size)
    while at + size <= end:
        behind = at + size
        if data[at:behind] == nothing:
            while data[behind : behind + size] == nothing and behind + size <= end:
                behind += size
        if behind - at > size:
            # A file with a hole in it has millions of them: they are one thing.
            slot = _slot(slots, data, at, behind)
            if slots.free is None or not slots.free.holds(slot.values):
                yield Slot(0, at, behind, {}, f"{(behind - at) // size} records hold nothing but NUL bytes")
        else:
            yield _slot(slots, data, at, behind)
        at = behind
    rest = end - at
    if rest and not whole_block:
        yield Slot(0, at, end, {}, f"{rest} bytes at its end are no {slots.structure.name} of {size}")


def _sized(slots, data, start, end, whole_block):
    field, at = slots.structure.fields[slots.size_field], start
    while at < end:
        if end - at < slots.structure.size:
            if data.count(0, at, end) < end - at:
                yield Slot(0, at, end, {}, f"{end - at} bytes are no {slots.structure.name} of {slots.structure.size}")
            return
        told = field.decode(data, at).value
        if told == 0:
            if data.count(0, at, end) < end - at:
                yield Slot(0, at, end, {}, f"{end - at} bytes at {at} begin with a size of 0")
            return
        size = abs(told) + slots.size_add
        if not max(slots.structure.size, SLOT_BYTES_MIN) <= size <= end - at:
            yield Slot(0, at, end, {}, f"{end - at} bytes at {at} begin with a size of {told}, which cannot be")
            return
        if told > 0:
            yield _slot(slots, data, at, at + size)
        at += size


def read_slots(sheet, structures, read_condition):
    """Check the keys of `[[files]]` that say how records lie.

    Args:
        sheet: the `Sheet` of one of `[[files]]`.
        structures: {name: Structure}.
        read_condition: makes a `Condition` of a `Sheet` and the structure of the slots.
    Returns:
        `Slots`, or None where its structure is missing.
    """
    layout = sheet.choice("records", LAYOUTS, ONE)
    name = sheet.name("structure", structures, "structure", needed=layout != ONE)
    structure = structures.get(name)
    start = sheet.number("start", 0, START_MAX, 0)
    block_bytes = sheet.number("block_bytes", SLOT_BYTES_MIN, START_MAX, 0)
    size_field = sheet.take("size_field", str, "", needed=layout == SIZED)
    size_add = sheet.number("size_add", -STRUCTURE_BYTES_MAX, STRUCTURE_BYTES_MAX, 0)
    free = read_condition(sheet.table("free"), structure) if "free" in sheet else None
    if structure is None:
        return None if layout != ONE or "structure" in sheet else Slots(ONE, None)
    if layout == ONE:
        for word in ("block_bytes", "size_field", "size_add", "free"):
            if word in sheet:
                sheet.wrong(word, "the file holds one record", 'remove it, or write records = "fixed" or "sized"')
        return Slots(ONE, structure, start)
    if structure.size < SLOT_BYTES_MIN:
        sheet.wrong("structure", f"{structure.size} bytes are too few for a record", "correct the size")
    if block_bytes and block_bytes < structure.size:
        sheet.wrong("block_bytes", f"{name} has {structure.size} bytes, more than a block", "correct one of them")
    field = structure.fields.get(size_field)
    if size_field and (field is None or field.codec is None or field.is_array or layout == FIXED):
        sheet.wrong("size_field", f"it needs a number of {name} and sized records", "name the field with the size")
    return Slots(layout, structure, start, block_bytes, size_field, size_add, free)

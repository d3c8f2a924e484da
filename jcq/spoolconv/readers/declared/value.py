"""One value of a record, taken out of a structure's fields, a file's name or what the system says of a file.

A map's entry is `"field"`, or `{ field = "field", ... }`, `{ text = "{seq}.{host}" }` or `{ value = "batch" }`.
"""

import math
import re
from dataclasses import dataclass

from jcq.spoolconv.readers.declared.doubt import Doubt
from jcq.spoolconv.readers.declared.enumeration import Enumeration, number_of
from jcq.spoolconv.readers.declared.sheet import near, shown
from jcq.spoolconv.readers.declared.structure import Number, Text

#: What every file has, beside its structure and the parts of its path.
FILE_FACTS = {
    "@name": Text,
    "@path": Text,
    "@size": Number,
    "@uid": Number,
    "@gid": Number,
    "@mode": Number,
    "@nlink": Number,
    "@mtime": Number,
    "@ctime": Number,
}
_REFERENCE = re.compile(r"(@?[A-Za-z_][A-Za-z_0-9]*)(?:\[(\d{1,7})\])?", re.ASCII)
_PIECE = re.compile(r"\{([^{}]*)\}|([^{}]+)")


@dataclass(frozen=True)
class Known:
    """A name that a map may use: what kind of value it has."""

    kind: type
    #: Elements; 0: it is no array.
    count: int = 0


@dataclass(frozen=True)
class Reference:
    """A field, or one element of it."""

    name: str
    index: int | None
    kind: type
    is_array: bool

    def __call__(self, values):
        found = values[self.name]
        return found if self.index is None else found[self.index]


@dataclass(frozen=True)
class Condition:
    """`{ field = "flags", mask = 4 }`, `{ field = "type", equals = [1, 2] }`, above, below; `not = true` inverts it."""

    reference: Reference
    equals: tuple
    mask: int | None
    above: int | None
    below: int | None
    inverted: bool

    def holds(self, values):
        """Whether it is so."""
        return self._plain(plain(self.reference(values))) != self.inverted

    def _plain(self, value):
        if self.equals and value not in self.equals:
            return False
        if self.mask is not None and not value & self.mask:
            return False
        return not (
            (self.above is not None and value <= self.above) or (self.below is not None and value >= self.below)
        )


@dataclass(frozen=True)
class Value:
    """One entry of a map."""

    constant: object = None
    reference: Reference | None = None
    #: Texts and references in turn.
    template: tuple = ()
    enumeration: Enumeration | None = None
    mask: int | None = None
    inverted: bool = False
    #: Values that mean that nothing is said.
    none: tuple = ()
    when: Condition | None = None
    count_field: Reference | None = None
    #: One unit of a time in seconds, of a size in bytes.
    unit: float = 1
    #: Where the unit of a limit stands, and what its values are.
    unit_field: Reference | None = None
    units: dict | None = None
    #: Seconds from 1970 to the epoch of a time.
    epoch_s: float = 0
    #: Values of a limit that mean: without limit.
    unlimited: tuple = ()
    warning: Reference | None = None

    @property
    def constants(self):
        """Every word that it can give, where that is known; else None."""
        if self.enumeration is not None:
            return self.enumeration.results
        return {self.constant} if self.constant is not None else None

    @property
    def extras(self):
        """Names of what it has that only some kinds of values can have."""
        said = {
            "not": self.inverted,
            "count_field": self.count_field,
            "unit": self.unit != 1,
            "epoch_s": self.epoch_s,
            "unit_field": self.unit_field,
            "unlimited": self.unlimited,
            "warning": self.warning,
        }
        return {name for name, value in said.items() if value}

    def get(self, values):
        """What the structure says: int, str, tuple of them, or None for nothing.

        Raises:
            Doubt, Refused.
        """
        if self.when is not None and not self.when.holds(values):
            return None
        if self.constant is not None:
            return self.constant
        if self.template:
            return "".join(one if isinstance(one, str) else self._piece(one, values) for one in self.template)
        assert self.reference is not None
        found = self.reference(values)
        if isinstance(found, tuple):
            return self._several(found, values)
        return self._one(found)

    def _one(self, item):
        if isinstance(item, Text) and item.cut:
            raise Doubt(f"{shown(item.data)} has no end within its place")
        value = plain(item)
        if value in self.none or (isinstance(item, Number) and item.all_ones and -1 in self.none):
            return None
        if self.mask is not None:
            value = (value & self.mask) >> (self.mask & -self.mask).bit_length() - 1
        if self.enumeration is not None:
            return self.enumeration.meaning(value)
        return value

    def _several(self, items, values):
        if self.count_field is not None:
            count = self.count_field(values).value
            if not 0 <= count <= len(items):
                raise Doubt(f"it has {count} of {len(items)} elements")
            items = items[:count]
        found = []
        for item in items:
            value = self._one(item)
            if value in ("", None) or (value == 0 and self.count_field is None):
                if self.count_field is None:
                    break
                continue
            found.append(value)
        return tuple(found)

    def _piece(self, reference, values):
        item = reference(values)
        if isinstance(item, Text) and (item.cut or not item.data):
            raise Doubt(f"{reference.name} is empty or has no end")
        return str(plain(item))


def plain(item):
    """The int or str of a `Number` or `Text`."""
    return item.value if isinstance(item, Number) else str(item)


def read_reference(sheet, word, known, kind=None, array=False):
    """The field that a key names.

    Args:
        sheet: the `Sheet` with the key.
        known: {name: Known} of all that may be named.
        kind: Number or Text where only that will do.
        array: whether it may be an array as a whole.
    Returns:
        `Reference`, or None where the key is missing or wrong.
    """
    text = sheet.take(word, str)
    return None if text is None else _reference(sheet, word, text, known, kind, array)


def _reference(sheet, word, text, known, kind, array):
    found = _REFERENCE.fullmatch(text)
    name = found[1] if found else text
    if found is None or name not in known:
        sheet.wrong(word, f"there is no field or part {shown(name)}", f"name one that is defined{near(name, known)}")
        return None
    one, index = known[name], None if found[2] is None else int(found[2])
    if kind is not None and one.kind is not kind:
        words = "a number" if kind is Number else "a text"
        sheet.wrong(word, f"{name} is not {words}", f"name {words}")
        return None
    if index is not None and index >= one.count:
        sheet.wrong(word, f"{name} has no element {index}", "the first of an array is 0")
        return None
    if one.count and index is None and not array:
        sheet.wrong(word, f"{name} is an array", f"name one element: {name}[0]")
        return None
    return Reference(name, index, one.kind, bool(one.count) and index is None)


def read_condition(sheet, known):
    """Check a condition; -> `Condition`, or None where it is wrong."""
    reference = read_reference(sheet, "field", known)
    if reference is None and "field" not in sheet:
        sheet.take("field", str, needed=True)
    numbers = {word: sheet.take(word, int) for word in ("mask", "above", "below")}
    equals = _constants(sheet, "equals")
    inverted = sheet.take("not", bool, False)
    sheet.close()
    if reference is None:
        return None
    if not equals and all(one is None for one in numbers.values()):
        sheet.wrong("", "it asks nothing of the field", "add equals, mask, above or below")
        return None
    if reference.kind is Text and any(one is not None for one in numbers.values()):
        sheet.wrong("", f"{reference.name} is a text", "a text can only be asked with equals")
        return None
    return Condition(reference, equals, numbers["mask"], numbers["above"], numbers["below"], inverted)


def read_value(sheet, known, enumerations):
    """Check an entry of a map, whose table is `sheet`; -> `Value`, or None where it is wrong."""
    ways = [word for word in ("field", "text", "value") if word in sheet]
    if len(ways) != 1:
        sheet.wrong("", "it needs one of field, text and value", 'write { field = "NAME" }')
        return None
    when = read_condition(sheet.table("when"), known) if "when" in sheet else None
    if ways == ["value"]:
        constant = sheet.anything("value")
        sheet.close()
        if not isinstance(constant, str | int):
            sheet.wrong("value", f"{shown(constant)} is no text, number, true or false", "write one")
            return None
        return Value(constant=constant, when=when)
    if ways == ["text"]:
        template = _read_template(sheet, known)
        sheet.close()
        return Value(template=template, when=when) if template else None
    reference = read_reference(sheet, "field", known, array=True)
    options = {
        "enumeration": enumerations.get(sheet.name("enumeration", enumerations, "enumeration")),
        "mask": sheet.number("mask", 1, (1 << 64) - 1),
        "inverted": sheet.take("not", bool, False),
        "none": _constants(sheet, "none"),
        "count_field": read_reference(sheet, "count_field", known, Number),
        "unit": _positive(sheet, "unit"),
        "unit_field": read_reference(sheet, "unit_field", known, Number),
        "units": _read_units(sheet),
        "epoch_s": sheet.number("epoch_s", -(1 << 40), 1 << 40, 0),
        "unlimited": _constants(sheet, "unlimited"),
        "warning": read_reference(sheet, "warning", known, Number),
    }
    sheet.close()
    if reference is None:
        return None
    enumeration = options["enumeration"]
    if reference.kind is Text and (options["mask"] is not None or (enumeration is not None and enumeration.bits)):
        sheet.wrong("", f"{reference.name} is a text", "mask and bits are for numbers")
        return None
    if (options["unit_field"] is None) != (options["units"] is None):
        sheet.wrong("", "unit_field and units belong together", "add the other one")
        return None
    return Value(reference=reference, when=when, **options)


def _read_template(sheet, known):
    """Texts and references of `text`, or () where it is wrong."""
    text, pieces, at = sheet.take("text", str, ""), [], 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            sheet.wrong("text", f"{shown(text)} has a brace too many", "write {field} for a field")
            return ()
        if found[1] is None:
            pieces.append(found[2])
        else:
            reference = _reference(sheet, "text", found[1], known, None, False)
            if reference is None:
                return ()
            pieces.append(reference)
        at = found.end()
    if not pieces:
        sheet.wrong("text", "it is empty", "write for instance {seq}.{host}")
    return tuple(pieces)


def _read_units(sheet):
    if "units" not in sheet:
        return None
    units = {}
    for key, factor in sheet.table("units").pairs():
        number = number_of(key)
        if number is None or isinstance(factor, bool) or not isinstance(factor, int) or not 0 < factor < 1 << 63:
            sheet.wrong(f"units.{key:.40}", f"{shown(factor)} is no unit", "write for instance { 1 = 1, 2 = 1024 }")
        else:
            units[number] = factor
    return units


def _positive(sheet, word):
    value = sheet.anything(word)
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 63 or math.isnan(value):
        sheet.wrong(word, f"{shown(value)} is no unit", "write a number above 0")
        return 1
    return value


def _constants(sheet, word):
    """A tuple of numbers and texts: of one, or of a list."""
    value = sheet.anything(word)
    if value is None:
        return ()
    found = value if isinstance(value, list) else [value]
    if not found or any(isinstance(one, bool) or not isinstance(one, int | str) for one in found):
        sheet.wrong(word, f"{shown(value)} is no number or text, and no list of them", "write one")
        return ()
    return tuple(found)

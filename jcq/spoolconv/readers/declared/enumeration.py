"""What the numbers or words of a field mean: one table of `[enumerations]`."""

from dataclasses import dataclass

from jcq.spoolconv.readers.declared.doubt import Doubt, Refused
from jcq.spoolconv.readers.declared.sheet import shown


@dataclass(frozen=True)
class Enumeration:
    """What the numbers or words of a field mean."""

    name: str
    values: dict
    #: {number or word: why a record with it is not converted}.
    skip: dict
    #: What every other means; None: such a value is doubtful.
    otherwise: str | None
    #: The keys are masks, the first of which all bits are set counts.
    bits: bool

    def meaning(self, key):
        """The word for a value.

        Raises:
            Doubt: there is none.
            Refused: such records are not converted.
        """
        found_key = key
        if self.bits:
            found_key = next((mask for mask in [*self.skip, *self.values] if key & mask == mask), None)
        if found_key in self.skip:
            raise Refused(self.skip[found_key])
        found = self.values.get(found_key, self.otherwise)
        if found is None:
            raise Doubt(f"{shown(key)} is not in the enumeration {self.name}")
        return found

    @property
    def results(self):
        """All that it can answer."""
        return {*self.values.values(), *([self.otherwise] if self.otherwise is not None else [])}


def read_enumeration(name, sheet):
    """Check one table of `[enumerations]`; -> `Enumeration`, also where something in it is wrong."""
    bits = sheet.take("bits", bool, False)
    tables = []
    for word in ("values", "skip"):
        found = {}
        for key, meaning in sheet.table(word).pairs():
            number = number_of(key)
            if not isinstance(meaning, str) or not meaning:
                sheet.wrong(f"{word}.{key:.40}", f"{shown(meaning)} is not a text in quotes", "write what it means")
            elif bits and (number is None or number <= 0):
                sheet.wrong(f"{word}.{key:.40}", "it is no mask", 'write a number such as "0x04"')
            else:
                found[key if number is None else number] = meaning
                if not bits and number is not None:
                    # The field may be a text that reads like a number.
                    found[key] = meaning
        tables.append(found)
    otherwise = sheet.take("otherwise", str)
    if not tables[0] and not tables[1]:
        sheet.wrong("values", "it is missing", 'add for instance values = { 1 = "QUEUED" }')
    sheet.close()
    return Enumeration(name, tables[0], tables[1], otherwise, bits)


def number_of(key):
    """A key of a table as a number, `0x04` too; None where it is none."""
    try:
        return int(key, 0) if len(key) <= 40 else None
    except ValueError:
        return int(key) if key.isdecimal() and key.isascii() and len(key) <= 40 else None

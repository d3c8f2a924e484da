"""Where bytes of a request lie: its script, its environment; in its own file, or in one that its name leads to."""

from dataclasses import dataclass

from jcq.model.request import ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.declared.doubt import Doubt
from jcq.spoolconv.readers.declared.path import Path, read_path
from jcq.spoolconv.readers.declared.slots import START_MAX
from jcq.spoolconv.readers.declared.structure import Number
from jcq.spoolconv.readers.declared.value import Reference, plain, read_reference

#: A file with a request's script may hold so much beside it.
FILE_BYTES_MAX = SCRIPT_BYTES_MAX + 4 * 1024 * 1024
#: How an environment lies: NAME=value with NUL or newline behind each, or with a number of bytes before each.
NULS, LINES = "nul", "lines"
_NAMES_MAX = 100_000


@dataclass(frozen=True)
class Place:
    """Where some bytes lie."""

    #: Of the file; None: that of the record itself.
    path: Path | None
    #: Values of parts that the record does not have, such as the number of the file with the script.
    fixed: dict
    start: int
    start_field: Reference | None
    length_field: Reference | None
    #: The record's own file: from the record's first byte on, not the file's.
    from_record: bool
    #: NULS or LINES.
    form: str = NULS

    def find(self, source, values):
        """The path of the file.

        Args:
            source: the `Source`.
            values: {name: Number, Text or tuple} of the record.
        Raises:
            Doubt: there is none, or more than one.
        """
        assert self.path is not None
        known = {name: plain(values[name]) for name in self.path.parts if name in values}
        try:
            whole = self.path.whole(known | self.fixed)
            if whole is not None:
                # Whether it is there is seen when it is read.
                return whole
            found = [where for where, _ in self.path.find(source, known | self.fixed)]
        except (ValueError, Unreadable) as error:
            raise Doubt(str(error)) from None
        if not found:
            raise Doubt(f"there is no file for it, {self.path.text}")
        if len(found) > 1:
            raise Doubt(f"there are {len(found)} files for it: {found[0]}, {found[1]}")
        return found[0]

    def take(self, data, values, record_start):
        """The bytes in a file's. Raises Doubt."""
        start = self.start + (record_start if self.from_record else 0)
        if self.start_field is not None:
            start += self.start_field(values).value
        if not 0 <= start <= len(data):
            raise Doubt(f"it begins at byte {start} of {len(data)}")
        if self.length_field is None:
            return data[start:]
        length = self.length_field(values).value
        if not 0 <= length <= len(data) - start:
            raise Doubt(f"{length} bytes are told, and there are {len(data) - start}")
        return data[start : start + length]


def check_script(script):
    """Raises Doubt where this can be no script."""
    if not script:
        raise Doubt("it is empty")
    if len(script) > SCRIPT_BYTES_MAX:
        raise Doubt(f"it has {len(script)} bytes, more than {SCRIPT_BYTES_MAX}")
    if b"\0" in script:
        raise Doubt("it has NUL bytes: a hole in the file, or no script")


def environment(raw, place):
    """{name: value} of the bytes of an environment that lies in a `Place`. Raises Doubt."""
    if len(raw) > ENVIRONMENT_BYTES_MAX:
        raise Doubt(f"it has {len(raw)} bytes, more than {ENVIRONMENT_BYTES_MAX}")
    found, end = {}, b"\0" if place.form == NULS else b"\n"
    if place.length_field is None and raw and not raw.endswith(end):
        raise Doubt("it breaks off in an entry")
    entries = raw.split(end)
    if place.form == NULS:
        # As C does: an empty string ends the list.
        count = entries.index(b"") if b"" in entries else len(entries)
        if place.length_field is not None and any(entries[count:]):
            raise Doubt("there is more of it behind its end")
        entries = entries[:count]
    for entry in entries:
        if not entry:
            continue
        name, equals, value = entry.partition(b"=")
        if not name or not equals or b"\0" in value or name in found or len(found) >= _NAMES_MAX:
            raise Doubt(f"it has the entry {entry[:40]!r}")
        found[name] = value
    return found


def read_place(sheet, known, parts, form=False):
    """Check a table `script` or `environment`.

    Args:
        sheet: its `Sheet`.
        known: {name: Known} of what the record has.
        parts: {name: Part}.
        form: whether it has the key `form`.
    Returns:
        `Place`, or None where something is wrong.
    """
    path = read_path(sheet, "path", parts)
    wrong = path is None and "path" in sheet
    fixed = {}
    for word, value in sheet.table("parts").pairs():
        part = parts.get(word)
        if part is None or path is None or word not in path.parts:
            sheet.wrong(f"parts.{word:.60}", "it is no part of the path", "remove it, or put it into the path")
        elif isinstance(value, bool) or not isinstance(value, int | str) or part.render(value) is None:
            sheet.wrong(f"parts.{word}", "such a value cannot be in a file name", "write what the part can be")
        else:
            fixed[word] = value
    start = sheet.number("start", 0, START_MAX, 0)
    references = {word: read_reference(sheet, word, known, Number) for word in ("start_field", "length_field")}
    from_record = sheet.choice("start_from", ("file", "record"), "file") == "record"
    if from_record and path is not None:
        sheet.wrong("start_from", "the bytes are in another file", "remove it")
    taken = sheet.choice("form", (NULS, LINES), NULS) if form else NULS
    sheet.close()
    if wrong:
        return None
    return Place(path, fixed, start, references["start_field"], references["length_field"], from_record, taken)

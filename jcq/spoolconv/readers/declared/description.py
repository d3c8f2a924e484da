"""The description of a spool: a TOML file, checked as a whole before anything of the spool is read."""

import os
import tomllib
from dataclasses import dataclass

from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.declared.enumeration import read_enumeration
from jcq.spoolconv.readers.declared.path import Path, read_parts, read_path
from jcq.spoolconv.readers.declared.place import Place, read_place
from jcq.spoolconv.readers.declared.sheet import MISTAKES_MAX, Mistakes, Sheet
from jcq.spoolconv.readers.declared.slots import ONE, Slots, read_slots
from jcq.spoolconv.readers.declared.structure import ORDERS, Number, Structure, Text, read_structure, read_types
from jcq.spoolconv.readers.declared.target import KINDS, LIMITED, NOTHING, REQUEST, read_limits, read_map
from jcq.spoolconv.readers.declared.value import FILE_FACTS, Condition, Known, read_condition, read_reference

#: The name of a description in the spool's directory.
FILE_NAME = "jcq-layout.toml"
FORMAT = 1
_BYTES_MAX = 256 * 1024
_FILES_MAX = 200


@dataclass(frozen=True)
class Holding:
    """One kind of record in a file."""

    kind: str
    #: None: every record of the file.
    when: Condition | None
    #: Its fields; None: only those of the slot.
    structure: Structure | None
    #: {name: Known} of what its map may name.
    known: dict
    #: [(Target, Value)].
    map: list
    #: {name of a limit: Value}.
    limits: dict
    script: Place | None
    environment: Place | None
    #: [(Condition, why such a record is not converted)].
    skips: list
    #: {part of the path: reference}: they must be equal.
    agree: dict
    #: NOTHING: why it is not converted.
    reason: str


@dataclass(frozen=True)
class Files:
    """Files that hold records."""

    path: Path
    slots: Slots
    holds: list
    #: Where it is not there, nothing is lost.
    optional: bool


@dataclass(frozen=True)
class Description:
    """A checked description."""

    #: What the administrator calls the layout.
    name: str
    files: list
    structures: dict
    #: `Path`s of what holds nothing to convert.
    ignored: list

    @property
    def places(self):
        """Every `Place` in files of their own."""
        found = [
            place for one in self.files for holding in one.holds for place in (holding.script, holding.environment)
        ]
        return [place for place in found if place is not None and place.path is not None]


def load(path):
    """Read and check a description.

    Args:
        path: of the file.
    Returns:
        `Description`.
    Raises:
        Unreadable: it cannot be read.
        WrongLayout: one line per mistake: file, key, what is wrong, what to do.
    """
    name = os.path.basename(os.fspath(path))
    try:
        with open(path, "rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(path=path, reason=getattr(error, "strerror", None) or str(error)) from None
    return parse(data, name)


def parse(data, name=FILE_NAME):
    """Check a description.

    Args:
        data: bytes of the file.
        name: of the file, for messages.
    Raises:
        WrongLayout: see `load`.
    """
    mistakes = Mistakes(name)
    if len(data) > _BYTES_MAX:
        mistakes.add("the file", f"it has more than {_BYTES_MAX} bytes", "this is no description")
        raise _refused(mistakes)
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else f"it is no TOML: {error}"
        mistakes.add("the file", what, "correct it there")
        raise _refused(mistakes) from None
    try:
        found = _read(Sheet(table, "", mistakes))
    except RecursionError:
        mistakes.add("the file", "it is nested too deeply", "correct it")
    if mistakes.lines:
        raise _refused(mistakes)
    return found


def _refused(mistakes):
    more = ["(there are more)"] if len(mistakes.lines) == MISTAKES_MAX else []
    return WrongLayout(reason="\n".join([*mistakes.lines, *more]))


def _read(sheet):
    form = sheet.take("format", int, needed=True)
    if form is not None and form != FORMAT:
        sheet.wrong("format", "this jcq does not know it", f"write {FORMAT}, or install the jcq that it is for")
    name = sheet.take("name", str, "", needed=True)
    order = sheet.choice("byte_order", ORDERS, "big", needed=True)
    bits = sheet.number("long_bits", 32, 64, 32, needed=True)
    if bits not in (32, 64):
        sheet.wrong("long_bits", "it is neither 32 nor 64", "write the bits of C's long on the old machine")
        bits = 32
    types = read_types(sheet.table("types"), bits)
    parts = read_parts(sheet.table("parts"))
    enumerations = {word: read_enumeration(word, one) for word, one in sheet.named("enumerations").items()}
    structures = {word: read_structure(word, one, types, order) for word, one in sheet.named("structures").items()}
    tables = sheet.tables("files", needed=True)
    if len(tables) > _FILES_MAX:
        sheet.wrong("files", f"there are more than {_FILES_MAX}", "join those of one form by * in their path")
    files = [_read_files(one, parts, enumerations, structures) for one in tables[:_FILES_MAX]]
    ignored = [read_path(one, "path", parts) for one in _as_sheets(sheet, "ignored")]
    sheet.close()
    return Description(name, [one for one in files if one], structures, [path for path in ignored if path])


def _as_sheets(sheet, word):
    """A list of texts as `Sheet`s with the text under `path`."""
    found = sheet.take(word, list, [])
    return [Sheet({"path": one}, f"{sheet.at(word)}[{number}]", sheet.mistakes) for number, one in enumerate(found)]


def _read_files(sheet, parts, enumerations, structures):
    path = read_path(sheet, "path", parts)
    if path is None and "path" not in sheet:
        sheet.take("path", str, needed=True)
    slots = read_slots(sheet, structures, lambda one, structure: read_condition(one, _known(path, parts, structure)))
    optional = sheet.take("optional", bool, False)
    holds = [_read_holding(one, path, slots, parts, enumerations, structures) for one in sheet.tables("holds", True)]
    if not holds and "holds" in sheet:
        sheet.wrong("holds", "it is empty", "add [[files.holds]] with kind and map")
    sheet.close()
    return Files(path, slots, [one for one in holds if one], optional) if path and slots else None


def _known(path, parts, *structures):
    """{name: Known} of all that a map may name."""
    known = {name: Known(kind) for name, kind in FILE_FACTS.items()}
    for structure in structures:
        for field in structure.fields.values() if structure else ():
            known[field.name] = Known(Number if field.codec else Text, field.count if field.is_array else 0)
    for name in path.parts if path else ():
        known[name] = Known(Number if parts[name].alphabet else Text)
    return known


def _read_holding(sheet, path, slots, parts, enumerations, structures):
    kind = sheet.choice("kind", KINDS, needed=True)
    structure = structures.get(sheet.name("structure", structures, "structure"))
    base = slots.structure if slots else None
    if structure is not None and base is None:
        sheet.wrong("structure", "the file itself names none", "move it to [[files]]")
        structure = None
    if slots is None or path is None or ("structure" in sheet and structure is None):
        # All that its map names would be unknown.
        return None
    _check_names(sheet, path, base, structure)
    known = _known(path, parts, base, structure)
    when = read_condition(sheet.table("when"), _known(path, parts, base)) if "when" in sheet else None
    skips = [_read_skip(one, known) for one in sheet.tables("skip")]
    agree = _read_agree(sheet.table("agree"), path, known)
    reason = sheet.take("reason", str, "", needed=kind == NOTHING)
    script = read_place(sheet.table("script"), known, parts) if "script" in sheet else None
    environment = read_place(sheet.table("environment"), known, parts, True) if "environment" in sheet else None
    entries = read_map(sheet.table("map"), kind, known, enumerations) if kind else []
    limits = read_limits(sheet.table("limits"), known, enumerations)
    _check_kind(sheet, kind, slots)
    sheet.close()
    return Holding(kind, when, structure, known, entries, limits, script, environment, skips, agree, reason)


def _check_names(sheet, path, *structures):
    seen = set(path.parts) if path else set()
    for structure in structures:
        for name in structure.fields if structure else ():
            if name in seen:
                where = structure.name if structure else ""
                sheet.wrong("structure", f"{name} of {where} is also a part, or a field of the file's own", "rename it")
            seen.add(name)


def _check_kind(sheet, kind, slots):
    for word in ("script", "environment"):
        if word in sheet and kind != REQUEST:
            sheet.wrong(word, f"a {kind} has none", "remove it")
    if kind == REQUEST and "script" not in sheet:
        sheet.wrong("script", "it is missing", "say where the script's text lies: path, or start in this file")
    if "limits" in sheet and kind not in LIMITED:
        sheet.wrong("limits", f"a {kind} has none", "remove them")
    if slots and slots.layout != ONE and slots.structure and "script" in sheet and "path" not in sheet.table("script"):
        in_record = sheet.table("script").take("length_field", str)
        if in_record is None:
            sheet.wrong("script", "the file holds many records", "add a length_field, or the path of its own file")


def _read_skip(sheet, known):
    when = read_condition(sheet.table("when"), known)
    reason = sheet.take("reason", str, "", needed=True)
    sheet.close()
    return when, reason


def _read_agree(sheet, path, known):
    agree = {}
    for word, _ in sheet.pairs():
        if path is None or word not in path.parts:
            sheet.wrong(word[:60], "it is no part of the path", 'write PART = "field"')
            continue
        reference = read_reference(sheet, word, known, known[word].kind)
        if reference is not None:
            agree[word] = reference
    return agree

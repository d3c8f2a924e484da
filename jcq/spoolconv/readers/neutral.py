"""Layout "neutral": a directory with a marker file and JSON lines, see `jcq.model.neutral`; `jcq dump` writes it."""

import base64
import json

from jcq.model import neutral
from jcq.model.neutral_values import values_of
from jcq.model.request import ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.seen import Seen

NAME = "neutral"

_MARKER_BYTES_MAX = 1024 * 1024
_NOTES_MAX = 20
_PATH_SHOWN = 200
_ENDING = ".jsonl"
_ABSENT = object()

#: Keys that have other names in the records.
_RENAMED = {
    "id": "old_id",
    "stdout": "out_path",
    "stderr": "err_path",
    "keep_stdout": "keep_out",
    "keep_stderr": "keep_err",
    "direct_stdout": "direct_out",
    "direct_stderr": "direct_err",
}


def evidence(source):
    """What says that a `Source` is of this layout, in words; empty where nothing does."""
    try:
        found = source.status(neutral.MARKER)
    except Unreadable:
        return ""
    return f"it has {neutral.MARKER}" if found else ""


def read(source, clock_s):
    """Read a spool.

    Args:
        source: the `Source`.
        clock_s: not used: nothing in this layout depends on when it is read.
    Yields:
        Records: one for each line, a `Skip` where it cannot be understood; and a `Skip` for each file that is not one
        of the layout, or could not be read to its end.
    Raises:
        WrongLayout: before the first record: the marker is none, or it contradicts the files beside it.
    """
    counts = _counts(source)
    names = _names(source)
    _check_files(source, names, counts)
    for name in names:
        if name.endswith(_ENDING) and name.removesuffix(_ENDING) not in neutral.BY_STEM:
            yield Skip(name, f"no file of this layout; there are {_files()}", kind="file")
    for kind in neutral.KINDS:
        if kind.file in names:
            yield from _records(source, kind)


# --- the directory ---------------------------------------------------------------------------


def _counts(source):
    """{stem: number of lines that the file must have}, from the marker."""
    try:
        found = _loads(source.read(neutral.MARKER, _MARKER_BYTES_MAX).data)
    except (Unreadable, ValueError) as error:
        reason = error.fields["reason"] if isinstance(error, Unreadable) else str(error)
        raise WrongLayout(reason=f"{neutral.MARKER}: {reason}") from None
    if not isinstance(found, dict) or found.get("format") != neutral.FORMAT:
        raise WrongLayout(reason=f'{neutral.MARKER} does not say "format": "{neutral.FORMAT}"')
    version = found.get("version")
    if isinstance(version, bool) or version != neutral.VERSION:
        raise WrongLayout(
            reason=f"{neutral.MARKER} has version {str(version)[:60]!r}; this jcq reads version {neutral.VERSION}"
        )
    counts = found.get("counts")
    if counts is None:
        return {}
    if not isinstance(counts, dict) or not all(_is_count(counts.get(kind.stem, 0)) for kind in neutral.KINDS):
        raise WrongLayout(reason=f'{neutral.MARKER}: "counts" must have numbers of lines')
    return counts


def _is_count(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == value // 1


def _names(source):
    try:
        return source.names()
    except Unreadable as error:
        raise WrongLayout(reason=f"the directory cannot be read: {error.fields['reason']}") from None


def _check_files(source, names, counts):
    if not any(kind.file in names for kind in neutral.KINDS) and not any(counts.values()):
        if not counts:
            raise WrongLayout(reason=f"beside {neutral.MARKER} there is none of {_files()}")
        return
    for kind in neutral.KINDS:
        wanted = counts.get(kind.stem, _ABSENT)
        if wanted is _ABSENT:
            continue
        found = _count_lines(source, kind.file) if kind.file in names else 0
        if found is not None and found != wanted:
            what = f"has {found} lines" if kind.file in names else "is missing"
            raise WrongLayout(reason=f"{kind.file} {what}, and {neutral.MARKER} says {wanted}: copy or write it again")


def _count_lines(source, name):
    """How many lines a file has; None where that is not known, which `_records` will meet as well."""
    number = 0
    try:
        # No line is kept: only the numbers count.
        for number, _ in source.lines(name, 0, neutral.FILE_BYTES_MAX):  # noqa: B007
            pass
    except Unreadable:
        return None
    return number


def _files():
    return ", ".join(kind.file for kind in neutral.KINDS)


# --- lines -----------------------------------------------------------------------------------


def _records(source, kind):
    seen = Seen()
    try:
        for number, line in source.lines(kind.file, neutral.LINE_BYTES_MAX, neutral.FILE_BYTES_MAX):
            yield _record(source, kind, f"{kind.file}:{number}", line, seen)
    except Unreadable as error:
        yield Skip(kind.file, error.fields["reason"], kind="file")


def _record(source, kind, where, line, seen):
    """The one record of a line."""
    if line is None:
        return Skip(where, f"the line has more than {neutral.LINE_BYTES_MAX} bytes", kind=kind.kind)
    known = ""
    try:
        found = _loads(line)
        known = _known_id(kind, found)
        values, notes = values_of(kind, found)
        name = values[kind.identity]
        record = _MAKERS[kind.stem](source, where, values, _noted(notes))
        if not seen.add(name):
            raise ValueError(f"{kind.identity} {name[:60]!r} stood in a line before")
        return record
    except ValueError as error:
        return Skip(where, str(error), old_id=known, kind=kind.kind)
    except Unreadable as error:
        path = error.fields["path"][:_PATH_SHOWN]
        shown = path if path.isprintable() else repr(path)
        return Skip(where, f"{shown}: {error.fields['reason']}", old_id=known, kind=kind.kind)


def _noted(notes):
    """So many notes as a person reads: a line of 4 MiB may have a million unknown keys."""
    more = [f"{len(notes) - _NOTES_MAX} more keys are not known"] if len(notes) > _NOTES_MAX else []
    return (*notes[:_NOTES_MAX], *more)


def _known_id(kind, found):
    """The id of what may turn out to be a broken line, for the report."""
    if kind.stem != "requests" or not isinstance(found, dict):
        return ""
    known = found.get("id")
    if isinstance(known, bool) or not isinstance(known, str | int):
        return ""
    text = str(known)[:255] if isinstance(known, str) or abs(known) <= 10**15 else ""
    return text if text.isprintable() else ""


def _loads(data):
    """What JSON text says. Raises ValueError, in words."""
    if not data.strip():
        raise ValueError("there is nothing in it")
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise ValueError("it is no JSON: its braces are too deep") from None


def _object(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"key {name[:60]!r} stands twice")
            seen.add(name)
    return found


def _no_number(text):
    raise ValueError(f"it is no JSON: {text} is no number")


# --- records ---------------------------------------------------------------------------------


def _setting(_source, where, values, notes):
    return OldSetting(values["name"], str(values["value"]), where, notes)


def _manager(_source, where, values, notes):
    return OldSetting(f"manager:{values['name']}", values["role"], where, notes)


def _queue(_source, where, values, notes):
    return OldQueue(where=where, notes=notes, **values)


def _complex(_source, where, values, notes):
    return OldComplex(where=where, notes=notes, **values)


def _request(source, where, values, notes):
    script = _bytes(source, values, neutral.SCRIPT_KEYS, SCRIPT_BYTES_MAX)
    environment = values.pop("environment", None)
    if environment is not None:
        environment = {_packed(name): _packed(value) for name, value in environment.items()}
    packed = _bytes(source, values, neutral.ENVIRONMENT_KEYS, ENVIRONMENT_BYTES_MAX)
    if packed is not None:
        environment = _unpacked(packed)
    if environment and sum(len(name) + len(value) + 2 for name, value in environment.items()) > ENVIRONMENT_BYTES_MAX:
        raise ValueError(f"the environment has more than {ENVIRONMENT_BYTES_MAX} bytes")
    for name in ("submitted_s", "due_s", "retried_s"):
        if name in values:
            values[name] = float(values[name])
    if "variables" in values:
        values["variables"] = "\0".join(f"{name}={value}" for name, value in values["variables"].items())
    fields = {_RENAMED.get(name, name): value for name, value in values.items()}
    return OldRequest(where=where, notes=notes, script=script, environment=environment, **fields)


def _bytes(source, values, keys, bytes_max):
    """Take what stands under one of three keys (inline, base64, file); None where nothing does."""
    inline, coded, file = (values.pop(key, None) for key in keys)
    if file is not None:
        return source.read(file, bytes_max).data
    data = base64.b64decode(coded) if coded is not None else inline
    if data is not None and len(data) > bytes_max:
        raise ValueError(f"{keys[0]} has {len(data)} bytes, more than {bytes_max}")
    return data


def _packed(text):
    return text.encode("utf-8", "surrogateescape")


def _unpacked(data):
    """The environment in `NAME=VALUE`, each ended by NUL."""
    found = {}
    for pair in data.removesuffix(b"\0").split(b"\0") if data else []:
        name, equals, value = pair.partition(b"=")
        if not (name and equals):
            raise ValueError(f"the environment has a part that is no NAME=VALUE: {pair[:60]!r}")
        if name in found:
            raise ValueError(f"the environment has {name[:60]!r} twice")
        found[name] = value
    if len(found) > neutral.VARIABLES_MAX:
        raise ValueError(f"the environment has more than {neutral.VARIABLES_MAX} variables")
    return found


_MAKERS = {
    "settings": _setting,
    "managers": _manager,
    "queues": _queue,
    "complexes": _complex,
    "requests": _request,
}

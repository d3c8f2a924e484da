"""What a description may map to, and how a value becomes what the neutral record wants.

A value that cannot be trusted never becomes part of a record. What follows depends on the field (`Target.doubt`): a
note; a note and a request that is held, or a queue that is closed; or no record at all, where the value decides whose
the request is, where it goes or what it runs.
"""

from dataclasses import dataclass

from jcq.model import limits as limits_model
from jcq.model.queue import PRIORITY_MAX, RUN_LIMIT_MAX, TYPES
from jcq.model.restart import ATTRIBUTES
from jcq.spoolconv.readers.declared.doubt import Doubt
from jcq.spoolconv.readers.declared.sheet import shown
from jcq.spoolconv.readers.declared.structure import Number
from jcq.spoolconv.readers.declared.value import read_value
from jcq.spoolconv.records import STATES

NOTE, HOLD, SKIP = "note", "hold", "skip"
#: 2100-01-01; nothing that waits for a later day was meant so.
LATEST_S = 4_102_444_800
#: Clocks of two machines differ by less.
_DAY_S = 86_400
_ID_MAX = (1 << 32) - 2
_UMASK_MAX = 0o777
_TRUE, _FALSE = ("yes", "true", "on"), ("no", "false", "off")

REQUEST, QUEUE, COMPLEX, SETTING, NOTHING = "request", "queue", "complex", "setting", "nothing"
KINDS = (REQUEST, QUEUE, COMPLEX, SETTING, NOTHING)


@dataclass(frozen=True)
class Target:
    """One field of a neutral record."""

    name: str
    #: A name of `_CONVERTERS`.
    kind: str
    doubt: str
    #: What it may be, where only a few words are.
    words: tuple = ()
    needed: bool = False
    low: int = 0
    high: int = 0


def _table(*targets):
    return {target.name: target for target in targets}


TARGETS = {
    REQUEST: _table(
        Target("old_id", "text", SKIP, needed=True),
        Target("queue", "text", SKIP, needed=True),
        Target("user", "login", SKIP),
        Target("uid", "id", SKIP, high=_ID_MAX),
        Target("gid", "id", SKIP, high=_ID_MAX),
        # To be said: a request that had begun must not be taken for one that waits.
        Target("state", "word", SKIP, STATES, needed=True),
        Target("operator_hold", "flag", HOLD),
        Target("name", "text", NOTE),
        Target("priority", "number", NOTE, high=PRIORITY_MAX),
        Target("submitted_s", "past", NOTE),
        Target("due_s", "time", HOLD),
        Target("restartable", "flag", HOLD),
        Target("workdir", "path", HOLD),
        Target("host", "text", NOTE),
        Target("umask", "number", HOLD, high=_UMASK_MAX),
        Target("tz", "text", NOTE),
        Target("shell", "path", HOLD),
        Target("out_path", "path", HOLD),
        Target("err_path", "path", HOLD),
        *(Target(name, "flag", NOTE) for name in "joined keep_out keep_err direct_out direct_err".split()),
        Target("mail_begin", "flag", NOTE),
        Target("mail_end", "flag", NOTE),
        Target("mail_to", "text", NOTE),
        Target("after", "list", HOLD),
        Target("retried_s", "span", NOTE),
    ),
    QUEUE: _table(
        Target("name", "text", SKIP, needed=True),
        Target("type", "word", SKIP, TYPES),
        Target("priority", "number", NOTE, high=PRIORITY_MAX),
        Target("run_limit", "number", HOLD, low=1, high=RUN_LIMIT_MAX),
        Target("user_limit", "number", HOLD, high=RUN_LIMIT_MAX),
        Target("enabled", "flag", HOLD),
        Target("started", "flag", HOLD),
        Target("pipeonly", "flag", HOLD),
        Target("destinations", "list", HOLD),
        Target("restart", "word", HOLD, ATTRIBUTES),
        Target("background", "flag", NOTE),
        Target("restricted", "flag", HOLD),
        Target("users", "list", HOLD),
        Target("groups", "list", HOLD),
    ),
    COMPLEX: _table(
        Target("name", "text", SKIP, needed=True),
        Target("run_limit", "number", SKIP, low=1, high=RUN_LIMIT_MAX),
        Target("queues", "list", SKIP),
    ),
    SETTING: _table(
        Target("name", "text", SKIP, needed=True),
        Target("value", "text", SKIP, needed=True),
    ),
    NOTHING: {},
}
#: Kinds that have limits.
LIMITED = (REQUEST, QUEUE)


def convert(target, entry, values, clock_s):
    """The value for a field of a record; None where the old system says nothing.

    Args:
        target: the `Target`.
        entry: the `Value` that the description gives for it.
        values: {name: Number, Text or tuple} of the structure, the path and the file.
        clock_s: now.
    Raises:
        Doubt: it cannot be trusted.
        Refused: the description says that there is to be no record.
    """
    found = entry.get(values)
    if target.kind == "id" and found is not None and entry.reference and entry.reference(values).all_ones:
        raise Doubt("it is -1, which is nobody")
    return None if found is None else _CONVERTERS[target.kind](target, entry, found, clock_s)


def convert_limit(limit, entry, values):
    """(value, warning) of a limit, or None where the old system has none. Raises Doubt, Refused."""
    found = entry.get(values)
    if found is None:
        return None
    if found in entry.unlimited:
        return None, None
    unit = entry.unit
    if entry.unit_field is not None:
        key = entry.unit_field(values).value
        if key not in entry.units:
            raise Doubt(f"its unit {key} is not in units")
        unit *= entry.units[key]
    value = _limit_value(limit, found, unit)
    if entry.warning is None:
        return value, None
    warning = entry.warning(values).value
    if warning in (0, found) or warning in entry.unlimited:
        return value, None
    warning = _limit_value(limit, warning, unit)
    if warning > value:
        raise Doubt(f"its warning {warning} is above its value {value}")
    return value, warning


def _limit_value(limit, found, unit):
    if limit.kind == limits_model.NICE:
        low, high = limits_model.NICE_MIN, limits_model.NICE_MAX
    else:
        low, high = 0, limits_model.SIZE_MAX if limit.kind == limits_model.SIZE else limits_model.TIME_MAX_S
    value = round(found * unit, 3)
    if limit.kind == limits_model.SIZE or value == int(value):
        value = int(value)
    if not low <= value <= high:
        raise Doubt(f"{value} is not from {low} to {high}")
    return value


def _text(target, entry, found, clock_s):
    return str(found) if found != "" else None


def _path(target, entry, found, clock_s):
    text = str(found)
    if text and not text.startswith("/"):
        raise Doubt(f"{shown(text)} is not absolute")
    return text or None


def _number(target, entry, found, clock_s):
    if not target.low <= found <= target.high:
        raise Doubt(f"{found} is not from {target.low} to {target.high}")
    return found


def _flag(target, entry, found, clock_s):
    if isinstance(found, str):
        if found not in _TRUE + _FALSE:
            raise Doubt(f"{shown(found)} is neither yes nor no")
        found = found in _TRUE
    return bool(found) != entry.inverted


def _word(target, entry, found, clock_s):
    if found not in target.words:
        raise Doubt(f"{shown(found)} is none of {', '.join(target.words)}")
    return found


def _time(target, entry, found, clock_s):
    if found == 0:
        return None
    seconds = entry.epoch_s + found * entry.unit
    if not 0 < seconds < LATEST_S:
        raise Doubt(f"{found} is no time between 1970 and 2100")
    return float(seconds)


def _past(target, entry, found, clock_s):
    seconds = _time(target, entry, found, clock_s)
    if seconds is not None and seconds > clock_s + _DAY_S:
        raise Doubt(f"{found} is a time to come")
    return seconds


def _span(target, entry, found, clock_s):
    seconds = found * entry.unit
    if not 0 <= seconds <= limits_model.TIME_MAX_S:
        raise Doubt(f"{found} is no time that it can have waited")
    return float(seconds)


def _list(target, entry, found, clock_s):
    if isinstance(found, str):
        found = found.replace(",", " ").split()
    elif not isinstance(found, tuple):
        found = (found,)
    return tuple(map(str, found))


_CONVERTERS = {
    "text": _text,
    "login": _text,
    "path": _path,
    "number": _number,
    "id": _number,
    "flag": _flag,
    "word": _word,
    "time": _time,
    "past": _past,
    "span": _span,
    "list": _list,
}
_LIMIT = "limit"
#: Kinds of targets that need a text, and a number would be taken for one.
_TEXTUAL = ("login", "path")
#: What only some kinds can have; for all others it would have no effect.
_EXTRAS = {
    "flag": {"not"},
    "list": {"count_field"},
    "time": {"unit", "epoch_s"},
    "past": {"unit", "epoch_s"},
    "span": {"unit"},
    _LIMIT: {"unit", "unit_field", "unlimited", "warning"},
}
#: Kinds of targets that need a number, unless an enumeration gives them a word.
_NUMERIC = (_LIMIT, "number", "id", "time", "past", "span")


def read_map(sheet, kind, known, enumerations):
    """Check the table `map` of something that a file holds.

    Args:
        sheet: its `Sheet`.
        kind: one of `KINDS`.
        known: {name: Known} of what may be named.
        enumerations: {name: Enumeration}.
    Returns:
        [(Target, Value)], in the order of `TARGETS`.
    """
    targets, entries = TARGETS[kind], {}
    for word, table in sheet.pairs():
        if word not in targets:
            remedy = f"write one of {', '.join(targets)}" if targets else "remove it"
            sheet.wrong(word[:60], f"a {kind} has no such field", remedy)
            continue
        entry = _read_entry(sheet, word, table, known, enumerations)
        if entry is not None and _fits(targets[word], entry, sheet):
            entries[word] = entry
    for name, target in targets.items():
        if target.needed and name not in sheet:
            sheet.wrong(name, "it is missing", f"every {kind} needs it")
    if kind == REQUEST and "user" not in sheet and "uid" not in sheet:
        sheet.wrong("user", "it is missing, and so is uid", "a request needs its owner")
    return [(target, entries[name]) for name, target in targets.items() if name in entries]


def read_limits(sheet, known, enumerations):
    """Check the table `limits`: {name of a limit: Value}."""
    entries = {}
    for word, table in sheet.pairs():
        if word not in limits_model.BY_NAME:
            sheet.wrong(word[:60], "there is no such limit", f"write one of {', '.join(limits_model.BY_NAME)}")
            continue
        entry = _read_entry(sheet, word, table, known, enumerations)
        if entry is not None and _fits(Target(word, _LIMIT, HOLD), entry, sheet):
            entries[word] = entry
    return entries


def _read_entry(sheet, word, table, known, enumerations):
    if isinstance(table, str):
        table = {"field": table}
    return read_value(type(sheet)(table, sheet.at(word), sheet.mistakes), known, enumerations)


def _fits(target, entry, sheet):
    """Whether a value of this form can be what the target wants; notes the mistake where not."""
    what = None
    is_array = entry.reference is not None and entry.reference.is_array
    is_number = isinstance(entry.constant, int) and not isinstance(entry.constant, bool)
    if entry.reference is not None:
        is_number = entry.reference.kind is Number and entry.enumeration is None
    useless = entry.extras - _EXTRAS.get(target.kind, set())
    if useless:
        sheet.wrong(target.name, f"{' and '.join(sorted(useless))} cannot be said of it", "remove it")
        return False
    if is_array and target.kind != "list":
        what = "it needs one value, and the field is an array"
    elif target.kind in _NUMERIC and not is_number:
        what = "it needs a number"
    elif target.kind in _TEXTUAL and is_number:
        what = "it needs a text"
    elif target.kind == "word" and (entry.constants is None or not entry.constants <= set(target.words)):
        what = f"it needs one of {', '.join(target.words)}"
    elif target.kind == "flag" and not is_number and not _is_flag(entry):
        what = "it needs a number, true, false or an enumeration of yes and no"
    elif entry.constant is not None and target.kind in _CONVERTERS and target.kind in (*_NUMERIC, "path"):
        try:
            _CONVERTERS[target.kind](target, entry, entry.constant, LATEST_S)
        except Doubt as doubt:
            what = str(doubt)
    if what is None:
        return True
    remedy = "name one element, FIELD[0]" if is_array else "map it to another field, or give it an enumeration"
    sheet.wrong(target.name, what, remedy)
    return False


def _is_flag(entry):
    return isinstance(entry.constant, bool) or bool(entry.constants and entry.constants <= {*_TRUE, *_FALSE})

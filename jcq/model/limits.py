"""Resource limits of requests and queues: the table of them; values as written, as stored, as people read them.

Options, units and the warning value are NQS's (nqs-facts.md section 2); -lE is ours. What Linux can enforce, and
how, stands in the table: the worker, qlimit and qmgr read it there.

A set of limits is a dict {name of a limit: (value, warning)}: value None for unlimited, warning None for none. Sizes
are bytes, times seconds. Stored it is `cpu_process=60:50 memory_request=1000000`.

A batch queue has such a set too: what requests may ask for, and what those get that ask for nothing. What is not in it
is unlimited there. Its nice value is the smallest, that is the best, that a request may ask for.
"""

import re
from dataclasses import dataclass

from jcq.errors import UsageError

PROCESS, REQUEST = "process", "request"
SIZE, CPU, ELAPSED, NICE = "size", "cpu", "elapsed", "nice"
UNLIMITED = "unlimited"

NICE_MIN, NICE_MAX = -20, 19
#: The greatest number that setrlimit takes; and a time that no computer lives to see.
SIZE_MAX = 2**63 - 1
TIME_MAX_S = 10**9

#: How a limit is enforced, where it is not the name of an RLIMIT.
SETPRIORITY, WATCHED, NOT_ENFORCED = "setpriority", "watched", ""


@dataclass(frozen=True)
class Limit:
    """One row of the table."""

    #: The option of qsub and qalter.
    option: str
    name: str
    #: PROCESS or REQUEST: of each process, or of all processes of a request together.
    scope: str
    kind: str
    #: Name of an RLIMIT, SETPRIORITY, WATCHED by the shepherd, or NOT_ENFORCED.
    how: str
    words: str

    @property
    def title(self):
        """`Per-process CPU time`."""
        return f"Per-{self.scope} {self.words}"

    @property
    def command(self):
        """How qmgr sets it for a queue: `per_process cpu_limit`, `data_limit`."""
        return _COMMANDS.get(self.name) or f"per_{self.scope} {self.name.partition('_')[0]}_limit"


#: Those that qmgr names in their own way (nqs-facts.md section 4); elapsed_limit is ours.
_COMMANDS = {
    "core_process": "corefile_limit",
    "data_process": "data_limit",
    "elapsed_request": "elapsed_limit",
    "nice_process": "nice_value_limit",
    "stack_process": "stack_limit",
    "workset_process": "working_set_limit",
}

#: In the order in which they are shown.
LIMITS = (
    Limit("-lc", "core_process", PROCESS, SIZE, "RLIMIT_CORE", "core file size"),
    Limit("-ld", "data_process", PROCESS, SIZE, "RLIMIT_DATA", "data segment size"),
    Limit("-lf", "permfile_process", PROCESS, SIZE, "RLIMIT_FSIZE", "permanent file size"),
    Limit("-lF", "permfile_request", REQUEST, SIZE, NOT_ENFORCED, "permanent file space"),
    Limit("-lm", "memory_process", PROCESS, SIZE, "RLIMIT_AS", "memory size"),
    Limit("-lM", "memory_request", REQUEST, SIZE, WATCHED, "memory size"),
    Limit("-ln", "nice_process", PROCESS, NICE, SETPRIORITY, "nice value"),
    Limit("-ls", "stack_process", PROCESS, SIZE, "RLIMIT_STACK", "stack segment size"),
    Limit("-lt", "cpu_process", PROCESS, CPU, "RLIMIT_CPU", "CPU time"),
    Limit("-lT", "cpu_request", REQUEST, CPU, WATCHED, "CPU time"),
    Limit("-lv", "tempfile_process", PROCESS, SIZE, "RLIMIT_FSIZE", "temporary file size"),
    Limit("-lV", "tempfile_request", REQUEST, SIZE, NOT_ENFORCED, "temporary file space"),
    Limit("-lw", "workset_process", PROCESS, SIZE, "RLIMIT_RSS", "working set size"),
    Limit("-lE", "elapsed_request", REQUEST, ELAPSED, WATCHED, "elapsed time"),
)
BY_NAME = {limit.name: limit for limit in LIMITS}

#: Linux takes the number and does nothing with it (setrlimit(2)).
_IDLE = ("RLIMIT_RSS",)

#: A word is 8 bytes.
_UNITS = {unit: factor << 10 * power for power, prefix in enumerate(("", "k", "m", "g"))
          for unit, factor in ((f"{prefix}b", 1), (f"{prefix}w", 8))} | {"": 1, "tb": 1 << 40}  # fmt: skip
_SHOWN_UNITS = tuple((unit, _UNITS[unit]) for unit in ("tb", "gb", "mb", "kb"))
_EXAMPLES = {
    SIZE: '{0} 100mb, or {0} "100mb, 90mb" with a warning value',
    CPU: '{0} 1:30:00, or {0} "10:00, 9:00" with a warning value',
    ELAPSED: '{0} 1:30:00, or {0} "10:00, 9:00" with a warning value',
    NICE: "{0} 10",
}
_NUMBER = re.compile(r"(\d{1,20})(?:\.(\d{0,20}))? *([a-z]*)", re.ASCII)
_TIME = re.compile(r"(?:(?:(\d{1,12}):)?(\d{1,12}):)?(\d{1,12})(?:\.(\d{0,20}))?", re.ASCII)


def enforced(limit):
    """How this system enforces a `Limit`, in words for qlimit."""
    if limit.how == SETPRIORITY:
        return "set at the start"
    if limit.how == WATCHED:
        return "enforced, looked at once a second" if limit.kind != ELAPSED else "enforced"
    if limit.how == NOT_ENFORCED:
        return "not enforced"
    return "not enforced by Linux" if limit.how in _IDLE else "enforced"


def parse_option(limit, text):
    """Read what follows an option: `value` or `value, warning`.

    Args:
        limit: the `Limit`.
        text: such as `1.5gb`, `10:00, 9:00`, `unlimited`, `-5`; a nice value has no warning and is never unlimited.
    Returns:
        (value, warning).
    Raises:
        UsageError: it names the option and shows an example.
    """
    try:
        return _parse(limit, text)
    except ValueError as error:
        example = _EXAMPLES[limit.kind].format(limit.option)
        raise UsageError(reason=f"{limit.option}: {error}; for example {example}") from None


def parse_of_queue(limit, text):
    """As `parse_option`, for a queue: a nice value may be unlimited there, which means that the queue has none.

    Raises:
        ValueError: what is wrong, in words that follow `set data_limit: ...`.
    """
    return (None, None) if text.strip().lower() == UNLIMITED else _parse(limit, text)


def _parse(limit, text):
    """(value, warning); raises ValueError."""
    first, comma, second = text.partition(",")
    value = _value(limit, first, text)
    if not comma:
        return value, None
    if limit.kind == NICE:
        raise ValueError("has no warning value")
    warning = _value(limit, second, text)
    if warning is None:
        raise ValueError("a warning value cannot be unlimited")
    if value is not None and warning > value:
        raise ValueError(f"the warning value is above the limit in {text!r}")
    return value, warning


def to_text(limits):
    """A set of limits as it is stored, in the order of the table."""
    words = []
    for limit in LIMITS:
        if limit.name in limits:
            value, warning = limits[limit.name]
            words.append(f"{limit.name}={UNLIMITED if value is None else value}")
            if warning is not None:
                words[-1] += f":{warning}"
    return " ".join(words)


def from_text(text):
    """The set of limits that `to_text` stored.

    Raises:
        ValueError: it is none.
    """
    found = {}
    for word in text.split():
        name, equals, numbers = word.partition("=")
        value, colon, warning = numbers.partition(":")
        if name not in BY_NAME or not equals:
            raise ValueError(f"no limit: {word!r}")
        found[name] = (None if value == UNLIMITED else _number(value), _number(warning) if colon else None)
    return found


def effective(own, of_queue):
    """The limits that hold for a request.

    Args:
        own: stored text of those that its submission, or qalter, gave.
        of_queue: stored text of those that it has of its queue; its own go before them.
    Returns:
        A set of limits, in the order of the table.
    """
    found = from_text(of_queue) | from_text(own)
    return {limit.name: found[limit.name] for limit in LIMITS if limit.name in found}


def merged(text, changes):
    """The stored text of the limits in `text` with those of the stored text `changes` in their places."""
    return to_text(from_text(text) | from_text(changes))


def shown(limit, value):
    """A value as people read it: `1.5 gb`, `0:01:00` (hours, minutes, seconds), `unlimited`."""
    if value is None:
        return UNLIMITED
    if limit.kind == NICE:
        return str(value)
    if limit.kind == SIZE:
        for unit, factor in _SHOWN_UNITS:
            # Only what three decimals say exactly is said in this unit.
            if value >= factor and value * 1000 % factor == 0:
                return f"{value // factor}.{value % factor * 1000 // factor:03d}".rstrip("0").rstrip(".") + f" {unit}"
        return f"{value} b"
    whole, thousandths = divmod(round(value * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    fraction = f".{thousandths:03d}".rstrip("0") if thousandths else ""
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}{fraction}"


def lines(found):
    """`Per-process CPU time limit = 0:10:00, warning = 0:09:00` for each of a set of limits.

    Returns:
        {name: line}, in the order of the table.
    """
    made = {}
    for limit in LIMITS:
        if limit.name in found:
            value, warning = found[limit.name]
            line = f"{limit.title} limit = {shown(limit, value)}".replace("nice value limit", "nice value")
            made[limit.name] = line if warning is None else f"{line}, warning = {shown(limit, warning)}"
    return made


def qmgr_lines(text, queue):
    """The commands of qmgr that give a queue without limits those of a stored text.

    Returns:
        [line], such as `set per_process cpu_limit = (600, 540) night`.
    """
    made = []
    for name, numbers in from_text(text).items():
        # Bare `unlimited` is what a queue has without a command.
        if numbers != (None, None):
            value, warning = (UNLIMITED if number is None else str(number) for number in numbers)
            given = value if numbers[1] is None else f"{value}, {warning}"
            made.append(f"set {BY_NAME[name].command} = ({given}) {queue}")
    return made


def excess(detail):
    """Why a queue refuses a request, in words.

    Args:
        detail: `QUEUE NAME ALLOWED ASKED` with the numbers as they are stored; what the site database answers.
    """
    try:
        queue, name, *numbers = detail.split()
        limit = BY_NAME[name]
        allowed, asked = (shown(limit, None if text == UNLIMITED else _number(text)) for text in numbers)
    except (KeyError, ValueError):
        return f"a resource limit of the queue is exceeded ({detail})"
    if limit.kind == NICE:
        return f"queue {queue} allows a nice value of {allowed} and above, but {asked} was asked for ({limit.option})"
    what = f"{limit.words} per {limit.scope}"
    return f"queue {queue} allows {what} of {allowed}, but {asked} was asked for ({limit.option})"


def _number(text):
    """A stored number; Raises ValueError."""
    if re.fullmatch(r"-?\d{1,20}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"\d{1,12}\.\d{1,3}", text, re.ASCII):
        return float(text)
    raise ValueError(f"no number: {text!r}")


def _value(limit, text, whole):
    text = text.strip().lower()
    if limit.kind == NICE:
        if not re.fullmatch(r"[-+]?\d{1,2}", text, re.ASCII) or not NICE_MIN <= int(text) <= NICE_MAX:
            raise ValueError(f"needs a number from {NICE_MIN} to {NICE_MAX}, not {whole!r}")
        return int(text)
    if text == UNLIMITED:
        return None
    return _size(text, whole) if limit.kind == SIZE else _time(text, whole)


def _size(text, whole):
    found = _NUMBER.fullmatch(text)
    if not found or found[3] not in _UNITS:
        raise ValueError(f"needs a number and a unit (b, w, kb, kw, mb, mw, gb, gw, tb), not {whole!r}")
    fraction = found[2] or ""
    value = int(found[1] + fraction) * _UNITS[found[3]] // 10 ** len(fraction)
    if value > SIZE_MAX:
        raise ValueError(f"{whole!r} is too large; leave the limit out, or say unlimited")
    return value


def _time(text, whole):
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"needs a time, [[hours:]minutes:]seconds, not {whole!r}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    if (found[2] and seconds >= 60) or (found[1] and minutes >= 60):
        raise ValueError(f"minutes and seconds behind a colon go to 59, not {whole!r}")
    thousandths = int((found[4] or "").ljust(3, "0")[:3])
    value = (hours * 60 + minutes) * 60 + seconds
    if value >= TIME_MAX_S:
        raise ValueError(f"{whole!r} is too long; leave the limit out, or say unlimited")
    if not value and not thousandths:
        raise ValueError(f"needs a time above 0, not {whole!r}")
    # One division: a sum of two binary fractions may have more than three decimals, which are not stored.
    return (value * 1000 + thousandths) / 1000 if thousandths else value

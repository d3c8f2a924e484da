"""How each kind of value in a qmgr line is read.

A reader of a kind takes the tokens that belong to its value and returns the value; it raises
ValueError with what is wrong, in words that follow `create batch_queue: ...`.
"""

from jcq.errors import UsageError
from jcq.model import limits, requestname
from jcq.model.mail_address import valid_address
from jcq.model.queue import NAME_MAX, PRIORITY_MAX, RUN_LIMIT_MAX, valid_name
from jcq.model.request import parse_request_id
from jcq.model.restart import ATTRIBUTES

SECONDS_MAX = 24 * 3600
HOURS_MAX = 10 * 366 * 24
MINUTES_MAX = 7 * 24 * 60
NUMBER_MAX = 10**9
LOGIN_CHARACTERS_MAX = 64


def _text(tokens, what):
    """One word or quoted word, perhaps in parentheses."""
    token = tokens.next()
    if token is None:
        raise ValueError(f"{what} is missing")
    if token.kind == "(":
        inner = tokens.next()
        if inner is None or inner.kind not in ("word", "quoted"):
            raise ValueError(f"{what} is missing in the parentheses")
        closing = tokens.next()
        if closing is None:
            raise ValueError(f"the parenthesis before {inner.text!r} is not closed")
        if closing.kind != ")":
            raise ValueError(f"one value is expected in the parentheses, not {closing.text!r} after {inner.text!r}")
        return inner.text
    if token.kind not in ("word", "quoted"):
        raise ValueError(f"{what} is missing before {token.text!r}")
    return token.text


def _list(tokens, what, to_the_end=False, may_be_empty=False):
    """`(a, b)`, `a, b` or `a`; with `to_the_end`, commas may be left out; with `may_be_empty`, also `()`."""
    token = tokens.peek()
    if token is None:
        raise ValueError(f"{what} is missing")
    inside = token.kind == "("
    if inside:
        tokens.next()
    items, comma = [], True
    while True:
        token = tokens.peek()
        ends = token is None or (inside and token.kind == ")")
        if ends or (not inside and not comma and not to_the_end and token.kind != ","):
            break
        tokens.next()
        if token.kind == ",":
            if comma:
                raise ValueError(f"{what} is missing before a comma")
            comma = True
        elif token.kind in ("word", "quoted"):
            items.append(token.text)
            comma = False
        else:
            raise ValueError(f"unexpected {token.text!r} in a list")
    if inside and tokens.next() is None:
        raise ValueError("the parenthesis of a list is not closed")
    if comma and not (may_be_empty and inside and not items):
        raise ValueError(f"{what} is missing")
    return items


def _whole(text, least, greatest, what):
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or not least <= int(text) <= greatest:
        raise ValueError(f"{what} must be a whole number from {least} to {greatest}, not {text!r}")
    return int(text)


def _queue(tokens):
    return _queue_name(_text(tokens, "a queue"))


def _queue_name(text):
    if not valid_name(text):
        raise ValueError(
            f"{text!r} is no name of a queue (a letter, then letters, digits, _ and -, at most {NAME_MAX} characters)"
        )
    return text


def _priority(tokens):
    return _whole(_text(tokens, "a priority"), 0, PRIORITY_MAX, "a priority")


def _run_limit(tokens):
    return _whole(_text(tokens, "a run limit"), 1, RUN_LIMIT_MAX, "a run limit")


def _run_limit_or_none(tokens):
    return _whole(_text(tokens, "a run limit"), 0, RUN_LIMIT_MAX, "a global run limit")


def _seconds(tokens):
    return _whole(_text(tokens, "a number of seconds"), 0, SECONDS_MAX, "a number of seconds")


def _accounts(tokens):
    """Tuple of names of users or groups, each once; a number stands for an id."""
    found = tuple(_list(tokens, "a name"))
    for name in found:
        if not 0 < len(name) <= LOGIN_CHARACTERS_MAX or not name.isprintable() or set(name) & set(" :@[],"):
            raise ValueError(f"{name!r} is no name of a user or group")
        if found.count(name) > 1:
            raise ValueError(f"{name} is named twice")
    return found


def _complex(tokens):
    text = _text(tokens, "a complex")
    if not valid_name(text):
        raise ValueError(f"{text!r} is no name of a complex; it is built as that of a queue")
    return text


def _queues_or_none(tokens):
    return _queues(tokens, may_be_empty=True)


def _queues(tokens, may_be_empty=False):
    """Tuple of names of queues, each once."""
    found = tuple(_queue_name(text) for text in _list(tokens, "a queue", may_be_empty=may_be_empty))
    for name in found:
        if found.count(name) > 1:
            raise ValueError(f"{name} is named twice")
    return found


def _user_limit(tokens):
    return _whole(_text(tokens, "a user limit"), 0, RUN_LIMIT_MAX, "a user limit")


def _hours(tokens):
    return _whole(_text(tokens, "a number of hours"), 1, HOURS_MAX, "a number of hours")


def _minutes(tokens):
    return _whole(_text(tokens, "a number of minutes"), 1, MINUTES_MAX, "a number of minutes")


def _number(tokens):
    return _whole(_text(tokens, "a number"), 0, NUMBER_MAX, "a number")


def _word_or_quoted(tokens):
    return _text(tokens, "a value")


def _anything(tokens):
    """What is left of the line; of commands that jcq refuses whatever they say."""
    words = []
    while tokens.left():
        words.append(tokens.next().text)
    return " ".join(words)


def _restart(tokens):
    text = _text(tokens, "a restart attribute")
    fits = [name for name in ATTRIBUTES if text and name.startswith(text.upper())]
    if text.upper() in fits:
        return text.upper()
    if len(fits) > 1:
        raise ValueError(f"{text!r} is ambiguous: {', '.join(fits)}")
    if not fits:
        raise ValueError(f"{text!r} is no restart attribute (one of {', '.join(ATTRIBUTES)})")
    return fits[0]


def _on_off(tokens):
    text = _text(tokens, "ON or OFF")
    if text.upper() not in ("ON", "OFF"):
        raise ValueError(f"write ON or OFF, not {text!r}")
    return text.upper() == "ON"


def _destinations(tokens):
    """Tuple of (queue, host); host is empty where none was given."""
    found = []
    for text in _list(tokens, "a destination"):
        queue, at, host = text.partition("@")
        if at and not host:
            raise ValueError(f"the host after @ is missing in {text!r}")
        found.append((_queue_name(queue), host))
    return tuple(found)


def _managers(tokens):
    """Tuple of (login name, "m" or "o")."""
    found = []
    for text in _list(tokens, "a manager", to_the_end=True):
        name, _, right = text.rpartition(":")
        if right.lower() not in ("m", "o") or not name:
            raise ValueError(f"write NAME:m for a manager and NAME:o for an operator, not {text!r}")
        if len(name) > LOGIN_CHARACTERS_MAX or not name.isprintable() or set(name) & set(" :@[]"):
            raise ValueError(f"{name!r} is no login name")
        found.append((name, right.lower()))
    names = [name for name, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is named twice")
    return tuple(found)


def _requests(tokens):
    """Tuple of `jcq.model.request.RequestId`."""
    try:
        return tuple(parse_request_id(text) for text in _list(tokens, "a request id", to_the_end=True))
    except UsageError as error:
        raise ValueError(str(error)) from None


def _request_list(tokens):
    """As `requests`, where another value follows."""
    try:
        return tuple(parse_request_id(text) for text in _list(tokens, "a request id"))
    except UsageError as error:
        raise ValueError(str(error)) from None


def _request(tokens):
    """One `jcq.model.request.RequestId`."""
    try:
        return parse_request_id(_text(tokens, "a request id"))
    except UsageError as error:
        raise ValueError(str(error)) from None


def _name(tokens):
    """A request's name, as qsub -r has it."""
    try:
        return requestname.chosen(_text(tokens, "a name"))
    except UsageError as error:
        raise ValueError(str(error).removeprefix("-r: ").replace("-r needs", "NAME needs")) from None


def _program(tokens):
    """The text between the parentheses as it stands, or one word."""
    opening = tokens.peek()
    if opening is None or opening.kind != "(":
        return _text(tokens, "a program")
    tokens.next()
    while True:
        token = tokens.next()
        if token is None:
            raise ValueError("the parenthesis of a program is not closed")
        if token.kind == ")":
            break
    text = tokens.line[opening.end : token.start].strip()
    if not text:
        raise ValueError("a program is missing in the parentheses")
    return text


def _topic(tokens):
    """Tuple of the words that are left."""
    words = []
    while tokens.left():
        words.append(tokens.next().text)
    return tuple(words)


def _address(tokens):
    text = _text(tokens, "an account or mail address")
    if not valid_address(text):
        raise ValueError(f"{text!r} is no account or mail address; give for example nqs or nqs@example.com")
    return text


def _resource_limit(limit):
    """The reader of a `jcq.model.limits.Limit`: `10gb`, `10gb, 9gb`, or either in parentheses -> (value, warning)."""

    def read(tokens):
        token = tokens.peek()
        if token is None or token.kind != "(":
            text = _text(tokens, "a limit")
            if tokens.left() and tokens.peek().kind == ",":
                tokens.next()
                text += f", {_text(tokens, 'a warning value')}"
            return limits.parse_of_queue(limit, text)
        tokens.next()
        words = []
        while (token := tokens.next()) is not None and token.kind != ")":
            words.append(token.text)
        if token is None:
            raise ValueError("the parenthesis of a limit is not closed")
        if not words:
            raise ValueError("a limit is missing in the parentheses")
        return limits.parse_of_queue(limit, " ".join(words))

    return read


#: Kind, as the table of commands writes it -> reader of its value.
KINDS = {
    "address": _address,
    "complex": _complex,
    "accounts": _accounts,
    "anything": _anything,
    "destinations": _destinations,
    "hours": _hours,
    "managers": _managers,
    "minutes": _minutes,
    "name": _name,
    "number": _number,
    "on_off": _on_off,
    "priority": _priority,
    "program": _program,
    "queue": _queue,
    "queues": _queues,
    "queues_or_none": _queues_or_none,
    "request": _request,
    "request_list": _request_list,
    "requests": _requests,
    "restart": _restart,
    "run_limit": _run_limit,
    "run_limit_or_none": _run_limit_or_none,
    "seconds": _seconds,
    "text": _word_or_quoted,
    "to_queue": _queue,
    "topic": _topic,
    "user_limit": _user_limit,
    **{limit.name: _resource_limit(limit) for limit in limits.LIMITS},
}

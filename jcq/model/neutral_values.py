"""What one line of the neutral layout says, checked as its JSON Schema checks it."""

import re

from jcq.model import limits, neutral

_COMPILED = {
    pattern: re.compile(pattern)
    for pattern in (
        neutral.TEXT_PATTERN,
        neutral.PATH_PATTERN,
        neutral.INNER_PATTERN,
        neutral.NAME_PATTERN,
        neutral.STRATEGY_PATTERN,
        neutral.UMASK_PATTERN,
        neutral.BASE64_PATTERN,
        neutral.ID_PATTERN,
    )
}


def values_of(kind, line):
    """Check what one line says, as the schema does.

    Args:
        kind: the `Kind`.
        line: what json made of it.
    Returns:
        ({name of a key: its value, of those that are given}, [note about what is passed over]).
    Raises:
        ValueError: what is wrong, in words.
    """
    if not isinstance(line, dict):
        raise ValueError("it is no object in braces")
    keys = kind.by_name
    given = {name: value for name, value in line.items() if name in keys and (value is not None or keys[name].must)}
    notes = [f"key {name[:60]!r} is not known" for name in line if name not in keys]
    found = {}
    for key in kind.keys:
        if key.name in given:
            found[key.name] = _value(key, given[key.name], notes)
        elif key.must:
            raise ValueError(f"{key.name} is missing")
    if kind.stem == "settings":
        found["value"] = _scalar("value", *neutral.SETTINGS[found["name"]], found["value"])
    if kind.stem == "requests":
        _check_request(found)
    return found, notes


def _check_request(found):
    if not {"user", "uid"} & found.keys():
        raise ValueError("neither user nor uid is given")
    scripts = [name for name in neutral.SCRIPT_KEYS if name in found]
    if len(scripts) != 1:
        raise ValueError(f"exactly one of {', '.join(neutral.SCRIPT_KEYS)} must be given")
    if len([name for name in neutral.ENVIRONMENT_KEYS if name in found]) > 1:
        raise ValueError(f"only one of {', '.join(neutral.ENVIRONMENT_KEYS)} may be given")


def _value(key, value, notes):
    if key.kind in (neutral.INTEGER, neutral.NUMBER):
        return _scalar(key.name, key.kind, key.least, key.most, value)
    if key.kind == neutral.BOOLEAN:
        return _typed(key.name, value, bool, "true or false")
    if key.kind == neutral.TEXT:
        return _text(key.name, value, neutral.TEXT_PATTERN, 1 if key.must else 0)
    if key.kind == neutral.SHORT:
        return value
    if key.kind == neutral.PATH:
        return _text(key.name, value, neutral.INNER_PATTERN if key.name in neutral.INNER_KEYS else neutral.PATH_PATTERN)
    if key.kind == neutral.WORD:
        # A list may not be looked up, and 1 is True.
        if not (isinstance(value, str) and value in key.choice):
            raise ValueError(f"{key.name} must be one of {', '.join(key.choice)}")
        return value
    if key.kind == neutral.UMASK:
        return int(_text(key.name, value, neutral.UMASK_PATTERN, most=9), 8)
    if key.kind == neutral.ID:
        return _id(key.name, value)
    if key.kind in (neutral.TEXTS, neutral.IDS):
        members = _typed(key.name, value, list, "a list")
        if len(members) > neutral.MEMBERS_MAX:
            raise ValueError(f"{key.name} has more than {neutral.MEMBERS_MAX} members")
        read = _id if key.kind == neutral.IDS else _text
        return tuple(read(key.name, member) for member in members)
    if key.kind == neutral.PAIRS:
        return _pairs(key.name, value)
    if key.kind == neutral.LIMITS:
        return _limits(key.name, value, notes)
    if key.kind == neutral.BASE64:
        return _matched(key.name, _typed(key.name, value, str, "a text"), neutral.BASE64_PATTERN)
    return _bytes_text(key.name, _typed(key.name, value, str, "a text"))


def _typed(name, value, kind, words):
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be {words}")
    return value


def _scalar(name, kind, least, most, value):
    if kind in (neutral.TEXT, neutral.STRATEGY):
        return _text(name, value, neutral.TEXT_PATTERN if kind == neutral.TEXT else neutral.STRATEGY_PATTERN, least=0)
    whole = kind == neutral.INTEGER
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}")
    if whole and value != int(value):
        raise ValueError(f"{name} must be a whole number")
    return int(value) if whole else value


def _matched(name, text, pattern):
    if not _COMPILED[pattern].search(text):
        raise ValueError(f"{name} has a value that it may not have: {text[:60]!r}")
    return text


def _text(name, value, pattern=neutral.TEXT_PATTERN, least=1, most=neutral.TEXT_CHARACTERS_MAX):
    _typed(name, value, str, "a text")
    if not least <= len(value) <= most:
        raise ValueError(f"{name} must have from {least} to {most} characters")
    return _same_bytes(_matched(name, value, pattern))


def _bytes_text(name, value):
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half a character") from None


def _same_bytes(text):
    """Escaped bytes that are UTF-8 all the same become its characters, as `os.fsdecode` of them would."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _id(name, value):
    if isinstance(value, str):
        return _text(name, value, neutral.ID_PATTERN, most=255)
    return str(_scalar(name, neutral.INTEGER, 0, 10**15, value))


def _pairs(name, value):
    _typed(name, value, dict, "an object in braces")
    if len(value) > neutral.VARIABLES_MAX:
        raise ValueError(f"{name} has more than {neutral.VARIABLES_MAX} variables")
    for variable, content in value.items():
        _matched(name, variable, neutral.NAME_PATTERN)
        what = f"{name}: {variable[:60]!r}"
        _matched(what, _typed(what, content, str, "a text"), neutral.TEXT_PATTERN)
    return {_same_bytes(variable): _same_bytes(content) for variable, content in value.items()}


def _limits(name, value, notes):
    found = {}
    for word, pair in _typed(name, value, dict, "an object in braces").items():
        limit = limits.BY_NAME.get(word)
        if limit is None:
            notes.append(f"limit {word[:60]!r} is not known")
            continue
        what = f"{name}: {word}"
        if not isinstance(pair, dict) or "value" not in pair:
            raise ValueError(f'{what} must be {{"value": ...}}')
        nice = limit.kind == limits.NICE
        number = pair["value"] if pair["value"] is None and not nice else _amount(what, limit, pair["value"])
        warning = pair.get("warning")
        if warning is not None:
            if nice:
                raise ValueError(f"{what} has no warning")
            warning = _amount(what, limit, warning)
            if number is not None and warning > number:
                notes.append(f"the warning value of {word} is above the limit")
                warning = None
        found[word] = (number, warning)
    return found


def _amount(what, limit, value):
    kind, least, most = neutral.limit_bounds(limit)
    number = _scalar(what, kind, least, most, value)
    # As it is stored: three decimals at most.
    return round(number, 3) if isinstance(number, float) and not number.is_integer() else int(number)

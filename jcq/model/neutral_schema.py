"""The published JSON Schema of the neutral layout, made of its table."""

from jcq.model import limits, neutral


def schema():
    """The JSON Schema, a dict: `$defs` has the marker and one line of each file."""
    marker = {
        "type": "object",
        "description": f"The file {neutral.MARKER}.",
        "required": ["format", "version"],
        "properties": {
            "format": {"const": neutral.FORMAT},
            "version": {"const": neutral.VERSION},
            "site": {"type": ["string", "null"]},
            "written_s": {"type": ["number", "null"]},
            "counts": {
                "type": ["object", "null"],
                "description": "How many lines each file has; a file that has another number is cut short.",
                "properties": {kind.stem: {"type": "integer", "minimum": 0} for kind in neutral.KINDS},
            },
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:jcq:spoolconv:neutral:1",
        "title": "The neutral layout of a batch system's spool",
        "description": " ".join(neutral.__doc__.split("\n\n", 1)[1].replace("`", "").split()),
        "$ref": "#/$defs/marker",
        "$defs": {"marker": marker} | {kind.stem: _line_schema(kind) for kind in neutral.KINDS},
    }


def _line_schema(kind):
    found = {
        "type": "object",
        "description": f"A line of {kind.file}: {kind.words}.",
        "required": [key.name for key in kind.keys if key.must],
        "properties": {key.name: {"description": key.words} | _key_schema(key) for key in kind.keys},
    }
    if kind.stem == "settings":
        found["oneOf"] = [
            {"properties": {"name": {"const": name}, "value": _setting_schema(value, least, most)}}
            for name, (value, least, most) in neutral.SETTINGS.items()
        ]
    if kind.stem == "requests":
        given = {name: {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                 for name in ("user", "uid", *neutral.SCRIPT_KEYS, *neutral.ENVIRONMENT_KEYS)}  # fmt: skip
        none = {"not": {"anyOf": [given[name] for name in neutral.ENVIRONMENT_KEYS]}}
        found["allOf"] = [
            {"anyOf": [given["user"], given["uid"]]},
            {"oneOf": [given[name] for name in neutral.SCRIPT_KEYS]},
            {"oneOf": [none, *(given[name] for name in neutral.ENVIRONMENT_KEYS)]},
        ]
    return found


def _setting_schema(kind, least, most):
    if kind == neutral.STRATEGY:
        return _bounds(neutral.TEXT, 0, 0) | {"pattern": neutral.STRATEGY_PATTERN}
    found = _bounds(kind, least, most)
    return found | {"minLength": 0} if kind == neutral.TEXT else found


def _bounds(kind, least, most):
    if kind == neutral.TEXT:
        return {
            "type": "string",
            "pattern": neutral.TEXT_PATTERN,
            "minLength": 1,
            "maxLength": neutral.TEXT_CHARACTERS_MAX,
        }
    return {"type": kind, "minimum": least, "maximum": most}


def _key_schema(key):
    text = _bounds(neutral.TEXT, 0, 0)
    if key.kind in (neutral.INTEGER, neutral.NUMBER):
        found = _bounds(key.kind, key.least, key.most)
    elif key.kind == neutral.BOOLEAN:
        found = {"type": "boolean"}
    elif key.kind == neutral.TEXT:
        found = text if key.must else text | {"minLength": 0}
    elif key.kind == neutral.SHORT:
        found = {"type": ["string", "integer"]}
    elif key.kind == neutral.PATH:
        found = text | {"pattern": neutral.INNER_PATTERN if key.name in neutral.INNER_KEYS else neutral.PATH_PATTERN}
    elif key.kind == neutral.WORD:
        found = {"enum": list(key.choice)}
    elif key.kind == neutral.UMASK:
        found = {"type": "string", "pattern": neutral.UMASK_PATTERN, "maxLength": 9}
    elif key.kind == neutral.ID:
        found = _id_schema()
    elif key.kind == neutral.TEXTS:
        found = {"type": "array", "items": text, "maxItems": neutral.MEMBERS_MAX}
    elif key.kind == neutral.IDS:
        found = {"type": "array", "items": _id_schema(), "maxItems": neutral.MEMBERS_MAX}
    elif key.kind == neutral.PAIRS:
        found = {
            "type": "object",
            "propertyNames": {"pattern": neutral.NAME_PATTERN},
            "additionalProperties": {"type": "string", "pattern": neutral.TEXT_PATTERN},
            "maxProperties": neutral.VARIABLES_MAX,
        }
    elif key.kind == neutral.LIMITS:
        found = {"type": "object", "properties": {limit.name: _limit_schema(limit) for limit in limits.LIMITS}}
    elif key.kind == neutral.BASE64:
        found = {"type": "string", "contentEncoding": "base64", "pattern": neutral.BASE64_PATTERN}
    else:
        # neutral.LONG: text with any character but half ones; bytes that are no UTF-8 as everywhere.
        found = {"type": "string", "pattern": neutral.TEXT_PATTERN.replace(r"\u0000", "")}
    if key.must:
        return found
    return {"enum": [*found["enum"], None]} if "enum" in found else found | {"type": [found["type"], "null"]}


def _id_schema():
    return {
        "type": ["string", "integer"],
        "pattern": neutral.ID_PATTERN,
        "maxLength": 255,
        "minimum": 0,
        "maximum": 10**15,
    }


def _limit_schema(limit):
    kind, least, most = neutral.limit_bounds(limit)
    number = {"minimum": least, "maximum": most}
    if limit.kind == limits.NICE:
        # It is never unlimited, and has no warning.
        value, warning = {"type": kind} | number, {"type": "null"}
    else:
        value = warning = {"type": [kind, "null"]} | number
    return {"type": "object", "required": ["value"], "properties": {"value": value, "warning": warning}}

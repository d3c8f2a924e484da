"""Resources and limits of Grid Engine as jcq.model.limits names them."""

import re
from math import isfinite

from jcq.model.limits import SIZE_MAX, TIME_MAX_S

#: Grid Engine's name without h_ or s_: (limit here, whether it is a time). queue_conf(5): cpu and vmem are of the job's
#: processes together, the others of each process.
LIMITS = {
    "rt": ("elapsed_request", True),
    "cpu": ("cpu_request", True),
    "vmem": ("memory_request", False),
    "fsize": ("permfile_process", False),
    "data": ("data_process", False),
    "stack": ("stack_process", False),
    "core": ("core_process", False),
    "rss": ("workset_process", False),
}
#: A job in several slots may have so much in each.
_PER_SLOT = ("cpu", "vmem")
_INFINITY = "INFINITY"
#: sge_types(1): small letters count in thousands.
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_UNITS["T"] = 1 << 40
_SIZE = re.compile(r"(0[xX][0-9a-fA-F]{1,32}|\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,3})?)([kmgtKMGT]?)", re.ASCII)
_TIME = re.compile(r"(?:(?:(\d{0,12}):)?(\d{0,12}):)?(\d{0,12})", re.ASCII)


def size(text):
    """-> bytes, or None for INFINITY. Raises ValueError."""
    if text.upper() == _INFINITY:
        return None
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(text)
    number = int(found[1], 16) if found[1][:2].lower() == "0x" else float(found[1])
    if not isfinite(number):
        raise ValueError(text)
    value = int(number * _UNITS[found[2]])
    return None if value > SIZE_MAX else value


def seconds(text):
    """-> seconds, or None for INFINITY. `47:59:00`, `3600`, `:30:`; Raises ValueError."""
    if text.upper() == _INFINITY:
        return None
    found = _TIME.fullmatch(text)
    if not found or not text:
        raise ValueError(text)
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    value = (hours * 60 + minutes) * 60 + rest
    return None if value >= TIME_MAX_S else value


def is_limit(name):
    """Whether a resource is one of the limits."""
    return name[:2] in ("h_", "s_") and name[2:] in LIMITS


def limits(values, notes, slots=1):
    """Limits from Grid Engine's hard and soft ones; a soft one becomes the warning.

    Args:
        values: {`h_rt`, `s_vmem` ...: text}; other names are passed over.
        notes: list that takes what cannot be carried over.
        slots: so many slots the job has.
    Returns:
        {name in jcq.model.limits: (value, warning)}.
    """
    made = {}
    if not any(is_limit(name) for name in values):
        return made
    for name, (limit, is_time) in LIMITS.items():
        hard = _value(f"h_{name}", values, is_time, notes)
        soft = _value(f"s_{name}", values, is_time, notes)
        if name in _PER_SLOT and slots > 1:
            hard, soft = (number and number * slots for number in (hard, soft))
        if hard is not None and soft is not None and soft > hard:
            soft = hard
        if hard is not None or soft is not None:
            made[limit] = (hard, soft)
    return made


def _value(name, values, is_time, notes):
    text = values.get(name)
    if text is None:
        return None
    try:
        value = seconds(text) if is_time else size(text)
    except ValueError:
        notes.append(f"{name} {text[:60]!r} cannot be read and is left out")
        return None
    if is_time and value == 0:
        notes.append(f"{name} of no time at all is left out")
        return None
    return value

"""Writes packed jobs of Grid Engine 8.1 for tests, by the fact sheet and the same table of fields.

That the table and the form are Grid Engine's own, the samples show; this shows what the reader makes of other values.
"""

import struct

from jcq.spoolconv.readers.sge import fields

#: {list: (number of the first field of its elements, their types)}.
_LISTS = {
    "RN": (1250, "UUU"),
    "ST": (2000, "S"),
    "QR": (1900, "S"),
    "VA": (1400, "SS"),
    "PN": (1300, "SHHB"),
    "MR": (1450, "SH"),
    "JRE": (140450, "US"),
    "QIM": (143300, "US"),
    "CE": (900, "SSUSDUUSUSDUUUS"),
    "BN": (144952, "SUUUUUS"),
    "JG": (2100, "SUHUOUUDDDDDDS"),
}
_TYPES = {"D": 2, "U": 3, "B": 6, "S": 8, "L": 9, "O": 10, "R": 11, "H": 12}
_EMPTY = {"D": 0.0, "U": 0, "B": 0, "S": b"", "H": b"", "L": None, "O": None, "R": None}


def u32(*numbers):
    """Big endian."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def _value(kind, value):
    if kind in "UB":
        return u32(value)
    if kind == "D":
        return struct.pack(">d", value)
    if kind in "SH":
        return value + b"\0"
    if kind == "R":
        return b""
    # A list or an object that is not there, or bytes that `cull_list` made.
    return value or u32(0)


def _element(kinds, values):
    values = [*values, *(_EMPTY[kind] for kind in kinds[len(values) :])]
    packed = b"".join(_value(kind, value) for kind, value in zip(kinds, values, strict=True))
    return u32(2, len(kinds)) + bytes((len(kinds) + 7) // 8) + packed


def cull_list(name, *elements):
    """A list: `cull_list("RN", (1, 6, 2))`; fields that are not given are empty."""
    if name == "JAT":
        first, kinds = fields.TABLES["JAT"][0], _kinds("JAT")
        packed = [_task(element) for element in elements]
    else:
        first, kinds = _LISTS[name]
        packed = [_element(kinds, element) for element in elements]
    described = b"".join(u32(first + step, 0x2000 | _TYPES[kind]) for step, kind in enumerate(kinds))
    return u32(1, len(elements)) + b"list\0" + u32(0, len(kinds)) + described + b"".join(packed)


def _kinds(table):
    return [word.partition(":")[2][0] for word in fields.TABLES[table][1].split()]


def _names(table):
    return [word.partition(":")[0] for word in fields.TABLES[table][1].split()]


def _task(given):
    kinds, names = _kinds("JAT"), _names("JAT")
    return _element(kinds, [given.get(name, _EMPTY[kind]) for name, kind in zip(names, kinds, strict=True)])


def task(**given):
    """The file of a task: `task(JAT_task_number=3, JAT_state=0x8840)`."""
    return u32(0, 0x10020000) + _task(given)


def job(described=True, **given):
    """The file of a job; what is not given is as qsub without options leaves it."""
    usual = {
        "JB_job_number": 1,
        "JB_job_name": b"job",
        "JB_submission_time": 1795337000,
        "JB_owner": b"alice",
        "JB_uid": 2001,
        "JB_group": b"alice",
        "JB_gid": 2001,
        "JB_account": b"sge",
        "JB_priority": 1024,
        "JB_ja_structure": cull_list("RN", (1, 1, 1)),
        "JB_ja_n_h_ids": cull_list("RN", (1, 1, 1)),
        "JB_env_list": cull_list("VA", (b"__SGE_PREFIX__O_HOME", b"/home/alice"), (b"TERM", b"")),
    }
    values = usual | given
    kinds, names = _kinds("JB"), _names("JB")
    assert not values.keys() - set(names), values.keys() - set(names)
    packed = _element(kinds, [values.get(name, _EMPTY[kind]) for name, kind in zip(names, kinds, strict=True)])
    if described:
        first = fields.TABLES["JB"][0]
        own = b"".join(u32(first + step, 0x2000 | _TYPES[kind]) for step, kind in enumerate(kinds))
        packed = u32(1, len(kinds)) + own + packed[4:]
    return u32(0, 0x10020000) + packed

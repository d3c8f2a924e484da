"""Cluster queues of Grid Engine as queues of jcq.

What becomes of what:
  * slots: those of all instances together are the run limit; a queue that has none is stopped, with run limit 1.
  * the state of the instances: a queue is started if one of them may start jobs.
  * priority is the nice value: a limit. Grid Engine has no priority among queues.
  * rerun TRUE is restart RESTART, FALSE is PURGE.
  * h_rt and so on are limits; s_rt and so on their warnings.
  * user_lists restricts a queue to the entries of these user sets. A set that cannot be read lets nobody in.
"""

from dataclasses import dataclass

from jcq.model.limits import NICE_MAX, NICE_MIN
from jcq.model.queue import RUN_LIMIT_MAX
from jcq.model.restart import PURGE, RESTART
from jcq.spoolconv.readers.sge import resources, text
from jcq.spoolconv.records import OldQueue

_DISABLED, _SUSPENDED, _ERROR = 0x4, 0x100, 0x4000
_CALENDAR_DISABLED, _CALENDAR_SUSPENDED, _ORPHANED = 0x20000, 0x40000, 0x100000
#: An instance in such a state starts no job.
_STOPPED = {
    _DISABLED: "disabled",
    _SUSPENDED: "suspended",
    _ERROR: "in error",
    _CALENDAR_DISABLED: "disabled by its calendar",
    _CALENDAR_SUSPENDED: "suspended by its calendar",
}
#: {attribute: its value where nobody has set it}; any other is noted, for jcq has nothing like it.
_UNKNOWN_HERE = {
    "suspend_thresholds": "NONE",
    "processors": "UNDEFINED",
    "ckpt_list": "NONE",
    "prolog": "NONE",
    "epilog": "NONE",
    "starter_method": "NONE",
    "suspend_method": "NONE",
    "resume_method": "NONE",
    "terminate_method": "NONE",
    "owner_list": "NONE",
    "xuser_lists": "NONE",
    "subordinate_list": "NONE",
    "complex_values": "NONE",
    "projects": "NONE",
    "xprojects": "NONE",
    "calendar": "NONE",
}
_DEPTH_MAX = 20


@dataclass(frozen=True)
class KnownQueue:
    """What jobs need to know of a queue."""

    old_name: str
    name: str
    order: tuple
    limits: dict
    rerun: bool
    #: Runs the scripts of jobs that name none, whatever their first line says; empty: the first line decides.
    shell: str
    tmpdir: str
    may_start: bool
    runs_batch: bool


def made(queue, cell, groups, names):
    """Make a queue of a cluster queue.

    Args:
        queue: a `cell.Queue`.
        cell: where user sets are found.
        groups: {@group: [hosts and groups]}.
        names: the `QueueNames`.
    Returns:
        (`OldQueue`, `KnownQueue`).
    """
    notes = list(queue.notes)
    attributes = queue.attributes
    name = names.legal(queue.name)
    if name != queue.name:
        notes.append(f"its name was {queue.name!r}")
    hosts = _members(text.words(_value(attributes, "hostlist")), groups, set(), 0)
    hosts = [host for host in hosts if not queue.states.get(host, 0) & _ORPHANED]
    slots = _slots(attributes, hosts, groups, notes)
    may_start = _may_start(queue.states, hosts, slots, notes)
    batch = "BATCH" in _value(attributes, "qtype", "BATCH").upper()
    if not batch:
        notes.append(f"it ran no batch jobs (qtype {_value(attributes, 'qtype')})")
    limits = _limits(attributes, notes)
    for key, usual in _UNKNOWN_HERE.items():
        if _value(attributes, key, usual).upper() not in (usual, "NONE", ""):
            notes.append(f"{key} {_value(attributes, key)[:100]} has no counterpart")
    _note_overrides(attributes, notes)
    restricted, users, members = _access(attributes, cell, notes)
    rerun = _value(attributes, "rerun").upper() in ("TRUE", "1")
    record = OldQueue(
        name=name,
        where=queue.where,
        run_limit=min(max(slots, 1), RUN_LIMIT_MAX),
        enabled=batch,
        started=may_start and batch,
        restart=RESTART if rerun else PURGE,
        limits=limits,
        restricted=restricted,
        users=users,
        groups=members,
        notes=tuple(notes),
    )
    sequence = _number(_value(attributes, "seq_no"), 0)
    shell = _value(attributes, "shell")
    by_first_line = _value(attributes, "shell_start_mode") == "unix_behavior"
    known = KnownQueue(
        old_name=queue.name,
        name=name,
        order=(sequence, queue.name),
        limits=limits,
        rerun=rerun,
        shell=shell if shell.startswith("/") and not by_first_line else "",
        tmpdir=_value(attributes, "tmpdir"),
        may_start=may_start,
        runs_batch=batch,
    )
    return record, known


def _value(attributes, key, usual=""):
    return attributes.get(key, {}).get(text.EVERYWHERE, usual)


def _number(value, otherwise):
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else otherwise


def _members(hosts, groups, seen, depth):
    """The hosts of a list that may name groups, which may name groups."""
    found = []
    for host in hosts:
        if not host.startswith("@"):
            found.append(host)
        elif host not in seen and depth < _DEPTH_MAX:
            seen.add(host)
            found += _members(groups.get(host, []), groups, seen, depth + 1)
    return list(dict.fromkeys(found))


def _slots(attributes, hosts, groups, notes):
    """The slots of all instances together."""
    own = attributes.get("slots", {})
    usual = _number(own.get(text.EVERYWHERE, ""), 0)
    if not hosts:
        notes.append("it has no host: it started nothing")
        return usual
    in_group = {}
    for group in own:
        if group.startswith("@") and group != text.EVERYWHERE:
            in_group |= dict.fromkeys(_members([group], groups, set(), 0), _number(own[group], usual))
    total = sum(_number(own[host], usual) if host in own else in_group.get(host, usual) for host in hosts)
    if len(hosts) > 1:
        notes.append(f"its run limit is that of {len(hosts)} hosts together")
    return total


def _may_start(states, hosts, slots, notes):
    if not hosts or not slots:
        if hosts:
            notes.append("it has no slots: it started nothing")
        return False
    stopped = {}
    for host in hosts:
        words = [word for bit, word in _STOPPED.items() if states.get(host, 0) & bit]
        if words:
            stopped[host] = " and ".join(words)
    for host, state in list(stopped.items())[:3]:
        notes.append(f"it was {state} on {host[:60]}")
    return len(stopped) < len(hosts)


def _limits(attributes, notes):
    values = {key: _value(attributes, key) for key in attributes if resources.is_limit(key)}
    limits = resources.limits({key: value for key, value in values.items() if value}, notes)
    nice = _value(attributes, "priority")
    try:
        number = max(NICE_MIN, min(int(nice or "0"), NICE_MAX))
    except ValueError:
        notes.append(f"priority (nice value) {nice[:60]!r} cannot be read")
        number = 0
    return limits | ({"nice_process": (number, None)} if number else {})


def _note_overrides(attributes, notes):
    keys = [key for key, values in attributes.items() if key != "slots" and len(values) > 1]
    if keys:
        notes.append(f"values for single hosts are left out: {' '.join(sorted(keys))[:200]}")


def _access(attributes, cell, notes):
    """-> (restricted, users, groups)."""
    users, groups = [], []
    names = text.words(_value(attributes, "user_lists"))
    for name in names:
        entries = cell.user_set(name)
        if entries is None:
            notes.append(f"user set {name[:60]} cannot be read: nobody is let in by it")
            continue
        groups += [entry[1:] for entry in entries if entry.startswith("@")]
        users += [entry for entry in entries if not entry.startswith("@")]
    return bool(names), tuple(dict.fromkeys(users)), tuple(dict.fromkeys(groups))

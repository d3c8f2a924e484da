"""Queues, complexes and settings of an old spool: what the site gets of them. Pure.

What the site has is not changed: an old queue of the same name stays what the site's is, and its requests go there.
The queues of a site that is as cjcmksite made it are nobody's definition, and give way.
"""

from dataclasses import dataclass, field, replace

from jcq.jcdbs.ops.site import SiteRecord
from jcq.model.mail_address import valid_address
from jcq.model.queue import BATCH, NAME_MAX, PIPE, PRIORITY_MAX, RUN_LIMIT_MAX, TYPES, Queue, valid_name
from jcq.model.restart import ATTRIBUTES, RESTART
from jcq.spoolconv.clean import clean
from jcq.spoolconv.plan_fields import limits_text
from jcq.spoolconv.records import OldComplex, OldQueue, OldSetting, Skip

_MANAGER = "manager:"
_ROLES = ("m", "o")
_STRATEGIES = ("FREE", "LOGIN")
#: Parameters, and the greatest value of those that are numbers.
_PARAMS = {
    "default_queue": None,
    "default_priority": PRIORITY_MAX,
    "run_limit": RUN_LIMIT_MAX,
    "retry_wait_s": 10**9,
    "retry_time_s": 10**9,
    "mail_account": None,
    "shell_strategy": None,
    "retention_s": 10**9,
    "lifetime_s": 10**9,
}
#: Those that an empty text unsets.
_UNSET = ("default_queue", "mail_account")
_SHOWN = ("type", "priority", "run_limit", "user_limit", "destinations", "pipeonly", "restart", "background",
          "restricted", "users", "groups")  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where the requests of an old queue go."""

    name: str
    #: The site has it already, and it is not changed.
    exists: bool
    restart: str = RESTART
    #: Stored text of its resource limits.
    limits: str = ""


@dataclass
class Part:
    """Something that the site gets beside requests."""

    #: `queue`, `default`, `complex`, `param` or `manager`, as import_part.lua has them.
    kind: str
    name: str
    record: object
    #: The Queue, {run_limit, queues}, or a text.
    value: Queue | dict | str
    notes: list = field(default_factory=list)

    def words(self):
        """The values that import_part.lua is given."""
        if isinstance(self.value, str):
            return [self.value]
        flat = self.value.to_hash() if isinstance(self.value, Queue) else self.value
        return [word for pair in flat.items() for word in pair]


class SitePlanner:
    """Collects what is not a request, as it is read.

    Args:
        facts: the `SiteFacts`.
        accounts: as `jcq.spoolconv.accounts.Accounts`.
        wishes: the `Wishes`.
    """

    def __init__(self, facts, accounts, wishes):
        self._facts, self._accounts, self._wishes = facts, accounts, wishes
        #: Old name -> Place.
        self._places = {}
        #: New name -> Part of a queue.
        self._queues = {}
        self._complexes = []
        self._settings = []

    def place(self, old_name):
        """Where the requests of an old queue go; None where that is not known (yet)."""
        found = self._places.get(old_name)
        if found is None:
            name = self._wishes.map_queue.get(old_name, old_name)
            if name in self._facts.queues and not self._gives_way(name):
                return _place_of(self._facts.queues[name])
        return found

    def last_place(self, old_name):
        """The same at the end, when every queue has been read: also a default queue that stays."""
        name = self._wishes.map_queue.get(old_name, old_name)
        if old_name not in self._places and name in self._facts.queues:
            return _place_of(self._facts.queues[name])
        return self.place(old_name)

    def _gives_way(self, name):
        return self._facts.untouched and name in self._facts.queues

    def take(self, record):
        """Take any record but a request; returns a `Skip`, or None: it is among the parts at the end."""
        if isinstance(record, OldQueue):
            return self.queue(record)
        if isinstance(record, OldComplex):
            return self.complex(record)
        if isinstance(record, OldSetting):
            self._settings.append(record)
            return None
        return record

    # --- queues ------------------------------------------------------------------------------

    def queue(self, old):
        """Take an `OldQueue`; returns a `Skip`, or None: it is among the parts at the end."""
        if old.name in self._places:
            return Skip(old.where, f"queue {clean(old.name)} was read before", old.name, "queue")
        notes = list(old.notes)
        name = self._name(old.name, notes)
        if name in self._queues:
            self._places[old.name] = self._places[self._queues[name].record.name]
            return Skip(old.where, f"its requests go to queue {name}, as --map-queue says", old.name, "queue")
        attributes = _restart(old, notes)
        exists = name in self._facts.queues and not self._gives_way(name)
        made = self._queue(old, name, attributes, notes)
        # Of a pipe queue the attribute is kept here only, for what had begun in a queue of that name.
        place = Place(name, False, attributes, made.limits)
        self._places[old.name] = _place_of(self._facts.queues[name]) if exists else place
        if exists:
            return Skip(old.where, _stays(made, self._facts.queues[name]), old.name, "queue")
        kind = "default" if name in self._facts.queues else "queue"
        self._queues[name] = Part(kind, name, old, made, notes)
        return None

    def _name(self, old_name, notes):
        wanted = self._wishes.map_queue.get(old_name)
        if wanted:
            return wanted
        name = legal_name(old_name)
        taken = {*self._queues, *(place.name for place in self._places.values())}
        base, number = name, 2
        while name in taken:
            name = f"{base[: NAME_MAX - len(str(number)) - 1]}_{number}"
            number += 1
        if name != old_name:
            notes.append(f"a queue cannot be called {clean(old_name)!r} here; it is {name}")
        return name

    def _queue(self, old, name, attribute, notes):
        kind = old.type if old.type in TYPES else BATCH
        queue = Queue(
            name=name,
            type=kind,
            priority=_within(old.priority, 0, PRIORITY_MAX, "priority", notes),
            enabled=bool(old.enabled),
            started=bool(old.started) and self._wishes.start,
            pipeonly=bool(old.pipeonly),
            restricted=bool(old.restricted),
        )
        if old.type not in TYPES:
            notes.append(f"its type {clean(str(old.type))} is not known; it is a batch queue")
        if kind == BATCH:
            queue.run_limit = _within(old.run_limit, 0, RUN_LIMIT_MAX, "run limit", notes)
            queue.user_limit = _within(old.user_limit, 0, RUN_LIMIT_MAX, "user limit", notes)
            queue.restart, queue.background = attribute, bool(old.background)
        if kind == BATCH:
            queue.limits, left_out = limits_text(old.limits)
            notes += left_out
        if old.restricted:
            queue.users = self._entries(old.users, self._accounts.user_entry, "user", notes)
            queue.groups = self._entries(old.groups, self._accounts.group_entry, "group", notes)
        return queue

    def _entries(self, names, find, what, notes):
        found = []
        for name in names:
            entry = find(self._wishes.map_user.get(name, name) if what == "user" else name)
            if entry is None:
                notes.append(f"{what} {clean(name)} of its access list is unknown on this node")
            elif entry not in found:
                found.append(entry)
        return tuple(found)

    # --- complexes and settings --------------------------------------------------------------

    def complex(self, old):
        """Take an `OldComplex`; returns a `Skip` or None."""
        if old.name in self._facts.complexes:
            return Skip(old.where, "the site has a complex of this name, which stays as it is", old.name, "complex")
        if not valid_name(old.name) or any(old.name == other.name for other in self._complexes):
            return Skip(old.where, f"a complex cannot be called {clean(old.name)!r} here", old.name, "complex")
        self._complexes.append(old)
        return None

    def setting(self, old):
        """Take an `OldSetting`; returns a `Skip` or a `Part`. A default queue is looked at at the end."""
        if old.name.startswith(_MANAGER):
            return self._manager(old)
        if old.name not in _PARAMS:
            return Skip(old.where, f"the site has no parameter {clean(old.name)}", old.name, "setting")
        value, reason = self._value(old)
        if not reason:
            now = getattr(self._facts.record, old.name)
            usual = SiteRecord.__dataclass_fields__[old.name].default
            if str(now) == value:
                reason = "it is so already"
            elif now != usual and not (old.name == "default_queue" and self._facts.untouched):
                reason = f"the site has {now}, which stays"
        if reason:
            return Skip(old.where, reason, old.name, "setting")
        return Part("param", old.name, old, value, list(old.notes))

    def _manager(self, old):
        name = old.name.removeprefix(_MANAGER)
        name = self._wishes.map_user.get(name, name)
        if old.value not in _ROLES:
            return Skip(old.where, "it is neither manager nor operator", old.name, "setting")
        if self._accounts.by_name(name) is None:
            return Skip(old.where, f"{clean(name)} has no account on this node", old.name, "setting")
        if name in self._facts.managers:
            return Skip(old.where, "it is manager or operator already", old.name, "setting")
        return Part("manager", name, old, old.value, list(old.notes))

    def _value(self, old):
        """(text, why it cannot be set or "")."""
        most = _PARAMS[old.name]
        if not old.value and old.name in _UNSET:
            return "", ""
        if old.name == "default_queue":
            place = self.last_place(old.value)
            return (place.name, "") if place else ("", f"there is no queue {clean(old.value)}")
        if most is not None:
            digits = old.value.isascii() and old.value.isdigit() and len(old.value) < 12
            if not digits or int(old.value) > most:
                return "", f"{clean(old.value)!r} is no number from 0 to {most}"
            return str(int(old.value)), ""
        if old.name == "shell_strategy" and not (old.value in _STRATEGIES or old.value.startswith("/")):
            return "", f"{clean(old.value)!r} is no shell strategy"
        if old.name == "mail_account":
            if "@" not in old.value and self._accounts.by_name(old.value) is None:
                return "", f"{clean(old.value)} has no account on this node"
            if not valid_address(old.value):
                return "", f"{clean(old.value)!r} is no mail address"
        return old.value, ""

    def parts(self):
        """At the end: (`Part` of each queue, complex and setting, `Skip` of each that becomes none)."""
        queues = list(self._queues.values())
        for part in queues:
            part.value = self._with_destinations(part)
        parts, skips = queues, []
        for part in (*map(self._complex, self._complexes), *map(self.setting, self._settings)):
            (skips if isinstance(part, Skip) else parts).append(part)
        return parts, skips

    def _with_destinations(self, part):
        if part.value.type != PIPE:
            return part.value
        found = []
        for name in part.record.destinations:
            place = self.last_place(name)
            if place is None or place.name == part.name:
                part.notes.append(f"its destination {clean(name)} is no queue of the site")
            elif place.name not in found:
                found.append(place.name)
        return replace(part.value, destinations=tuple(found))

    def _complex(self, old):
        notes, queues = list(old.notes), []
        for name in old.queues:
            place = self._places.get(name)
            made = self._queues.get(place.name) if place else None
            if made is None:
                notes.append(f"queue {clean(name)} is none that was made now, and is not in it")
            elif made.value.type != BATCH:
                notes.append(f"queue {clean(name)} is a pipe queue, and is not in it")
            elif made.name not in queues:
                queues.append(made.name)
        limit = _within(old.run_limit, 0, RUN_LIMIT_MAX, "run limit", notes)
        return Part("complex", old.name, old, {"queues": ",".join(queues), "run_limit": str(limit)}, notes)


def _place_of(queue):
    return Place(queue.name, True, queue.restart, queue.limits)


def legal_name(name):
    """A queue name made of any text: as it is where it is one."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    if not kept or not kept[0].isalpha():
        kept = "q" + kept
    return kept[:NAME_MAX]


def _restart(old, notes):
    if old.restart in ATTRIBUTES:
        return old.restart
    notes.append(f"its restart attribute {clean(str(old.restart))} is not known; it is {ATTRIBUTES[0]}")
    return ATTRIBUTES[0]


def _within(value, low, high, what, notes):
    kept = min(max(value, low), high)
    if kept != value:
        notes.append(f"its {what} {value} became {kept}")
    return kept


def _stays(old, now):
    """What to say of an old queue whose name the site has."""
    differ = [name for name in _SHOWN if getattr(old, name) != getattr(now, name) and name != "destinations"]
    shown = [f"{name} was {clean(str(getattr(old, name)))}, is {clean(str(getattr(now, name)))}" for name in differ]
    return "the site has a queue of this name, which stays as it is" + (f" ({'; '.join(shown)})" if shown else "")

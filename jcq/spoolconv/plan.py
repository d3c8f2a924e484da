"""From a neutral record to what the site will hold, or to the reason why it cannot: pure.

A request that would run as another user than its owner is never made: name and uid must agree on this node, and where
only the uid was kept, nothing that the record says may contradict the account which has that uid now. What was not
understood never makes a request run otherwise than before without somebody looking: such a request is held.
"""

import hashlib
import math
import os
from dataclasses import dataclass, field

from jcq.model import lifecycle, limits, requestname, restart
from jcq.model.mail_address import valid_address
from jcq.model.queue import valid_name
from jcq.model.request import ENVIRONMENT_BYTES_MAX, PRIORITY_MAX, SCRIPT_BYTES_MAX, Request
from jcq.spoolconv import records
from jcq.spoolconv.records import Skip

#: Moments up to the year 9999 can be shown.
TIME_MAX_S = 253402300799.0
_PATH_BYTES_MAX = 4095
_VARIABLES_MAX = 20_000
_HOST_CHARACTERS_MAX = 255
_NOTE_CHARACTERS_MAX = 300
#: What the job sees as QSUB_HOME and so on, as qsub has it.
_KEPT_VARIABLES = (b"HOME", b"LOGNAME", b"MAIL", b"PATH", b"SHELL", b"TZ")
_VARIABLE_BYTES_MAX = 4096
_ATTEMPT_MAX = 10**9
#: The site's numbers go on above an old one up to this: those of at and of Grid Engine.
OLD_NUMBER_MAX = 9_999_999
#: Why a request stands in a queue that the site had before.
LOOK_FIRST = "converted from an old spool; an operator releases it when the conversion has been checked"


@dataclass(frozen=True)
class Wishes:
    """What the administrator asked for."""

    #: Old login name, or uid as text -> login name on this node.
    map_user: dict = field(default_factory=dict)
    #: Old queue -> queue of the site.
    map_queue: dict = field(default_factory=dict)
    #: Queues are started as they were, requests in existing queues not held.
    start: bool = False


@dataclass
class Planned:
    """What a request becomes; it has no number yet."""

    old: records.OldRequest
    request: Request
    origin: str
    environment: dict | None
    notes: list
    #: It is held only until somebody has looked at it.
    look_first: bool = False


@dataclass(frozen=True)
class Place:
    """Where the requests of an old queue go."""

    name: str
    #: The site has it already, and it is not changed.
    exists: bool
    restart: str = restart.RESTART
    #: Stored text of its resource limits.
    limits: str = ""


def origin_of(layout, old):
    """What tells a record from every other, of this spool or another, however often it is read: 24 hex digits.

    No times and no place: a copy of a spool may have lost the ones, and a job's file may be renamed.
    """
    digest = hashlib.sha256()
    owner = str(old.uid) if old.uid >= 0 else old.user
    for text in (layout, old.old_id, owner, old.identity):
        digest.update(os.fsencode(text) + b"\0")
    digest.update(b"%d " % len(old.script) + old.script)
    if old.environment is not None:
        digest.update(b"environment")
        for name, value in sorted((_bytes(name), _bytes(value)) for name, value in old.environment.items()):
            digest.update(name + b"=" + value + b"\0")
    return digest.hexdigest()[:24]


def old_number(old_id):
    """The number at the beginning of an old id, where the site's own are to go on above it; else 0."""
    digits = ""
    for character in old_id:
        if not ("0" <= character <= "9"):
            break
        digits += character
    return int(digits) if digits and len(digits) < 9 and int(digits) <= OLD_NUMBER_MAX else 0


class RequestPlanner:
    """Plans requests.

    Args:
        layout: name of the layout, part of what tells a record from others.
        facts: the `SiteFacts`.
        accounts: as `jcq.spoolconv.accounts.Accounts`.
        wishes: the `Wishes`.
        now_s: seconds since 1970.
    """

    def __init__(self, layout, facts, accounts, wishes, now_s):
        self._layout, self._facts, self._accounts = layout, facts, accounts
        self._wishes, self._now_s = wishes, now_s

    def plan(self, old, place):
        """Plan one.

        Args:
            old: the `OldRequest`.
            place: the `Place` of its queue.
        Returns:
            `Planned`, or a `Skip`.
        """
        reason = _unusable(old)
        if reason:
            return _skip(old, reason)
        owner, reason = self._owner(old)
        if reason:
            return _skip(old, reason)
        notes, holds = list(old.notes), []
        request = Request(
            site=self._facts.record.name, uid=owner.uid, gid=owner.gid, user=owner.name,
            queue=place.name, submitted_to=place.name, old_id=clean(old.old_id, _HOST_CHARACTERS_MAX),
            origin=origin_of(self._layout, old), as_before=not old.nqs,
            has_environment=old.environment is not None, restartable=old.restartable is not False,
        )  # fmt: skip
        if old.gid not in (-1, owner.gid):
            notes.append(f"it had gid {old.gid}; it runs with the groups of {owner.name or owner.uid}")
        request.name = requestname.default(old.name)
        if old.name and request.name != old.name:
            notes.append(f"its name {clean(old.name)!r} became {clean(request.name)!r}")
        _times(old, request, self._now_s, notes, holds)
        _numbers(old, request, self._facts.record.default_priority, notes)
        _places(old, request, notes, holds)
        _output(old, request, notes)
        _mail(old, request, notes)
        _limits(old, request, notes)
        _history(old, request)
        _queue_limits(old, request, place)
        request.variables = _variables(_pairs(old.variables) or old.environment)
        request.retried_s = old.retried_s if 0 < old.retried_s <= TIME_MAX_S else 0.0
        if not owner.name:
            request.home = _home(old, request)
        # Where it runs if nothing says more, and where its output goes.
        request.workdir = request.workdir or (owner.home if _path(owner.home) else request.home)
        state, reason = self._state(old, request, place, notes, holds)
        if reason:
            return _skip(old, reason)
        request.state = state
        planned = Planned(old, request, request.origin, old.environment, notes)
        return self._held(planned, place, holds)

    # --- the owner ---------------------------------------------------------------------------

    def _owner(self, old):
        """(Account, ""), or (None, why there is none)."""
        account, reason = self._account(old)
        if account and not self._facts.as_root and account.uid != self._facts.uid:
            return None, f"the site runs without root and serves uid {self._facts.uid} only, not {account.uid}"
        return account, reason

    def _account(self, old):
        mapped = self._wishes.map_user.get(old.user) if old.user else None
        mapped = mapped or (self._wishes.map_user.get(str(old.uid)) if old.uid >= 0 else None)
        if mapped:
            found = self._accounts.by_name(mapped)
            return (found, "") if found else (None, f"there is no account {mapped} on this node")
        if old.user:
            return self._named(old)
        if old.uid < 0:
            return None, "nothing says whose it is"
        found = self._accounts.by_uid(old.uid)
        if found is None:
            if not self._facts.as_root and old.uid == self._facts.uid:
                return _Nameless(old.uid, max(old.gid, 0)), ""
            return None, f"uid {old.uid} has no account on this node (--map-user {old.uid}=NAME gives it to one)"
        logname = _text((old.environment or {}).get(b"LOGNAME") or (old.environment or {}).get("LOGNAME") or b"")
        if old.uid and logname and logname != found.name:
            return None, (
                f"uid {old.uid} is {found.name} on this node, but its environment says that it was"
                f" {clean(logname)}'s (--map-user {old.uid}=NAME gives it to one)"
            )
        return found, ""

    def _named(self, old):
        user = clean(old.user)
        found = self._accounts.by_name(old.user)
        if found is None:
            return None, f"{user} has no account on this node (--map-user {user}=NAME gives it to one)"
        if old.uid >= 0 and found.uid != old.uid:
            return None, (
                f"{user} has uid {found.uid} on this node, but had {old.uid}"
                f" (--map-user {user}={user} says that it is the same person)"
            )
        return found, ""

    # --- the state ---------------------------------------------------------------------------

    def _state(self, old, request, place, notes, holds):
        """(state, why it cannot be converted or "")."""
        if old.state == records.RUNNING:
            # The old system was another one, so its node is taken for another one too.
            judged = restart.judge(place.restart, request.restartable, same_node=False)
            if judged == restart.REMOVE:
                flag = "restartable" if request.restartable else "not restartable"
                return "", f"it had begun to run, and is purged: queue restart={place.restart}, request {flag}"
            if judged == restart.KEEP_STOPPED:
                holds.append(f"it had begun to run, and is kept: queue restart={place.restart}")
            else:
                request.rerun = True
                notes.append("it had begun to run, and is run again from its beginning")
        elif old.state == records.HELD:
            request.operator_hold = old.operator_hold
            request.reason = request.reason or "it was held in the old system"
            return lifecycle.HELD, ""
        elif old.state not in records.STATES:
            holds.append(f"it was in a state that is not understood: {clean(str(old.state))!r}")
        return (lifecycle.WAITING if request.due_s > self._now_s else lifecycle.QUEUED), ""

    def _held(self, planned, place, holds):
        request = planned.request
        if planned.old.after:
            after = clean(", ".join(planned.old.after))
            holds.append(f"it is to run after {after}, and jcq has no dependencies")
        if holds:
            planned.notes += [f"{why}; it is held" for why in holds]
            request.state, request.operator_hold, request.reason = lifecycle.HELD, True, clean("; ".join(holds))
        elif place.exists and not self._wishes.start and request.state != lifecycle.HELD:
            request.state, request.operator_hold, request.reason = lifecycle.HELD, True, LOOK_FIRST
            planned.look_first = True
        return planned


@dataclass(frozen=True)
class _Nameless:
    """The uid of a site without root that has no account here, as qsub takes it."""

    uid: int
    gid: int
    name: str = ""
    home: str = ""


def with_number(planned, machine_id, seq):
    """The Request as it will stand in the database."""
    request = planned.request
    request.rid, request.seq = f"{machine_id}-{seq}", seq
    request.sum = request.checksum()
    return request


def clean(text, most=_NOTE_CHARACTERS_MAX):
    """A text that fits a line: what is not printable is `?`, what is too long is cut."""
    text = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else text[: most - 3] + "..."


# --- one matter each -------------------------------------------------------------------------


def _skip(old, reason):
    return Skip(old.where, reason, old.old_id, "request")


def _unusable(old):
    """Why a request cannot be converted whoever owns it; empty where it can."""
    if not old.script:
        return "its script is empty"
    if len(old.script) > SCRIPT_BYTES_MAX:
        return f"its script is larger than {SCRIPT_BYTES_MAX >> 20} MiB"
    size = 0
    for name, value in (old.environment or {}).items():
        name, value = _bytes(name), _bytes(value)
        if not name or b"=" in name or b"\0" in name or b"\0" in value:
            return f"its environment has a variable that none can be: {clean(_text(name))!r}"
        size += len(name) + len(value) + 2
    if size > ENVIRONMENT_BYTES_MAX or len(old.environment or ()) > _VARIABLES_MAX:
        return f"its environment is larger than {ENVIRONMENT_BYTES_MAX >> 20} MiB, or has too many variables"
    return ""


def _times(old, request, now_s, notes, holds):
    request.submitted_s = float(f"{old.submitted_s:.6f}") if _moment(old.submitted_s) else now_s
    if old.submitted_s and not _moment(old.submitted_s):
        notes.append("when it was submitted is no moment; now is taken")
    if _moment(old.due_s):
        request.due_s = float(f"{old.due_s:.6f}")
    elif old.due_s:
        holds.append("the time before which it must not run is no moment")


def _moment(value):
    return isinstance(value, int | float) and math.isfinite(value) and 0 < value <= TIME_MAX_S


def _numbers(old, request, default_priority, notes):
    request.priority = default_priority if old.priority is None else min(max(old.priority, 0), PRIORITY_MAX)
    if old.priority not in (None, request.priority):
        notes.append(f"its priority {old.priority} became {request.priority}")
    if old.umask is not None:
        request.umask = old.umask & 0o777
        if request.umask != old.umask:
            notes.append(f"its umask {old.umask:o} became {request.umask:03o}")


def _places(old, request, notes, holds):
    if old.workdir and not _path(old.workdir):
        holds.append(f"its directory {clean(old.workdir)!r} is no absolute path")
    elif old.workdir:
        request.workdir = old.workdir
    if old.shell and not _path(old.shell):
        holds.append(f"its shell {clean(old.shell)!r} is no absolute path")
    elif old.shell:
        request.shell = old.shell
    for name, value in (("host", old.host), ("tz", old.tz)):
        if value.isprintable() and len(value) <= _HOST_CHARACTERS_MAX:
            setattr(request, name, value)
        else:
            notes.append(f"its {name} is no text: {clean(value)!r}")


def _path(text):
    # What is no UTF-8 is a name like any other; a control character is not: it would break lines.
    plain = not any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)
    return text.startswith("/") and plain and len(os.fsencode(text)) <= _PATH_BYTES_MAX


def _output(old, request, notes):
    """As with qsub, what excludes each other does not come together: the more special wins."""
    request.joined = old.joined
    for letter, name in (("out", "standard output"), ("err", "standard error")):
        if letter == "err" and old.joined:
            continue
        path = getattr(old, f"{letter}_path")
        if getattr(old, f"keep_{letter}"):
            setattr(request, f"keep_{letter}", True)
            continue
        if path and (not _path(path) or path.endswith("/")):
            notes.append(f"its path of {name} is none of a file: {clean(path)!r}; it goes to the usual place")
            path = ""
        setattr(request, f"{letter}_path", path)
        setattr(request, f"direct_{letter}", getattr(old, f"direct_{letter}"))


def _mail(old, request, notes):
    request.mail_begin, request.mail_end = old.mail_begin, old.mail_end
    if old.mail_to and not valid_address(old.mail_to):
        notes.append(f"{clean(old.mail_to)!r} is no mail address; its mail goes to its owner")
    else:
        request.mail_to = old.mail_to


def _limits(old, request, notes):
    request.limits, left_out = limits_text(old.limits)
    notes += left_out
    found = limits.from_text(request.limits)
    if request.uid and found.get("nice_process", (0, None))[0] < 0:
        del found["nice_process"]
        request.limits = limits.to_text(found)
        notes.append("its nice value is one that only root may have, and is left out")


def _queue_limits(old, request, place):
    """What a request without limits of its own has of its queue: what it had there, else what this one gives."""
    of_queue = limits.from_text(place.limits)
    if old.queue_limits is not None:
        of_queue = limits.from_text(limits_text(old.queue_limits)[0])
    own = limits.from_text(request.limits)
    request.queue_limits = limits.to_text({name: pair for name, pair in of_queue.items() if name not in own})


def _history(old, request):
    """What a neutral dump knows of a request's life so far."""
    request.reason = clean(old.reason)
    request.attempt = old.attempt if 0 < old.attempt <= _ATTEMPT_MAX else 0
    if valid_name(old.submitted_to):
        request.submitted_to = old.submitted_to


def limits_text(given):
    """(text of those limits that are some, one phrase for each of the others)."""
    text, left_out = {}, []
    for name, pair in given.items():
        try:
            value, warning = pair
            one = limits.to_text({name: (value, warning)})
            low = limits.NICE_MIN if limits.BY_NAME[name].kind == limits.NICE else 0
            if (value is not None and value < low) or not one:
                raise ValueError(name)
            limits.from_text(one)
            text[name] = (value, warning)
        except (KeyError, TypeError, ValueError):
            left_out.append(f"its limit {clean(str(name))} is none, and is left out")
    return limits.to_text(text), left_out


def _pairs(variables):
    """{name: value}, bytes, of `Request.variables`."""
    pairs = [os.fsencode(pair).partition(b"=") for pair in variables.split("\0")]
    return {name: value for name, equals, value in pairs if equals}


def _variables(environment):
    if not environment:
        return ""
    kept = []
    for name, value in ((_bytes(name), _bytes(value)) for name, value in environment.items()):
        if name in _KEPT_VARIABLES and len(value) <= _VARIABLE_BYTES_MAX:
            kept.append(os.fsdecode(name + b"=" + value))
    return "\0".join(kept)


def _home(old, request):
    home = _text((old.environment or {}).get(b"HOME") or (old.environment or {}).get("HOME") or b"")
    return home if _path(home) else request.workdir or "/"


def _bytes(text):
    return text if isinstance(text, bytes) else os.fsencode(text)


def _text(data):
    return os.fsdecode(data)

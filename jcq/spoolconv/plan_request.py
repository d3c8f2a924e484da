"""From a neutral record of a request to what the site will hold, or to the reason why it cannot: pure.

`jcq.spoolconv.plan_owner` finds whose it is, `jcq.spoolconv.plan_fields` what its fields become. What was not
understood never makes a request run otherwise than before without somebody looking: such a request is held.
"""

from dataclasses import dataclass

from jcq.model import lifecycle, requestname, restart
from jcq.model.request import Request
from jcq.spoolconv import plan_fields as fields
from jcq.spoolconv import records
from jcq.spoolconv.clean import clean
from jcq.spoolconv.origin import origin_of
from jcq.spoolconv.plan_owner import Owners
from jcq.spoolconv.records import Skip

#: Why a request stands in a queue that the site had before.
LOOK_FIRST = "converted from an old spool; an operator releases it when the conversion has been checked"


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
        self._layout, self._facts, self._wishes, self._now_s = layout, facts, wishes, now_s
        self._owners = Owners(facts, accounts, wishes)

    def plan(self, old, place):
        """Plan one.

        Args:
            old: the `OldRequest`.
            place: the `Place` of its queue.
        Returns:
            `Planned`, or a `Skip`.
        """
        reason = fields.unusable(old)
        if reason:
            return _skip(old, reason)
        owner, reason = self._owners.of(old)
        if reason:
            return _skip(old, reason)
        notes, holds = list(old.notes), []
        request = Request(
            site=self._facts.record.name, uid=owner.uid, gid=owner.gid, user=owner.name,
            queue=place.name, submitted_to=place.name, old_id=clean(old.old_id, fields.HOST_CHARACTERS_MAX),
            origin=origin_of(self._layout, old), as_before=not old.nqs,
            has_environment=old.environment is not None, restartable=old.restartable is not False,
        )  # fmt: skip
        if old.gid not in (-1, owner.gid):
            notes.append(f"it had gid {old.gid}; it runs with the groups of {owner.name or owner.uid}")
        request.name = requestname.default(old.name)
        if old.name and request.name != old.name:
            notes.append(f"its name {clean(old.name)!r} became {clean(request.name)!r}")
        fields.take_times(old, request, self._now_s, notes, holds)
        fields.take_numbers(old, request, self._facts.record.default_priority, notes)
        fields.take_places(old, request, notes, holds)
        fields.take_output(old, request, notes)
        fields.take_mail(old, request, notes)
        fields.take_limits(old, request, notes)
        fields.take_history(old, request)
        fields.take_queue_limits(old, request, place)
        request.variables = fields.variables(old)
        if not owner.name:
            request.home = fields.home(old, request)
        request.workdir = request.workdir or fields.usual_directory(owner, request)
        state, reason = self._state(old, request, place, notes, holds)
        if reason:
            return _skip(old, reason)
        request.state = state
        planned = Planned(old, request, request.origin, old.environment, notes)
        return self._held(planned, place, holds)

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


def with_number(planned, machine_id, seq):
    """The Request as it will stand in the database."""
    request = planned.request
    request.rid, request.seq = f"{machine_id}-{seq}", seq
    request.sum = request.checksum()
    return request


def _skip(old, reason):
    return Skip(old.where, reason, old.old_id, "request")

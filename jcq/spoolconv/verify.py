"""Compare a converted site with the old spool: each record field by field, script and environment byte by byte.

What a conversion into an empty site would skip is skipped here too. What has happened to a request since then (that it
ran, was moved or held), and whether a queue is started or enabled, is no difference; a queue that the site had before,
and that stayed as it was, is one where the old one was another. A request that has ended and been forgotten is counted
and cannot be compared.
"""

from collections import Counter

from jcq.jcdbs.ops.site import SiteRecord
from jcq.spoolconv import records
from jcq.spoolconv.clean import clean
from jcq.spoolconv.facts import SiteFacts
from jcq.spoolconv.files import packed
from jcq.spoolconv.plan_request import Planned, RequestPlanner
from jcq.spoolconv.plan_site import SitePlanner

_CHUNK = 250
_FIELDS = ("site name uid gid user submitted_to priority due_s restartable workdir host umask tz shell"
           " out_path err_path joined keep_out keep_err direct_out direct_err mail_begin mail_end mail_to"
           " limits has_environment old_id as_before").split()  # fmt: skip
_QUEUE_FIELDS = ("type priority run_limit user_limit destinations pipeonly restart background restricted users groups"
                 " limits").split()  # fmt: skip
_SAME, _DIFFERENT, _MISSING, _ENDED, _SKIPPED = (
    "the same",
    "different",
    "not converted",
    "ended and forgotten",
    "skipped",
)


class Verification:
    """One comparison.

    Args:
        layout: name of the layout.
        target: a `HeldDatabase` or `RunningSite`.
        files: the `RequestFiles`.
        accounts, wishes, now_s: as for the conversion.
        say: called with each line.
    """

    def __init__(self, layout, target, files, accounts, wishes, now_s, say):
        self._target, self._files, self._say = target, files, say
        self._facts = target.facts()
        self._site = SitePlanner(self._facts, accounts, wishes)
        #: What an empty site would get beside the requests, which is what this one should have.
        empty = SiteFacts(SiteRecord("", 0, 0, 0), self._facts.uid, self._facts.as_root)
        self._made = SitePlanner(empty, accounts, wishes)
        self._requests = RequestPlanner(layout, self._facts, accounts, wishes, now_s)
        self.counts = Counter()

    def run(self, read):
        """Compare; returns how many records differ or are missing."""
        chunk = []
        for record in read:
            if isinstance(record, records.OldRequest):
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    self._compare(chunk)
                    chunk = []
                continue
            self._site.take(record)
            self._skipped(self._made.take(record))
        self._compare(chunk)
        self._compare_parts()
        return self.counts[_DIFFERENT] + self.counts[_MISSING]

    def summary(self):
        """One line."""
        words = (_SAME, _DIFFERENT, _MISSING, _ENDED, _SKIPPED)
        return "verified: " + ", ".join(f"{self.counts[word]} {word}" for word in words if self.counts[word])

    def _skipped(self, skip):
        if skip is not None:
            self.counts[_SKIPPED] += 1

    def _compare_parts(self):
        """Queues, complexes and settings, when all has been read."""
        parts, skips = self._made.parts()
        for skip in skips:
            self._skipped(skip)
        for part in parts:
            kind = {"param": "setting"}.get(part.kind, part.kind)
            what, now = f"{kind} {clean(part.name)}", self._now(part)
            if now is None:
                self._count(_MISSING, what, f"the site has no such {kind}")
            else:
                differ = _differences(_pairs(part, now))
                self._count(_DIFFERENT if differ else _SAME, what, "; ".join(differ))

    def _now(self, part):
        """What the site has in the place of a `Part`; None where it has nothing."""
        if part.kind == "param":
            return str(getattr(self._facts.record, part.name))
        there = {"queue": self._facts.queues, "complex": self._facts.complexes, "manager": self._facts.managers}
        return there[part.kind].get(part.name)

    def _compare(self, chunk):
        planned = []
        for record in chunk:
            plans = self._plans(record)
            if plans:
                planned.append(plans)
            else:
                self.counts[_SKIPPED] += 1
        if not planned:
            return
        rids = self._target.known([plans[0].origin for plans in planned])
        there = [rid for rid in rids if rid]
        found = dict(zip(there, self._target.requests(there), strict=True)) if there else {}
        for plans, rid in zip(planned, rids, strict=True):
            what = f"request {clean(plans[0].old.old_id)}"
            if rid is None:
                self._count(_MISSING, what, "no request of the site was made of it")
            elif found[rid] is None:
                self.counts[_ENDED] += 1
            else:
                differ = min((self._request(one, found[rid]) for one in plans), key=len)
                self._count(_DIFFERENT if differ else _SAME, f"{what}, now {found[rid].id}", "; ".join(differ))

    def _plans(self, record):
        """What a conversion makes of it, by the queue as it was in the old system, and by the site's as it is now."""
        plans = []
        for planner in (self._made, self._site):
            place = planner.place(record.queue) or planner.last_place(record.queue)
            one = self._requests.plan(record, place) if place else None
            if isinstance(one, Planned):
                plans.append(one)
        return plans

    def _request(self, one, now):
        """Each difference. A priority that the old system did not say is the default of that time."""
        names = [name for name in _FIELDS if name != "priority" or one.old.priority is not None]
        differ = _differences((name, getattr(now, name), getattr(one.request, name)) for name in names)
        try:
            script, environment = self._files.read(now.rid)
        except OSError as error:
            return [f"its script cannot be read: {error.strerror}"]
        if script != one.old.script:
            differ.append("the script is another one")
        if environment != (None if one.environment is None else packed(one.environment)):
            differ.append("the environment is another one")
        return differ

    def _count(self, word, what, why):
        self.counts[word] += 1
        if why:
            self._say(f"Warning : {what}: {clean(why)}")


def _pairs(part, now):
    """(name, what is, what should be) of everything that a `Part` says."""
    wanted = part.value
    if part.kind == "queue":
        return [(name, getattr(now, name), getattr(wanted, name)) for name in _QUEUE_FIELDS]
    if part.kind == "complex":
        queues = sorted(filter(None, wanted["queues"].split(",")))
        return [("queues", sorted(now.queues), queues), ("run_limit", now.run_limit, int(wanted["run_limit"]))]
    return [("role" if part.kind == "manager" else "value", now, wanted)]


def _differences(triples):
    """Of (name, what is, what should be): those that differ, in words."""
    return [f"{name} is {now!r}, not {wanted!r}" for name, now, wanted in triples if now != wanted]

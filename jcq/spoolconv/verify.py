"""Compare a converted site with the old spool: each request field by field, script and environment byte by byte.

Requests that the conversion would skip are skipped here too; what has happened to a request since then (that it ran,
was moved or held) is no difference. One that has ended and been forgotten is counted and cannot be compared.
"""

import os
from collections import Counter

from jcq.frames import netstring
from jcq.spoolconv import records
from jcq.spoolconv.plan import RequestPlanner, clean
from jcq.spoolconv.plan_site import SitePlanner
from jcq.spoolconv.records import Skip

_CHUNK = 250
_FIELDS = ("site name uid gid user submitted_to priority due_s restartable workdir host umask tz shell"
           " out_path err_path joined keep_out keep_err direct_out direct_err mail_begin mail_end mail_to"
           " limits has_environment old_id as_before").split()  # fmt: skip
_QUEUE_FIELDS = (
    "type priority run_limit user_limit destinations pipeonly restart background restricted users groups".split()
)
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
        self._requests = RequestPlanner(layout, self._facts, accounts, wishes, now_s)
        self.counts = Counter()

    def run(self, read):
        """Compare; returns how many records differ or are missing."""
        chunk = []
        for record in read:
            if isinstance(record, records.OldQueue):
                self._queue(record)
            elif isinstance(record, records.OldRequest):
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    self._compare(chunk)
                    chunk = []
        self._compare(chunk)
        return self.counts[_DIFFERENT] + self.counts[_MISSING]

    def summary(self):
        """One line."""
        words = (_SAME, _DIFFERENT, _MISSING, _ENDED, _SKIPPED)
        return "verified: " + ", ".join(f"{self.counts[word]} {word}" for word in words if self.counts[word])

    def _queue(self, record):
        self._site.queue(record)
        place = self._site.place(record.name)
        now = self._facts.queues.get(place.name) if place else None
        if now is None:
            self._count(_MISSING, f"queue {clean(record.name)}", "the site has no such queue")
        else:
            self._count(_SAME, "", "")

    def _compare(self, chunk):
        planned = []
        for record in chunk:
            place = self._site.place(record.queue) or self._site.last_place(record.queue)
            one = self._requests.plan(record, place) if place else Skip(record.where, "it has no queue", record.old_id)
            if isinstance(one, Skip):
                self.counts[_SKIPPED] += 1
            else:
                planned.append(one)
        if not planned:
            return
        rids = self._target.known([one.origin for one in planned])
        there = [rid for rid in rids if rid]
        found = dict(zip(there, self._target.requests(there), strict=True)) if there else {}
        for one, rid in zip(planned, rids, strict=True):
            what = f"request {clean(one.old.old_id)}"
            if rid is None:
                self._count(_MISSING, what, "no request of the site was made of it")
            elif found[rid] is None:
                self.counts[_ENDED] += 1
            else:
                why = self._difference(one, found[rid])
                self._count(_DIFFERENT if why else _SAME, f"{what}, now {found[rid].id}", why)

    def _difference(self, one, now):
        differ = [f"{name} is {getattr(now, name)!r}, not {getattr(one.request, name)!r}"
                  for name in _FIELDS if getattr(now, name) != getattr(one.request, name)]  # fmt: skip
        try:
            script, environment = self._files.read(now.rid)
        except OSError as error:
            return f"its script cannot be read: {error.strerror}"
        if script != one.old.script:
            differ.append("the script is another one")
        if environment != _packed(one.environment):
            differ.append("the environment is another one")
        return "; ".join(differ)

    def _count(self, word, what, why):
        self.counts[word] += 1
        if why:
            self._say(f"Warning : {what}: {clean(why)}")


def _packed(environment):
    if environment is None:
        return None
    pairs = ((os.fsencode(name), os.fsencode(value)) for name, value in environment.items())
    return b"".join(netstring(b"%b=%b" % pair) for pair in pairs)

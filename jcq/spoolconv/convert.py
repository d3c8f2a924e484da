"""The conversion itself: records in, requests staged some hundred at a time, all of it part of the site in one step.

Requests are written to their final places, under numbers that were taken for them, and staged in the database; queues
and what else there is follow when everything has been read. Before the last step the site has none of it; after it,
all. What is in memory at one time does not depend on how many requests there are.
"""

import json
import pickle
import secrets
import tempfile
from dataclasses import dataclass
from itertools import islice

from jcq.spoolconv import records
from jcq.spoolconv.clean import clean
from jcq.spoolconv.origin import old_number
from jcq.spoolconv.plan_request import RequestPlanner, with_number
from jcq.spoolconv.plan_site import SitePlanner
from jcq.spoolconv.records import Skip
from jcq.spoolconv.seen import Seen

#: Requests that are planned, written and staged together.
CHUNK = 250
#: And no more bytes of scripts.
_CHUNK_BYTES = 16 * 1024 * 1024


@dataclass
class Result:
    """What was made."""

    token: str
    requests: int = 0
    #: Names of the queues that were made, and what they were in the old system: (name, type, was started).
    queues: tuple = ()
    #: How many requests are held until somebody has looked at them.
    held: int = 0


class Conversion:
    """One conversion.

    Args:
        layout: name of the layout.
        spool: what the old spool is called in the report.
        target: a `HeldDatabase` or `RunningSite`.
        files: the `RequestFiles`; None: a dry run, which changes nothing.
        accounts: as `jcq.spoolconv.accounts.Accounts`.
        wishes: the `Wishes`.
        report: the `Report`.
        now_s: seconds since 1970.
        held: called with the id of each request that is held until somebody has looked at it.
    """

    def __init__(self, layout, spool, target, files, accounts, wishes, report, now_s, held=None):
        self._layout, self._spool, self._target, self._files = layout, spool, target, files
        self._report, self._now_s = report, now_s
        self._wishes = wishes
        self._held = held or (lambda _id: None)
        self._facts = target.facts()
        self._site = SitePlanner(self._facts, accounts, wishes)
        self._requests = RequestPlanner(layout, self._facts, accounts, wishes, now_s)
        #: Origins, in a dry run: it stages nothing that the target could know again.
        self._looked_at = None if files else Seen()
        self._highest = 0
        self._result = Result(secrets.token_hex(8))

    def run(self, read):
        """Convert.

        Args:
            read: iterable of records.
        Returns:
            The `Result`.
        Raises:
            JcqError: why it was not done; the site is as it was. ConversionFailed: or perhaps as it is to be.
        """
        if self._files:
            self._target.clear()
        with tempfile.TemporaryFile() as later:
            self._stage_all(self._planned(read, later))
            parts = self._parts()
            later.seek(0)
            self._stage_all(self._planned_later(later))
        self._stage_parts(parts)
        if self._files:
            self._commit()
        return self._result

    # --- requests ----------------------------------------------------------------------------

    def _planned(self, read, later):
        """Plan requests as they are read; those of queues that were not read yet come later."""
        for record in read:
            self._report.read_one()
            if not isinstance(record, records.OldRequest):
                self._skipped(self._site.take(record))
                continue
            place = self._site.place(record.queue)
            if place is None:
                pickle.dump(record, later, pickle.HIGHEST_PROTOCOL)
            else:
                yield from self._plan(record, place)

    def _planned_later(self, later):
        while True:
            try:
                record = pickle.load(later)
            except EOFError:
                return
            place = self._site.last_place(record.queue)
            if place is None:
                reason = f"there is no queue {clean(record.queue)} (--map-queue OLD=NEW names another)"
                self._report.skipped(Skip(record.where, reason, record.old_id))
            else:
                yield from self._plan(record, place)

    def _plan(self, record, place):
        planned = self._requests.plan(record, place)
        if isinstance(planned, Skip):
            self._report.skipped(planned)
        else:
            yield planned

    def _skipped(self, skip):
        if skip is not None:
            self._report.skipped(skip)

    def _stage_all(self, planned):
        for chunk in _chunks(planned):
            self._stage(self._new_ones(chunk))

    def _new_ones(self, chunk):
        """Those that no conversion has made before, this one included."""
        found = self._target.known([one.origin for one in chunk])
        new, here = [], {}
        for one, rid in zip(chunk, found, strict=True):
            shown = f"{rid.rpartition('-')[2]}.{self._facts.record.name}" if rid else here.get(one.origin)
            if self._looked_at and not (shown or self._looked_at.add(one.origin)):
                shown = "one that was read before"
            if shown:
                reason = f"it is converted already, as {shown}"
                self._report.skipped(Skip(one.old.where, reason, one.old.old_id))
            else:
                here[one.origin] = f"what {one.old.where} holds"
                new.append(one)
        return new

    def _stage(self, chunk):
        if not chunk:
            return
        if not self._files:
            for one in chunk:
                self._done(one, None)
            return
        token, rows = self._result.token, []
        first = self._target.reserve(token, len(chunk))
        for seq, one in enumerate(chunk, first):
            request = with_number(one, self._facts.record.machine_id, seq)
            self._files.begin(request, one.old.script, one.environment)
            fields = request.to_hash()
            del fields["rid"]
            line = "\0".join((request.old_id, request.rid, token, clean(one.old.where)))
            rows.append((request.rid, one.origin, line, fields))
            self._done(one, request)
            self._highest = max(self._highest, seq, old_number(one.old.old_id))
        self._target.stage(token, rows)
        self._files.finish()

    def _done(self, one, request):
        self._result.requests += 1
        shown = request.id if request else None
        self._report.done("request", one.old.old_id, one.old.where, shown, one.notes)
        if one.look_first:
            self._result.held += 1
            if shown:
                self._held(shown)

    # --- the rest ----------------------------------------------------------------------------

    def _parts(self):
        """Queues, complexes and settings, when all has been read."""
        parts, skips = self._site.parts()
        for skip in skips:
            self._report.skipped(skip)
        made = [part for part in parts if part.kind in ("queue", "default")]
        self._result.queues = tuple((part.name, part.value.type, part.record.started) for part in made)
        return parts

    def _stage_parts(self, parts):
        for part in parts:
            if self._files:
                self._target.part(self._result.token, part.kind, part.name, part.words())
            kind = {"default": "queue", "param": "setting", "manager": "setting"}.get(part.kind, part.kind)
            self._report.done(kind, part.record.name, part.record.where, None, part.notes)

    def _commit(self):
        if not self._result.requests and not any(self._report.made(kind) for kind in ("queue", "complex", "setting")):
            return
        self._files.sync()
        about = json.dumps({"spool": self._spool, "layout": self._layout, "time_s": self._now_s,
                            "requests": self._result.requests})  # fmt: skip
        self._target.commit(self._result.token, self._result.requests, self._highest, about)


def _chunks(planned):
    """Lists of at most `CHUNK`, and of not too many bytes."""
    planned = iter(planned)
    while chunk := list(islice(planned, 1)):
        size = len(chunk[0].old.script)
        while len(chunk) < CHUNK and size < _CHUNK_BYTES:
            one = next(planned, None)
            if one is None:
                break
            chunk.append(one)
            size += len(one.old.script)
        yield chunk

"""What a conversion says: each skip in the manual's form (2.6.3), sums, a log, a report as JSON. It keeps none.

The report is one object: `version`, `site`, `layout`, `spool`, `dry_run`, `records` and `totals`. A record has `kind`,
`old_id`, `where`, `outcome` (`converted`, `noted` or `skipped`), `id` (a new request's, or null), `reason` (of a skip)
and `notes`. `totals` has for each kind how many there were of each outcome.
"""

import json
import os
import sys
import time
from collections import Counter

from jcq.spoolconv.clean import clean

CONVERTED, NOTED, SKIPPED = "converted", "noted", "skipped"
OUTCOMES = (CONVERTED, NOTED, SKIPPED)
KINDS = ("queue", "complex", "setting", "request", "file")
_TITLES = {"queue": "Queue", "complex": "Complex", "setting": "Setting", "request": "Request", "file": "File"}
#: So many warnings are shown; the log has all of them.
SHOWN_MAX = 500
_PROGRESS_S = 0.5
VERSION = 1


class Report:
    """Collects outcomes as they come.

    Args:
        say: called with each line for standard output.
        log_path: path of the log, or None.
        json_path: path of the report, or None.
        head: dict with which the report begins.
        progress: whether to show on standard error how far it is.
    """

    def __init__(self, say, log_path=None, json_path=None, head=None, progress=False):
        self.totals = {kind: Counter() for kind in KINDS}
        self._say, self._progress = say, progress
        self._shown = self._read = 0
        self._next_s = 0.0
        self._log = open(log_path, "x", encoding="utf-8", errors="backslashreplace") if log_path else None  # noqa: SIM115
        self._json_path = json_path
        self._json = None
        if json_path:
            self._json = open(f"{json_path}.tmp{os.getpid()}", "w", encoding="utf-8")  # noqa: SIM115
            self._json.write(json.dumps({"version": VERSION, **(head or {})})[:-1] + ', "records": [\n')
        self._comma = ""

    @property
    def log_path(self):
        """Path of the log, or None."""
        return self._log.name if self._log else None

    def read_one(self):
        """One more record has been read."""
        self._read += 1
        if self._progress and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _PROGRESS_S
            sys.stderr.write(f"\r{self._read} records read")
            sys.stderr.flush()

    def skipped(self, skip):
        """A record became nothing, for a reason."""
        kind = skip.kind if skip.kind in KINDS else "file"
        self._count(kind, SKIPPED, skip.old_id, skip.where, None, clean(skip.reason), [])
        self.warn(f'Convert Skip ([{_TITLES[kind]}]{clean(skip.old_id)} where="{_quoted(skip.where)}"'
                  f' reason="{_quoted(skip.reason)}")')  # fmt: skip

    def done(self, kind, old_id, where, new_id, notes):
        """A record became part of the site, or will be when the conversion is complete."""
        notes = [clean(note) for note in notes]
        self._count(kind, NOTED if notes else CONVERTED, old_id, where, new_id, "", notes)
        for note in notes:
            self.warn(
                f'Convert Note ([{_TITLES[kind]}]{clean(old_id)} where="{_quoted(where)}" note="{_quoted(note)}")'
            )

    def warn(self, text):
        """A warning line, on standard output as long as there are not too many, and in the log."""
        line = f"Warning : {text}"
        self.log(line)
        self._shown += 1
        if self._shown <= SHOWN_MAX:
            self._clear_progress()
            self._say(line)
        elif self._shown == SHOWN_MAX + 1:
            where = self.log_path or "the file of --report"
            self._say(f"Warning : there are more, which are not shown; {where} has all of them")

    def log(self, line):
        """A line for the log only."""
        if self._log:
            self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def summary(self):
        """Lines of the sums. Raises AssertionError where a record has no outcome, or two."""
        self._clear_progress()
        total = sum(sum(counts.values()) for counts in self.totals.values())
        if total != self._read:
            raise AssertionError(f"{self._read} records were read, but {total} have an outcome")
        lines = [f"{'':<10} {'read':>8} {'converted':>10} {'with a note':>12} {'skipped':>8}"]
        for kind in KINDS:
            counts = self.totals[kind]
            if counts:
                numbers = (sum(counts.values()), *(counts[outcome] for outcome in OUTCOMES))
                lines.append("{:<10} {:>8} {:>10} {:>12} {:>8}".format(f"{kind}s", *numbers))
        numbers = (total, *(sum(self.totals[kind][outcome] for kind in KINDS) for outcome in OUTCOMES))
        lines.append("{:<10} {:>8} {:>10} {:>12} {:>8}".format("all", *numbers))
        return lines

    def made(self, kind):
        """How many records of a kind became part of the site."""
        return self.totals[kind][CONVERTED] + self.totals[kind][NOTED]

    def close(self, complete):
        """End log and report; the report of what was not completed is thrown away."""
        self._clear_progress()
        if self._json:
            totals = {kind: dict(counts) for kind, counts in self.totals.items() if counts}
            self._json.write(f'\n], "totals": {json.dumps(totals)}}}\n')
            self._json.close()
            if complete:
                os.rename(self._json.name, self._json_path)
            else:
                os.unlink(self._json.name)
        if self._log:
            self._log.close()

    def _count(self, kind, outcome, old_id, where, new_id, reason, notes):
        self.totals[kind][outcome] += 1
        if self._json:
            row = {"kind": kind, "old_id": old_id or None, "where": where, "outcome": outcome, "id": new_id,
                   "reason": reason or None, "notes": notes}  # fmt: skip
            self._json.write(self._comma + json.dumps(row))
            self._comma = ",\n"

    def _clear_progress(self):
        if self._progress and self._read:
            sys.stderr.write("\r" + " " * 40 + "\r")
            sys.stderr.flush()


def _quoted(text):
    return clean(text).replace('"', "'")

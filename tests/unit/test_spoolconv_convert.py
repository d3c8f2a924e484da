"""The conversion's own work: what is staged, in which order, in how large pieces, and when nothing may be written."""

import json
from dataclasses import dataclass, field

import pytest

from jcq.errors import JcqError
from jcq.jcdbs.ops.site import SiteRecord
from jcq.model.lifecycle import HELD, QUEUED
from jcq.model.queue import PIPE, Queue
from jcq.spoolconv import convert, facts
from jcq.spoolconv.accounts import Account
from jcq.spoolconv.convert import Conversion
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.report import Report
from jcq.spoolconv.wishes import Wishes

NOW_S = 1_800_000_000.0


class Accounts:
    """me, uid 1001."""

    @staticmethod
    def by_name(name):
        return Account("me", 1001, 1001, "/home/me") if name == "me" else None

    @staticmethod
    def by_uid(uid):
        return Accounts.by_name("me") if uid == 1001 else None


@dataclass
class Target:
    """A site that remembers each step; it is its own `RequestFiles`."""

    queues: list = field(default_factory=list)
    seq: int = 10
    steps: list = field(default_factory=list)
    origins: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    parts: list = field(default_factory=list)

    def facts(self):
        return facts.make(SiteRecord("testsite", 200, 1, 0), 0, True, self.queues, [], {}, ["before"])

    def clear(self):
        self.steps.append("clear")

    def reserve(self, token, count):
        self.steps.append(f"reserve {count}")
        self.seq += count
        return self.seq - count + 1

    def known(self, origins):
        return [self.origins.get(origin) for origin in origins]

    def begin(self, request, script, environment):
        self.steps.append("write")

    def stage(self, token, rows):
        self.steps.append(f"stage {len(rows)}")
        self.origins |= {origin: rid for rid, origin, *_ in rows}
        self.rows += rows

    def finish(self):
        self.steps.append("finish")

    def part(self, token, kind, name, words):
        self.steps.append(f"part {kind} {name}")

    def sync(self):
        self.steps.append("sync")

    def commit(self, token, count, seq, about):
        self.steps.append("commit")
        self.committed = count, seq, json.loads(about)


class Run:
    """One conversion of records into a target."""

    def __init__(self, target, *given, dry=False, wishes=Wishes()):  # noqa: B008
        self.lines, self.held = [], []
        self.report = Report(self.lines.append)
        files = None if dry else target
        self.conversion = Conversion(
            "tiny", "/old", target, files, Accounts, wishes, self.report, NOW_S, self.held.append
        )
        self.result = self.conversion.run(iter(given))
        self.sums = self.report.summary()[-1].split()[1:]


@pytest.fixture
def target():
    return Target()


def request(number, queue="a", **fields):
    row = {
        "old_id": str(number),
        "where": f"jobs/{number}",
        "queue": queue,
        "script": b"echo %d\n" % number,
        "uid": 1001,
    }
    return OldRequest(**{**row, **fields})


QUEUE = OldQueue("a", "queues/a")


def test_the_steps_in_order(target):
    run = Run(target, QUEUE, request(1), request(2), OldSetting("run_limit", "5", "conf"))
    assert target.steps == ["clear", "reserve 2", "write", "write", "stage 2", "finish", "part queue a",
                            "part param run_limit", "sync", "commit"]  # fmt: skip
    assert target.committed == (2, 12, {"spool": "/old", "layout": "tiny", "time_s": NOW_S, "requests": 2})
    assert (run.result.requests, run.result.held, run.result.queues) == (2, 0, (("a", "BATCH", True),))
    assert run.sums == ["4", "4", "0", "0"]


def test_a_row_of_a_request(target):
    run = Run(target, QUEUE, request(7))
    (row,) = target.rows
    rid, _, line, fields = row
    assert (rid, line.split("\0")) == ("200-11", ["7", "200-11", run.result.token, "jobs/7"])
    assert (fields["seq"], fields["old_id"], fields["queue"], fields["state"]) == ("11", "7", "a", QUEUED)
    assert "rid" not in fields
    assert fields["sum"]


@pytest.mark.parametrize(("old_id", "seq"), [("5", 11), ("300", 300), ("300.7", 300), ("x300", 11), ("99999999", 11)])
def test_the_sites_numbers_go_on_above_the_old_ones(target, old_id, seq):
    Run(target, QUEUE, request(1, old_id=old_id))
    assert target.committed[1] == seq


def test_requests_before_their_queue_wait_for_it(target):
    run = Run(target, request(1), request(2, "never"), QUEUE, request(3))
    assert [row[3]["old_id"] for row in target.rows] == ["3", "1"]
    assert run.sums == ["4", "3", "0", "1"]
    assert "there is no queue never (--map-queue OLD=NEW names another)" in run.lines[0]


def test_those_of_a_default_queue_that_stays_come_at_the_end(target):
    target.queues = [Queue("batch")]
    run = Run(target, request(1, "batch"), request(2, "batch"), wishes=Wishes(start=True))
    assert (run.result.requests, run.result.queues) == (2, ())
    assert run.sums == ["2", "2", "0", "0"]


def test_what_goes_into_a_queue_of_the_site_is_held_and_named(target):
    target.queues = [Queue("mine")]
    run = Run(target, request(1, "mine"), request(2, "mine", state="HELD"))
    assert run.held == ["11.testsite"], "the other was held before"
    assert run.result.held == 1
    assert [row[3]["state"] for row in target.rows] == [HELD, HELD]


def test_a_dry_run_writes_nothing(target):
    target.queues = [Queue("mine")]
    run = Run(target, QUEUE, request(1), request(2, "mine"), OldSetting("run_limit", "5", "conf"), dry=True)
    assert (target.steps, run.held) == ([], [])
    assert (run.result.requests, run.result.held) == (2, 1)
    assert run.sums == ["4", "4", "0", "0"]


def test_nothing_new_is_no_conversion(target):
    Run(target, QUEUE, request(1))
    target.queues, target.steps = [Queue("a")], []
    run = Run(target, QUEUE, request(1))
    assert target.steps == ["clear"]
    assert run.sums == ["2", "0", "0", "2"]
    assert 'reason="it is converted already, as 11.testsite"' in run.lines[1] + run.lines[0]


@pytest.mark.parametrize("apart", [1, 300])
def test_a_record_that_stands_there_twice_is_one_request(target, apart):
    others = [request(number) for number in range(100, 100 + apart)]
    run = Run(target, QUEUE, request(1), *others, request(1, where="jobs/again"))
    assert run.result.requests == 1 + apart
    (line,) = [line for line in run.lines if "jobs/again" in line]
    assert "it is converted already, as " + ("what jobs/1 holds" if apart == 1 else "11.testsite") in line


@pytest.mark.parametrize("apart", [1, 300])
def test_so_a_dry_run_says(target, apart):
    others = [request(number) for number in range(100, 100 + apart)]
    run = Run(target, QUEUE, request(1), *others, request(1, where="jobs/again"), dry=True)
    assert run.sums == [str(apart + 3), str(apart + 2), "0", "1"]
    assert "jobs/again" in run.lines[0]


def test_many_are_staged_in_pieces(target):
    Run(target, QUEUE, *(request(number) for number in range(601)))
    assert [step for step in target.steps if step.startswith("stage")] == ["stage 250", "stage 250", "stage 101"]


def test_large_ones_are_staged_in_smaller_pieces(target, monkeypatch):
    monkeypatch.setattr(convert, "_CHUNK_BYTES", 100)
    large = [request(number, script=b"# %060d\n" % number) for number in range(5)]
    Run(target, QUEUE, *large)
    assert [step for step in target.steps if step.startswith("stage")] == ["stage 2", "stage 2", "stage 1"]


def test_every_other_record_has_an_outcome_too(target):
    run = Run(target, QUEUE, OldQueue("p", "queues/p", type=PIPE, destinations=("a", "gone")),
              OldQueue("a", "queues/again"), OldComplex("c", "complexes", queues=("a", "p")), OldComplex("c", "again"),
              OldSetting("no_such", "1", "conf"), OldSetting("manager:me", "m", "managers"),
              OldSetting("manager:me", "x", "managers"), Skip("core", "it is nothing", kind="file"))  # fmt: skip
    assert run.sums == ["9", "2", "2", "5"]
    assert run.result.queues == (("a", "BATCH", True), ("p", "PIPE", True))
    assert [step for step in target.steps if step.startswith("part")] == [
        "part queue a", "part queue p", "part complex c", "part manager me"
    ]  # fmt: skip


def test_a_reader_that_fails_leaves_nothing_that_was_completed(target):
    def broken():
        yield QUEUE
        yield request(1)
        raise Unreadable(path="jobs", reason="Input/output error")

    conversion = Conversion("tiny", "/old", target, target, Accounts, Wishes(), Report(print), NOW_S)
    with pytest.raises(JcqError, match="jobs: Input/output error"):
        conversion.run(broken())
    assert "commit" not in target.steps

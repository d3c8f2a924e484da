"""Which jobs are suspended while the disk is short of space, and what others' signals do to them."""

import marshal
import os
import signal
import time
from types import SimpleNamespace

import pytest

from jcq.exit_record import run_file
from jcq.jcdbs.revival import BARE_BYTES, Room
from jcq.model.request import Request
from jcq.site import Site
from worker import assignment as stages
from worker.assignment import Assignment
from worker.suspend import RECENT_S, Seen, Suspender, to_suspend

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("written", "held", "spared", "told"),
    [
        (NOW_S - 1, 0.0, 0.0, True),
        (NOW_S - RECENT_S + 1, 0.0, 0.0, True),
        (NOW_S - RECENT_S - 1, 0.0, 0.0, False),
        (0.0, 0.0, 0.0, False),
        # Suspended, and quiet since; suspended, and a process of it goes on.
        (NOW_S - 5, NOW_S - 4, 0.0, False),
        (NOW_S - 3, NOW_S - 4, 0.0, True),
        # It was told to end.
        (NOW_S - 1, 0.0, NOW_S + 1, False),
        (NOW_S - 1, 0.0, NOW_S - 1, True),
    ],
)
def test_who_wrote_a_short_while_ago_is_suspended(written, held, spared, told):
    assert to_suspend([Seen("200-1", written, held, spared)], NOW_S) == (["200-1"] if told else [])


class Page(SimpleNamespace):
    """The words of a page."""


class Bench:
    """A Suspender with one running job, and what its shepherd is told."""

    def __init__(self, directory):
        self.site = Site("/", str(directory), name="testsite")
        for path in (self.site.output, self.site.database):
            os.makedirs(path)
        self.page = Page(short=0, free_bytes=1 << 30, low_bytes=1 << 20, calm=0)
        self.job = Assignment(Request(rid="200-1", seq=1, site="testsite", attempt=1, epoch=1), None)
        self.job.stage, self.job.shepherd = stages.RUNNING, object()
        self.told = []
        log = SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)
        self.suspender = Suspender(
            self.site, Room(self.page), lambda: [self.job], lambda _job, message: self._hear(message), log
        )

    def _hear(self, message):
        """As a shepherd gets it."""
        kind, signum = marshal.loads(marshal.dumps(message))
        assert kind == "signal"
        self.told.append(signum)

    def write(self, text="output\n"):
        path = run_file(self.site.output, self.job.request, "out")
        with open(path, "a", encoding="ascii") as file:
            file.write(text)
        # The clock of files may lag behind by a tick.
        os.utime(path, (time.time(), time.time()))

    def look(self):
        """One look at everything."""
        self.suspender._next_look = 0.0
        self.suspender.run_once()
        told, self.told = self.told, []
        return told


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_writer_is_suspended_while_the_disk_is_short_and_resumed_afterwards(bench):
    bench.write()
    assert bench.look() == []
    bench.page.short = 1
    assert bench.look() == [signal.SIGSTOP]
    assert bench.page.calm == 1
    assert bench.look() == []
    bench.page.short = 0
    assert bench.look() == [signal.SIGCONT]
    assert bench.page.calm == 0
    assert bench.look() == []


def test_who_writes_nothing_runs_on(bench):
    bench.write("")
    bench.page.short = 1
    assert bench.look() == []
    bench.write()
    assert bench.look() == [signal.SIGSTOP]


def test_output_on_another_disk_is_no_matter(bench, monkeypatch):
    bench.write()
    monkeypatch.setattr("worker.suspend._same_file_system", lambda *_: False)
    bench.page.short = 1
    assert bench.look() == []
    assert bench.page.calm == 1


def test_what_a_user_suspended_stays_so(bench):
    bench.write()
    bench.suspender.signal(bench.job, signal.SIGSTOP)
    bench.page.short = 1
    assert bench.look() == [signal.SIGSTOP, signal.SIGSTOP]
    bench.page.short = 0
    assert bench.look() == []
    bench.suspender.signal(bench.job, signal.SIGCONT)
    assert bench.told == [signal.SIGCONT]


def test_a_users_continue_waits_for_space(bench):
    bench.write()
    bench.suspender.signal(bench.job, signal.SIGSTOP)
    bench.page.short = 1
    bench.look()
    bench.suspender.signal(bench.job, signal.SIGCONT)
    assert bench.look() == []
    bench.page.short = 0
    assert bench.look() == [signal.SIGCONT]


@pytest.mark.parametrize(
    ("signum", "told"),
    [
        (signal.SIGKILL, [signal.SIGKILL]),
        (signal.SIGTERM, [signal.SIGTERM, signal.SIGCONT]),
        (signal.SIGUSR1, [signal.SIGUSR1, signal.SIGCONT]),
    ],
)
def test_a_signal_reaches_a_suspended_job(bench, signum, told):
    bench.write()
    bench.page.short = 1
    bench.look()
    bench.suspender.signal(bench.job, signum)
    assert bench.told == told
    bench.told = []
    # It may go on writing for a moment, and not for ever.
    bench.write()
    if signum != signal.SIGKILL:
        assert bench.look() == []
        bench.job.spared_until_s = time.time() - 1
        assert bench.look() == [signal.SIGSTOP]


def test_a_stop_of_the_site_wakes_everybody_and_suspends_nobody(bench):
    bench.write()
    bench.page.short = 1
    bench.look()
    bench.suspender.retire()
    assert bench.told == [signal.SIGCONT]
    bench.told = []
    bench.write()
    assert bench.look() == []


def test_a_job_that_had_ended_is_told_nothing(bench):
    bench.write()
    bench.page.short = 1
    bench.look()
    bench.job.stage = stages.ENDED
    bench.page.short = 0
    assert bench.look() == []


def test_how_soon_the_worker_looks(bench):
    easy = bench.suspender.patience_s()
    bench.page.free_bytes = 8 << 20
    tight = bench.suspender.patience_s()
    assert 0 < tight < easy


def test_room_is_bare_when_even_what_happened_cannot_be_written(bench):
    room = Room(bench.page)
    bench.page.free_bytes = BARE_BYTES - 1
    assert not room.bare
    bench.page.short = 1
    assert room.bare
    bench.page.free_bytes = BARE_BYTES
    assert not room.bare
    assert not Room().short

"""The worker's loop with shepherds that are told what to say, and the Store on fakeredis."""

import logging
import os
import selectors
import socket
import time
from types import SimpleNamespace

import pytest

from jcq import exit_record
from jcq.config import DaemonConf
from jcq.jcdbs.revival import Room
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import DONE, EXITED, EXITING, QUEUED, RUNNING, SIGNALLED
from jcq.site import Site
from jcq.site_page import Fence, SitePage
from support import backends
from support.fakeslots import FakeLauncher, FakePresence
from support.store_bench import NODE, NOW_S, TEMPLATE, StoreBench
from worker.delivery import KEPT
from worker.dispatcher import Dispatcher

UID = os.geteuid()
#: Turns after which a test gives up.
TURNS = 50


class Bench:
    """A dispatcher, its fakes, and a Store."""

    def __init__(self, connect, directory):
        self.base = StoreBench(connect, run_limit=4)
        self.site = Site("/", str(directory), name="testsite")
        for path in (self.site.requests, self.site.output):
            os.makedirs(path, exist_ok=True)
        self.launcher, self.presence = FakeLauncher(), FakePresence()
        self.user = _name_of(UID)
        self.log = []
        self.page = SitePage.create(limit_s=3600)
        self.page.free_bytes = 1 << 30
        self.fence = Fence(self.page)
        self._stops = [self.page]
        self.make(self.base.store)

    def make(self, store):
        logger = logging.Logger("test")
        handler = logging.Handler()
        handler.emit = lambda record: self.log.append(record.getMessage())
        logger.addHandler(handler)
        self._stops += socket.socketpair()
        stop = SimpleNamespace(fileno=self._stops[-2].fileno, drain=lambda: None)
        self.store = store
        self.dispatcher = Dispatcher(
            self.site, store, self.presence, self.launcher, DaemonConf(), NODE, (1024, 4096), stop, self.fence, logger,
            room=Room(self.page),
        )  # fmt: skip

    def close(self):
        for closed in (self.launcher, self.presence, *self.launcher.shepherds, *self._stops):
            closed.close()

    def ready(self):
        """As worker/__main__.py: prepare, then register."""
        self.dispatcher.prepare()
        self.store.run(self.store.register_worker(self.presence.name, TEMPLATE, NOW_S))

    def submit(self, **fields):
        return self.base.submit(uid=UID, user=self.user, home="/", workdir="/", **fields)

    def turn(self):
        """One turn, in which claims are asked for."""
        self.dispatcher._want_claim = True
        self.dispatcher.run_once(0.0)

    def until(self, condition):
        for _ in range(TURNS):
            if condition():
                return
            self.turn()
        raise AssertionError(f"not in {TURNS} turns: {[s.orders for s in self.launcher.shepherds]}\n{self.log}")

    def state(self, rid):
        return self.store.run(self.store.request(rid))

    def begun(self, shepherd):
        """Let it begin what it was ordered to run."""
        assert shepherd.last == "run", shepherd.orders
        shepherd.say("begun", 4711, 1)
        self.turn()

    def ended(self, shepherd, exit_code=0):
        shepherd.say("ended", result(exit_code))


def result(exit_code):
    return {
        "exit_code": exit_code,
        "signal": 0,
        "started_s": NOW_S,
        "ended_s": NOW_S + 1,
        "cpu_s": 0.5,
        "maxrss_kb": 2048,
        "stragglers": 0,
        "note": "",
    }


def _name_of(uid):
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


@pytest.fixture
def bench(tmp_path):
    with backends.serve("fakeredis") as connect:
        made = Bench(connect, tmp_path / "nqs")
        yield made
        made.close()


def left_behind(bench, shepherd, *pids):
    """It ends and has left processes on purpose; returns the shepherd that delivers its output."""
    shepherd.say("ended", result(0) | {"background": pids})
    bench.until(lambda: bench.launcher.ordered)
    other = bench.launcher.give()
    bench.until(lambda: other.last == "deliver")
    return other


def run_one(bench):
    """A request that runs; returns (rid, its shepherd)."""
    bench.ready()
    rid = bench.submit()
    shepherd = bench.launcher.give()
    bench.until(lambda: shepherd.last == "run")
    bench.begun(shepherd)
    return rid, shepherd


def test_a_request_runs_is_recorded_delivered_and_done(bench):
    rid, shepherd = run_one(bench)
    request = bench.state(rid)
    assert (request.state, request.pid, request.attempt) == (RUNNING, 4711, 1)
    bench.ended(shepherd, 3)
    bench.until(lambda: shepherd.last == "deliver")
    assert (bench.state(rid).state, bench.state(rid).exit_code) == (EXITING, 3)
    shepherd.say("delivered", "")
    bench.until(lambda: bench.state(rid).state == DONE)
    assert bench.dispatcher.busy == 0
    second = bench.submit()
    bench.until(lambda: len(shepherd.orders) == 3)
    assert shepherd.last == "run"
    assert shepherd.orders[-1][1]["rid"] == second


def test_a_lost_shepherds_job_counts_as_killed(bench):
    rid, shepherd = run_one(bench)
    shepherd.die()
    bench.launcher.tell(("lost", shepherd.pid, 9))
    bench.until(lambda: bench.state(rid).state == EXITING)
    assert (bench.state(rid).outcome, bench.state(rid).signal) == (SIGNALLED, 9)
    other = bench.launcher.give()
    bench.until(lambda: other.last == "deliver")


@pytest.mark.parametrize("first", ["launcher", "shepherd"])
def test_what_a_lost_shepherd_said_in_time_counts_whoever_is_heard_first(bench, first, monkeypatch):
    rid, shepherd = run_one(bench)
    bench.ended(shepherd, 3)
    shepherd.die()
    bench.launcher.tell(("lost", shepherd.pid, 9))
    wanted = bench.launcher if first == "launcher" else shepherd
    select = selectors.DefaultSelector.select
    monkeypatch.setattr(
        selectors.DefaultSelector,
        "select",
        lambda self, limit_s: sorted(select(self, limit_s), key=lambda pair: pair[0].fileobj is not wanted),
    )
    bench.until(lambda: bench.state(rid).state == EXITING)
    assert (bench.state(rid).outcome, bench.state(rid).exit_code) == (EXITED, 3)
    other = bench.launcher.give()
    bench.until(lambda: other.last == "deliver")


def test_an_exit_record_tells_how_a_lost_shepherds_job_ended(bench):
    rid, shepherd = run_one(bench)
    path = exit_record.run_file(bench.site.output, bench.state(rid), "exit")
    exit_record.write(path, result(5) | {"rid": rid, "attempt": 1, "epoch": 1})
    shepherd.die()
    bench.launcher.tell(("lost", shepherd.pid, 9))
    bench.until(lambda: bench.state(rid).state == EXITING)
    assert (bench.state(rid).outcome, bench.state(rid).exit_code) == (EXITED, 5)


def test_a_shepherd_that_died_idle_gets_nothing(bench):
    bench.ready()
    idle = bench.launcher.give()
    bench.turn()
    idle.die()
    bench.launcher.tell(("lost", idle.pid, 9))
    bench.turn()
    rid = bench.submit()
    bench.until(lambda: bench.launcher.ordered)
    other = bench.launcher.give()
    bench.until(lambda: other.last == "run")
    assert other.orders[-1][1]["rid"] == rid
    assert idle.orders == []


def test_what_a_dead_shepherd_was_given_another_one_runs(bench):
    bench.ready()
    idle = bench.launcher.give()
    bench.turn()
    # Dead, and nobody has said so yet.
    idle.dead = True
    rid = bench.submit()
    bench.until(lambda: bench.launcher.ordered)
    bench.launcher.tell(("lost", idle.pid, 9))
    other = bench.launcher.give()
    bench.until(lambda: other.last == "run")
    bench.begun(other)
    assert (bench.state(rid).state, bench.state(rid).attempt) == (RUNNING, 1)


def test_a_shepherd_that_died_after_its_last_word_is_not_kept(bench):
    rid, shepherd = run_one(bench)
    bench.ended(shepherd)
    bench.until(lambda: shepherd.last == "deliver")
    shepherd.say("delivered", "")
    shepherd.die()
    bench.until(lambda: bench.state(rid).state == DONE)
    bench.launcher.tell(("lost", shepherd.pid, 9))
    bench.turn()
    bench.submit()
    bench.until(lambda: bench.launcher.ordered)
    other = bench.launcher.give()
    bench.until(lambda: other.last == "run")


def test_output_that_no_shepherd_could_deliver_stays(bench):
    rid, shepherd = run_one(bench)
    spooled = exit_record.run_file(bench.site.output, bench.state(rid), "out")
    with open(spooled, "w", encoding="ascii") as file:
        file.write("precious\n")
    bench.ended(shepherd)
    for _ in range(3):
        bench.until(lambda one=shepherd: one.last == "deliver")
        shepherd.die()
        bench.launcher.tell(("lost", shepherd.pid, 9))
        bench.until(lambda: bench.launcher.ordered or bench.state(rid).state == DONE)
        shepherd = bench.launcher.give()
    assert KEPT in bench.state(rid).reason
    bench.dispatcher.stop_all(0.0)
    assert os.path.exists(spooled)


def test_no_shepherd_to_be_had_is_tried_again(bench, monkeypatch):
    bench.ready()
    bench.launcher.ordered = 0
    rid = bench.submit()
    bench.until(lambda: bench.launcher.ordered == 1)
    bench.launcher.ordered = 0
    bench.launcher.tell(("refused", "Cannot allocate memory"))
    bench.turn()
    assert bench.launcher.ordered == 0
    later_s = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    bench.until(lambda: bench.launcher.ordered == 1)
    shepherd = bench.launcher.give()
    bench.until(lambda: shepherd.last == "run")
    assert bench.state(rid).state == RUNNING


# --- the start of a run ----------------------------------------------------------------------


def next_run(bench):
    """The site starts again, with a new worker."""
    store = Store(bench.base.connect(), 2)
    store.run(store.open_epoch())
    bench.base.store = store
    bench.make(store)


def left_exiting(bench, number, **fields):
    """Requests that had ended when the site died."""
    rids = []
    for _ in range(number):
        rids.append(bench.submit(**fields))
    bench.base.worker()
    while claimed := bench.base.claim():
        for request in claimed:
            bench.base.finish(request)
    return rids


def test_every_delivery_that_an_older_run_left_is_adopted(bench, monkeypatch):
    rids = left_exiting(bench, 7)
    next_run(bench)
    few = bench.store.adopt
    monkeypatch.setattr(bench.store, "adopt", lambda token, now_s: few(token, now_s, most=3))
    bench.ready()
    assert bench.dispatcher.busy == len(rids)


def test_output_of_an_owner_who_is_unknown_here_stays(bench):
    (rid,) = left_exiting(bench, 1)
    bench.base.alter(rid, user="somebody-else")
    spooled = exit_record.run_file(bench.site.output, bench.state(rid), "out")
    with open(spooled, "w", encoding="ascii") as file:
        file.write("precious\n")
    next_run(bench)
    bench.ready()
    bench.until(lambda: bench.state(rid).state == DONE)
    assert KEPT in bench.state(rid).reason
    bench.dispatcher.stop_all(0.0)
    assert os.path.exists(spooled)


# --- stopping --------------------------------------------------------------------------------


def test_a_stop_interrupts_what_runs_and_records_nothing_of_it(bench):
    rid, shepherd = run_one(bench)
    shepherd.answers["stop"] = ("stopped",)
    bench.dispatcher.stop_all(0.0)
    assert shepherd.last == "stop"
    assert (bench.state(rid).state, bench.state(rid).outcome) == (RUNNING, "")


def test_a_stop_records_what_had_ended(bench):
    rid, shepherd = run_one(bench)
    bench.ended(shepherd, 3)
    shepherd.answers["deliver"] = ("delivered", "")
    bench.dispatcher.stop_all(0.0)
    assert (bench.state(rid).state, bench.state(rid).exit_code) == (DONE, 3)


def test_what_waits_for_a_shepherd_goes_back_and_holds_up_no_stop(bench):
    delivery = left_exiting(bench, 1)[0]
    next_run(bench)
    bench.ready()
    waiting = bench.submit(restartable=False)
    bench.until(lambda: bench.state(waiting).state == RUNNING)
    assert bench.dispatcher.busy == 2
    bench.dispatcher.stop_all(0.0)
    assert bench.dispatcher.busy == 0
    # It never started, so also one that may not be started twice is queued.
    assert bench.state(waiting).state == QUEUED
    assert bench.state(delivery).state == EXITING


def test_a_shepherd_that_watches_what_a_job_left_gets_nothing_more(bench):
    rid, shepherd = run_one(bench)
    other = left_behind(bench, shepherd, 21, 22)
    other.say("delivered", "")
    bench.until(lambda: bench.state(rid).state == DONE)
    assert shepherd.orders[1:] == []
    bench.submit()
    bench.until(lambda: other.last == "run")
    text = f"request 1.{bench.state(rid).site} of {bench.user or UID}: 2 processes live on in the background: 21 22"
    assert text in bench.log
    shepherd.die()
    bench.turn()
    assert f"request 1.{bench.state(rid).site}: its background processes have ended" in bench.log
    assert not [line for line in bench.log if "lost" in line]


def test_a_stop_ends_what_was_left_too(bench):
    rid, shepherd = run_one(bench)
    other = left_behind(bench, shepherd, 21)
    other.say("delivered", "")
    bench.until(lambda: bench.state(rid).state == DONE)
    send = shepherd.send

    def stop_and_end(message):
        send(message)
        if message[0] == "stop":
            shepherd.die()

    shepherd.send = stop_and_end
    bench.dispatcher.stop_all(5.0)
    assert shepherd.orders[-1] == ("stop", 5.0)
    assert f"request 1.{bench.state(rid).site}: its background processes end with the site" in bench.log


# --- a disk that is short of space -------------------------------------------------------------


def test_while_the_disk_is_short_nothing_is_started_and_what_ends_is_recorded(bench):
    rid, shepherd = run_one(bench)
    bench.page.short = 1
    waiting = bench.submit()
    bench.ended(shepherd)
    bench.until(lambda: bench.state(rid).state == EXITING)
    bench.turn()
    assert bench.state(waiting).state == QUEUED
    bench.page.short = 0
    bench.until(lambda: bench.state(waiting).state == RUNNING)


def test_with_no_room_at_all_an_end_waits_and_is_not_forgotten(bench):
    rid, shepherd = run_one(bench)
    bench.page.short, bench.page.free_bytes = 1, 0
    bench.ended(shepherd, 3)
    for _ in range(3):
        bench.turn()
    assert bench.state(rid).state == RUNNING
    bench.page.free_bytes = 1 << 20
    bench.until(lambda: bench.state(rid).state == EXITING)
    assert bench.state(rid).exit_code == 3


def test_a_request_without_space_for_its_output_stays_queued(bench):
    bench.ready()
    rid = bench.submit()
    shepherd = bench.launcher.give()
    bench.until(lambda: shepherd.last == "run")
    shepherd.say("failed", "output file: No space left on device", True)
    bench.until(lambda: bench.state(rid).state == QUEUED)
    assert bench.state(rid).reason == "output file: No space left on device"
    # It is tried again, but not at once.
    bench.turn()
    assert bench.state(rid).state == QUEUED
    bench.dispatcher._claim_at = 0.0
    bench.until(lambda: bench.state(rid).state == RUNNING)
    assert bench.state(rid).attempt == 2


def test_a_damaged_request_is_never_started_and_its_slot_goes_to_the_next_one(bench):
    bench.base.set("batch", "run_limit", 1)
    damaged, good = bench.submit(), bench.submit()
    bench.base.connection.hset(f"jcq:request:{damaged}", "workdir", "/etc")
    bench.ready()
    bench.until(lambda: bench.state(good).attempt == 1)
    ((rid, _, reason, _),) = bench.store.run(bench.store.lost_found())
    assert (rid, reason) == (damaged, "the checksum of its record is wrong")

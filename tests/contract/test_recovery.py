"""The start of a run: what an older one left is judged, and nothing else has changed its mind."""

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import StaleEpoch, WrongState
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import DEPARTING, DONE, EXITED, EXITING, HELD, PURGED, QUEUED, ROUTING, RUNNING, WAITING
from support.store_bench import ALICE, NOW_S, WORKER


def next_run(bench, epoch=2):
    """The site starts again: the same database, a newer epoch."""
    bench.store = Store(bench.connect(), epoch)
    bench.run(bench.store.open_epoch())


@pytest.fixture
def interrupted(bench):
    """The rid of a request that ran when the site died, with an order to kill it that nobody carried out."""
    bench.worker()
    rid = bench.submit(priority=40)
    (claimed,) = bench.claim()
    bench.run(bench.store.begin(claimed, 4242, 99, NOW_S))
    bench.run(bench.store.kill(rid, ALICE, 15, NOW_S))
    next_run(bench)
    return rid


def test_a_new_run_takes_back_every_slot_that_was_not_used(bench):
    bench.worker()
    for _ in range(3):
        bench.submit()
    assert bench.promoted() == [1, 2]
    next_run(bench)
    assert (bench.promoted(), bench.counts()) == ([], {QUEUED: 3})
    assert bench.connection.exists(keys.WORKER) == 0
    bench.check()
    bench.worker()
    assert bench.promoted() == [1, 2]


def test_what_did_not_run_is_as_it_was(bench):
    held, waiting, queued = bench.submit(hold=True), bench.submit(due_s=NOW_S + 60), bench.submit()
    before = [bench.get(rid) for rid in (held, waiting, queued)]
    next_run(bench)
    assert [bench.get(rid) for rid in (held, waiting, queued)] == before
    assert [request.state for request in before] == [HELD, WAITING, QUEUED]


@pytest.mark.parametrize("decision", ["rerun", "keep"])
def test_rerun_and_keep_queue_it_again_in_its_old_place(bench, interrupted, decision):
    later = bench.submit(priority=40)
    assert bench.run(bench.store.recover(interrupted, decision, "why", NOW_S)) == QUEUED
    request = bench.get(interrupted)
    assert (request.attempt, request.pid, request.started_s, request.reason) == (1, 0, 0.0, "why")
    assert bench.run(bench.store.queue("batch")).started == (decision == "rerun")
    bench.worker()
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {}
    if decision == "keep":
        assert bench.claim() == []
        bench.set("batch", "started", True)
    claimed = bench.claim()
    assert [request.rid for request in claimed] == [interrupted, later]
    assert (claimed[0].attempt, claimed[0].epoch, claimed[0].reason) == (2, 2, "")


def test_remove_purges_it_but_returns_its_output(bench, interrupted):
    assert bench.run(bench.store.recover(interrupted, "remove", "not restartable", NOW_S + 9)) == EXITING
    request = bench.get(interrupted)
    assert (request.outcome, request.reason, request.ended_s) == (PURGED, "not restartable", NOW_S + 9)
    bench.worker()
    (adopted,) = bench.run(bench.store.adopt("a", NOW_S))
    bench.deliver(adopted)
    assert (bench.state(interrupted), bench.get(interrupted).outcome) == (DONE, PURGED)


def test_an_end_that_was_recorded_counts(bench, interrupted):
    ended = bench.get(interrupted)
    ended.outcome, ended.exit_code, ended.ended_s, ended.cpu_s = EXITED, 3, NOW_S + 5, 1.5
    assert bench.run(bench.store.recover(interrupted, "recorded", "why", NOW_S + 9, ended, 100)) == EXITING
    request = bench.get(interrupted)
    assert (request.outcome, request.exit_code, request.ended_s, request.cpu_s) == (EXITED, 3, NOW_S + 5, 1.5)
    # rq's tools show it as well.
    rq = bench.store.connection
    assert rq.hget(f"rq:job:{interrupted}", "status") == b"failed"
    assert rq.zscore(f"rq:failed:{request.queue}", interrupted) == NOW_S + 9 + 100
    assert rq.xlen(f"rq:results:{interrupted}") == 1


def test_exiting_requests_are_adopted_once_per_run_and_never_rerun(bench):
    bench.worker()
    bench.submit()
    (claimed,) = bench.claim()
    bench.finish(claimed)
    next_run(bench)
    with pytest.raises(WrongState):
        bench.run(bench.store.recover(claimed.rid, "rerun", "why", NOW_S))
    (adopted,) = bench.run(bench.store.adopt("a", NOW_S))
    assert (adopted.rid, adopted.state, adopted.outcome) == (claimed.rid, EXITING, EXITED)
    assert adopted.token != claimed.token
    assert bench.run(bench.store.adopt("b", NOW_S)) == []
    bench.deliver(adopted)
    assert bench.state(claimed.rid) == DONE


@pytest.mark.parametrize("state", [ROUTING, DEPARTING])
def test_what_was_on_its_way_is_tried_again(bench, state):
    rid = bench.submit("guilb_def", hold=True)
    bench.connection.zrem(keys.members("guilb_def", HELD), rid)
    bench.connection.zadd(keys.members("guilb_def", state), {rid: 1})
    bench.connection.hset(keys.request(rid), "state", state)
    next_run(bench)
    assert bench.run(bench.store.recover(rid, "redo", "why", NOW_S)) == WAITING
    assert bench.run(bench.store.due(NOW_S)) == (1, None)
    assert (bench.get(rid).queue, bench.state(rid)) == ("batch", QUEUED)


@pytest.mark.parametrize("decision", ["rerun", "keep", "remove"])
def test_what_this_run_started_is_not_judged(bench, decision):
    bench.worker()
    rid = bench.submit()
    bench.claim()
    with pytest.raises(WrongState):
        bench.run(bench.store.recover(rid, decision, "why", NOW_S))
    assert bench.state(rid) == RUNNING


def test_an_epoch_is_opened_once(bench):
    next_run(bench, 3)
    for epoch in (3, 2):
        with pytest.raises(StaleEpoch):
            bench.run(Store(bench.connect(), epoch).open_epoch())


def test_rq_forgets_the_workers_of_older_runs(bench):
    bench.connection.sadd("rq:workers", f"rq:worker:{WORKER}")
    bench.connection.sadd("rq:workers:batch", f"rq:worker:{WORKER}")
    bench.connection.hset(f"rq:worker:{WORKER}", "birth", "x")
    next_run(bench)
    for key in ("rq:workers", "rq:workers:batch", f"rq:worker:{WORKER}", "rq:wip:batch", "rq:queue:batch"):
        assert not bench.connection.exists(key), key

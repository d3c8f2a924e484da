"""What is changed of a request that does not run, where it is moved, and what runs once more."""

from dataclasses import replace

import pytest

from jcq.jcdbs.errors import (
    BadValue,
    HeldByOperator,
    InQueueAlready,
    NoSuchQueue,
    NotOwner,
    QueueDisabled,
    QueuePipeOnly,
    RecordChanged,
    WrongState,
)
from jcq.model.lifecycle import HELD, QUEUED, RUNNING, SIGNALLED, WAITING
from support.store_bench import ALICE, BOB, NOW_S, OPERATOR


def alter(bench, rid, uid=ALICE, **fields):
    before = bench.get(rid)
    return bench.run(bench.store.alter(before, replace(before, **fields), uid, NOW_S))


@pytest.fixture
def stopped(bench):
    bench.set("batch", "started", False)
    return bench


def test_what_is_altered_and_what_is_not(stopped):
    rid = stopped.submit(err_path="/tmp/e", restartable=True)
    before = stopped.get(rid)
    assert alter(stopped, rid, name="new", err_path="", restartable=False, priority=40) == QUEUED
    after = stopped.get(rid)
    assert after == replace(
        before, name="new", err_path="", restartable=False, priority=40, sum=after.sum, unreadable=before.unreadable
    )
    assert after.flaw() == ""
    stopped.check()


def test_a_new_priority_changes_the_order_also_of_what_is_promoted(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    first, second = bench.submit(), bench.submit()
    assert bench.promoted() == [1]
    alter(bench, second, priority=63)
    alter(bench, first, priority=1)
    assert bench.promoted() == [2]
    bench.check()
    assert [request.rid for request in bench.claim()] == [second]


def test_a_time_lets_it_wait_and_now_lets_it_run(bench):
    bench.worker()
    rid = bench.submit()
    assert alter(bench, rid, due_s=NOW_S + 60) == WAITING
    bench.check()
    assert bench.promoted() == []
    assert alter(bench, rid, due_s=0.0) == QUEUED
    bench.check()
    assert bench.promoted() == [1]
    assert bench.get(rid).due_s == 0.0


def test_a_held_one_stays_held_and_waits_when_it_is_released(bench):
    rid = bench.submit(hold=True)
    assert alter(bench, rid, due_s=NOW_S + 60) == HELD
    assert bench.run(bench.store.release(rid, ALICE, NOW_S)) == WAITING
    bench.check()


def test_priority_of_a_waiting_one_leaves_its_time(bench):
    rid = bench.submit(due_s=NOW_S + 60)
    assert alter(bench, rid, priority=50) == WAITING
    assert bench.get(rid).due_s == NOW_S + 60
    assert bench.run(bench.store.due(NOW_S + 60)) == (1, None)
    bench.check()


def test_two_at_once_lose_nothing(stopped):
    rid = stopped.submit()
    before = stopped.get(rid)
    alter(stopped, rid, name="first")
    with pytest.raises(RecordChanged):
        stopped.run(stopped.store.alter(before, replace(before, name="second"), ALICE, NOW_S))
    assert stopped.get(rid).name == "first"


def test_alter_is_the_owners(stopped):
    rid = stopped.submit()
    with pytest.raises(NotOwner):
        alter(stopped, rid, uid=BOB, priority=1)
    alter(stopped, rid, uid=OPERATOR, priority=1)


@pytest.mark.parametrize("how", [{}, {"hold": True}, {"due_s": NOW_S + 60}])
def test_a_move_keeps_state_and_order(bench, how):
    bench.queue("night", started=False)
    bench.worker()
    rid = bench.submit(**how)
    state = bench.state(rid)
    bench.run(bench.store.move(rid, ALICE, "night", NOW_S))
    request = bench.get(rid)
    assert (request.queue, request.state, request.submitted_to, request.flaw()) == ("night", state, "batch", "")
    assert bench.counts() == {}
    assert bench.counts("night") == {state: 1}
    bench.check()


def test_a_move_into_a_pipe_queue_goes_on_from_there(bench):
    bench.queue("night")
    bench.pipe("in", "night")
    rid = bench.submit()
    bench.run(bench.store.move(rid, ALICE, "in", NOW_S))
    assert bench.get(rid).queue == "night"
    bench.check()


def test_where_it_cannot_be_moved(bench):
    bench.queue("closed", enabled=False)
    bench.queue("inner", pipeonly=True)
    rid = bench.submit()
    for queue, error in (
        ("nowhere", NoSuchQueue),
        ("closed", QueueDisabled),
        ("inner", QueuePipeOnly),
        ("batch", InQueueAlready),
    ):
        before = bench.stands(rid)
        with pytest.raises(error):
            bench.run(bench.store.move(rid, ALICE, queue, NOW_S))
        assert bench.stands(rid) == before
    with pytest.raises(NotOwner):
        bench.run(bench.store.move(rid, BOB, "guilb_def", NOW_S))


def test_rerun_ends_it_and_queues_it_first_among_equals(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    rid, other = bench.submit(), bench.submit()
    (claimed,) = bench.claim()
    bench.run(bench.store.rerun(rid, ALICE, NOW_S))
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {rid: (9,)}
    assert bench.state(rid) == RUNNING
    bench.finish(claimed, SIGNALLED, signal=9)
    request = bench.get(rid)
    assert (request.state, request.outcome, request.requeue, request.pid) == (QUEUED, "", False, 0)
    bench.check()
    (again,) = bench.claim()
    assert (again.rid, again.attempt, again.reason) == (rid, 2, "")
    bench.deliver(bench.finish(again))
    assert [request.rid for request in bench.claim()] == [other]


def test_rerun_never_starts_twice_what_is_not_restartable(bench):
    bench.worker()
    rid = bench.submit(restartable=False)
    bench.claim()
    with pytest.raises(BadValue, match="not restartable"):
        bench.run(bench.store.rerun(rid, OPERATOR, NOW_S))
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {}


def test_suspended_is_what_was_ordered_last(bench):
    bench.worker()
    rid = bench.submit()
    bench.claim()
    with pytest.raises(WrongState, match="is not suspended"):
        bench.run(bench.store.kill(rid, ALICE, 18, NOW_S, suspended=True))
    bench.run(bench.store.kill(rid, ALICE, 19, NOW_S, suspended=False))
    assert bench.get(rid).suspended
    with pytest.raises(WrongState, match="is suspended already"):
        bench.run(bench.store.kill(rid, ALICE, 19, NOW_S, suspended=False))
    bench.run(bench.store.kill(rid, ALICE, 18, NOW_S, suspended=True))
    assert not bench.get(rid).suspended
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {rid: (19, 18)}


def test_what_an_operator_holds_its_owner_cannot_release(bench):
    rid = bench.submit()
    bench.run(bench.store.hold(rid, "held by root", OPERATOR, NOW_S))
    with pytest.raises(HeldByOperator):
        bench.run(bench.store.release(rid, ALICE, NOW_S))
    assert bench.state(rid) == HELD
    bench.run(bench.store.release(rid, OPERATOR, NOW_S))
    bench.run(bench.store.hold(rid, "held by alice", ALICE, NOW_S))
    assert bench.run(bench.store.release(rid, ALICE, NOW_S)) == QUEUED

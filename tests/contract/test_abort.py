"""An order to abort: SIGTERM at once, SIGKILL at its time, for the attempt that was meant and no other."""

from jcq.jcdbs.store import Store
from jcq.model.lifecycle import QUEUED
from support.store_bench import NOW_S, OPERATOR

LATER_S = NOW_S + 60


def orders(bench, token="o"):
    return bench.run(bench.store.take_orders(token, bench.now_s))


def started(bench, count=1):
    bench.set("batch", "run_limit", count)
    bench.worker()
    rids = [bench.submit() for _ in range(count)]
    assert len(bench.claim()) == count
    return rids


def abort(bench, *rids, queue="batch", kill_s=LATER_S):
    return bench.run(bench.store.abort(queue, rids, kill_s, bench.now_s))


def due(bench, now_s, most=1000):
    bench.now_s = now_s
    return bench.run(bench.store.due(now_s, most))


def test_sigterm_at_once_and_sigkill_at_its_time(bench):
    first, second = started(bench, 2)
    assert abort(bench, first) == 1
    assert orders(bench, "o1") == {first: (15,)}
    assert due(bench, LATER_S - 1) == (0, LATER_S)
    assert orders(bench, "o2") == {}
    assert due(bench, LATER_S) == (0, None)
    assert orders(bench, "o3") == {first: (9,)}
    assert second not in orders(bench, "o4")


def test_what_has_ended_by_then_is_not_killed(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    abort(bench, rid)
    bench.deliver(bench.finish(claimed))
    orders(bench, "o1")
    assert due(bench, LATER_S) == (0, None)
    assert orders(bench, "o2") == {}


def test_a_later_attempt_is_not_killed(bench):
    (rid,) = started(bench)
    abort(bench, rid)
    orders(bench, "o1")
    bench.run(bench.store.rerun(rid, OPERATOR, NOW_S))
    orders(bench, "o2")
    bench.finish(bench.get(rid))
    (again,) = bench.claim()
    assert (again.rid, again.attempt) == (rid, 2)
    due(bench, LATER_S)
    assert orders(bench, "o3") == {}


def test_the_order_survives_a_new_run_of_the_site_and_still_hits_no_later_attempt(bench):
    (rid,) = started(bench)
    abort(bench, rid)
    bench.store = Store(bench.connect(), 2)
    bench.run(bench.store.open_epoch())
    assert due(bench, NOW_S)[1] == LATER_S
    bench.run(bench.store.recover(rid, "rerun", "why", NOW_S))
    bench.worker()
    (again,) = bench.claim()
    due(bench, LATER_S)
    assert (again.attempt, orders(bench)) == (2, {})


def test_only_what_runs_in_the_queue_is_told(bench):
    (running,) = started(bench)
    waiting = bench.submit()
    assert abort(bench, running, waiting, "200-99", queue="other") == 0
    assert abort(bench, waiting, "200-99") == 0
    assert orders(bench) == {}
    assert due(bench, NOW_S) == (0, None)
    assert bench.state(waiting) == QUEUED


def test_what_is_next_is_the_earlier_of_a_waiting_request_and_a_sigkill(bench):
    first, second = started(bench, 2)
    bench.submit(due_s=NOW_S + 30)
    abort(bench, first)
    assert due(bench, NOW_S) == (0, NOW_S + 30)
    abort(bench, second, kill_s=NOW_S + 10)
    assert due(bench, NOW_S) == (0, NOW_S + 10)


def test_many_are_killed_some_at_a_time(bench):
    rids = started(bench, 5)
    abort(bench, *rids)
    orders(bench, "o1")
    assert due(bench, LATER_S, 2) == (0, LATER_S)
    assert len(orders(bench, "o2")) == 2
    assert due(bench, LATER_S, 3) == (0, None)
    assert len(orders(bench, "o3")) == 3


def test_without_grace_sigkill_comes_last(bench):
    (rid,) = started(bench)
    abort(bench, rid, kill_s=NOW_S)
    due(bench, NOW_S)
    assert orders(bench) == {rid: (15, 9)}

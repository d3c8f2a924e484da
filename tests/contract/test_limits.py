"""Run limits: of queues and of the site, reached but never exceeded."""

from jcq.model.lifecycle import QUEUED, RUNNING
from support.store_bench import NOW_S, OPERATOR


def fill(bench, queue, count):
    return [bench.submit(queue) for _ in range(count)]


def test_a_queue_runs_exactly_its_limit(bench):
    bench.set("batch", "run_limit", 3)
    bench.worker()
    fill(bench, "batch", 10)
    running = bench.claim()
    assert len(running) == 3
    for _ in range(7):
        bench.deliver(bench.finish(running.pop(0)))
        running += bench.claim()
        assert len(running) == 3
        assert bench.counts()[RUNNING] == 3
        bench.check()
    for request in running:
        bench.finish(request)
    assert bench.claim() == []


def test_the_slot_is_free_as_soon_as_the_request_has_ended(bench):
    """Delivery of output takes no slot."""
    bench.set("batch", "run_limit", 1)
    bench.worker()
    fill(bench, "batch", 2)
    (first,) = bench.claim()
    bench.finish(first)
    (second,) = bench.claim()
    assert second.seq == 2


def test_queues_have_limits_of_their_own(bench):
    bench.queue("a", run_limit=1)
    bench.queue("b", run_limit=2)
    bench.worker()
    for queue in ("a", "b"):
        fill(bench, queue, 5)
    assert sorted(request.queue for request in bench.claim()) == ["a", "b", "b"]


def test_the_sites_limit_holds_over_all_queues_and_goes_by_queue_priority(bench):
    bench.queue("low", priority=1, run_limit=5)
    bench.queue("high", priority=60, run_limit=2)
    bench.run(bench.store.set_param("run_limit", 3, NOW_S))
    for queue in ("low", "high"):
        fill(bench, queue, 5)
    bench.worker()
    running = bench.claim()
    assert [request.queue for request in running] == ["high", "high", "low"]
    bench.finish(running.pop())
    bench.finish(running.pop())
    assert [request.queue for request in bench.claim()] == ["high", "low"]


def test_a_higher_limit_takes_effect_at_once(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    fill(bench, "batch", 5)
    assert len(bench.claim()) == 1
    bench.set("batch", "run_limit", 4)
    assert len(bench.claim()) == 3
    bench.run(bench.store.set_param("run_limit", 4, NOW_S))
    bench.set("batch", "run_limit", 9)
    assert bench.claim() == []
    bench.run(bench.store.set_param("run_limit", "", NOW_S))
    assert len(bench.claim()) == 1


def test_a_lower_limit_takes_slots_back_from_what_does_not_run_yet(bench):
    bench.set("batch", "run_limit", 4)
    bench.worker()
    fill(bench, "batch", 6)
    bench.claim(1)
    assert bench.promoted() == [2, 3, 4]
    bench.set("batch", "run_limit", 2)
    assert bench.promoted() == [2]
    bench.run(bench.store.set_param("run_limit", 1, NOW_S))
    assert bench.promoted() == []
    bench.set("batch", "run_limit", 1)
    assert bench.counts() == {QUEUED: 5, RUNNING: 1}


def test_a_limit_below_what_runs_stops_nothing_but_starts_nothing(bench):
    bench.set("batch", "run_limit", 3)
    bench.worker()
    fill(bench, "batch", 6)
    running = bench.claim()
    bench.set("batch", "run_limit", 1)
    bench.finish(running.pop())
    bench.finish(running.pop())
    assert bench.claim() == []
    bench.finish(running.pop())
    assert len(bench.claim()) == 1


def test_a_slot_given_up_by_hold_or_delete_goes_to_the_next(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    first, second, _ = fill(bench, "batch", 3)
    bench.run(bench.store.hold(first, "why", OPERATOR, NOW_S))
    assert bench.promoted() == [2]
    bench.run(bench.store.delete(second, OPERATOR, NOW_S))
    assert bench.promoted() == [3]


def test_a_stopped_queue_keeps_its_slots_for_nobody(bench):
    bench.queue("other", priority=60)
    bench.run(bench.store.set_param("run_limit", 1, NOW_S))
    bench.worker()
    fill(bench, "other", 1)
    fill(bench, "batch", 1)
    assert bench.promoted("other") == [1]
    bench.set("other", "started", False)
    assert (bench.promoted("other"), bench.promoted()) == ([], [2])

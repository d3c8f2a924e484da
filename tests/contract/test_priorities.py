"""The order of dispatch: queue priority, then request priority, then sequence number."""

import random

from jcq.model.lifecycle import QUEUED
from support.store_bench import NOW_S, OPERATOR


def order(bench, most=1):
    """Sequence numbers in the order in which the worker gets them, `most` at a time."""
    seen = []
    while claimed := bench.claim(most):
        seen += [request.seq for request in claimed]
        for request in claimed:
            bench.finish(request)
    return seen


def test_requests_of_a_stopped_queue_run_by_priority_then_sequence(bench):
    bench.set("batch", "started", False)
    bench.set("batch", "run_limit", 1)
    priorities = [random.Random(3).randrange(64) for _ in range(60)] + [0, 63, 31, 0, 63, 31]
    for priority in priorities:
        bench.submit(priority=priority)
    bench.worker()
    bench.set("batch", "started", True)
    wanted = sorted(range(1, len(priorities) + 1), key=lambda seq: (-priorities[seq - 1], seq))
    assert order(bench) == wanted


def test_queues_come_by_priority_then_name(bench):
    for name, priority in (("c", 5), ("a", 5), ("b", 63), ("d", 0)):
        bench.queue(name, priority=priority, started=False)
    for name in ("a", "b", "c", "d"):
        bench.submit(name)
    assert [queue.name for queue in bench.run(bench.store.queues())] == ["b", "batch", "guilb_def", "a", "c", "d"]
    bench.worker()
    for name in ("d", "c", "a", "b"):
        bench.set(name, "started", True)
    assert order(bench) == [2, 1, 3, 4]


def test_a_queues_new_priority_counts_from_now_on(bench):
    bench.run(bench.store.set_param("run_limit", 1, NOW_S))
    bench.queue("a", priority=1)
    bench.queue("b", priority=2)
    for name in ("a", "b", "a", "b"):
        bench.submit(name)
    bench.set("a", "priority", 3)
    bench.worker()
    assert order(bench) == [1, 3, 2, 4]


def test_a_later_request_of_higher_priority_passes_those_that_wait_for_a_slot(bench):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    for priority in (10, 10, 20):
        bench.submit(priority=priority)
    assert order(bench) == [1, 3, 2]


def test_members_are_listed_in_the_order_of_dispatch(bench):
    bench.set("batch", "run_limit", 2)
    bench.worker()
    for priority in (1, 2, 3, 3, 2, 1):
        bench.submit(priority=priority)
    # The first two have their slots already.
    assert bench.run(bench.store.members("batch", QUEUED)) == [f"200-{seq}" for seq in (2, 1, 3, 4, 5, 6)]


def test_a_request_keeps_its_place_through_hold_and_release(bench):
    bench.set("batch", "started", False)
    bench.set("batch", "run_limit", 1)
    rids = [bench.submit() for _ in range(3)]
    for rid in reversed(rids):
        bench.run(bench.store.hold(rid, "why", OPERATOR, NOW_S))
    for rid in reversed(rids):
        bench.run(bench.store.release(rid, OPERATOR, NOW_S))
    bench.worker()
    bench.set("batch", "started", True)
    assert order(bench) == [1, 2, 3]

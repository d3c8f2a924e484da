"""Pipe queues: to the first destination that takes a request, later where one is only disabled, else rejected."""

import pytest

from jcq.model.lifecycle import DONE, QUEUED, REJECTED, WAITING
from support.store_bench import NOW_S


def test_it_goes_to_the_first_destination_that_is_enabled(bench):
    bench.queue("a", enabled=False)
    bench.queue("b")
    bench.queue("c")
    bench.pipe("p", "a", "b", "c")
    rid = bench.submit("p")
    request = bench.get(rid)
    assert (request.queue, request.state, request.submitted_to) == ("b", QUEUED, "p")
    assert bench.counts("p") == {}


def test_a_pipeonly_queue_takes_what_a_pipe_queue_brings(bench):
    bench.queue("inner", pipeonly=True)
    bench.pipe("p", "inner")
    assert bench.get(bench.submit("p")).queue == "inner"


def test_through_pipes_of_pipes(bench):
    bench.pipe("p1", "batch")
    for number in range(2, 9):
        bench.pipe(f"p{number}", f"p{number - 1}")
    assert bench.get(bench.submit("p8")).queue == "batch"
    bench.pipe("p9", "p8")
    rejected = bench.get(bench.submit("p9"))
    assert (rejected.state, rejected.outcome) == (DONE, REJECTED)


def test_a_circle_of_pipes_ends(bench):
    bench.pipe("p", "batch")
    bench.pipe("q", "p")
    bench.run(bench.store.edit_destinations("p", "set", ["q"], NOW_S))
    rejected = bench.get(bench.submit("p"))
    assert (rejected.state, rejected.outcome) == (DONE, REJECTED)
    assert "circle" in rejected.reason


def test_without_a_destination_it_is_rejected_with_the_reason(bench):
    bench.pipe("p")
    rejected = bench.get(bench.submit("p"))
    assert (rejected.state, rejected.outcome, rejected.ended_s) == (DONE, REJECTED, NOW_S)
    assert "queue p has no destination" in rejected.reason


def test_where_every_destination_is_disabled_it_waits_for_a_retry(bench):
    bench.set("batch", "enabled", False)
    bench.run(bench.store.set_param("retry_wait_s", 60, NOW_S))
    rid = bench.submit("guilb_def")
    waiting = bench.get(rid)
    assert (waiting.state, waiting.queue, waiting.due_s) == (WAITING, "guilb_def", NOW_S + 60)
    assert waiting.reason == "destination batch is disabled"
    assert bench.run(bench.store.due(NOW_S + 60)) == (1, NOW_S + 120)
    bench.set("batch", "enabled", True)
    assert bench.run(bench.store.due(NOW_S + 120)) == (1, None)
    routed = bench.get(rid)
    assert (routed.queue, routed.state, routed.reason) == ("batch", QUEUED, "")


def test_a_stopped_pipe_queue_keeps_what_it_has_and_routes_when_started(bench):
    bench.set("guilb_def", "started", False)
    rids = [bench.submit("guilb_def") for _ in range(3)]
    assert bench.counts("guilb_def") == {QUEUED: 3}
    bench.worker()
    assert bench.claim() == []
    bench.set("guilb_def", "started", True)
    assert {bench.get(rid).queue for rid in rids} == {"batch"}
    assert bench.promoted() == [1, 2]


@pytest.mark.parametrize("mode", ["add", "set"])
def test_a_new_destination_takes_what_is_queued_at_once(bench, mode):
    """A destination may be stopped: then requests stay in it, and new destinations find those still queued."""
    bench.pipe("outer", "guilb_def", started=False)
    rid = bench.submit("outer")
    bench.queue("a")
    bench.run(bench.store.edit_destinations("outer", mode, ["a"], NOW_S))
    assert bench.get(rid).queue == "outer"
    bench.set("outer", "started", True)
    assert bench.get(rid).queue == ("batch" if mode == "add" else "a")

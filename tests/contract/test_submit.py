"""Submission: where a request goes, what is refused, and that a repeated submission is one."""

import dataclasses

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import BadValue, NoSuchQueue, QueueDisabled, QueuePipeOnly
from jcq.model.lifecycle import HELD, QUEUED, WAITING
from jcq.model.request import Request
from support.store_bench import ALICE, NOW_S


def test_every_field_comes_back(bench):
    said = bench.new(
        name="nächtlich=1,2",
        workdir="/home/alice/a b",
        umask=0o077,
        priority=63,
        restartable=False,
        out_path="/tmp/ö\udcff",
        joined=True,
        has_environment=True,
        gid=1001,
        tz="UTC",
    )
    assert bench.run(bench.store.submit(said, NOW_S, token="x")) == ("batch", QUEUED)
    wanted = dataclasses.replace(said, state=QUEUED, submitted_s=NOW_S, submitted_to="batch")
    wanted.sum = wanted.checksum()
    assert bench.get(said.rid) == wanted


@pytest.mark.parametrize(
    ("hold", "due_s", "state"),
    [
        (False, 0.0, QUEUED),
        (False, NOW_S - 1, QUEUED),
        (False, NOW_S + 1, WAITING),
        (True, 0.0, HELD),
        (True, NOW_S + 1, HELD),
    ],
)
def test_it_begins_held_waiting_or_queued(bench, hold, due_s, state):
    request = bench.new(due_s=due_s)
    assert bench.run(bench.store.submit(request, NOW_S, hold)) == ("batch", state)
    assert bench.state(request.rid) == state
    assert bench.counts() == {state: 1}


def test_the_site_remembers_the_greatest_sequence_number(bench):
    for seq in (5, 3, 12):
        bench.run(bench.store.submit(Request(rid=f"200-{seq}", seq=seq, queue="batch", uid=ALICE), NOW_S))
    assert bench.run(bench.store.site()).seq == 12


@pytest.mark.parametrize(
    ("queue", "error"),
    [("nosuch", NoSuchQueue), ("closed", QueueDisabled), ("inner", QueuePipeOnly)],
)
def test_a_queue_that_takes_none_refuses_and_nothing_is_left(bench, queue, error):
    bench.queue("closed", enabled=False)
    bench.queue("inner", pipeonly=True)
    request = bench.new(queue)
    with pytest.raises(error, match=queue):
        bench.run(bench.store.submit(request, NOW_S))
    assert bench.run(bench.store.requests([request.rid])) == [None]
    assert bench.run(bench.store.site()).seq == 0


def test_the_same_token_again_submits_nothing(bench):
    """A lost answer is resolved by asking again: also when the request has moved on meanwhile."""
    bench.worker()
    request = bench.new("guilb_def")
    first = bench.run(bench.store.submit(request, NOW_S, token="secret"))
    (claimed,) = bench.claim()
    again = bench.run(bench.store.submit(request, NOW_S, token="secret"))
    assert first[0] == again[0] == "guilb_def"
    assert bench.get(request.rid).attempt == claimed.attempt == 1


@pytest.mark.parametrize("token", ["", "other"])
def test_an_id_that_is_taken_is_refused(bench, token):
    request = bench.new()
    bench.run(bench.store.submit(request, NOW_S))
    with pytest.raises(BadValue, match="exists already"):
        bench.run(bench.store.submit(request, NOW_S, token=token))


def test_a_pipeline_of_submissions_answers_each_by_itself(bench):
    good, bad, other = bench.new(), bench.new("nosuch"), bench.new()
    results = bench.store.run_many([bench.store.submit(request, NOW_S) for request in (good, bad, other)])
    assert results[0] == results[2] == ("batch", QUEUED)
    assert isinstance(results[1], NoSuchQueue)
    assert bench.counts() == {QUEUED: 2}


def test_a_submitters_token_is_known_under_another_rid_too(bench):
    """qsub asks again after its answer was lost: the daemon that it finds then gives out a number of its own."""
    first, second, third = bench.new("guilb_def"), bench.new("batch"), bench.new("batch")
    assert bench.run(bench.store.submitted("1000:a")) is None
    assert bench.run(bench.store.submit(first, NOW_S, token="1000:a")) == ("guilb_def", QUEUED)
    assert bench.run(bench.store.submit(second, NOW_S, token="1000:a")) == ("guilb_def", QUEUED, first.rid)
    assert bench.run(bench.store.requests([second.rid])) == [None]
    assert bench.run(bench.store.submitted("1000:a")) == (first.rid, "guilb_def")
    # Another user's is another one.
    assert bench.run(bench.store.submit(third, NOW_S, token="1001:a")) == ("batch", QUEUED)
    assert bench.counts() == {QUEUED: 2}


def test_a_token_outlives_its_request_and_only_so_many_are_kept(bench):
    request = bench.new()
    bench.run(bench.store.submit(request, NOW_S, token="1000:a"))
    bench.connection.rpush(keys.TOKEN_ORDER, *[f"old{number}" for number in range(49_999)])
    bench.connection.hset(keys.TOKENS, "old49998", "200-0 batch")
    bench.run(bench.store.submit(bench.new(), NOW_S, token="1000:b"))
    assert bench.connection.llen(keys.TOKEN_ORDER) == 50_000
    assert sorted(bench.connection.hkeys(keys.TOKENS)) == [b"1000:a", b"1000:b"]


def test_due_requests_are_queued_in_time_and_the_next_time_is_told(bench):
    rids = [bench.submit(due_s=NOW_S + later) for later in (30, 10, 20)]
    assert bench.run(bench.store.due(NOW_S)) == (0, NOW_S + 10)
    assert bench.run(bench.store.due(NOW_S + 20)) == (2, NOW_S + 30)
    assert [bench.state(rid) for rid in rids] == [WAITING, QUEUED, QUEUED]
    assert bench.run(bench.store.due(NOW_S + 30)) == (1, None)
    assert bench.run(bench.store.due(NOW_S + 31)) == (0, None)


def test_due_takes_at_most_so_many(bench):
    for _ in range(5):
        bench.submit(due_s=NOW_S + 1)
    assert bench.run(bench.store.due(NOW_S + 1, 2)) == (2, NOW_S + 1)
    assert bench.counts() == {QUEUED: 2, WAITING: 3}

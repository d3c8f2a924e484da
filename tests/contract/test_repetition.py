"""The answer was lost and the same thing is asked again: nothing happens twice, and the answer is the same."""

import pytest
import redis

from jcq.jcdbs.errors import LostClaim, OutcomeUnknown
from jcq.jcdbs.sending import ConnectionLost
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import DELETED, DONE, EXITED, EXITING, HELD, NOWHERE, QUEUED, RUNNING
from support import backends
from support.store_bench import ALICE, NODE, NOW_S, OPERATOR, RETENTION_S, TEMPLATE, TTL_S, WORKER


def twice(bench, op):
    """Run an Op, run it again, and assert that the second time changed nothing; returns both answers."""
    first = bench.run(op)
    before = backends.all_data(bench.connection)
    again = bench.run(op)
    assert backends.all_data(bench.connection) == before
    return first, again


def claimed(bench, how_many=1):
    """So many requests, claimed."""
    bench.set("batch", "run_limit", 10)
    bench.worker()
    for _ in range(how_many):
        bench.submit()
    return bench.claim()


def test_a_submission_repeated_is_one_request(bench):
    bench.worker()
    op = bench.store.submit(bench.new(), NOW_S, token="200-1")
    assert op.repeatable
    first, again = twice(bench, op)
    assert first == again == ("batch", QUEUED)
    assert not bench.store.submit(bench.new(), NOW_S).repeatable


def test_a_claim_repeated_gets_the_same_requests_and_takes_no_others(bench):
    bench.set("batch", "run_limit", 10)
    bench.worker()
    for _ in range(3):
        bench.submit()
    op = bench.store.claim(WORKER, 2, "t1-", NODE, TTL_S, NOW_S)
    first, again = twice(bench, op)
    assert again == first
    assert [request.seq for request in first] == [1, 2]
    (third,) = bench.run(bench.store.claim(WORKER, 2, "t11-", NODE, TTL_S, NOW_S))
    assert third.seq == 3


def test_a_claim_repeated_does_not_hand_out_what_another_claim_took(bench):
    bench.worker()
    bench.submit()
    bench.submit()
    op = bench.store.claim(WORKER, 1, "t1-", NODE, TTL_S, NOW_S)
    assert [request.seq for request in bench.run(op)] == [1]
    assert [request.seq for request in bench.run(bench.store.claim(WORKER, 9, "t12-", NODE, TTL_S, NOW_S))] == [2]
    # Not the last one any more: whoever asks for the next has had the answer to this one.
    assert bench.run(op) == []


def test_a_beginning_repeated_is_one(bench):
    (request,) = claimed(bench)
    assert twice(bench, bench.store.begin(request, 4711, 99, NOW_S)) == (1, 1)


def test_an_end_repeated_is_one(bench):
    (request,) = claimed(bench)
    request.outcome, request.ended_s = EXITED, NOW_S
    assert twice(bench, bench.store.finish(request, WORKER, RETENTION_S, NOW_S)) == (False, False)
    assert bench.state(request.rid) == EXITING


def test_an_end_by_rerun_repeated_is_one(bench):
    (request,) = claimed(bench)
    bench.set("batch", "started", False)
    bench.run(bench.store.rerun(request.rid, ALICE, NOW_S))
    request.outcome, request.ended_s = EXITED, NOW_S
    assert twice(bench, bench.store.finish(request, WORKER, RETENTION_S, NOW_S)) == (True, True)
    assert bench.state(request.rid) == QUEUED


def test_a_delivery_repeated_is_one(bench):
    (request,) = claimed(bench)
    bench.finish(request)
    assert twice(bench, bench.store.deliver(request, "", NOW_S)) == (1, 1)
    assert bench.state(request.rid) == DONE


@pytest.mark.parametrize("target", [HELD, QUEUED])
def test_a_bounce_repeated_is_one(bench, target):
    (request,) = claimed(bench)
    assert twice(bench, bench.store.bounce(request, "why", WORKER, NOW_S, target)) == (1, 1)
    assert bench.state(request.rid) == target


def test_a_bounce_repeated_after_the_next_claim_is_too_late(bench):
    (request,) = claimed(bench)
    op = bench.store.bounce(request, "why", WORKER, NOW_S, QUEUED)
    bench.run(op)
    bench.claim()
    with pytest.raises(LostClaim):
        bench.run(op)
    assert bench.state(request.rid) == RUNNING


def test_a_heartbeat_and_a_registration_repeated_change_nothing(bench):
    claimed(bench)
    assert twice(bench, bench.store.beat(WORKER, TTL_S, NOW_S)) == (1, 1)
    assert twice(bench, bench.store.register_worker(WORKER, TEMPLATE, NOW_S)) == (1, 1)


def test_a_kill_order_whose_answer_was_lost_is_given_again(bench):
    first, second = claimed(bench, 2)
    bench.run(bench.store.kill(first.rid, ALICE, 15, NOW_S))
    op = bench.store.take_orders("o1", NOW_S)
    assert twice(bench, op) == ({first.rid: (15,)}, {first.rid: (15,)})
    # One that was ordered meanwhile comes along.
    bench.run(bench.store.kill(second.rid, ALICE, 9, NOW_S))
    assert bench.run(op) == {first.rid: (15,), second.rid: (9,)}
    assert bench.run(bench.store.take_orders("o2", NOW_S)) == {}


def test_an_order_after_one_that_was_handed_out_is_an_order(bench):
    (request,) = claimed(bench)
    bench.run(bench.store.kill(request.rid, ALICE, 9, NOW_S))
    bench.run(bench.store.take_orders("o1", NOW_S))
    bench.run(bench.store.kill(request.rid, ALICE, 15, NOW_S))
    assert bench.run(bench.store.take_orders("o2", NOW_S)) == {request.rid: (15,)}


def test_an_adoption_repeated_gets_the_same_deliveries(bench):
    for request in claimed(bench, 3):
        bench.finish(request)
    next_run = Store(bench.connect(), 2)
    next_run.run(next_run.open_epoch())
    bench.store = next_run
    op = next_run.adopt("2-a-1-", NOW_S, most=2)
    first, again = twice(bench, op)
    assert again == first
    assert len(first) == 2
    assert len(next_run.run(next_run.adopt("2-a-2-", NOW_S))) == 1
    assert next_run.run(next_run.adopt("2-a-3-", NOW_S)) == []


# --- what the Store does when the connection is lost -------------------------------------------


class Losing:
    """A connection whose pipelines lose so many answers: before the server has them, or after."""

    def __init__(self, connection, times, after):
        self._connection = connection
        self.times = times
        self._after = after

    def pipeline(self, **options):
        pipeline = self._connection.pipeline(**options)
        execute = pipeline.execute

        def losing(*args, **kwargs):
            if not self.times:
                return execute(*args, **kwargs)
            self.times -= 1
            if self._after:
                execute(*args, **kwargs)
            raise redis.ConnectionError("Connection closed by server.")

        pipeline.execute = losing
        return pipeline


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_what_may_be_repeated_is_repeated_until_it_is_answered(bench, after, times):
    bench.worker()
    revived = []
    bench.store.connection = Losing(bench.connection, times, after)
    bench.store.revive = lambda lost, changes: revived.append(lost)
    submit = bench.store.submit(bench.new(), NOW_S, token="200-1")
    hold = bench.store.hold("200-1", "why", ALICE, NOW_S)
    results = bench.store.run_many([submit, hold, bench.store.request("200-1")])
    bench.store.connection = bench.connection
    assert results[0][0] == "batch"
    assert isinstance(results[1], OutcomeUnknown)
    assert results[2].state == (HELD if after else QUEUED)
    assert revived
    assert bench.state("200-1") == results[2].state


def test_what_may_not_be_repeated_is_not(bench):
    rid = bench.submit()
    bench.store.connection = Losing(bench.connection, 1, after=True)
    bench.store.revive = lambda _lost, changes: None
    with pytest.raises(OutcomeUnknown, match="look with qstat"):
        bench.run(bench.store.delete(rid, OPERATOR, NOW_S))
    bench.store.connection = bench.connection
    assert bench.get(rid).outcome == DELETED


def test_without_anybody_who_revives_a_loss_is_raised(bench):
    bench.store.connection = Losing(bench.connection, 1, after=False)
    with pytest.raises(ConnectionLost):
        bench.run(bench.store.submit(bench.new(), NOW_S, token="200-1"))
    bench.store.connection = bench.connection
    assert bench.state("200-1") == NOWHERE


def test_who_revives_may_give_up(bench):
    def give_up(_lost, changes):
        raise LostClaim(detail="the site is lost")

    bench.store.connection = Losing(bench.connection, 1, after=False)
    bench.store.revive = give_up
    with pytest.raises(LostClaim, match="the site is lost"):
        bench.run(bench.store.site())
    bench.store.connection = bench.connection

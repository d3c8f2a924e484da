"""Orders of owners and operators: hold, release, delete, kill, and whose they may be."""

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import NoSuchRequest, NotOwner, WrongState
from jcq.model.lifecycle import DELETED, DONE, HELD, QUEUED, WAITING
from support.store_bench import ALICE, BOB, NOW_S, OPERATOR


def test_hold_takes_it_out_of_rqs_list_and_says_why(bench):
    bench.worker()
    rid = bench.submit()
    bench.run(bench.store.hold(rid, "held by alice", ALICE, NOW_S))
    request = bench.get(rid)
    assert (request.state, request.reason, request.promoted) == (HELD, "held by alice", False)
    assert bench.promoted() == []
    assert not bench.connection.exists(f"rq:job:{rid}")


def test_release_queues_it_and_forgets_why(bench):
    bench.worker()
    rid = bench.submit(hold=True)
    assert bench.run(bench.store.release(rid, ALICE, NOW_S)) == QUEUED
    assert bench.get(rid).reason == ""
    assert bench.promoted() == [1]


def test_release_before_its_time_lets_it_wait_again(bench):
    rid = bench.submit(due_s=NOW_S + 60)
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    assert bench.run(bench.store.release(rid, ALICE, NOW_S + 59)) == WAITING
    assert bench.run(bench.store.due(NOW_S + 60)) == (1, None)
    assert bench.state(rid) == QUEUED


def test_release_after_its_time_queues_it(bench):
    rid = bench.submit(due_s=NOW_S + 60)
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    assert bench.run(bench.store.due(NOW_S + 61)) == (0, None)
    assert bench.run(bench.store.release(rid, ALICE, NOW_S + 61)) == QUEUED


def test_release_in_a_pipe_queue_routes_it(bench):
    bench.set("guilb_def", "started", False)
    rid = bench.submit("guilb_def")
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    bench.set("guilb_def", "started", True)
    assert bench.state(rid) == HELD
    bench.run(bench.store.release(rid, ALICE, NOW_S))
    assert (bench.get(rid).queue, bench.state(rid)) == ("batch", QUEUED)


@pytest.mark.parametrize("state", [WAITING, HELD, QUEUED])
def test_delete_ends_it_with_its_outcome(bench, state):
    if state == QUEUED:
        bench.worker()
    rid = bench.submit(hold=state == HELD, due_s=NOW_S + 60 if state == WAITING else 0.0)
    assert bench.state(rid) == state
    bench.run(bench.store.delete(rid, ALICE, NOW_S + 3))
    request = bench.get(rid)
    assert (request.state, request.outcome, request.ended_s) == (DONE, DELETED, NOW_S + 3)
    assert bench.counts() == {}
    assert bench.claim() == []
    assert bench.run(bench.store.done()) == [rid]


ORDERS = {
    "delete": lambda store, rid, uid: store.delete(rid, uid, NOW_S),
    "hold": lambda store, rid, uid: store.hold(rid, "why", uid, NOW_S),
    "kill": lambda store, rid, uid: store.kill(rid, uid, 15, NOW_S),
    "release": lambda store, rid, uid: store.release(rid, uid, NOW_S),
}


def ready_for(bench, order):
    """A request of alice that the order fits."""
    rid = bench.submit(hold=order == "release", uid=ALICE)
    if order == "kill":
        bench.worker()
        bench.claim()
    return rid


@pytest.mark.parametrize("order", ORDERS)
def test_nobody_but_the_owner_and_operators_may(bench, order):
    rid = ready_for(bench, order)
    before = bench.stands(rid)
    with pytest.raises(NotOwner) as caught:
        bench.run(ORDERS[order](bench.store, rid, BOB))
    assert str(caught.value) == "Not owner of request 1.testsite."
    assert bench.stands(rid) == before


@pytest.mark.parametrize("uid", [ALICE, OPERATOR])
@pytest.mark.parametrize("order", ORDERS)
def test_owner_and_operators_may(bench, order, uid):
    rid = ready_for(bench, order)
    before = bench.stands(rid)
    bench.run(ORDERS[order](bench.store, rid, uid))
    assert bench.stands(rid) != before


@pytest.mark.parametrize("order", ORDERS)
def test_an_unknown_request_is_said_to_be_one(bench, order):
    with pytest.raises(NoSuchRequest):
        bench.run(ORDERS[order](bench.store, "200-7", OPERATOR))


def test_a_wrong_state_is_named(bench):
    rid = bench.submit(hold=True)
    with pytest.raises(WrongState, match=r"^Request 1\.testsite is held\.$"):
        bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))


def test_what_is_not_there_is_told_apart(bench):
    rid = bench.submit()
    found = bench.run(bench.store.requests([rid, "200-9"]))
    assert found[0].rid == rid
    assert found[1] is None
    assert bench.run(bench.store.known([rid, "200-9"])) == [True, False]
    with pytest.raises(NoSuchRequest):
        bench.get("200-9")


def test_the_waiting_set_holds_only_what_waits(bench):
    rid = bench.submit(due_s=NOW_S + 60)
    assert bench.connection.zrange(keys.WAITING, 0, -1) == [rid.encode()]
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    assert bench.connection.zrange(keys.WAITING, 0, -1) == []

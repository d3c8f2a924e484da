"""Access lists: asked at submission, at a move and at routing; what is in a queue already stays."""

import pytest

from jcq.jcdbs.errors import AccessExists, NoSuchAccess, NoSuchQueue, QueueClosed, QueueRestricted, QueueUnrestricted
from jcq.model.lifecycle import DONE, HELD, QUEUED, REJECTED, WAITING
from support import backends
from support.store_bench import ALICE, BOB, NOW_S, OPERATOR

GID = 100


def access(bench, kind, mode="", *entries, queue="batch"):
    bench.run(bench.store.edit_access(queue, kind, mode, entries))


def lists(bench, queue="batch"):
    found = bench.run(bench.store.queue(queue))
    return found.restricted, found.users, found.groups


def refused(bench, kind, op):
    before = backends.all_data(bench.connection)
    with pytest.raises(kind) as caught:
        bench.run(op)
    assert backends.all_data(bench.connection) == before
    return str(caught.value)


def submission(bench, **fields):
    return bench.store.submit(bench.new(**fields), NOW_S)


def test_nobody_then_a_user_then_a_group_then_everyone(bench):
    access(bench, "none")
    for uid in (0, ALICE):
        assert "queue batch accepts nobody" in refused(bench, QueueClosed, submission(bench, uid=uid, gid=GID))
    access(bench, "users", "add", f"alice:{ALICE}")
    bench.submit(uid=ALICE)
    assert "queue batch" in refused(bench, QueueRestricted, submission(bench, uid=BOB, gid=GID))
    refused(bench, QueueRestricted, submission(bench, uid=0, gid=0))
    access(bench, "groups", "add", f"staff:{GID}")
    bench.submit(uid=BOB, gid=GID)
    access(bench, "all")
    bench.submit(uid=0, gid=0)
    assert lists(bench) == (False, (), ())


@pytest.mark.parametrize("uid", [1, 10, 100, 11001, 10011])
def test_an_id_is_compared_as_a_whole(bench, uid):
    access(bench, "none")
    access(bench, "users", "add", f"alice:{ALICE}", "eve:2")
    refused(bench, QueueRestricted, submission(bench, uid=uid))


def test_a_list_is_changed_as_a_whole_or_not_at_all(bench):
    store = bench.store
    refused(bench, QueueUnrestricted, store.edit_access("batch", "users", "add", ["alice:1"]))
    refused(bench, NoSuchQueue, store.edit_access("nosuch", "none"))
    access(bench, "none")
    access(bench, "users", "add", "alice:1", "bob:2", "eve:3")
    refused(bench, AccessExists, store.edit_access("batch", "users", "add", ["new:9", "bob:2"]))
    refused(bench, NoSuchAccess, store.edit_access("batch", "users", "delete", ["alice:1", "new:9"]))
    refused(bench, NoSuchAccess, store.edit_access("batch", "users", "delete", ["alice:1", "alice:1"]))
    access(bench, "users", "delete", "bob:")
    assert lists(bench) == (True, ("alice:1", "eve:3"), ())


def test_what_is_there_stays_and_runs(bench):
    bench.worker()
    rid = bench.submit()
    held = bench.submit(hold=True)
    access(bench, "none")
    bench.run(bench.store.release(held, OPERATOR, NOW_S))
    assert [request.rid for request in bench.claim()] == [rid, held]


def test_a_move_asks_whether_the_owner_has_access_whoever_moves(bench):
    bench.queue("night")
    access(bench, "none", queue="night")
    access(bench, "users", "add", f"bob:{BOB}", queue="night")
    of_alice, of_bob = bench.submit(uid=ALICE, hold=True), bench.submit(uid=BOB, hold=True)
    refused(bench, QueueRestricted, bench.store.move(of_alice, OPERATOR, "night", NOW_S))
    bench.run(bench.store.move(of_bob, OPERATOR, "night", NOW_S))
    assert (bench.get(of_bob).queue, bench.state(of_bob)) == ("night", HELD)


def test_a_pipe_queue_passes_over_what_does_not_admit_the_owner(bench):
    bench.queue("first")
    bench.queue("second")
    bench.pipe("p", "first", "second")
    access(bench, "none", queue="first")
    assert bench.get(bench.submit("p")).queue == "second"
    bench.set("p", "started", False)
    rid = bench.submit("p")
    access(bench, "none", queue="second")
    assert "queue second accepts nobody" in refused(bench, QueueClosed, submission(bench, queue="p"))
    bench.set("p", "started", True)
    request = bench.get(rid)
    assert (request.state, request.outcome) == (DONE, REJECTED)
    assert "queue p has no destination" in request.reason
    assert "access list of first" in request.reason


def test_a_disabled_destination_that_would_not_admit_the_owner_is_not_waited_for(bench):
    bench.queue("closed", enabled=False)
    bench.pipe("p", "closed")
    access(bench, "none", queue="closed")
    refused(bench, QueueClosed, submission(bench, queue="p"))
    access(bench, "all", queue="closed")
    assert bench.state(bench.submit("p")) == WAITING


def test_the_pipe_queue_has_a_list_of_its_own(bench):
    access(bench, "none", queue="guilb_def")
    refused(bench, QueueClosed, submission(bench, queue="guilb_def"))
    assert bench.state(bench.submit("batch")) == QUEUED

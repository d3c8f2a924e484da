"""qmgr on requests: those that are named, and those of a whole queue."""

import pytest

from jcq.model import lifecycle
from jcq.model.lifecycle import DONE, HELD, QUEUED, RUNNING, WAITING
from jcq.nqsdaemon.qmgr import requests
from support.deskwork import NOW_S
from support.qmgr_work import COMPLETE, Manager


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    made.add_queue(name="night", enabled=True)
    return made


def run(manager, *seqs):
    """Submit and start requests."""
    manager.register_worker()
    for seq in seqs:
        manager.submit(seq)
    assert len(manager.claim(len(seqs))) == len(seqs)


def signals(manager, token="o"):
    return manager.store.run(manager.store.take_orders(token, NOW_S))


# --- named -----------------------------------------------------------------------------------


def test_delete_request_ends_what_waits_and_kills_what_runs(manager):
    run(manager, 1)
    manager.submit(2, queue="night")
    assert manager.ok("delete request = (1, 2.testsite)") == COMPLETE
    assert (manager.state(1), manager.state(2)) == (RUNNING, DONE)
    assert signals(manager) == {"200-1": (9,)}
    manager.refused("delete request 2", "Request 2.testsite has ended already.")
    manager.refused("delete request 1.testsite@elsewhere", "is at another machine", "give 1.testsite", exit_code=2)


def test_suspend_and_resume(manager):
    run(manager, 1)
    manager.submit(2, queue="night")
    manager.refused("resume request 1", "is not suspended")
    assert manager.ok("suspend request 1") == COMPLETE
    assert manager.request(1).suspended
    manager.refused("suspend request 1", "is suspended already")
    assert manager.ok("resume request 1") == COMPLETE
    assert not manager.request(1).suspended
    for word in ("suspend", "resume"):
        manager.refused(f"{word} request 2", "is queued, not running.")
    assert signals(manager) == {"200-1": (19, 18)}


def test_move_request(manager):
    run(manager, 1)
    manager.submit(2)
    reply = manager.run("move request = (1, 2, 9) night")
    assert reply.exit_code == 1
    assert "Request 1.testsite is running." in reply.err
    assert "Request 9.testsite does not exist." in reply.err
    assert (manager.request(1).queue, manager.request(2).queue) == ("batch", "night")
    manager.refused("move request = 2 nosuch", "TCML_NOSUCHQUE")
    manager.refused(
        "move request = 2 night", "NQS manager[TCML_REFUSED   ]: request 2.testsite: it is in queue night already"
    )


def test_modify_request(manager):
    manager.submit(1, queue="night")
    assert manager.ok("modify request 1 priority=7 name=(other)") == COMPLETE
    request = manager.request(1)
    assert (request.priority, request.name, request.flaw()) == (7, "other", "")
    manager.refused("modify request 1", "what is to be changed is missing", exit_code=2)
    manager.refused("modify request 9 priority=1", "TCML_NOSUCHREQ")
    run(manager, 2)
    manager.refused("modify request 2 priority=1", "is running")


def test_a_request_named_twice_is_ordered_once(manager):
    run(manager, 1)
    assert manager.ok("suspend request (1, 1.testsite, 1)") == COMPLETE


def test_lock_is_accepted_and_says_that_it_means_nothing(manager):
    for word in ("lock", "unlock"):
        assert manager.ok(f"{word} local_daemon") == COMPLETE + "Note: jcq keeps no daemon locked in memory.\n"


# --- of a queue ------------------------------------------------------------------------------


def fill(manager, count, first=1):
    """Requests in every state in which they wait, in turn."""
    for seq in range(first, first + count):
        manager.submit(seq, due_s=NOW_S + 60 if seq % 3 == 1 else 0.0)
        if seq % 3 == 2:
            manager.store.run(manager.store.hold(f"200-{seq}", "why", -1, NOW_S))


def test_purge_queue_deletes_all_that_does_not_run(manager):
    run(manager, 1)
    fill(manager, 450, first=2)
    manager.submit(1000, queue="night")
    assert manager.ok("purge queue batch") == COMPLETE + "Note: 450 requests of queue batch deleted.\n"
    assert {state: n for state, n in manager.queue("batch").counts.items() if n} == {RUNNING: 1}
    assert manager.request(2).outcome == lifecycle.DELETED
    assert manager.state(1000) == QUEUED
    manager.refused("purge queue nosuch", "TCML_NOSUCHQUE")


def test_a_purge_lets_nothing_start_that_would_not_have(manager, monkeypatch):
    """In each turn of the loop the worker may claim what is promoted: that is what was so before."""
    monkeypatch.setattr(requests, "CHUNK", 3)
    manager.register_worker()
    for seq in range(1, 9):
        manager.submit(seq)
    first = manager.connection.lrange("rq:queue:batch", 0, -1)
    turns, run_many = [], manager.store.run_many

    def turn(ops):
        results = run_many(ops)
        turns.append(manager.connection.lrange("rq:queue:batch", 0, -1))
        return results

    monkeypatch.setattr(manager.store, "run_many", turn)
    manager.ok("purge queue batch")
    assert len(first) == 2
    assert turns[-1] == []
    assert all(turn in (first, []) for turn in turns)


def test_move_queue_moves_all_that_does_not_run(manager):
    run(manager, 1)
    fill(manager, 250, first=2)
    assert manager.ok("move queue batch night") == COMPLETE + "Note: 250 requests of queue batch moved to night.\n"
    assert {state: n for state, n in manager.queue("batch").counts.items() if n} == {RUNNING: 1}
    counts = manager.queue("night").counts
    assert (counts[QUEUED], counts[WAITING], counts[HELD]) == (83, 83, 84)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("move queue batch nosuch", "TCML_NOSUCHQUE"),
        ("move queue nosuch batch", "TCML_NOSUCHQUE"),
        ("move queue batch batch", "NQS manager[TCML_REFUSED   ]: queue batch cannot be moved to itself"),
        ("move queue batch closed", "queue closed is disabled"),
        ("move queue batch inner", "from pipe queues only"),
        ("abort queue nosuch", "TCML_NOSUCHQUE"),
    ],
)
def test_a_queue_that_cannot_be_is_refused(manager, line, words):
    manager.add_queue(name="closed")
    manager.add_queue(name="inner", enabled=True, pipeonly=True)
    manager.submit(1)
    manager.refused(line, words)


@pytest.mark.parametrize(("line", "wait_s"), [("abort queue batch", 60), ("abort queue batch 5", 5)])
def test_abort_queue_ends_what_runs(manager, line, wait_s):
    run(manager, 1, 2)
    manager.submit(3)
    shown = f"Note: 2 requests of queue batch told to end; SIGKILL follows after {wait_s} seconds.\n"
    assert manager.ok(line) == COMPLETE + shown
    assert signals(manager, "o1") == {"200-1": (15,), "200-2": (15,)}
    assert manager.store.run(manager.store.due(NOW_S + wait_s - 1))[1] == NOW_S + wait_s
    manager.store.run(manager.store.due(NOW_S + wait_s))
    assert signals(manager, "o2") == {"200-1": (9,), "200-2": (9,)}
    assert manager.state(3) == QUEUED

"""Why a request is not running: one phrase for every state and limit."""

import json

import pytest

from jcq.jcdbs.ops.queues import Complex
from jcq.model.queue import PIPE, Queue
from jcq.model.request import Request
from jcq.nqsdaemon.why import Situation, why
from support.deskwork import Work

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC
STARTED = Queue("night", started=True, run_limit=4, counts={"RUNNING": 4})
LIMITED = Queue("night", started=True, run_limit=4, user_limit=2, counts={"RUNNING": 3})
BIG = Complex("big", 3, ("batch", "night"), 3)
FREE = Queue("night", started=True, run_limit=4, counts={"RUNNING": 1})


def phrase(queue=STARTED, slots=4, run_limit=0, worker=True, short=False, complexes=(), users=None, **fields):
    request = Request(seq=1, site="s", queue="night", **{"state": "QUEUED", **fields})
    at = Situation({queue.name: queue}, slots, run_limit, worker, short, NOW_S, complexes, users or {})
    return why(request, at, "UTC")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "run limit 4 of queue night reached"),
        ({"queue": FREE, "slots": 9, "run_limit": 9}, "global run limit 9 reached"),
        ({"queue": FREE, "complexes": (BIG,)}, "run limit 3 of complex big reached"),
        ({"complexes": (BIG,)}, "run limit 4 of queue night reached"),
        ({"queue": FREE, "complexes": (Complex("big", 4, ("night",), 3),)}, "run limit 4 of queue night reached"),
        ({"queue": FREE, "complexes": (Complex("big", 3, ("day",), 3),)}, "run limit 4 of queue night reached"),
        (
            {"queue": FREE, "complexes": (Complex("any", 9, ("night",), 1), BIG)},
            "run limit 3 of complex big reached",
        ),
        (
            {"queue": FREE, "complexes": (BIG,), "slots": 9, "run_limit": 9},
            "global run limit 9 reached",
        ),
        ({"queue": LIMITED, "uid": 7, "users": {"night": {7: 2}}}, "user limit 2 of queue night reached"),
        ({"queue": LIMITED, "uid": 7, "users": {"night": {7: 1, 8: 2}}}, "run limit 4 of queue night reached"),
        ({"queue": LIMITED, "uid": 7, "users": {"day": {7: 2}}}, "run limit 4 of queue night reached"),
        ({"queue": FREE, "promoted": True}, "is about to start"),
        ({"queue": Queue("night", started=False)}, "queue night is stopped"),
        ({"queue": Queue("night", PIPE, started=True)}, "is about to be routed"),
        ({"worker": False}, "no worker is ready yet"),
        ({"short": True}, "the site's disk is short of space"),
        ({"queue": Queue("other")}, ""),
        ({"state": "HELD", "reason": "held by alice"}, "held by alice"),
        (
            {"state": "HELD", "reason": "uid 1004 (bob) is unknown on this node"},
            "uid 1004 (bob) is unknown on this node",
        ),
        ({"state": "HELD"}, "held"),
        ({"state": "WAITING", "due_s": NOW_S + 3600}, "waits until 09:00"),
        ({"state": "WAITING", "due_s": NOW_S + 86400}, "waits until 2027-01-16 08:00"),
        (
            {"state": "WAITING", "due_s": NOW_S + 60, "reason": "destination x is disabled"},
            "destination x is disabled; waits until 08:01",
        ),
        ({"state": "RUNNING"}, ""),
        ({"state": "RUNNING", "suspended": True}, "suspended"),
        ({"state": "DONE"}, ""),
    ],
)
def test_phrase(fields, text):
    assert phrase(**fields) == text


# --- as a site has it --------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.store.run(work.store.set_queue("batch", "run_limit", 9, work.now()))
    work.register_worker()
    return work


def whys(work):
    requests = json.loads(work.call("qstat", "-a", "--json").out)["requests"]
    return {int(request["id"].split(".")[0]): request["why"] for request in requests}


@pytest.mark.parametrize("run", [0, 2])
def test_the_user_limit_is_told_to_who_has_reached_it(work, run):
    work.store.run(work.store.set_queue("batch", "user_limit", 2, work.now()))
    for seq, uid in ((1, 1000), (2, 1000), (3, 1000), (4, 1001)):
        work.submit(seq, uid=uid)
    work.claim(run)
    found = whys(work)
    assert found[3] == "user limit 2 of queue batch reached"
    assert found[4] == "is about to start"


def test_the_run_limit_of_a_complex_is_told_in_each_of_its_queues(work):
    work.add_queue(name="night", enabled=True, started=True, run_limit=9)
    work.store.run(work.store.edit_complex("big", "create", work.now(), ["batch", "night"], 1))
    work.submit(1)
    work.submit(2)
    work.submit(3, queue="night")
    work.claim()
    told = "run limit 1 of complex big reached"
    assert whys(work) == {1: None, 2: told, 3: told}
    assert told in work.call("qstat", "-m").out


def test_the_situation_is_read_once_for_a_list(work, monkeypatch):
    work.store.run(work.store.set_queue("batch", "user_limit", 1, work.now()))
    for seq in range(1, 20):
        work.submit(seq)
    sent = []
    run_many = work.store.run_many
    monkeypatch.setattr(work.store, "run_many", lambda ops: sent.append([op.name for op in ops]) or run_many(ops))
    assert len(whys(work)) == 19
    names = [name for ops in sent for name in ops]
    assert [names.count(name) for name in ("complexes", "user_slots", "slots")] == [1, 1, 1]

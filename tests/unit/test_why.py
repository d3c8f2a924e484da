"""Why a request is not running: one phrase for every state and limit."""

import pytest

from jcq.model.queue import PIPE, Queue
from jcq.model.request import Request
from jcq.nqsdaemon.why import Situation, why

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC
STARTED = Queue("night", started=True, run_limit=4, counts={"RUNNING": 4})
FREE = Queue("night", started=True, run_limit=4, counts={"RUNNING": 1})


def phrase(queue=STARTED, slots=4, run_limit=0, worker=True, short=False, **fields):
    request = Request(seq=1, site="s", queue="night", **{"state": "QUEUED", **fields})
    return why(request, Situation({queue.name: queue}, slots, run_limit, worker, short, NOW_S), "UTC")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "run limit 4 of queue night reached"),
        ({"queue": FREE, "slots": 9, "run_limit": 9}, "global run limit 9 reached"),
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

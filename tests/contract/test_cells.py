"""Every cell of the table of transitions: what it allows happens, everything else is refused and changes nothing."""

from dataclasses import replace

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import BadValue, LostClaim, NoSuchRequest, WrongState
from jcq.model import lifecycle
from jcq.model.lifecycle import (
    ARRIVING,
    DEPARTING,
    DONE,
    EXITING,
    HELD,
    NOWHERE,
    QUEUED,
    ROUTING,
    RUNNING,
    TRANSITIONS,
    WAITING,
)
from support import backends
from support.store_bench import NODE, NOW_S, OPERATOR, TTL_S, WORKER, StoreBench

RID = "200-1"
#: Of other machines: no script does them yet.
LATER = {"depart", "gone"}


class Cell(StoreBench):
    """One request in one state, in batch queue `batch`, or in the stopped pipe queue `p`."""

    def __init__(self, backend, state, queue="batch"):
        super().__init__(backend, run_limit=1)
        self.home = queue
        self.pipe("p", "batch", started=False)
        self.token = "t1-1000"
        if state != NOWHERE:
            self._make(state, queue)
            assert self.state(RID) == state

    def _make(self, state, queue):
        if queue != "batch" or state in (ARRIVING, ROUTING, DEPARTING):
            # No script leaves a request of `p`, or of this version, in these states.
            self._forge(state, queue)
            return
        if state == QUEUED:
            self.set("batch", "started", False)
        due_s = NOW_S + 60 if state == WAITING else 0.0
        self.submit(hold=state == HELD, due_s=due_s)
        if state not in (RUNNING, EXITING, DONE):
            return
        self.worker()
        (request,) = self.claim()
        assert request.token == self.token
        if state in (EXITING, DONE):
            self.finish(request)
        if state == DONE:
            self.deliver(request)

    def _forge(self, state, queue):
        self.run(self.store.submit(self.new("batch"), self.now_s, True))
        self.connection.zrem(keys.members("batch", HELD), RID)
        if state == DONE:
            self.connection.zadd(keys.DONE, {RID: NOW_S})
        else:
            self.connection.zadd(keys.members(queue, state), {RID: 1})
        if state == WAITING:
            self.connection.zadd(keys.WAITING, {RID: NOW_S + 60})
        self.connection.hset(keys.request(RID), mapping={"state": state, "queue": queue})

    def as_claimed(self):
        """The request as a worker would show it: with the very attempt and token that it has, whatever its state."""
        request = self.new("batch")
        request.rid, request.attempt, request.token = RID, 1, self.token
        request.outcome = lifecycle.EXITED
        if self.state(RID) != NOWHERE:
            self.connection.hset(keys.request(RID), mapping={"attempt": 1, "token": self.token})
        return request


# --- how each event is tried -----------------------------------------------------------------
# Each function forces its event on the request, as far as a caller could: it sets up what the event
# needs besides the state, and then calls the store.


def _submit(cell):
    request = cell.new("batch")
    request.rid, request.seq = RID, 1
    cell.run(cell.store.submit(request, cell.now_s, token="another"))


def _due(cell):
    if cell.state(RID) != NOWHERE:
        cell.connection.zadd(keys.WAITING, {RID: NOW_S})
    cell.now_s = NOW_S + 60
    cell.run(cell.store.due(cell.now_s))


def _claim(cell):
    cell.set("batch", "started", True)
    cell.worker()
    if RID not in _decoded(cell.connection.lrange("rq:queue:batch", 0, -1)):
        cell.connection.rpush("rq:queue:batch", RID)
    cell.run(cell.store.claim(WORKER, 10, "t2-", NODE, TTL_S, cell.now_s))


def _decoded(rids):
    return [rid.decode() for rid in rids]


def _retire(cell):
    if cell.state(RID) != NOWHERE:
        cell.connection.zadd(keys.DONE, {RID: NOW_S})
    cell.run(cell.store.retire(NOW_S + 1, cell.now_s))


def _route_to(**of_batch):
    def attempt(cell):
        for field, value in of_batch.items():
            cell.set("batch", field, value)
        cell.set("p", "started", True)

    return attempt


def _route_nowhere(cell):
    cell.run(cell.store.edit_destinations("p", "delete", ["batch"], cell.now_s))
    cell.set("p", "started", True)


def _recover(decision):
    def attempt(cell):
        ended = cell.new("batch")
        ended.outcome = lifecycle.EXITED
        cell.run(cell.store.recover(RID, decision, "why", cell.now_s, ended if decision == "recorded" else None))

    return attempt


def _alter(**fields):
    def attempt(cell):
        before = cell.get(RID)
        cell.run(cell.store.alter(before, replace(before, **fields), OPERATOR, cell.now_s))

    return attempt


def _move(cell):
    cell.queue("other", started=False)
    cell.run(cell.store.move(RID, OPERATOR, "other", cell.now_s))


def _rerun(cell):
    cell.set("batch", "started", False)
    cell.run(cell.store.rerun(RID, OPERATOR, cell.now_s))
    cell.finish(cell.get(RID))


def _on(method, *args):
    return lambda cell: cell.run(getattr(cell.store, method)(RID, *args, cell.now_s))


def _by_worker(method, *args):
    return lambda cell: cell.run(getattr(cell.store, method)(cell.as_claimed(), *args, cell.now_s))


#: (event, how it is tried, the queue of the request, {state: state that must follow}).
ATTEMPTS = [
    ("submit", _submit, "batch", {NOWHERE: QUEUED}),
    ("due", _due, "batch", {WAITING: QUEUED}),
    ("hold", _on("hold", "why", OPERATOR), "batch", {WAITING: HELD, QUEUED: HELD}),
    ("release", _on("release", OPERATOR), "batch", {HELD: QUEUED}),
    ("route", _route_to(enabled=True, started=False), "p", {QUEUED: QUEUED}),
    ("retry", _route_to(enabled=False), "p", {QUEUED: WAITING}),
    ("reject", _route_nowhere, "p", {QUEUED: DONE}),
    ("dispatch", _claim, "batch", {QUEUED: RUNNING}),
    ("begin", _by_worker("begin", 4242, 99), "batch", {RUNNING: RUNNING}),
    ("bounce", _by_worker("bounce", "uid 1001 is unknown", WORKER), "batch", {RUNNING: HELD}),
    ("finish", _by_worker("finish", WORKER, 60), "batch", {RUNNING: EXITING, EXITING: EXITING}),
    ("deliver", _by_worker("deliver", ""), "batch", {EXITING: DONE, DONE: DONE}),
    ("delete", _on("delete", OPERATOR), "batch", {ARRIVING: DONE, WAITING: DONE, HELD: DONE, QUEUED: DONE}),
    ("kill", _on("kill", OPERATOR, 15), "batch", {RUNNING: RUNNING}),
    ("alter", _alter(due_s=NOW_S + 90), "batch", {WAITING: WAITING, QUEUED: WAITING, HELD: HELD}),
    ("alter", _alter(due_s=0.001, priority=50), "batch", {WAITING: QUEUED, QUEUED: QUEUED, HELD: HELD}),
    ("move", _move, "batch", {WAITING: WAITING, QUEUED: QUEUED, HELD: HELD}),
    ("rerun", _rerun, "batch", {RUNNING: QUEUED}),
    ("recover", _recover("rerun"), "batch", {RUNNING: QUEUED}),
    ("recover", _recover("keep"), "batch", {RUNNING: QUEUED}),
    ("recover", _recover("remove"), "batch", {RUNNING: EXITING, EXITING: EXITING}),
    ("recover", _recover("recorded"), "batch", {RUNNING: EXITING, EXITING: EXITING}),
    ("recover", _recover("redo"), "batch", {ROUTING: WAITING, DEPARTING: WAITING}),
    ("retire", _retire, "batch", {DONE: NOWHERE}),
    ("lose", _on("lose", "why"), "batch", dict.fromkeys(lifecycle.STATES, NOWHERE)),
]
#: Repeated reports of the same claim: allowed because they change nothing; the table has no row for them.
REPEATED = {("finish", EXITING), ("deliver", DONE)}
#: What a pipe queue does in one script: QUEUED to ROUTING, and on.
ONWARD = {"route": "forward", "retry": "retry", "reject": "reject"}


def test_every_event_is_tried():
    assert {event for event, *_ in ATTEMPTS} | {"forward"} | LATER == set(TRANSITIONS)


def test_what_must_follow_is_what_the_table_allows():
    for event, _, _, follow in ATTEMPTS:
        for state, target in follow.items():
            if (event, state) in REPEATED:
                assert state == target
            elif event in ONWARD:
                assert lifecycle.allowed("route", QUEUED, ROUTING)
                assert lifecycle.allowed(ONWARD[event], ROUTING, target)
            else:
                assert lifecycle.allowed(event, state, target), (event, state, target)
    for event in set(TRANSITIONS) - LATER - {*ONWARD, "forward"}:
        tried = {state for name, _, _, follow in ATTEMPTS if name == event for state in follow}
        assert tried >= set(TRANSITIONS[event]), event


@pytest.mark.parametrize("state", [NOWHERE, *lifecycle.STATES])
@pytest.mark.parametrize(
    ("event", "attempt", "queue", "follow"),
    ATTEMPTS,
    ids=[f"{number}-{event}" for number, (event, *_) in enumerate(ATTEMPTS)],
)
def test_cell(backend, event, attempt, queue, follow, state):
    backends.clear(backend())
    cell = Cell(backend, state, queue)
    if event in ("begin", "bounce", "finish", "deliver"):
        cell.as_claimed()
    if event == "recover":
        _age(cell)
    before = cell.stands(RID)
    if state in follow:
        attempt(cell)
        assert cell.state(RID) == follow[state]
        if (event, state) in REPEATED:
            assert cell.stands(RID) == before
        return
    if event in ("due", "route", "retry", "reject", "dispatch", "retire", "lose"):
        attempt(cell)
    else:
        with pytest.raises((BadValue, LostClaim, NoSuchRequest, WrongState)):
            attempt(cell)
    assert cell.stands(RID) == before


def _age(cell):
    """What is there was left by an older run."""
    if cell.state(RID) != NOWHERE:
        cell.connection.hset(keys.request(RID), "epoch", 0)

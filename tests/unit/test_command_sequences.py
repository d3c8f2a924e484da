"""Random sequences of commands from several users against a model: what each answers, and where every request then is.

The commands' own handlers on a real Store over fakeredis; a worker claims and ends requests in between. After every
step: each request is in exactly the state and queue that the model says, stands in one place of the database only, no
limit is exceeded, and nobody did anything to another's request.
"""

import tempfile
from dataclasses import dataclass
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jcq.model import lifecycle
from jcq.nqsdaemon.desk import Desk
from support.deskwork import Work
from support.store_bench import StoreBench

USERS = {0: "root", 1001: "alice", 1002: "bob", 1003: "oper"}
OPERATORS = {0, 1003}
QUEUES = ("batch", "night", "closed")
IDLE = (lifecycle.WAITING, lifecycle.HELD, lifecycle.QUEUED)

users = st.sampled_from(sorted(USERS))
queues = st.sampled_from(QUEUES)


@dataclass
class Known:
    """What the model knows of one request."""

    uid: int
    queue: str
    state: str
    priority: int = 31
    waits: bool = False
    restartable: bool = True
    suspended: bool = False
    by_operator: bool = False
    requeue: bool = False


class Rules(StoreBench):
    """The rules that always hold, on the database of a `Work`."""

    def __init__(self, work):
        self.connection, self.store = work.connection, work.store


class Commands(RuleBasedStateMachine):
    """One site, its users, and what they do."""

    def __init__(self):
        super().__init__()
        self.place = tempfile.TemporaryDirectory(prefix="jcq-sequences-")
        self.root = mock.patch.object(Desk, "as_root", True)
        self.root.start()
        self.work = Work(self.place.name)
        self.work.add_queue(name="night", enabled=True, started=True, run_limit=3, user_limit=1, priority=15)
        self.work.add_queue(name="closed", enabled=False, started=True)
        self.work.store.run(self.work.store.edit_complex("both", "create", 0.0, ("batch", "night"), 3))
        self.work.store.run(self.work.store.set_manager("oper", "o"))
        self.work.register_worker()
        self.rules = Rules(self.work)
        self.known = {}
        self.claimed = {}
        self.tokens = 0

    def teardown(self):
        self.root.stop()
        self.place.cleanup()

    # --- asking ------------------------------------------------------------------------------

    def ask(self, uid, verb, *args, **fields):
        with mock.patch("pwd.getpwuid", lambda asked: mock.Mock(pw_gid=asked)):
            return self.work.call(verb, *args, uid=uid, gid=uid, user=USERS[uid], **fields)

    def order(self, data, uid, verb, *options, may, then):
        """One order for one request: `may` says whether its state allows it, `then` what it does to the model."""
        seq = data.draw(st.sampled_from(sorted(self.known)))
        request = self.known[seq]
        reply = self.ask(uid, verb, *options, str(seq))
        allowed = uid == request.uid or uid in OPERATORS
        if allowed and may(request, uid):
            assert (reply.exit_code, reply.err) == (0, ""), reply
            then(request, uid)
            return
        assert reply.exit_code == 1, reply
        assert reply.out == ""
        assert len(reply.err.splitlines()) == 1
        if not allowed:
            assert reply.err == f"Not owner of request {seq}.testsite.\n"

    # --- what users do -----------------------------------------------------------------------

    @rule(uid=users, queue=queues, waits=st.booleans(), restartable=st.booleans(), priority=st.integers(0, 63))
    def qsub(self, uid, queue, waits, restartable, priority):
        options = ["-q", queue, "-p", str(priority)]
        options += ["-a", "tomorrow"] if waits else []
        options += [] if restartable else ["-nr"]
        reply = self.ask(uid, "qsub", *options, script=b"true\n", script_name="job")
        if queue == "closed":
            assert reply.exit_code == 1
            return
        assert reply.exit_code == 0, reply
        seq = int(reply.out.split()[1].split(".")[0])
        assert seq not in self.known
        state = lifecycle.WAITING if waits else lifecycle.QUEUED
        self.known[seq] = Known(uid, queue, state, priority, waits, restartable)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users)
    def qhold(self, data, uid):
        def then(request, uid):
            request.state, request.by_operator = lifecycle.HELD, uid != request.uid

        self.order(data, uid, "qhold", may=lambda r, _: r.state in IDLE and r.state != lifecycle.HELD, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users)
    def qrls(self, data, uid):
        def may(request, uid):
            return request.state == lifecycle.HELD and not (request.by_operator and uid == request.uid)

        def then(request, uid):
            request.state = lifecycle.WAITING if request.waits else lifecycle.QUEUED
            request.by_operator = False

        self.order(data, uid, "qrls", may=may, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users, priority=st.integers(0, 63), when=st.sampled_from(["", "now", "tomorrow"]))
    def qalter(self, data, uid, priority, when):
        def then(request, uid):
            request.priority = priority
            if when:
                request.waits = when == "tomorrow"
                if request.state != lifecycle.HELD:
                    request.state = lifecycle.WAITING if request.waits else lifecycle.QUEUED

        options = ["-p", str(priority), *(["-a", when] if when else [])]
        self.order(data, uid, "qalter", *options, may=lambda r, _: r.state in IDLE, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users, queue=queues)
    def qmove(self, data, uid, queue):
        def then(request, uid):
            request.queue = queue

        may = lambda r, _: r.state in IDLE and queue not in ("closed", r.queue)  # noqa: E731
        self.order(data, uid, "qmove", queue, may=may, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users, option=st.sampled_from(["", "-k", "-TERM", "-USR1"]))
    def qdel(self, data, uid, option):
        def may(request, uid):
            if request.state == lifecycle.RUNNING:
                return option != ""
            return request.state in IDLE and option != "-USR1"

        def then(request, uid):
            if request.state != lifecycle.RUNNING:
                request.state = lifecycle.DONE

        self.order(data, uid, "qdel", *([option] if option else []), may=may, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users, verb=st.sampled_from(["qspnd", "qrsm"]))
    def suspend(self, data, uid, verb):
        wanted = verb == "qspnd"

        def then(request, uid):
            request.suspended = wanted

        may = lambda r, _: r.state == lifecycle.RUNNING and r.suspended != wanted  # noqa: E731
        self.order(data, uid, verb, may=may, then=then)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), uid=users)
    def qrerun(self, data, uid):
        def then(request, uid):
            request.requeue = True

        self.order(data, uid, "qrerun", may=lambda r, _: r.state == lifecycle.RUNNING and r.restartable, then=then)

    # --- what the worker does ----------------------------------------------------------------

    @rule()
    def claim(self):
        self.tokens += 1
        store = self.work.store
        for request in store.run(store.claim("w", 100, f"t{self.tokens}-", "node", 60, self.work.now())):
            store.run(store.begin(request, 4711, 99, self.work.now()))
            assert self.known[request.seq].state == lifecycle.QUEUED
            self.known[request.seq].state = lifecycle.RUNNING
            self.claimed[request.seq] = request

    @precondition(lambda self: self.claimed)
    @rule(data=st.data())
    def finish(self, data):
        seq = data.draw(st.sampled_from(sorted(self.claimed)))
        claimed, request = self.claimed.pop(seq), self.known[seq]
        claimed.outcome, claimed.started_s, claimed.ended_s = lifecycle.EXITED, 1.0, 2.0
        again = self.work.store.run(self.work.store.finish(claimed, "w", 60, self.work.now()))
        assert again == request.requeue
        request.suspended = request.requeue = False
        if again:
            request.state = lifecycle.QUEUED
        else:
            self.work.store.run(self.work.store.deliver(claimed, "", self.work.now()))
            request.state = lifecycle.DONE

    # --- what always holds -------------------------------------------------------------------

    @invariant()
    def all_is_where_the_model_says(self):
        for seq, known in self.known.items():
            found = self.work.request(seq)
            assert (found.state, found.queue, found.uid, found.priority) == (
                known.state, known.queue, known.uid, known.priority,
            )  # fmt: skip
            assert (found.suspended, found.requeue) == (known.suspended, known.requeue)
            assert found.flaw() == ""
        self.rules.check()

    @invariant()
    def no_limit_is_exceeded(self):
        running = [known for known in self.known.values() if known.state == lifecycle.RUNNING]
        assert len(running) <= 3
        owners = [known.uid for known in running if known.queue == "night"]
        assert len(set(owners)) == len(owners)

    @invariant()
    def counts_agree(self):
        for queue in self.work.store.run(self.work.store.queues()):
            states = [r.state for r in self.known.values() if r.queue == queue.name and r.state != lifecycle.DONE]
            assert {s: n for s, n in queue.counts.items() if n} == {s: states.count(s) for s in set(states)}


@pytest.mark.timeout(600)
class TestCommands(Commands.TestCase):
    """Run by pytest."""

    # Ten sequences, a hundred with --battery=full (see conftest.py).
    settings = settings(max_examples=settings.default.max_examples // 10, stateful_step_count=30)

"""A Store at work: requests brought into each state, a worker's claims, and the rules that always hold."""

from collections import Counter
from dataclasses import replace

from jcq.jcdbs import keys
from jcq.model import lifecycle
from jcq.model.queue import BATCH, PIPE, Queue
from jcq.model.request import Request
from support import backends

#: Any moment; time moves only where a test moves it.
NOW_S = 1_800_000_000.0
ALICE, BOB, OPERATOR = 1001, 1002, -1
WORKER = "worker-1"
NODE = "node-a"
RETENTION_S = 3600
TTL_S = 90
#: What rq itself would write for every job; any fields do here.
TEMPLATE = {"data": b"x", "timeout": "-1", "created_at": "", "success_callback_name": ""}


class StoreBench:
    """A new site on one backend.

    Args:
        connect: gives a new connection to the backend's empty database.
        run_limit: of queue `batch`.
    """

    def __init__(self, connect, run_limit=2):
        self.connect = connect
        self.connection = connect()
        self.store = backends.new_site(self.connection, run_limit)
        self.now_s = NOW_S
        self._claims = 0
        self._seq = 0

    def run(self, op):
        """The result of an Op; a refusal raises."""
        return self.store.run(op)

    # --- making things -----------------------------------------------------------------------

    def queue(self, name, kind=BATCH, **fields):
        """Create a queue, enabled and started unless said otherwise."""
        fields = {"enabled": True, "started": True, **fields}
        self.run(self.store.create_queue(Queue(name, kind, **fields)))
        return name

    def pipe(self, name, *destinations, **fields):
        """Create a pipe queue, enabled and started unless said otherwise."""
        return self.queue(name, PIPE, destinations=destinations, **fields)

    def set(self, name, field, value):
        """Change one attribute of a queue."""
        self.run(self.store.set_queue(name, field, value, self.now_s))

    def new(self, queue="batch", uid=ALICE, **fields):
        """A request that is not submitted yet."""
        self._seq += 1
        values = {"rid": f"200-{self._seq}", "seq": self._seq, "site": "testsite", "name": "job", "user": "alice"}
        return Request(**{**values, "queue": queue, "uid": uid, **fields})

    def submit(self, queue="batch", hold=False, token="", **fields):
        """Submit a new request; returns its rid."""
        request = self.new(queue, **fields)
        self.run(self.store.submit(request, self.now_s, hold, token))
        return request.rid

    def alter(self, rid, **fields):
        """Change what a submission fixed, as if it had been submitted so."""
        altered = replace(self.get(rid), **fields)
        values = {name: value for name, value in altered.to_hash().items() if name in fields}
        self.connection.hset(keys.request(rid), mapping={**values, "sum": altered.checksum()})

    # --- the worker --------------------------------------------------------------------------

    def worker(self):
        """The worker is ready: promotion begins."""
        self.run(self.store.register_worker(WORKER, TEMPLATE, self.now_s))

    def claim(self, most=1000):
        """What the worker is given, in its order."""
        self._claims += 1
        return self.run(self.store.claim(WORKER, most, f"t{self._claims}-", NODE, TTL_S, self.now_s))

    def finish(self, request, outcome=lifecycle.EXITED, exit_code=0, signal=0, now_s=0.0):
        """A claimed request has ended."""
        request.outcome, request.exit_code, request.signal = outcome, exit_code, signal
        request.ended_s = now_s or self.now_s
        self.run(self.store.finish(request, WORKER, RETENTION_S, now_s or self.now_s))
        return request

    def deliver(self, request, note=""):
        """Its output is delivered."""
        self.run(self.store.deliver(request, note, self.now_s))
        return request

    def run_through(self, rid):
        """Claim exactly this request and bring it to its end."""
        (request,) = self.claim()
        assert request.rid == rid
        return self.deliver(self.finish(request))

    # --- looking -----------------------------------------------------------------------------

    def get(self, rid):
        """The Request."""
        return self.run(self.store.request(rid))

    def state(self, rid):
        """Its state, or NOWHERE."""
        (request,) = self.run(self.store.requests([rid]))
        return request.state if request else lifecycle.NOWHERE

    def promoted(self, queue="batch"):
        """Sequence numbers in rq's list, which the worker will be given in this order."""
        return [int(rid.decode().split("-")[1]) for rid in self.connection.lrange(f"rq:queue:{queue}", 0, -1)]

    def counts(self, queue="batch"):
        """{state: number} of a queue, without zeros."""
        return {state: n for state, n in self.run(self.store.queue(queue)).counts.items() if n}

    def stands(self, rid):
        """(the request's hash, the keys of jcq in which it stands)."""
        member, found = rid.encode(), set()
        for key in self.connection.scan_iter(match="jcq:*", count=1000):
            kind = self.connection.type(key)
            if (
                (kind == b"zset" and self.connection.zscore(key, member) is not None)
                or (kind == b"set" and self.connection.sismember(key, member))
                or (kind == b"hash" and self.connection.hexists(key, member))
            ):
                found.add(key.decode())
        return self.connection.hgetall(keys.request(rid)), found

    # --- rules that always hold --------------------------------------------------------------

    def check(self):
        """Each request is in one state and one place, slots are what is promoted or runs, no limit is exceeded."""
        slots = set()
        for key in self.connection.scan_iter(match="jcq:request:*", count=1000):
            request = Request.from_hash(self.connection.hgetall(key))
            _, found = self.stands(request.rid)
            wanted = self._places(request)
            limited = self._user_limit(request.queue) if request.state == lifecycle.QUEUED else 0
            if limited and not request.promoted:
                wanted.add(keys.mine(request.queue, request.uid))
            assert found - {keys.KILLS} == wanted, (request.rid, request.state, found, wanted)
            if keys.SLOTS in wanted:
                slots.add(request.rid.encode())
        assert self.connection.smembers(keys.SLOTS) == slots
        site = self.run(self.store.site())
        assert site.run_limit == 0 or len(slots) <= site.run_limit
        for queue in self.run(self.store.queues()):
            if queue.type == PIPE:
                continue
            promoted = self.connection.zrange(keys.promoted(queue.name), 0, -1)
            assert sorted(self.connection.lrange(f"rq:queue:{queue.name}", 0, -1)) == sorted(promoted)
            assert queue.started or not promoted
            self._check_index(queue, slots)
        self._check_complexes()

    def _user_limit(self, queue):
        return int(self.connection.hget(keys.queue(queue), "user_limit") or 0)

    def _check_index(self, queue, slots):
        """The index of a queue with a user limit is what its requests say, and nobody was promoted beyond it."""
        name, limit = queue.name, queue.user_limit
        used, best, promoted = Counter(), {}, set()
        for rid in self.connection.zrange(keys.members(name, lifecycle.QUEUED), 0, -1, withscores=True):
            uid = self.get(rid[0].decode()).uid
            best[uid] = min(rid[1], best.get(uid, rid[1]))
        for state in (keys.promoted(name), keys.members(name, lifecycle.RUNNING)):
            for rid in self.connection.zrange(state, 0, -1):
                if rid in slots:
                    uid = self.get(rid.decode()).uid
                    used[uid] += 1
                    promoted |= {uid} if state == keys.promoted(name) else set()
        if not limit:
            left = [*self.connection.scan_iter(match=f"jcq:mine:{name}:*"), *self.connection.hgetall(keys.used(name))]
            assert not left
            assert not self.connection.exists(keys.uids(name), keys.next_users(name))
            return
        assert {int(uid): int(n) for uid, n in self.connection.hgetall(keys.used(name)).items()} == used
        assert {int(uid) for uid in self.connection.smembers(keys.uids(name))} == set(best)
        ranked = {
            int(uid): score for uid, score in self.connection.zrange(keys.next_users(name), 0, -1, withscores=True)
        }
        assert ranked == {uid: score for uid, score in best.items() if used[uid] < limit}
        assert all(used[uid] <= limit for uid in promoted)

    def _check_complexes(self):
        """Nothing was promoted beyond the run limit of a complex."""
        for one in self.run(self.store.complexes()):
            promoted = sum(self.connection.zcard(keys.promoted(queue)) for queue in one.queues)
            assert not promoted or one.used <= one.run_limit, one

    def _places(self, request):
        if request.state == lifecycle.DONE:
            return {keys.DONE}
        if request.state == lifecycle.QUEUED and request.promoted:
            return {keys.promoted(request.queue), keys.SLOTS}
        found = {keys.members(request.queue, request.state)}
        if request.state == lifecycle.WAITING:
            found.add(keys.WAITING)
        # What an older run left holds no slot until it has been judged.
        if request.state == lifecycle.RUNNING and request.epoch == self.store.epoch:
            found.add(keys.SLOTS)
        return found

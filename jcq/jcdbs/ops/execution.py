"""The execution of requests, as the worker asks for it and tells of it: claimed, begun, ended, delivered."""

from jcq.jcdbs import keys
from jcq.jcdbs.ops.maker import Maker, flat, text
from jcq.jcdbs.rq_forms import rq_result, rq_time
from jcq.jcdbs.sending import Op
from jcq.model import lifecycle
from jcq.model.request import Request


class ExecutionOps(Maker):
    """Ops of what runs."""

    def slots(self):
        """-> how many requests hold a run slot: promoted or running."""
        return Op("slots", (("SCARD", keys.SLOTS),), lambda answers: answers[0])

    def user_slots(self, queues):
        """-> {name of a queue: {uid: how many of its requests hold a run slot there}}; of queues with a user limit."""

        def decode(answers):
            used = [{int(uid): int(count) for uid, count in answer.items()} for answer in answers]
            return dict(zip(queues, used, strict=True))

        return Op("user_slots", tuple(("HGETALL", keys.used(queue)) for queue in queues), decode)

    def worker(self):
        """-> the worker's name, or None where none is ready."""
        return Op("worker", (("GET", keys.WORKER),), lambda answers: text(answers[0]))

    def register_worker(self, name, template, now_s):
        """The worker is ready; `template`: field -> text or bytes of every rq job's hash."""
        return self._change("register_worker", now_s, (name, *flat(template)))

    def take_orders(self, token, now_s):
        """-> {rid: (signal number, ...)}. The same token again gets the same orders, another one acknowledges them."""

        def decode(answer):
            pairs = zip(answer[::2], answer[1::2], strict=True)
            return {text(rid): tuple(map(int, signals.split(b","))) for rid, signals in pairs}

        return self._change("take_orders", now_s, (token,), decode)

    def claim(self, worker, most, token, node, ttl_s, now_s):
        """Dispatch promoted requests -> [Request], each RUNNING with a token of this claim; again: the same ones."""
        return self._change("claim", now_s, (worker, most, token, node, ttl_s), _requests)

    def begin(self, claimed, pid, pid_start, now_s):
        """The first process of a claimed request lives. Raises LostClaim."""
        return self._change("begin", now_s, (*_claim(claimed), pid, pid_start))

    def bounce(self, claimed, reason, worker, now_s, target=lifecycle.HELD):
        """Nothing of it ran: hold it where it cannot run here, or give it back (QUEUED). Raises LostClaim."""
        return self._change("bounce", now_s, (*_claim(claimed), reason, worker, target))

    def finish(self, ended, worker, retention_s, now_s):
        """Record a claimed request's outcome, exit code, signal, times and CPU -> whether it is to run again.

        Raises LostClaim.
        """
        args = (*_claim(ended), *end_of(ended, worker, retention_s))
        return self._change("finish", now_s, args, lambda answer: answer == 2)

    def beat(self, worker, ttl_s, now_s):
        """The worker lives: keep rq from taking its executions for abandoned -> how many there are."""
        return self._change("beat", now_s, (worker, ttl_s))

    def deliver(self, ended, note, now_s):
        """Its output is delivered; `note` says where it went instead, if so. Raises LostClaim."""
        return self._change("deliver", now_s, (*_claim(ended), note))

    def adopt(self, token, now_s, most=1000):
        """Take over deliveries that an older run left -> [Request] in EXITING; the same token again: the same ones."""
        return self._change("adopt", now_s, (token, most), _requests)


def end_of(ended, worker, retention_s):
    """The arguments of finish.lua and recover.lua that say how a request ended."""
    return (
        ended.outcome,
        ended.exit_code,
        ended.signal,
        f"{ended.started_s:.6f}",
        f"{ended.ended_s:.6f}",
        f"{ended.cpu_s:.6f}",
        ended.maxrss_kb,
        worker,
        retention_s,
        rq_time(ended.ended_s),
        *rq_result(ended),
    )


def _claim(request):
    return request.rid, request.attempt, request.token


def _requests(answer):
    return [Request.from_hash(row, text(rid)) for rid, row in answer]

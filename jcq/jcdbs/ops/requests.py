"""Requests, as people order and see them: submitted, held, released, moved, altered, signalled, deleted, looked at."""

from dataclasses import replace
from itertools import chain

from jcq.jcdbs import keys
from jcq.jcdbs.errors import NoSuchRequest
from jcq.jcdbs.ops.maker import Maker, flat, text
from jcq.jcdbs.sending import Op
from jcq.model import lifecycle
from jcq.model.request import Request


class RequestOps(Maker):
    """Ops of people's requests."""

    def request(self, rid):
        """-> Request. Raises NoSuchRequest."""

        def decode(answers):
            if not answers[0]:
                raise NoSuchRequest(detail=rid)
            return Request.from_hash(answers[0], rid)

        return Op("request", (("HGETALL", keys.request(rid)),), decode)

    def requests(self, rids):
        """-> [Request, or None where there is none], for some hundred ids at a time."""

        def decode(answers):
            return [Request.from_hash(row, rid) if row else None for rid, row in zip(rids, answers, strict=True)]

        return Op("requests", tuple(("HGETALL", keys.request(rid)) for rid in rids), decode)

    def values(self, rids, field):
        """-> [text of one field of each request, empty where it is not set], for some thousand ids at a time."""
        return self._script("values", (field, *rids), lambda answer: [text(value) for value in answer])

    def members(self, queue, state):
        """-> [rid] of one queue in one state, in order of dispatch."""
        commands = [("ZRANGE", keys.members(queue, state), 0, -1)]
        if state == lifecycle.QUEUED:
            # Promotion moves from the first to the second: read in this order none is missed.
            commands.append(("ZRANGE", keys.promoted(queue), 0, -1))

        def decode(answers):
            return list(dict.fromkeys(text(rid) for rid in chain(*reversed(answers))))

        return Op("members", tuple(commands), decode)

    def live(self):
        """-> [rid] of all requests that have not ended, in the order of their numbers."""
        return self._script("live", (), lambda answer: sorted(map(text, answer), key=_order_of_rid))

    def done(self):
        """-> [rid] of the requests that have ended, the latest end last."""
        return Op("done", (("ZRANGE", keys.DONE, 0, -1),), lambda answers: [text(rid) for rid in answers[0]])

    def submit(self, request, now_s, hold=False, token=""):
        """Accept a request whose script is on disk.

        Args:
            request: `rid`, `seq`, `queue`, `due_s` and everything the user said.
            now_s: seconds since 1970.
            hold: begin HELD.
            token: the same one again submits nothing; the request's own rid, or what only its submitter knows, which
                is then found under other rids, too; empty: never the same.
        Returns:
            An Op -> (queue it was submitted to, state); and the rid that has the token, where that is another.
        Raises (when run): NoSuchQueue, QueueDisabled, QueuePipeOnly, QueueClosed, QueueRestricted, LimitExceeded.
        """
        accepted = replace(request, submitted_to=request.queue, submitted_s=float(f"{now_s:.6f}"))
        fields = {**request.to_hash(), "sum": accepted.checksum()}
        for made_there in ("rid", "seq", "queue", "queue_limits", "due_s", "state"):
            fields.pop(made_there, None)
        head = (request.rid, request.seq, request.queue, f"{request.due_s:.6f}", "1" if hold else "0", token)
        args = (*head, *flat(fields))
        return self._change("submit", now_s, args, lambda answer: tuple(map(text, answer)), repeatable=bool(token))

    def submitted(self, token):
        """-> (rid, queue it was submitted to) of the submission with this token, or None; the last 50,000 are known."""

        def decode(answers):
            rid, _, queue = text(answers[0] or b"").partition(" ")
            return (rid, queue) if rid else None

        return Op("submitted", (("HGET", keys.TOKENS, token),), decode)

    def hold(self, rid, reason, uid, now_s):
        """Hold; `uid` must own it, -1 stands for an operator. Raises NoSuchRequest, NotOwner, WrongState."""
        return self._change("hold", now_s, (rid, uid, reason), repeatable=False)

    def release(self, rid, uid, now_s):
        """-> the new state. Raises as `hold`; HeldByOperator."""
        return self._change("release", now_s, (rid, uid), repeatable=False)

    def delete(self, rid, uid, now_s):
        """Delete what does not run. Raises as `hold`."""
        return self._change("delete", now_s, (rid, uid), repeatable=False)

    def kill(self, rid, uid, signum, now_s, suspended=None):
        """Order a signal for a running request; `suspended`: only where it is, or is not. Raises as `hold`."""
        wanted = "" if suspended is None else str(int(suspended))
        return self._change("kill", now_s, (rid, uid, int(signum), wanted), repeatable=False)

    def abort(self, queue, rids, kill_s, now_s):
        """Order SIGTERM for those of some hundred requests that run in a queue -> how many.

        Args:
            kill_s: seconds since 1970; what still runs then, in the same attempt, is sent SIGKILL.
        """
        return self._change("abort", now_s, (queue, f"{kill_s:.6f}", *rids), repeatable=False)

    def rerun(self, rid, uid, now_s):
        """Order that a running request ends and is queued again. Raises as `hold`; BadValue: it is not restartable."""
        return self._change("rerun", now_s, (rid, uid), repeatable=False)

    def move(self, rid, uid, queue, now_s):
        """Move what does not run to another queue.

        Raises as `hold` and `submit`; InQueueAlready.
        """
        return self._change("move", now_s, (rid, uid, queue), repeatable=False)

    def alter(self, before, after, uid, now_s):
        """Change what the submission of a request said, while it does not run.

        Args:
            before: the `Request` as it was read.
            after: the same with other values. `due_s`, and what its checksum covers, may differ.
            uid: as `hold`.
        Returns:
            An Op -> its state then.
        Raises (when run): as `hold`; RecordChanged where it is not what was read any more; LimitExceeded.
        """
        due = "" if after.due_s == before.due_s else f"{after.due_s:.6f}"
        old, new = before.to_hash(), {**after.to_hash(), "sum": after.checksum()}
        for place in ("due_s", "state", "queue", "reason"):
            old.pop(place, None)
            new.pop(place, None)
        changes = {name: new.get(name, "") for name in {**old, **new} if old.get(name) != new.get(name)}
        return self._change("alter", now_s, (before.rid, uid, before.sum, due, *flat(changes)), repeatable=False)


def _order_of_rid(rid):
    """`200-17` before `200-101`; one that is damaged anywhere."""
    machine, _, number = rid.rpartition("-")
    return machine, int(number) if number.isascii() and number.isdigit() else 0

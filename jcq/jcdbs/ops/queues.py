"""Queues, and complexes of queues: how they are configured and read."""

from dataclasses import dataclass

from jcq.jcdbs.errors import RecordDamaged
from jcq.jcdbs.ops.maker import Maker, flat, text
from jcq.model.limits import to_text
from jcq.model.queue import DEFAULT_QUEUES, TYPES, Queue
from jcq.model.restart import ATTRIBUTES


@dataclass(frozen=True)
class Complex:
    """Batch queues that share a run limit; `used`: how many of their requests hold a slot."""

    name: str
    run_limit: int
    queues: tuple[str, ...] = ()
    used: int = 0


class QueueOps(Maker):
    """Ops of queues."""

    def queues(self):
        """-> [Queue] with counts, in order of dispatch: priority, then name."""
        return self._script("queues", (), lambda answer: [_queue(row) for row in answer])

    def queue(self, name):
        """-> Queue with counts. Raises NoSuchQueue."""
        return self._script("queues", (name,), lambda answer: _queue(answer[0]))

    def create_queue(self, queue):
        """Create a `Queue`. Raises QueueExists; NoSuchQueue for a destination."""
        fields = queue.to_hash()
        args = (queue.name, queue.type, queue.priority, fields["destinations"], *flat(fields))
        return self._change("create_queue", 0.0, args, repeatable=False)

    def delete_queue(self, name):
        """Raises NoSuchQueue, QueueEnabled, QueueNotEmpty, QueueInUse."""
        return self._change("delete_queue", 0.0, (name,), repeatable=False)

    def delete_default_queues(self):
        """Delete the queues that a site is made with -> how many there were. Raises SiteConfigured, QueueNotEmpty."""
        return self._change("delete_default_queues", 0.0, DEFAULT_QUEUES)

    def set_queue(self, name, field, value, now_s):
        """Change one attribute of a queue, a field of `Queue`; it takes effect at once.

        Raises NoSuchQueue (also for a destination), BadValue for what its type does not have.
        """
        flat = Queue(**{field: value}).to_hash()[field]
        return self._change("set_queue", now_s, (name, field, flat))

    def edit_destinations(self, name, mode, destinations, now_s):
        """Change a pipe queue's destinations, all or none.

        Args:
            mode: "add" to the end, "delete" or "set", which replaces them all.
            destinations: names of queues, in the order in which they are tried.
        Raises (when run): NoSuchQueue, BadValue for a batch queue, SelfDestination, NoSuchDestination,
        DestinationExists.
        """
        args = (name, mode, ",".join(destinations))
        return self._change("edit_destinations", now_s, args, repeatable=mode == "set")

    def complexes(self):
        """-> [Complex], by name."""

        def decode(answer):
            return [
                Complex(text(name), int(limit), tuple(filter(None, text(queues).split(","))), used)
                for name, limit, queues, used in answer
            ]

        return self._script("complexes", (), decode)

    def edit_complex(self, name, mode, now_s, queues=(), run_limit=""):
        """Create, change or delete a complex; it takes effect at once.

        Args:
            mode: "create" (with `queues` and `run_limit`), "add" or "remove" (`queues`), "limit" or "delete".
        Raises (when run): ComplexExists, NoSuchComplex, NoSuchQueue, BadValue for a pipe queue, InComplex,
        NotInComplex.
        """
        args = (name, mode, str(run_limit), ",".join(queues))
        return self._change("edit_complex", now_s, args, repeatable=mode == "limit")

    def edit_access(self, name, kind, mode="", entries=()):
        """Change who may submit to a queue.

        Args:
            kind: "users" or "groups" to change that list; "none": nobody may; "all": everyone may.
            mode: "add" or "delete".
            entries: each `name:id`; for "delete" the name counts.
        Raises (when run): NoSuchQueue, QueueUnrestricted, AccessExists, NoSuchAccess.
        """
        return self._change("edit_access", 0.0, (name, kind, mode, *entries), repeatable=kind in ("none", "all"))

    def edit_limit(self, name, limits, now_s):
        """Change one resource limit of a batch queue; what is in the queue keeps what it has.

        Args:
            limits: a set with one limit, see `jcq.model.limits`; unlimited without a warning value takes it away.
        Raises (when run): NoSuchQueue, BadValue for a pipe queue.
        """
        (limit,) = limits
        words = "" if limits[limit] == (None, None) else to_text(limits).partition("=")[2]
        return self._change("edit_limit", now_s, (name, limit, words))


def _queue(row):
    attributes, counts, name = row
    try:
        queue = Queue.from_hash(dict(zip(attributes[::2], attributes[1::2], strict=True)))
    except (KeyError, ValueError):
        queue = Queue()
    if queue.name != text(name) or queue.type not in TYPES or queue.restart not in ATTRIBUTES:
        raise RecordDamaged(detail=f"queue {text(name)}")
    queue.counts = {text(state): count for state, count in zip(counts[::2], counts[1::2], strict=True)}
    return queue

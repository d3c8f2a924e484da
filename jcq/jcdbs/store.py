"""The Store: one method per script of the site database; nothing else speaks to it.

A method returns an `Op`, which says what to send and how to read the answer; `run` sends one,
`run_many` sends several in one pipeline, so that they share one write to the disk (group commit).
What a lost answer means says `jcq.jcdbs.sending`.
"""

from dataclasses import dataclass, replace
from itertools import chain

from jcq.errors import NoSuchRequest, RecordDamaged
from jcq.jcdbs import keys, scripts
from jcq.jcdbs.rq_forms import rq_result, rq_time
from jcq.jcdbs.sending import Op, Sender
from jcq.model import lifecycle
from jcq.model.limits import to_text
from jcq.model.queue import DEFAULT_QUEUES, TYPES, Queue
from jcq.model.request import PRIORITY_DEFAULT, Request
from jcq.model.restart import ATTRIBUTES


@dataclass(frozen=True)
class Complex:
    """Batch queues that share a run limit; `used`: how many of their requests hold a slot."""

    name: str
    run_limit: int
    queues: tuple[str, ...] = ()
    used: int = 0


@dataclass(frozen=True)
class SiteRecord:
    """The site's own values; what is not set is empty or 0."""

    name: str
    machine_id: int
    schema: int
    seq: int
    dispatch: int = 0
    default_queue: str = ""
    default_priority: int = PRIORITY_DEFAULT
    run_limit: int = 0
    retry_wait_s: int = scripts.RETRY_WAIT_S
    #: Who sends the site's mail; empty: nqs.
    mail_account: str = ""
    retry_time_s: int = scripts.RETRY_TIME_S
    #: FREE, LOGIN, or the path of the shell that runs every script (FIXED).
    shell_strategy: str = "FREE"
    retention_s: int = 0
    #: Pipe queues give a request up when its retries have lasted as long as the shorter of retry time and lifetime.
    lifetime_s: int = scripts.LIFETIME_S


def _order_of_rid(rid):
    """`200-17` before `200-101`; one that is damaged anywhere."""
    machine, _, number = rid.rpartition("-")
    return machine, int(number) if number.isascii() and number.isdigit() else 0


def _text(answer):
    # A name may be damaged: what is no UTF-8 goes back to the database as it came.
    return answer.decode(errors="surrogateescape") if isinstance(answer, bytes) else answer


class Store(Sender):
    """The site database of one run of the site.

    Args:
        connection: a `redis.Redis`, see `connect`.
        epoch: the run's epoch; every changing script refuses when the database has another.
    """

    def __init__(self, connection, epoch):
        self.epoch = epoch
        self._scripts = scripts.load()
        super().__init__(connection, [text for _, text in self._scripts.values()])

    # --- making Ops --------------------------------------------------------------------------

    def _script(self, name, args, decode, repeatable=True, changes=False):
        command = ("EVALSHA", self._scripts[name][0], 0, *args)
        return Op(name, (command,), lambda answers: decode(answers[0]), repeatable, changes)

    def _change(self, name, now_s, args=(), decode=_text, repeatable=True):
        """An Op for a changing script: epoch, now, now as rq writes it, then its own arguments."""
        head = (self.epoch, f"{now_s:.6f}", rq_time(now_s))
        return self._script(name, (*head, *args), decode, repeatable, changes=True)

    # --- the site ----------------------------------------------------------------------------

    def create_site(self, identity):
        """Give an empty database its schema and identity."""
        fields = {"name": identity.name, "machine_id": identity.machine_id}
        return self._change("create_site", 0.0, (keys.SCHEMA_VERSION, *_flat(fields)), repeatable=False)

    def open_epoch(self):
        """Begin a run: see open_epoch.lua. Raises StaleEpoch where this epoch is not newer, SchemaNewer."""
        return self._change("open_epoch", 0.0, (keys.SCHEMA_VERSION,), repeatable=False)

    def site(self):
        """-> `SiteRecord`."""

        def decode(answers):
            try:
                found = {key.decode(): value.decode() for key, value in answers[0].items()}
                values = {name: SiteRecord.__annotations__[name](found[name]) for name in found if name in _SITE_FIELDS}
                return SiteRecord(**values)
            except (TypeError, ValueError):
                raise RecordDamaged(detail="the site itself") from None

        return Op("site", (("HGETALL", keys.SITE),), decode)

    def managers(self):
        """-> {login name: "m" for a manager, "o" for an operator}."""

        def decode(answers):
            return {_text(key): _text(value) for key, value in answers[0].items()}

        return Op("managers", (("HGETALL", keys.MANAGERS),), decode)

    def set_manager(self, name, role):
        """Make `name` manager ("m") or operator ("o"), or take that away (""). Raises BadValue where it was none."""
        return self._change("set_manager", 0.0, (name, role), repeatable=False)

    def edit_managers(self, mode, pairs):
        """Change several managers and operators, all or none.

        Args:
            mode: "add", "delete" or "set", which replaces them all.
            pairs: [(login name, "m" or "o")].
        Raises (when run): NoSuchManager where one to be deleted has not that role.
        """
        flat = tuple(chain.from_iterable(pairs))
        return self._change("edit_managers", 0.0, (mode, *flat), repeatable=mode == "set")

    def set_param(self, name, value, now_s):
        """Set a field of `SiteRecord`, default_queue to lifetime_s; "" unsets it. Raises NoSuchQueue."""
        return self._change("set_param", now_s, (name, str(value)))

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
        return Op("worker", (("GET", keys.WORKER),), lambda answers: _text(answers[0]))

    # --- queues ------------------------------------------------------------------------------

    def queues(self):
        """-> [Queue] with counts, in order of dispatch: priority, then name."""
        return self._script("queues", (), lambda answer: [_queue(row) for row in answer])

    def queue(self, name):
        """-> Queue with counts. Raises NoSuchQueue."""
        return self._script("queues", (name,), lambda answer: _queue(answer[0]))

    def create_queue(self, queue):
        """Create a `Queue`. Raises QueueExists; NoSuchQueue for a destination."""
        fields = queue.to_hash()
        args = (queue.name, queue.type, queue.priority, fields["destinations"], *_flat(fields))
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
                Complex(_text(name), int(limit), tuple(filter(None, _text(queues).split(","))), used)
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
        text = "" if limits[limit] == (None, None) else to_text(limits).partition("=")[2]
        return self._change("edit_limit", now_s, (name, limit, text))

    # --- requests ----------------------------------------------------------------------------

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
        return self._script("values", (field, *rids), lambda answer: [_surrogated(text) for text in answer])

    def members(self, queue, state):
        """-> [rid] of one queue in one state, in order of dispatch."""
        commands = [("ZRANGE", keys.members(queue, state), 0, -1)]
        if state == lifecycle.QUEUED:
            # Promotion moves from the first to the second: read in this order none is missed.
            commands.append(("ZRANGE", keys.promoted(queue), 0, -1))

        def decode(answers):
            return list(dict.fromkeys(_text(rid) for rid in chain(*reversed(answers))))

        return Op("members", tuple(commands), decode)

    def live(self):
        """-> [rid] of all requests that have not ended, in the order of their numbers."""
        return self._script("live", (), lambda answer: sorted(map(_text, answer), key=_order_of_rid))

    def done(self):
        """-> [rid] of the requests that have ended, the latest end last."""
        return Op("done", (("ZRANGE", keys.DONE, 0, -1),), lambda answers: [_text(rid) for rid in answers[0]])

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
        args = (*head, *_flat(fields))
        return self._change("submit", now_s, args, lambda answer: tuple(map(_text, answer)), repeatable=bool(token))

    def submitted(self, token):
        """-> (rid, queue it was submitted to) of the submission with this token, or None; the last 50,000 are known."""

        def decode(answers):
            rid, _, queue = _text(answers[0] or b"").partition(" ")
            return (rid, queue) if rid else None

        return Op("submitted", (("HGET", keys.TOKENS, token),), decode)

    def due(self, now_s, most=1000):
        """-> (how many waiting requests were queued, time of what is next or None); also SIGKILLs of `abort`."""
        return self._change("due", now_s, (most,), lambda answer: (answer[0], float(answer[1]) if answer[1] else None))

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
        return self._change("alter", now_s, (before.rid, uid, before.sum, due, *_flat(changes)), repeatable=False)

    # --- the worker --------------------------------------------------------------------------

    def register_worker(self, name, template, now_s):
        """The worker is ready; `template`: field -> text or bytes of every rq job's hash."""
        return self._change("register_worker", now_s, (name, *_flat(template)))

    def take_orders(self, token, now_s):
        """-> {rid: (signal number, ...)}. The same token again gets the same orders, another one acknowledges them."""

        def decode(answer):
            pairs = zip(answer[::2], answer[1::2], strict=True)
            return {_text(rid): tuple(map(int, signals.split(b","))) for rid, signals in pairs}

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
        args = (*_claim(ended), *_end(ended, worker, retention_s))
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

    # --- the start of a run, and retention ---------------------------------------------------

    def recover(self, rid, decision, reason, now_s, ended=None, retention_s=0):
        """Carry out a decision about an interrupted request: see recover.lua.

        Args:
            decision: `rerun`, `keep`, `remove`, `redo`, or `recorded` with `ended`, a Request with its outcome, and
                `retention_s`, how long rq keeps its result.
        """
        end = _end(ended, "", retention_s) if ended is not None else ()
        return self._change("recover", now_s, (rid, decision, reason, *end), repeatable=False)

    def known(self, rids):
        """-> [whether anything of the request is known: its record, its place in a list, or that it is lost]."""
        return self._script("known", tuple(rids), lambda answer: [bool(found) for found in answer])

    def retire(self, before_s, now_s, most=1000):
        """Forget what ended before a moment -> [rid], whose files may be removed; the next start removes the rest."""
        return self._change("retire", now_s, (f"{before_s:.6f}", most), lambda answer: [_text(rid) for rid in answer])

    # --- conversion of old spools --------------------------------------------------------------

    def import_reserve(self, token, first, count):
        """Take sequence numbers for a conversion. Raises ImportTaken."""
        return self._change("import_reserve", 0.0, (token, first, count), repeatable=False)

    def import_stage(self, token, rows, now_s):
        """Keep some hundred requests ready -> how many.

        Args:
            rows: [(rid, origin, line of `keys.OLD_IDS`, {field: text})]; the fields name queue and state.
        Raises (when run): ImportTaken.
        """
        args = []
        for rid, origin, line, fields in rows:
            args += (rid, origin, line, 2 * len(fields), *_flat(fields))
        return self._change("import_stage", now_s, (token, *args))

    def import_part(self, token, kind, name, values):
        """Keep a queue, complex, parameter or manager ready; see import_part.lua. Raises ImportTaken."""
        return self._change("import_part", 0.0, (token, kind, name, *values))

    def import_clear(self):
        """Forget a range of what an incomplete conversion has staged -> (first number, how many), None at the end."""
        return self._change("import_clear", 0.0, (), lambda answer: tuple(answer) or None, repeatable=False)

    def import_all(self, token, count, seq, about, now_s):
        """Make what was staged part of the site, in one step.

        Args:
            count: how many requests were staged.
            seq: what the site's sequence number is to be at least.
            about: JSON text that is kept about this conversion.
        Raises (when run): ImportTaken; QueueExists, NoSuchQueue, ComplexExists, SiteConfigured: the site has changed.
        """
        return self._change("import", now_s, (token, count, seq, about))

    def importing(self):
        """-> whether something of a conversion is staged."""
        keys_of_it = (keys.IMPORT, keys.staged("ranges"))
        return Op("importing", (("EXISTS", *keys_of_it),), lambda answers: bool(answers[0]))

    def by_origin(self, origins):
        """-> [rid of the request that was made of a record, staged or for good, or None], for some hundred."""
        commands = (("HMGET", keys.ORIGINS, *origins), ("HMGET", keys.staged("origins"), *origins))
        return Op("by_origin", commands, lambda found: [_text(a or b) for a, b in zip(*found, strict=True)])

    def by_old_id(self, old_id):
        """-> [(old id, rid, token of the conversion, place in the old spool)] of an id of an old system."""
        low = b"[" + old_id.encode(errors="surrogateescape") + b"\0"
        commands = (("ZRANGEBYLEX", keys.OLD_IDS, low, low[:-1] + b"\x01"),)
        return Op("by_old_id", commands, lambda answers: [_old_id_line(line) for line in answers[0]])

    def old_ids(self, start, most=250):
        """-> as `by_old_id`, of every request that was converted, from a position on, by old id."""
        commands = (("ZRANGE", keys.OLD_IDS, start, start + most - 1),)
        return Op("old_ids", commands, lambda answers: [_old_id_line(line) for line in answers[0]])

    def imports(self):
        """-> {token of a conversion: JSON text about it}."""

        def decode(answers):
            return {_text(key): _text(value) for key, value in answers[0].items()}

        return Op("imports", (("HGETALL", keys.IMPORTS),), decode)

    # --- mail --------------------------------------------------------------------------------

    def mail(self, most=50):
        """-> [(rid, event: an outcome or `begun`, seconds since 1970, the entry itself)], the oldest first."""

        def decode(answers):
            entries = [_text(entry) for entry in answers[0]]
            return [(*entry.split(" ")[:2], float(entry.split(" ")[2]), entry) for entry in entries]

        return Op("mail", (("LRANGE", keys.MAIL, 0, most - 1),), decode)

    def mailed(self, count, first, now_s):
        """Forget the first mails; `first` is the entry of the very first."""
        return self._change("mailed", now_s, (count, first))

    # --- what is damaged ---------------------------------------------------------------------

    def lose(self, rid, reason, now_s, in_any_case=False):
        """Put a damaged request into the lost-and-found -> whether there was anything of it.

        Args:
            reason: why it cannot be trusted, in words.
            in_any_case: also where the database knows nothing of it.
        """
        return self._change("lose", now_s, (rid, reason, "1" if in_any_case else "0"), bool)

    def check(self, rids, now_s, found_in="", queue="", state=""):
        """Look whether requests stand where their records say -> how many are lost: see check.lua.

        Args:
            rids: at most some hundred.
            found_in: key of the sorted set in which they were found; empty: their records were found.
            queue, state: what that set is of; `queue` is empty where it is of all.
        """
        return self._change("check", now_s, (found_in, queue, state, *rids))

    def lost_found(self, since_s=0.0):
        """-> [(rid, seconds since 1970 when it was found, reason, Request as far as known)], the oldest first."""

        def decode(answer):
            rows = []
            for rid, found_s, row in answer:
                fields = dict(zip(row[::2], row[1::2], strict=True))
                reason = _text(fields.get(b"lost_reason", b""))
                rows.append((_text(rid), float(found_s), reason, Request.from_hash(fields)))
            return rows

        return self._script("lost_found", (f"({since_s:.6f}",), decode)

    def records(self, cursor):
        """Walk over all records -> (next cursor, 0 at the end; [rid])."""
        prefix = len(keys.request(""))

        def decode(answers):
            return int(answers[0][0]), [_text(key)[prefix:] for key in answers[0][1]]

        return Op("records", (("SCAN", cursor, "MATCH", keys.request("*"), "COUNT", _WALK),), decode)

    def walk(self, key, cursor):
        """Walk over a sorted set of requests -> (next cursor, 0 at the end; [rid])."""

        def decode(answers):
            return int(answers[0][0]), [_text(rid) for rid, _ in answers[0][1]]

        return Op("walk", (("ZSCAN", key, cursor, "COUNT", _WALK),), decode)


#: Keys, or members, that one step of a walk looks at.
_WALK = 250
_SITE_FIELDS = frozenset(SiteRecord.__annotations__)


def _flat(fields):
    return chain.from_iterable(fields.items())


def _end(ended, worker, retention_s):
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


def _surrogated(text):
    return text.decode(errors="surrogateescape")


def _old_id_line(line):
    return tuple([*_text(line).split("\0"), "", "", ""][:4])


def _requests(answer):
    return [Request.from_hash(row, _text(rid)) for rid, row in answer]


def _queue(row):
    attributes, counts, name = row
    try:
        queue = Queue.from_hash(dict(zip(attributes[::2], attributes[1::2], strict=True)))
    except (KeyError, ValueError):
        queue = Queue()
    if queue.name != _text(name) or queue.type not in TYPES or queue.restart not in ATTRIBUTES:
        raise RecordDamaged(detail=f"queue {_text(name)}")
    queue.counts = {_text(state): count for state, count in zip(counts[::2], counts[1::2], strict=True)}
    return queue

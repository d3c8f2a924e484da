"""What a reader of an old spool yields: neutral records, which know neither Redis nor the site they will be part of.

Each thing that an old spool holds becomes exactly one record: a queue, a complex, a setting or a request to convert,
or a `Skip` with the reason. Text is str as `os.fsdecode` makes it (undecodable bytes are surrogates); environments and
scripts are bytes. Times are seconds since 1970, sizes bytes. None and empty mean that the old system did not say.
"""

from dataclasses import dataclass, field

from jcq.model.queue import BATCH
from jcq.model.restart import RESTART

#: What an old request was doing.
QUEUED = "QUEUED"
WAITING = "WAITING"
HELD = "HELD"
#: It had begun, and perhaps half of it is done: the restart rules decide.
RUNNING = "RUNNING"
STATES = (QUEUED, WAITING, HELD, RUNNING)


@dataclass(frozen=True)
class OldQueue:
    """A queue of the old system."""

    name: str
    #: Where it was read: a path relative to the old spool.
    where: str
    type: str = BATCH
    #: 0 to 63, the greater the sooner.
    priority: int = 0
    run_limit: int = 1
    #: 0: no limit.
    user_limit: int = 0
    #: As the old system had it; what the site makes of it is not the reader's business.
    enabled: bool = True
    started: bool = True
    pipeonly: bool = False
    destinations: tuple[str, ...] = ()
    restart: str = RESTART
    background: bool = False
    #: {name of a limit in jcq.model.limits: (value, warning)}.
    limits: dict = field(default_factory=dict)
    #: Whether only these users and groups may submit: names, or numbers as text.
    restricted: bool = False
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    #: What could not be carried over: one phrase each.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OldComplex:
    """Queues that share a run limit."""

    name: str
    where: str
    run_limit: int = 1
    queues: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OldSetting:
    """One value of the old site as a whole: a parameter, a manager."""

    #: A field of `jcq.jcdbs.ops.site.SiteRecord`, or `manager:NAME` with value m or o.
    name: str
    value: str
    where: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OldRequest:
    """A request of the old system."""

    #: As the old system's users know it: `17`, `42.3` for a task of an array, `12.oldhost`.
    old_id: str
    where: str
    queue: str
    #: Bytes of the script that the shell is to run.
    script: bytes
    state: str = QUEUED
    #: HELD: whether an operator or the system holds it, so that its owner may not release it.
    operator_hold: bool = False
    #: RUNNING: it was stopped by SIGSTOP.
    suspended: bool = False
    #: Why it is held or waits.
    reason: str = ""
    name: str = ""
    #: Login name; empty where the old system kept the uid only. A request without either is a `Skip`.
    user: str = ""
    uid: int = -1
    #: -1: the primary group of the account.
    gid: int = -1
    #: 0 to 63; None: the site's default.
    priority: int | None = None
    #: The queue that it was submitted to; empty: `queue`.
    submitted_to: str = ""
    #: How often it was started.
    attempt: int = 0
    submitted_s: float = 0.0
    #: Not before this time; 0: at once.
    due_s: float = 0.0
    #: None: as the queue has it.
    restartable: bool | None = None
    #: Absolute; empty: HOME of the owner.
    workdir: str = ""
    #: Host of submission.
    host: str = ""
    #: None: 022.
    umask: int | None = None
    tz: str = ""
    #: Absolute path of the shell; empty: by the site's shell strategy.
    shell: str = ""
    #: Absolute; empty: NQS's names in `workdir`.
    out_path: str = ""
    err_path: str = ""
    joined: bool = False
    keep_out: bool = False
    keep_err: bool = False
    direct_out: bool = False
    direct_err: bool = False
    mail_begin: bool = False
    mail_end: bool = False
    #: Empty: the owner.
    mail_to: str = ""
    #: {name of a limit in jcq.model.limits: (value, warning)}.
    limits: dict = field(default_factory=dict)
    #: Those that it has of its queue, in the same form; None: what its queue gives it when it enters.
    queue_limits: dict | None = None
    #: The job's whole environment, or None where it is to be made anew: {name: value}, bytes.
    environment: dict | None = None
    #: HOME, PATH and so on of the submitting command, as `jcq.model.request.Request.variables` has them.
    variables: str = ""
    #: HOME of an owner without an account.
    home: str = ""
    #: Old ids that must have ended first. jcq has no dependencies: such a request is held, with a note.
    after: tuple[str, ...] = ()
    #: How long pipe queues have let it wait.
    retried_s: float = 0.0
    #: It ran by NQS's rules: in HOME, with HOME, PATH and so on of the account; `workdir` is where its output goes.
    #: Else it ran in `workdir`, and `environment` is all that it had.
    nqs: bool = False
    #: What tells it from every other request that the old system ever had, where `old_id` and contents do not.
    identity: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skip:
    """Something that the old spool holds and that cannot become part of a site."""

    where: str
    reason: str
    #: Where it can be told.
    old_id: str = ""
    #: What it is: "request", "queue", "complex", "setting" or "file".
    kind: str = "request"


#: What a reader may yield.
Record = OldQueue | OldComplex | OldSetting | OldRequest | Skip

"""The neutral layout of a spool: what its lines may say, as one literal table; schema and reader are made of it.

A directory with `jcq-dump.json` and files of JSON lines, one object a line: `settings.jsonl`, `managers.jsonl`,
`queues.jsonl`, `complexes.jsonl`, `requests.jsonl`. A key that is null is as one that is not there. Text is UTF-8; a
byte that is none is written as `\\udc80` to `\\udcff`, as `os.fsdecode` of Python has it. Scripts and environments may
as well be base64, or files of their own. A key that is not in the table is passed over with a note, so later versions
may add keys; one that changes the meaning of a key has another `version`.
"""

from dataclasses import dataclass
from functools import cached_property

from jcq.model import lifecycle, limits
from jcq.model.queue import PRIORITY_MAX, RUN_LIMIT_MAX, TYPES
from jcq.model.restart import ATTRIBUTES

FORMAT = "jcq-dump"
VERSION = 1
MARKER = "jcq-dump.json"

#: The longest line. A script that does not fit in it stands in a file of its own.
LINE_BYTES_MAX = 4 * 1024 * 1024
#: `jcq dump` writes what is greater than this into a file of its own.
INLINE_BYTES_MAX = 64 * 1024
TEXT_CHARACTERS_MAX = 4096
MEMBERS_MAX = 10_000
#: Environments have so many variables at most, and values as long as they like.
VARIABLES_MAX = 20_000
#: The end of the year 9999, behind which no calendar of Python goes.
TIME_MAX_S = 253_402_300_799
#: The greatest uid or gid: 2**32 - 1 means "none".
ID_MAX = 2**32 - 2
COUNT_MAX = 10**9
#: One file's bytes: 100 million short requests, and no sparse file of terabytes.
FILE_BYTES_MAX = 1 << 40

#: Kinds of values.
TEXT, PATH, WORD, UMASK, INTEGER, NUMBER, BOOLEAN, ID = (
    "text", "path", "word", "umask", "integer", "number", "boolean", "id"
)  # fmt: skip
TEXTS, IDS, PAIRS, LIMITS, BASE64, LONG, SHORT = "texts", "ids", "pairs", "limits", "base64", "long", "short"
STRATEGY = "strategy"

#: A text that may stand in an argument, a path or the database: no NUL, no surrogate but those of undecodable bytes.
TEXT_PATTERN = r"^[^\u0000\ud800-\udc7f\udd00-\udfff]*$"
PATH_PATTERN = r"^/[^\u0000\ud800-\udc7f\udd00-\udfff]*$"
#: A path below the dump's directory.
INNER_PATTERN = r"^(?!/)(?!(.*/)?\.\.(/|$))[^\u0000-\u001f\ud800-\udc7f\udd00-\udfff]+$(?!\n)"
#: The name of a variable.
NAME_PATTERN = r"^[^=\u0000\ud800-\udc7f\udd00-\udfff]+$"
STRATEGY_PATTERN = r"^(FREE|LOGIN|/[^\u0000-\u001f\ud800-\udfff]*)$(?!\n)"
UMASK_PATTERN = r"^0*[0-7]{1,3}$(?!\n)"
BASE64_PATTERN = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$(?!\n)"
ID_PATTERN = r"^[^\u0000-\u0020\u007f-\u00a0\ud800-\udfff]+$(?!\n)"


@dataclass(frozen=True)
class Key:
    """One key of a line."""

    name: str
    kind: str
    words: str
    must: bool = False
    #: INTEGER and NUMBER: the bounds, both allowed.
    least: float = 0
    most: float = COUNT_MAX
    #: WORD: the allowed ones.
    choice: tuple = ()


@dataclass(frozen=True)
class Kind:
    """What the lines of one file are."""

    #: The file is `STEM.jsonl`.
    stem: str
    #: As `jcq.spoolconv.records.Skip` names it.
    kind: str
    #: What tells one from the other: no two lines have the same.
    identity: str
    keys: tuple[Key, ...]
    words: str

    @property
    def file(self):
        """The file's name."""
        return f"{self.stem}.jsonl"

    @cached_property
    def by_name(self):
        """{name: Key}."""
        return {key.name: key for key in self.keys}


STATES = (lifecycle.QUEUED, lifecycle.WAITING, lifecycle.HELD, lifecycle.RUNNING)

#: Fields of the site that a setting may be: (kind, least, most); an empty text unsets one.
SETTINGS = {
    "default_priority": (INTEGER, 0, PRIORITY_MAX),
    "default_queue": (TEXT, 0, 0),
    "lifetime_s": (INTEGER, 0, COUNT_MAX),
    "mail_account": (TEXT, 0, 0),
    "retention_s": (INTEGER, 0, COUNT_MAX),
    "retry_time_s": (INTEGER, 0, COUNT_MAX),
    "retry_wait_s": (INTEGER, 0, COUNT_MAX),
    "run_limit": (INTEGER, 0, RUN_LIMIT_MAX),
    "shell_strategy": (STRATEGY, 0, 0),
}

_LIMITS = 'resource limits: {NAME: {"value": number or null for unlimited, "warning": number or null}}, bytes, seconds'

KINDS = (
    Kind(
        "settings", "setting", "name",
        (
            Key("name", WORD, "which one", must=True, choice=tuple(SETTINGS)),
            Key("value", SHORT, "a number for what is counted, times in seconds; else a text", must=True),
        ),
        "a value of the site as a whole",
    ),
    Kind(
        "managers", "setting", "name",
        (
            Key("name", TEXT, "login name", must=True),
            Key("role", WORD, "m: manager, o: operator", must=True, choice=("m", "o")),
        ),
        "a user with rights over the site",
    ),
    Kind(
        "queues", "queue", "name",
        (
            Key("name", TEXT, "its name", must=True),
            Key("type", WORD, "BATCH, unless given", choice=TYPES),
            Key("priority", INTEGER, "the greater the sooner; 0, unless given", most=PRIORITY_MAX),
            Key("run_limit", INTEGER, "so many requests run at once; 1, unless given", most=RUN_LIMIT_MAX),
            Key("user_limit", INTEGER, "so many of one user run at once; 0: no limit", most=RUN_LIMIT_MAX),
            Key("enabled", BOOLEAN, "accepts requests; true, unless given"),
            Key("started", BOOLEAN, "starts requests; true, unless given"),
            Key("pipeonly", BOOLEAN, "accepts requests from pipe queues only"),
            Key("destinations", TEXTS, "of a pipe queue: queues, tried in this order"),
            Key("restart", WORD, "what becomes of interrupted requests; RESTART, unless given", choice=ATTRIBUTES),
            Key("background", BOOLEAN, "processes that outlive a request's script live on"),
            Key("limits", LIMITS, _LIMITS),
            Key("restricted", BOOLEAN, "only `users` and `groups` may submit"),
            Key("users", TEXTS, "login names, or uids as text"),
            Key("groups", TEXTS, "group names, or gids as text"),
        ),
        "a queue",
    ),
    Kind(
        "complexes", "complex", "name",
        (
            Key("name", TEXT, "its name", must=True),
            Key("run_limit", INTEGER, "so many requests of its queues run at once", must=True, most=RUN_LIMIT_MAX),
            Key("queues", TEXTS, "names of batch queues"),
        ),
        "queues that share a run limit",
    ),
    Kind(
        "requests", "request", "id",
        (
            Key("id", ID, "as its users know it: 17 or 17.host; no blanks", must=True),
            Key("queue", TEXT, "the queue where it is", must=True),
            Key("user", TEXT, "login name of the owner; this or `uid` must be there"),
            Key("uid", INTEGER, "of the owner", most=ID_MAX),
            Key("gid", INTEGER, "the owner's primary group, unless given", most=ID_MAX),
            Key("script", LONG, "what the shell is to run; this, script_base64 or script_file"),
            Key("script_base64", BASE64, "the same for any bytes"),
            Key("script_file", PATH, "the same as a file: its path below this directory"),
            Key("state", WORD, "QUEUED, unless given; RUNNING: it had begun", choice=STATES),
            Key("operator_hold", BOOLEAN, "HELD: its owner may not release it"),
            Key("suspended", BOOLEAN, "RUNNING: it was stopped by SIGSTOP"),
            Key("reason", TEXT, "why it is held or waits"),
            Key("name", TEXT, "request name"),
            Key("priority", INTEGER, "the site's default, unless given", most=PRIORITY_MAX),
            Key("submitted_to", TEXT, "the queue that it was submitted to; `queue`, unless given"),
            Key("submitted_s", NUMBER, "when, in seconds since 1970", most=TIME_MAX_S),
            Key("due_s", NUMBER, "not before this moment, in seconds since 1970", most=TIME_MAX_S),
            Key("retried_s", NUMBER, "seconds that pipe queues have let it wait", most=TIME_MAX_S),
            Key("attempt", INTEGER, "how often it was started"),
            Key("restartable", BOOLEAN, "as the queue has it, unless given"),
            Key("workdir", PATH, "absolute; the owner's HOME, unless given"),
            Key("host", TEXT, "where it was submitted"),
            Key("umask", UMASK, "octal, as text; 022, unless given"),
            Key("tz", TEXT, "time zone, as TZ has it"),
            Key("shell", PATH, "absolute; by the site's shell strategy, unless given"),
            Key("stdout", PATH, "absolute; NAME.oID in workdir, unless given"),
            Key("stderr", PATH, "absolute; NAME.eID in workdir, unless given"),
            Key("joined", BOOLEAN, "stderr goes to stdout"),
            Key("keep_stdout", BOOLEAN, "it stays on the machine, in HOME"),
            Key("keep_stderr", BOOLEAN, "it stays on the machine, in HOME"),
            Key("direct_stdout", BOOLEAN, "written to its place while the request runs"),
            Key("direct_stderr", BOOLEAN, "written to its place while the request runs"),
            Key("mail_begin", BOOLEAN, "mail when it begins"),
            Key("mail_end", BOOLEAN, "mail when it has ended"),
            Key("mail_to", TEXT, "the owner, unless given"),
            Key("limits", LIMITS, _LIMITS),
            Key("queue_limits", LIMITS, "those that it has of its queue; what that has now, unless given"),
            Key("environment", PAIRS, "the job's whole environment; made anew, unless given"),
            Key("environment_base64", BASE64, "the same: NAME=VALUE, each ended by a NUL byte, as `env -0` writes it"),
            Key("environment_file", PATH, "the same as a file: its path below this directory"),
            Key("variables", PAIRS, "HOME, PATH and so on of the submitting command: QSUB_HOME, QSUB_PATH of the job"),
            Key("nqs", BOOLEAN, "it runs in HOME, workdir is for output; else in workdir, with `environment` only"),
            Key("identity", TEXT, "what tells it from all others that the old system ever had, where `id` does not"),
            Key("home", PATH, "HOME of an owner without an account"),
            Key("after", IDS, "ids of requests that must have ended first"),
        ),
        "a request that has not ended",
    ),
)  # fmt: skip
BY_STEM = {kind.stem: kind for kind in KINDS}

#: Files named in a line, below the dump's directory.
INNER_KEYS = ("script_file", "environment_file")
#: A script has exactly one of these, an environment at most one.
SCRIPT_KEYS = ("script", "script_base64", "script_file")
ENVIRONMENT_KEYS = ("environment", "environment_base64", "environment_file")


def limit_bounds(limit):
    """(kind, least, most) of a limit's value."""
    if limit.kind == limits.NICE:
        return INTEGER, limits.NICE_MIN, limits.NICE_MAX
    if limit.kind == limits.SIZE:
        return INTEGER, 0, limits.SIZE_MAX
    return NUMBER, 0.001, limits.TIME_MAX_S - 1

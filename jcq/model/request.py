"""A request, as the site database keeps it, with a checksum of what never changes, and its ids."""

import math
import zlib
from dataclasses import dataclass, field, fields

from jcq.errors import UsageError
from jcq.model import limits as limits_model

#: Bounds of what one submission may bring.
SCRIPT_BYTES_MAX = 16 * 1024 * 1024
NAME_MAX = 63
ENVIRONMENT_BYTES_MAX = 1024 * 1024
#: Words that one execve can carry, more or less: `qselect | xargs qdel` need not be split.
ARGUMENTS_MAX = 100_000
PRIORITY_MAX = 63
PRIORITY_DEFAULT = 31
#: A request name in a file name is cut to this (nqs-facts.md section 2).
FILE_NAME_CHARACTERS = 7


@dataclass
class Request:
    """One batch request. Empty strings mean "not set"; times are seconds since 1970."""

    #: `<machine id>-<sequence>`, as rq and the keys name it.
    rid: str = ""
    seq: int = 0
    #: Name of the site of origin; `seq.site` is what people see.
    site: str = ""
    name: str = ""
    uid: int = -1
    gid: int = -1
    #: Login name at submission; a uid that has another name when it is to run is held.
    user: str = ""
    #: Queue where it is, and where it was submitted to.
    queue: str = ""
    submitted_to: str = ""
    state: str = ""
    #: A slot is taken and the id is in rq's list.
    promoted: bool = False
    priority: int = PRIORITY_DEFAULT
    submitted_s: float = 0.0
    #: Not before this time; 0: at once.
    due_s: float = 0.0
    restartable: bool = True
    workdir: str = ""
    #: Host of submission.
    host: str = ""
    umask: int = 0o022
    tz: str = ""
    shell: str = ""
    #: `-o` and `-e` as absolute paths; empty: `NAME.oSEQ`, `NAME.eSEQ` in `workdir`.
    out_path: str = ""
    err_path: str = ""
    #: `-eo`: stderr goes to the stdout file.
    joined: bool = False
    #: `-ko`, `-ke`: output stays on the execution machine, in the owner's HOME.
    keep_out: bool = False
    keep_err: bool = False
    #: `-ro`, `-re`: written to its place while it runs, without spooling.
    direct_out: bool = False
    direct_err: bool = False
    #: `-x`: an environment file stands beside the script.
    has_environment: bool = False
    #: HOME, PATH and so on of the submitting command, `NAME=value` joined by NUL: the job's QSUB_HOME, QSUB_PATH ...
    variables: str = ""
    #: Whether its owner wants a mail when it begins, and when it has ended; to whom: empty means the owner.
    mail_begin: bool = False
    mail_end: bool = False
    mail_to: str = ""
    #: Resource limits, `cpu_process=60:50 ...`, see `jcq.model.limits`.
    limits: str = ""
    #: Those that it has of its queue, since it entered that, where it has none of its own.
    queue_limits: str = ""
    #: HOME of a site without root whose uid has no account.
    home: str = ""
    attempt: int = 0
    epoch: int = 0
    #: Given by the worker with a claim; begin, finish and deliver must show it.
    token: str = ""
    node: str = ""
    pid: int = 0
    #: Start time of `pid` in clock ticks since boot.
    pid_start: int = 0
    started_s: float = 0.0
    ended_s: float = 0.0
    cpu_s: float = 0.0
    maxrss_kb: int = 0
    outcome: str = ""
    exit_code: int = 0
    signal: int = 0
    #: What outlives its script lives on: that of its queue when it was claimed.
    background: bool = False
    #: Runs the script where it names no shell: the site's FIXED strategy when it was claimed.
    fixed_shell: str = ""
    #: How long pipe queues have let it wait for destinations that were disabled.
    retried_s: float = 0.0
    #: SIGSTOP was ordered, and no SIGCONT since.
    suspended: bool = False
    #: `qrerun` was ordered: it is queued again when it has ended.
    requeue: bool = False
    #: An operator holds it: its owner cannot release it.
    operator_hold: bool = False
    #: Counts dispatches site-wide: the order in which requests were claimed.
    dispatch: int = 0
    #: Why it is held, waits, or where its output went instead.
    reason: str = ""
    #: It was interrupted and goes first among equals, until it is dispatched again.
    rerun: bool = False
    #: Where spoolconv made it of an old spool: its id there, and what tells that record from every other.
    old_id: str = ""
    origin: str = ""
    #: It runs as its old system ran it: in `workdir`, and its environment file is all that is not jcq's own.
    as_before: bool = False
    #: `checksum()` at its submission. The append-only file has none: a bit that flips there is read as it is.
    sum: str = ""
    #: Found when it was read: a field that is no value; never written.
    unreadable: str = field(default="", compare=False)

    @property
    def id(self):
        """`seq.site`, the id that people see."""
        return f"{self.seq}.{self.site}"

    @property
    def file_stem(self):
        """The first characters of the name, for `STEM.oSEQ`."""
        return self.name[:FILE_NAME_CHARACTERS]

    @classmethod
    def from_hash(cls, flat, rid=None):
        """Build from the database's flat list or dict of bytes; unknown fields are passed over.

        A damaged record must not keep the others from being shown: what is no value is noted in `unreadable`.

        Args:
            flat: field, value, ... or {field: value}.
            rid: what the record stands under, where that is known.
        """
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        values = {}
        for key, value in pairs:
            name = key.decode(errors="replace")
            convert = _FROM_TEXT.get(name)
            if convert:
                try:
                    values[name] = convert(value.decode(errors="surrogateescape"))
                except ValueError:
                    values["unreadable"] = name
        if rid is not None and values.get("rid") != rid:
            values["rid"], values["unreadable"] = rid, "rid"
        return cls(**values)

    def to_hash(self):
        """A flat dict of text without the fields that have their default, to keep a queued request small."""
        found = {}
        for name, default in _DEFAULTS:
            value = getattr(self, name)
            if value != default:
                found[name] = _to_text(value)
        return found

    def checksum(self):
        """The sum, as text, of every field that its submission fixes, names and values.

        Whoever changes one of them later (the priority, say) writes a new sum with it.
        """
        fixed = [*_FIXED, *(name for name in _FIXED_IF_SET if getattr(self, name))]
        text = "\0".join(f"{name}={_to_text(getattr(self, name))}" for name in fixed)
        return f"{zlib.crc32(text.encode(errors='surrogateescape')):08x}"

    def flaw(self):
        """Why this record cannot be trusted, in words; empty where it can."""
        if self.unreadable:
            return f"field {self.unreadable} of its record is damaged"
        if self.sum != self.checksum():
            return "the checksum of its record is wrong" if self.sum else "its record has no checksum"
        return ""


#: What a submission says and nothing but `qalter` changes later. Times of waiting are not here: a retry moves them.
_FIXED = tuple(
    "rid seq site name uid gid user submitted_to priority submitted_s restartable workdir host umask tz shell"
    " out_path err_path joined keep_out keep_err has_environment variables home".split()
)
#: Covered as well, but only where they are set: records of versions that did not know them keep their sums.
_FIXED_IF_SET = ("direct_out", "direct_err", "limits", "mail_begin", "mail_end", "mail_to",
                 "old_id", "origin", "as_before")  # fmt: skip


def _to_text(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, float) else str(value)


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _limits(text):
    limits_model.from_text(text)
    return text


_CONVERTERS: dict = {"int": int, "float": _finite, "str": str, "bool": lambda text: text == "1"}
_FROM_TEXT = {
    spec.name: _CONVERTERS[spec.type if isinstance(spec.type, str) else spec.type.__name__] for spec in fields(Request)
}
_FROM_TEXT["limits"] = _FROM_TEXT["queue_limits"] = _limits
#: Field -> its default, of those that are written.
_DEFAULTS = tuple((spec.name, spec.default) for spec in fields(Request) if spec.name != "unreadable")


@dataclass(frozen=True)
class RequestId:
    """What a user typed for a request."""

    seq: int
    #: Empty where only the number was given.
    site: str = field(default="")
    #: Where it is to be, of `12.site@host`; empty where that was not given.
    host: str = field(default="")


def parse_request_id(text, what=""):
    """Parse `seq`, `seq.host` or `seq.host@host2` (nqs-facts.md section 2).

    Raises:
        UsageError: it is none of these.
    """
    number, dot, rest = text.partition(".")
    site, at, host = rest.partition("@")
    if not (number.isascii() and number.isdigit()) or len(number) > 15 or (dot and not site) or (at and not host):
        raise UsageError(reason=f"{what + ': ' if what else ''}{text!r} is no request id; give 12 or 12.site")
    return RequestId(int(number), site, host)

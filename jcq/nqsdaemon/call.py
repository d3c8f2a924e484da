"""What a user's command asks and what it is answered: `Call` and `Reply`, read from and made into netstrings.

A request is one netstring that holds netstrings `key=value`: verb, arg (repeated), cwd, umask, tz,
host, env (`NAME=value`, repeated), script, script-name, token and again. An answer is a sequence of netstrings: `o`
and text for standard output, `e` and text for standard error, `a` when a submission that asked for it has
been accepted, `f` when an open file comes with it (SCM_RIGHTS), and last `x` and the exit code.
Pure functions; nothing that comes from a client is believed without a bound.
"""

import os
from dataclasses import dataclass, field

from jcq.errors import BadFrame, UsageError
from jcq.frames import netstring, split
from jcq.model.request import ARGUMENTS_MAX, ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX

#: What one execve can carry with the usual limit of the stack.
ARGUMENT_BYTES_MAX = 2 * 1024 * 1024
PATH_BYTES_MAX = 4095
VARIABLES_MAX = 20_000
_HOST_BYTES_MAX = 255
_TOKEN_CHARACTERS_MAX = 64
#: A refused command and its reason are cut to this in the log.
_LOGGED_CHARACTERS = 300
_PARTS_MAX = ARGUMENTS_MAX + VARIABLES_MAX + 10


@dataclass
class Call:
    """One command of one user; texts hold bytes that are no UTF-8 as surrogates, as `os.fsdecode` makes them."""

    verb: str = ""
    args: list[str] = field(default_factory=list)
    #: Identity, from SO_PEERCRED only.
    uid: int = -1
    gid: int = -1
    pid: int = 0
    #: Login name of `uid`; empty where it has no account.
    user: str = ""
    cwd: str = "/"
    umask: int = 0o022
    tz: str = ""
    #: The machine on which the command runs.
    host: str = ""
    env: dict[str, str] = field(default_factory=dict)
    script: bytes = b""
    script_name: str = ""
    #: Of a submission: letters and digits that no other one has; empty: it will not be repeated.
    token: str = ""
    #: The command has asked this before, and lost the answer.
    again: bool = False

    @property
    def who(self):
        """The caller as logs and messages name it."""
        return self.user or f"uid {self.uid}"

    @property
    def words(self):
        """The command as the log shows it: quoted, without control characters, cut."""
        # Cut first: there may be 100,000 words.
        words = [repr(word[:_LOGGED_CHARACTERS]) for word in self.args[:_LOGGED_CHARACTERS]]
        return " ".join([self.verb, *words])[:_LOGGED_CHARACTERS]


@dataclass
class Part:
    """What a handler yields to tell its client something before it ends: `yield Part(out="...")`."""

    out: str = ""
    err: str = ""
    #: The request is on disk and in the database.
    accepted: bool = False
    #: Descriptor that the client gets; who has the Part closes it, in the end the Connection.
    fd: int = -1


@dataclass
class Reply:
    """What the command prints and ends with."""

    exit_code: int = 0
    out: str = ""
    err: str = ""


def parse_call(payload, uid, gid, pid, user):
    """Read a request.

    Args:
        payload: what the outer netstring holds.
        uid, gid, pid: the peer's credentials.
        user: login name of `uid`, empty where there is none.
    Raises:
        BadFrame: it is no request. UsageError: it is one, but larger than allowed.
    """
    call = Call(uid=uid, gid=gid, pid=pid, user=user)
    argument_bytes = environment_bytes = 0
    for part in split(payload, _PARTS_MAX):
        key, equals, value = part.partition(b"=")
        if not equals:
            raise BadFrame(reason="a part without '='")
        if key == b"script":
            if len(value) > SCRIPT_BYTES_MAX:
                raise UsageError(reason=f"the script is larger than {SCRIPT_BYTES_MAX >> 20} MiB")
            call.script = value
            continue
        if b"\0" in value:
            raise BadFrame(reason="a NUL byte")
        if key == b"arg":
            argument_bytes += len(value)
            if len(call.args) == ARGUMENTS_MAX or argument_bytes > ARGUMENT_BYTES_MAX:
                raise UsageError(
                    reason=f"more than {ARGUMENTS_MAX} arguments, or {ARGUMENT_BYTES_MAX} bytes of them; "
                    "split the command"
                )
            call.args.append(os.fsdecode(value))
        elif key == b"env":
            environment_bytes += len(value) + 1
            if environment_bytes > ENVIRONMENT_BYTES_MAX or len(call.env) == VARIABLES_MAX:
                raise UsageError(
                    reason=f"the environment is larger than {ENVIRONMENT_BYTES_MAX >> 20} MiB; unset what is large"
                )
            name, equals, content = value.partition(b"=")
            if name and equals:
                call.env[os.fsdecode(name)] = os.fsdecode(content)
        else:
            _take(call, key, value)
    if not call.verb:
        raise BadFrame(reason="no verb")
    return call


def _take(call, key, value):
    """The parts that stand once and are short."""
    limit = PATH_BYTES_MAX if key in (b"cwd", b"script-name") else _HOST_BYTES_MAX
    if len(value) > limit:
        raise UsageError(reason=f"{key.decode('ascii', 'replace')} is longer than {limit} bytes")
    text = os.fsdecode(value)
    if key == b"verb":
        if not (text.isascii() and text.isalpha()):
            raise BadFrame(reason="the verb is no word")
        call.verb = text
    elif key == b"cwd":
        if not text.startswith("/"):
            raise BadFrame(reason="cwd is no absolute path")
        call.cwd = text
    elif key == b"umask":
        if not (0 < len(text) <= 4 and set(text) <= set("01234567")):
            raise BadFrame(reason="umask is no octal number")
        call.umask = int(text, 8) & 0o777
    elif key == b"tz":
        call.tz = text
    elif key == b"host":
        if not text.isprintable():
            raise BadFrame(reason="host holds control characters")
        call.host = text
    elif key == b"script-name":
        call.script_name = text
    elif key == b"token":
        if not (text.isascii() and text.isalnum() and len(text) <= _TOKEN_CHARACTERS_MAX):
            raise BadFrame(reason="the token is no word")
        call.token = text
    elif key == b"again":
        call.again = True
    else:
        raise BadFrame(reason=f"unknown key {key[:20]!r}")


def encode_part(part):
    """The bytes of what comes before the end of an answer."""
    marks = (netstring(b"f") if part.fd >= 0 else b"") + (netstring(b"a") if part.accepted else b"")
    return marks + _texts(part)


def encode_reply(reply):
    """The bytes of an answer, or of its end."""
    return _texts(reply) + netstring(b"x%d" % reply.exit_code)


def _texts(said):
    kinds = ((b"o", said.out), (b"e", said.err))
    return b"".join(netstring(kind + text.encode("utf-8", "surrogateescape")) for kind, text in kinds if text)


def answer(out, err):
    """The Reply of a command that acts on several things: code 1 where there is a line for standard error.

    Args:
        out, err: lines without their newlines.
    """
    return Reply(
        1 if err else 0, out="".join(f"{line}\n" for line in out), err="".join(f"{harmless(line)}\n" for line in err)
    )


def refusal(verb, error):
    """The Reply for a JcqError: `qsub: what was wrong`, and its exit code."""
    return Reply(error.exit_code, err=harmless(f"{verb}: {error}") + "\n")


def harmless(line):
    """One line, whatever words it repeats: control characters, which break lines and terminals, become `?`."""
    return line if line.isprintable() else "".join("?" if c < " " or "\x7f" <= c < "\xa0" else c for c in line)


def log_refusal(log, call, reason):
    """Who asked what and why it was refused: one line whatever the client sent."""
    why = repr(str(reason)[:_LOGGED_CHARACTERS])[1:-1][:_LOGGED_CHARACTERS]
    log.warning("refused %s (uid %d, pid %d): %s: %s", call.who, call.uid, call.pid, call.words, why)

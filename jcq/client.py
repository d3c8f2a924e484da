"""The users' side of qsub, qstat, qdel and qwait: ask the site's nqsdaemon, print its answer.

The daemon parses, checks and formats; this only refuses bad usage, reads the script and carries
words. A command must start about as fast as the bare interpreter, so what is imported here, and
by what is imported, is `os`, `sys`, built-in modules and the named parts of jcq, nothing else
(tests/unit/test_hot_path_imports.py).
"""

import os
import sys

from jcq import options, site
from jcq.errors import AnswerLost, JcqError, NoAnswer, NotServed, SiteNotRunning, SiteUnknown, UsageError
from jcq.frames import Decoder, netstring

#: As jcq.model.request.SCRIPT_BYTES_MAX, which is too slow to import here; a test compares them.
SCRIPT_BYTES_MAX = 16 * 1024 * 1024
#: How long a daemon that is alive may be silent; qwait waits as long as its request does.
ANSWER_TIMEOUT_S = 120
#: Longest part of an answer that is accepted, in bytes: qstat of 100,000 requests has 10 MB.
ANSWER_BYTES_MAX = 900_000_000
#: How long a command waits for a site that should be running, without --timeout and NQS_TIMEOUT.
TIMEOUT_S = 60
#: What only looks may be asked again where its answer was lost, unless some of it was printed; qsub has a token.
_ONLY_LOOKS = ("history", "qcat", "qlimit", "qselect", "qstat", "qstatq", "qstatr", "qwait")
#: A restart forgets what a conversion has staged: there is nothing to wait for.
_NEVER_WAITS = ("spoolconv",)
#: `qcat -f` is answered with this where the request that it followed does not run just now.
NOT_NOW_CODE = 75
_NOT_NOW_PAUSE_S = 0.5
#: How often `--watch` asks.
WATCH_EVERY_S = 2
#: Variables that a request gets in any case, as QSUB_HOME and so on, and what names the default queue.
ALWAYS_SENT = ("HOME", "LOGNAME", "MAIL", "PATH", "QSUB_QUEUE", "SHELL", "TZ")

INTERRUPTED_CODE = 130


def run(table, root=None, read=None):
    """Run one command with the arguments of this process.

    Args:
        table: its options, from `jcq.options`.
        root: the root that an installed command carries, or None (see `jcq.site.root_directory`).
        read: what reads the answer, called as `_read_answer` is, which is the default.
    Returns:
        The exit code: the daemon's; 1 where it could not be asked, 2 for bad usage, 130 for Ctrl-C.
    """
    command = table[0]
    asked: list[str] = []
    try:
        return _run(table, root, asked, read)
    except SiteUnknown as error:
        return _fail(f"{command.capitalize()}(FATAL): {error}", error.exit_code)
    except JcqError as error:
        return _fail(f"{command}: {error}", error.exit_code)
    except KeyboardInterrupt:
        what = advice(asked) if asked else "nothing was done"
        return _fail(f"{command}: interrupted; {what}", INTERRUPTED_CODE)


def leave(code):
    """End the process at once with `code`: nothing is buffered, and taking down the interpreter costs 2 ms."""
    os._exit(code)


#: What to do when there was no answer.
_ADVICE_LOOK = "look with qstat what was done"
_ADVICE = {
    "dump": "nothing was written; try again",
    "qcat": "the request is not touched; look with qstat",
    "history": "try again",
    "spoolconv": "give the command again: what was converted is not converted twice",
    "qselect": "try again",
    "qstat": "try again",
    "qsub": "the request may or may not have been accepted; look with qstat",
    "qwait": "the request is not touched; look with qstat",
}


def advice(asked):
    """What to do when there was no answer to the last of `asked`, see `_ask`."""
    return _ADVICE.get(asked[-1], _ADVICE_LOOK)


def _run(table, root, asked, read):
    """`asked` gets the command as soon as the daemon may have heard of it."""
    _open_standard_descriptors()
    command = table[0]
    argv = sys.argv[1:]
    values, operands = options.parse(table, argv)
    if "help" in values:
        from jcq.help import text

        _write(1, text(table).encode(), command)
        return 0
    limit_s = _limit_s(values)
    there = site.locate(os.environ.get("NQS_SITE"), site.root_directory(os.environ, root))
    parts = [b"verb=" + command.encode()]
    parts += [b"arg=" + os.fsencode(word) for word in argv]
    parts += [
        b"cwd=" + _directory(command),
        b"umask=%o" % _umask(),
        b"tz=" + os.environb.get(b"TZ", b""),
        b"host=" + os.fsencode(site.host_name()),
    ]
    to_delete: list = []
    if command == "qsub":
        operand = operands[0] if operands else "-"
        if "delete" in values:
            to_delete = [operand, _plain_file(operand)]
        script, name = _read_script(operand)
        parts += [b"script-name=" + name, b"script=" + script]
        parts += _environment("export" in values or _may_export(script))
        parts.append(b"token=" + os.urandom(16).hex().encode())
    if "watch" in values:
        return _watch(command, there, parts, asked, limit_s)
    return _ask_until_answered(command, there, parts, _Printed(), limit_s, asked, to_delete, read)


def _limit_s(values):
    """How long to wait for a site that should be running. Raises UsageError for a bad NQS_TIMEOUT."""
    told = os.environ.get("NQS_TIMEOUT")
    limit_s = options.bounded("NQS_TIMEOUT", told, options.TIMEOUT[3]) if told else TIMEOUT_S
    return values.get("timeout", limit_s)


def _watch(command, there, parts, asked, limit_s):
    """Ask again and again, until interrupted, which is its ordinary end; a terminal is cleared before each answer."""
    from time import sleep

    clear = b"\033[H\033[J" if os.isatty(1) else b""
    try:
        while True:
            answer = _Collected()
            # What was asked stays in `asked`: from the second time on, a gap may be a restart.
            _ask_until_answered(command, there, parts, answer, limit_s, asked)
            _write(1, clear + answer.said[1], command)
            _write(2, answer.said[2], command)
            sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return 0


def call(command, there, words, script=b"", limit_s=None):
    """Ask once and collect the answer, for a command that prints by itself (qmgr, spoolconv).

    Args:
        command: the verb.
        there: the `jcq.site.Site`.
        words: its arguments, text.
        script: bytes that go with them.
        limit_s: how long to wait for a site that should be running; None: NQS_TIMEOUT, else `TIMEOUT_S`.
    Returns:
        (exit code, text for standard output, text for standard error).
    Raises:
        SiteNotRunning, NotServed, NoAnswer: it could not be asked, or did not answer. UsageError: a bad NQS_TIMEOUT.
    """
    code, out, err = call_for_bytes(command, there, words, script, limit_s)
    return code, out.decode(errors="replace"), err.decode(errors="replace")


def call_for_bytes(command, there, words, script=b"", limit_s=None):
    """As `call`, with the answer's bytes as they came."""
    collected = _Collected()
    if limit_s is None:
        limit_s = _limit_s({})
    parts = [b"verb=" + command.encode(), *[b"arg=" + os.fsencode(word) for word in words]]
    parts += [b"cwd=/", b"umask=%o" % _umask(), b"host=" + os.fsencode(site.host_name())]
    if script:
        parts.append(b"script=" + script)
    code = _ask_until_answered(command, there, parts, collected, limit_s, [])
    return code, collected.said[1], collected.said[2]


def _open_standard_descriptors():
    """Where the caller closed 0, 1 or 2, the socket would become one of them and the answer go back to the daemon."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_RDWR)


# --- what is sent ----------------------------------------------------------------------------


def _directory(command):
    try:
        return os.getcwdb()
    except OSError as error:
        if command == "qsub":
            raise UsageError(
                reason=f"the current directory cannot be named ({error.strerror}); change to one that exists"
            ) from None
        return b"/"


def _umask():
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _read_script(operand):
    """(its bytes, the last part of its name or STDIN); bounded before anything is sent."""
    name = b"STDIN" if operand == "-" else os.path.basename(os.fsencode(operand))
    shown = "standard input" if operand == "-" else repr(operand)
    try:
        fd = 0 if operand == "-" else os.open(operand, os.O_RDONLY | os.O_CLOEXEC)
        try:
            script = _read(fd, shown)
        finally:
            if fd:
                os.close(fd)
    except OSError as error:
        raise UsageError(reason=f"cannot read the script from {shown}: {error.strerror}") from None
    if not script:
        raise UsageError(reason=f"the script from {shown} is empty; nothing was submitted")
    return script, name


def _read(fd, shown):
    pieces = []
    size = 0
    while piece := os.read(fd, 1 << 20):
        size += len(piece)
        if size > SCRIPT_BYTES_MAX:
            raise UsageError(reason=f"the script from {shown} is larger than {SCRIPT_BYTES_MAX >> 20} MiB")
        pieces.append(piece)
    return b"".join(pieces)


def _plain_file(operand):
    """What `_delete` must find unchanged; refuses what is not one plain file, such as /dev/stdin, before it is read."""
    if operand == "-":
        raise UsageError(reason="-d: a script from standard input is no file that can be deleted; leave out -d")
    try:
        before = _look(operand)
    except OSError as error:
        raise UsageError(reason=f"cannot read the script from {operand!r}: {error.strerror}") from None
    if before[0] & 0o170000 != 0o100000:
        raise UsageError(reason=f"-d deletes plain files only, and {operand!r} is none; leave out -d")
    return before


def _look(path):
    found = os.lstat(path)
    return found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _delete(operand, before):
    """Delete the script of a request that was accepted; what cannot be deleted is a warning, for it was accepted."""
    try:
        if _look(operand) == before:
            os.unlink(operand)
            return
        reason = "it was changed after it had been read"
    except OSError as error:
        reason = error.strerror or "it is gone"
    _fail(f"qsub: warning: the script {operand!r} was not deleted: {reason}", 0)


def _may_export(script):
    """Whether the script could hold `-x` in a directive; the daemon, which reads directives, knows it for sure."""
    return b"-x" in script and (b"@$" in script or b"QSUB" in script)


def _environment(whole):
    names = os.environb if whole else [name.encode() for name in ALWAYS_SENT]
    return [b"env=%b=%b" % (name, os.environb[name]) for name in names if name in os.environb]


# --- asking ----------------------------------------------------------------------------------


class _Printed:
    """Prints an answer as it comes; where that is repeated word for word, only what is new."""

    def __init__(self):
        self._printed = {1: 0, 2: 0}
        self._to_skip = {1: 0, 2: 0}

    def __call__(self, fd, text, command):
        skipped = min(len(text), self._to_skip[fd])
        self._to_skip[fd] -= skipped
        self._printed[fd] += len(text) - skipped
        _write(fd, text[skipped:], command)

    def begin_again(self, same):
        """Whether an answer may come once more; `same`: it begins with what was printed."""
        self._to_skip = dict(self._printed)
        return same or not any(self._printed.values())


class _Collected:
    """Keeps an answer."""

    def __init__(self):
        self.said = {1: b"", 2: b""}

    def __call__(self, fd, text, _command):
        self.said[fd] += text

    def begin_again(self, same):
        """As `_Printed.begin_again`: nothing was printed."""
        self.said = {1: b"", 2: b""}
        return True


def _ask_until_answered(command, there, parts, answer, limit_s, asked, to_delete=(), read=None):
    """As `_ask`, but wait for a site that is being started or moved, and repeat what is safe to repeat.

    `answer` takes the answer, a `_Printed` or `_Collected`; `limit_s` is how long one gap may last.
    """
    patience = lost = None
    failure: JcqError
    while True:
        try:
            code = _ask(command, there, parts, answer, asked, to_delete, read)
            if not (command == "qcat" and code == NOT_NOW_CODE and parts[-1] == b"again=1"):
                return code
            from time import sleep

            sleep(_NOT_NOW_PAUSE_S)
            continue
        except SiteNotRunning as error:
            if command in _NEVER_WAITS:
                raise
            failure = error
        except AnswerLost as error:
            failure = lost = error
            if not (command == "qsub" or command in _ONLY_LOOKS) or not answer.begin_again(command == "qsub"):
                raise
        if patience is None:
            from jcq.patience import Patience

            patience = Patience(there, limit_s)
        if asked and parts[-1] != b"again=1":
            parts = [*parts, b"again=1"]
        may_have_changed = lost if command not in _ONLY_LOOKS else None
        patience.wait(may_have_changed or failure, bool(asked), advice(asked) if asked else "")


def _ask(command, there, parts, write, asked, to_delete=(), read=None):
    """Send one request, hand each part of the answer to `write(1 or 2, bytes, command)`; returns the exit code.

    `asked` gets what `_ADVICE` is to be looked up by; `to_delete` holds the arguments of `_delete`, which is called
    when a submission was accepted, and is emptied then; `read` reads the answer.
    """
    connection = _connect(there)
    try:
        asked.append(command)
        if command == "qwait":
            _limit_silence(connection, 0)
        try:
            connection.sendall(netstring(b"".join([netstring(part) for part in parts])))
        except (BrokenPipeError, ConnectionResetError):
            # The daemon refused it before it had read all; why stands in its answer.
            pass
        except BlockingIOError:
            raise NoAnswer(site=_shown(there), advice=f"it took nothing for {ANSWER_TIMEOUT_S} s; try again") from None
        return (read or _read_answer)(command, there, connection, write, asked, to_delete)
    finally:
        connection.close()


def _connect(there):
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    _limit_silence(connection, ANSWER_TIMEOUT_S)
    borrowed = -1
    try:
        path, borrowed = site.socket_path(there.api_socket)
        connection.connect(path)
    except PermissionError:
        connection.close()
        raise NotServed(
            reason=f"no permission to reach site {_shown(there)}; every directory above {there.run} must be searchable"
        ) from None
    except BlockingIOError:
        connection.close()
        raise NoAnswer(site=_shown(there), advice="too many commands are waiting for it; try again later") from None
    except OSError:
        connection.close()
        raise SiteNotRunning(site=_shown(there)) from None
    finally:
        if borrowed >= 0:
            os.close(borrowed)
    return connection


def _limit_silence(connection, limit_s):
    """Let the kernel end a wait after `limit_s` seconds (0: never); Python's own time-outs fail on a full backlog."""
    import _socket

    word = 8 if sys.maxsize > 1 << 32 else 4
    timeval = limit_s.to_bytes(word, sys.byteorder) + bytes(word)
    connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, timeval)
    connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, timeval)


def _read_answer(command, there, connection, write, asked, to_delete):
    decoder = Decoder(ANSWER_BYTES_MAX)
    while True:
        try:
            data = connection.recv(1 << 18)
        except BlockingIOError:
            raise NoAnswer(
                site=_shown(there), advice=f"it was silent for {ANSWER_TIMEOUT_S} s; {advice(asked)}"
            ) from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise AnswerLost(site=_shown(there), advice=advice(asked))
        for part in decoder.feed(data):
            kind, text = part[:1], part[1:]
            if kind == b"x":
                return int(text)
            if kind == b"a":
                # From here on it waits as qwait does.
                asked.append("qwait")
                _limit_silence(connection, 0)
                if to_delete:
                    _delete(*to_delete)
                    to_delete.clear()
                continue
            write(2 if kind == b"e" else 1, text, command)


def _shown(there):
    return there.name or there.directory


# --- printing --------------------------------------------------------------------------------


def _write(fd, text, command):
    """Write bytes; a reader that has gone (`qstat | head`) is no error."""
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        pass
    except OSError as error:
        if fd == 1:
            raise NotServed(reason=f"cannot write to standard output: {error.strerror}") from None


def _fail(line, code):
    try:
        os.write(2, line.encode("utf-8", "surrogateescape") + b"\n")
    except OSError:
        pass
    return code

"""The users' side of qsub, qstat, qdel and qwait: ask the site's nqsdaemon, print its answer.

The daemon parses, checks and formats; this only refuses bad usage, reads the script and carries
words. A command must start about as fast as the bare interpreter, so what is imported here, and
by what is imported, is `os`, `sys`, built-in modules and the named parts of jcq, nothing else
(tests/unit/test_hot_path_imports.py).
"""

import os
import sys

from jcq import options, site
from jcq.errors import JcqError, NoAnswer, NotServed, SiteNotRunning, SiteUnknown, UsageError
from jcq.frames import Decoder, netstring

#: As jcq.model.request.SCRIPT_BYTES_MAX, which is too slow to import here; a test compares them.
SCRIPT_BYTES_MAX = 16 * 1024 * 1024
#: How long a daemon that is alive may be silent; qwait waits as long as its request does.
ANSWER_TIMEOUT_S = 120
#: Longest part of an answer that is accepted, in bytes: qstat of 100,000 requests has 10 MB.
ANSWER_BYTES_MAX = 900_000_000
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
    there = site.locate(os.environ.get("NQS_SITE"), site.root_directory(os.environ, root))
    parts = [b"verb=" + command.encode()]
    parts += [b"arg=" + os.fsencode(word) for word in argv]
    parts += [
        b"cwd=" + _directory(command),
        b"umask=%o" % _umask(),
        b"tz=" + os.environb.get(b"TZ", b""),
        b"host=" + os.fsencode(site.host_name()),
    ]
    to_delete: tuple = ()
    if command == "qsub":
        operand = operands[0] if operands else "-"
        if "delete" in values:
            to_delete = (operand, _plain_file(operand))
        script, name = _read_script(operand)
        parts += [b"script-name=" + name, b"script=" + script]
        parts += _environment("export" in values or _may_export(script))
    if "watch" in values:
        return _watch(command, there, parts)
    return _ask(command, there, parts, _write, asked, to_delete, read)


def _watch(command, there, parts):
    """Ask again and again, until interrupted, which is its ordinary end; a terminal is cleared before each answer."""
    from time import sleep

    clear = b"\033[H\033[J" if os.isatty(1) else b""
    try:
        while True:
            collected = {1: clear, 2: b""}
            _ask(command, there, parts, _collector(collected))
            for fd in (1, 2):
                _write(fd, collected[fd], command)
            sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return 0


def call(command, there, words, script=b""):
    """Ask once and collect the answer, for a command that prints by itself (qmgr, spoolconv).

    Args:
        command: the verb.
        there: the `jcq.site.Site`.
        words: its arguments, text.
        script: bytes that go with them.
    Returns:
        (exit code, text for standard output, text for standard error).
    Raises:
        SiteNotRunning, NotServed, NoAnswer: it could not be asked, or did not answer.
    """
    code, out, err = call_for_bytes(command, there, words, script)
    return code, out.decode(errors="replace"), err.decode(errors="replace")


def call_for_bytes(command, there, words, script=b""):
    """As `call`, with the answer's bytes as they came."""
    collected = {1: b"", 2: b""}
    parts = [b"verb=" + command.encode(), *[b"arg=" + os.fsencode(word) for word in words]]
    parts += [b"cwd=/", b"umask=%o" % _umask(), b"host=" + os.fsencode(site.host_name())]
    if script:
        parts.append(b"script=" + script)
    code = _ask(command, there, parts, _collector(collected))
    return code, collected[1], collected[2]


def _collector(collected):
    """What takes the place of `_write`: keeps what was answered in `collected[1]` and `collected[2]`."""

    def collect(fd, text, _command):
        collected[fd] += text

    return collect


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


def _ask(command, there, parts, write, asked=None, to_delete=(), read=None):
    """Send one request, hand each part of the answer to `write(1 or 2, bytes, command)`; returns the exit code.

    `asked` gets what `_ADVICE` is to be looked up by; `to_delete` holds the arguments of `_delete`, which is called
    when a submission was accepted; `read` reads the answer.
    """
    asked = [] if asked is None else asked
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
            raise NoAnswer(site=_shown(there), advice=advice(asked))
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

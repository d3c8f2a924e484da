"""The users' side of qsub, qstat, qdel and qwait: from their arguments to their exit code.

The daemon parses, checks and formats; this only refuses bad usage and carries words (`jcq.asking`), and qsub's
script (`jcq.qsub_script`). A command must start about as fast as the bare interpreter, so what is imported here, and
by what is imported, is `os`, `sys`, built-in modules and the named parts of jcq, nothing else
(tests/unit/test_hot_path_imports.py).
"""

import os
import sys

from jcq import options, site
from jcq.asking import Collected, Printed, advice, complain, print_bytes, until_answered
from jcq.errors import JcqError, SiteUnknown, UsageError

#: How long a command waits for a site that should be running, without --timeout and NQS_TIMEOUT.
TIMEOUT_S = 60
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
        read: what reads the answer, called as `jcq.asking.read_answer` is, which is the default.
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


def _fail(line, code):
    complain(line)
    return code


def leave(code):
    """End the process at once with `code`: nothing is buffered, and taking down the interpreter costs 2 ms."""
    os._exit(code)


def _run(table, root, asked, read):
    """`asked` gets the command as soon as the daemon may have heard of it."""
    _open_standard_descriptors()
    command = table[0]
    argv = sys.argv[1:]
    values, operands = options.parse(table, argv)
    if "help" in values:
        from jcq.help import text

        print_bytes(1, text(table).encode())
        return 0
    option_s = values.get("timeout")
    limit_s = _limit_s(option_s)
    there = locate(root, option_s, waits=command == "qwait" or "follow" in values or "watch" in values)
    parts = [b"verb=" + command.encode()]
    parts += [b"arg=" + os.fsencode(word) for word in argv]
    parts += [
        b"cwd=" + _directory(command),
        b"umask=%o" % _umask(),
        b"tz=" + os.environb.get(b"TZ", b""),
        b"host=" + os.fsencode(site.host_name()),
    ]
    accepted = None
    if command == "qsub":
        from jcq import qsub_script

        operand = operands[0] if operands else "-"
        if "delete" in values:
            accepted = qsub_script.Deletion(operand)
        script, name = qsub_script.read(operand)
        parts += [b"script-name=" + name, b"script=" + script]
        parts += _environment("export" in values or qsub_script.may_export(script))
        parts.append(b"token=" + os.urandom(16).hex().encode())
    if "watch" in values:
        return _watch(command, there, parts, asked, limit_s)
    return until_answered(command, there, parts, Printed(), limit_s, asked, accepted, read)


def locate(root, option_s=None, waits=False):
    """Find the site that NQS_SITE names; where its disk is not here, some commands wait for it.

    Manual 2.5.2 has an error for a site that is not on this machine. That commands wait on the node that is to take
    the site over is our own choice, for those that wait for something anyway, and those that were told how long.

    Args:
        root: the root that an installed command carries, or None.
        option_s: the limit of --timeout, or None.
        waits: whether this command waits for something anyway.
    Returns:
        The `jcq.site.Site`.
    Raises:
        SiteUnknown: there is no such site here. SiteAway: it was waited for. UsageError: a bad NQS_TIMEOUT.
    """
    limit_s = _limit_s(option_s, TIMEOUT_S if waits else None)
    name, root = os.environ.get("NQS_SITE"), site.root_directory(os.environ, root)
    try:
        return site.locate(name, root)
    except SiteUnknown:
        if limit_s is None:
            raise
        from jcq.patience import for_its_disk

        for_its_disk(site.named(name, root), limit_s)
        return site.locate(name, root)


def _limit_s(option_s, otherwise=TIMEOUT_S):
    """--timeout, else NQS_TIMEOUT, else `otherwise`. Raises UsageError for a bad NQS_TIMEOUT."""
    told = os.environ.get("NQS_TIMEOUT")
    limit_s = options.bounded("NQS_TIMEOUT", told, options.TIMEOUT[3]) if told else otherwise
    return limit_s if option_s is None else option_s


def _watch(command, there, parts, asked, limit_s):
    """Ask again and again, until interrupted, which is its ordinary end; a terminal is cleared before each answer."""
    from time import sleep

    clear = b"\033[H\033[J" if os.isatty(1) else b""
    try:
        while True:
            answer = Collected()
            # What was asked stays in `asked`: from the second time on, a gap may be a restart.
            until_answered(command, there, parts, answer, limit_s, asked)
            print_bytes(1, clear + answer.said[1])
            print_bytes(2, answer.said[2])
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
    collected = Collected()
    limit_s = _limit_s(limit_s)
    parts = [b"verb=" + command.encode(), *[b"arg=" + os.fsencode(word) for word in words]]
    parts += [b"cwd=/", b"umask=%o" % _umask(), b"host=" + os.fsencode(site.host_name())]
    if script:
        parts.append(b"script=" + script)
    code = until_answered(command, there, parts, collected, limit_s, [])
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


def _environment(whole):
    names = os.environb if whole else [name.encode() for name in ALWAYS_SENT]
    return [b"env=%b=%b" % (name, os.environb[name]) for name in names if name in os.environb]

"""Running a function in a process of its own that stays when this one returns: `cjcpw -c` and nqsstart.

The new process tells this one by a pipe when all is up, or why it is not.
"""

import os
import signal

from jcq.errors import DetachedFailed, JcqError

_UP = b"up"


def run_detached(function):
    """Fork; the child runs `function(announce)`, this process waits until it calls `announce()`.

    Args:
        function: runs in the child, in a session of its own, with /dev/null for standard input and output; its
            standard error is this process's until it announces.
    Raises:
        DetachedFailed: it ended before, with its words and its exit code.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _run_and_exit(function, writer)
    os.close(writer)
    with open(reader, "rb") as told:
        said = told.read()
    if said == _UP:
        return
    _, status = os.waitpid(pid, 0)
    code, _, text = said.decode("utf-8", "replace").partition(" ")
    failure = DetachedFailed(reason=text or f"it ended unasked (wait status {status})")
    failure.exit_code = int(code) if code.isdigit() else 1
    raise failure


def _run_and_exit(function, writer):
    """In the child: never return."""

    def announce():
        _be_silent(2)
        os.write(writer, _UP)
        os.close(writer)

    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _be_silent(0, 1)
        function(announce)
        code = 0
    except Exception as error:
        code = getattr(error, "exit_code", 1)
        words = str(error) if isinstance(error, JcqError | OSError) else f"internal error: {error!r}"
        try:
            os.write(writer, f"{code} {words}".encode())
        except OSError:
            pass  # it was up before; its log says what happened
    finally:
        os._exit(code)


def _be_silent(*fds):
    null = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(null, fd)
    os.close(null)

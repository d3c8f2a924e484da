"""Running a function in a process of its own that stays when this one returns: `cjcpw -c` and nqsstart.

The new process tells this one by a pipe when all is up, or why it is not.
"""

import os
import signal

from jcq.cluster.errors import DetachedFailed
from jcq.errors import JcqError
from jcq.process import be_silent

_UP = b"up"
#: What a pipe takes in one piece.
_MESSAGE_BYTES_MAX = 4096


def run_detached(function, forked=None):
    """Fork; the child runs `function(announce)`, this process waits until it calls `announce()`.

    Args:
        function: runs in the child, in a session of its own, with /dev/null for standard input and output; its
            standard error is this process's until it announces.
        forked: called here with the child's pid.
    Raises:
        DetachedFailed: it ended before, with its words and its exit code.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _run_and_exit(function, writer)
    os.close(writer)
    if forked:
        forked(pid)
    # One message, written in one piece. Not to the end: what the child forks keeps the pipe open.
    said = os.read(reader, _MESSAGE_BYTES_MAX)
    os.close(reader)
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
        be_silent(2)
        os.write(writer, _UP)
        os.close(writer)

    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        be_silent(0, 1)
        function(announce)
        code = 0
    except Exception as error:
        code = getattr(error, "exit_code", 1)
        words = str(error) if isinstance(error, JcqError | OSError) else f"internal error: {error!r}"
        try:
            os.write(writer, f"{code} {words}".encode()[:_MESSAGE_BYTES_MAX])
        except OSError:
            pass  # it was up before; its log says what happened
    finally:
        os._exit(code)

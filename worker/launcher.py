"""The launcher of jobs: a small process that forks slot shepherds for the worker and kills what a dead one leaves.

Started by `worker.launcher_client` as `python -I -S launcher.py SOCKET_FD PAGE_FD`, it never imports redis or rq, so
that a shepherd, which is a fork of it, has 2 MB and not 30. It has no thread, and ends when the worker's socket does.

    ("new",) from the worker    a fork; answered by ("shepherd", pid) with the worker's end of the shepherd's socket,
                                or by ("refused", reason)
    ("lost", pid, wait_status)  to the worker: a shepherd ended unasked, and what it left is gone
"""

import os
import sys

if __name__ == "__main__":
    # -I -S: neither the script's directory nor site-packages is searched. Last, so that it hides no module of Python.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import _socket
import contextlib
import gc
import select
import signal

from jcq import process
from jcq.site_page import Fence, SitePage
from worker import messages, shepherd
from worker.spawn import IDLE_DIRECTORY

#: After the worker's end: how long to go on killing. A process in D state outlives SIGKILL.
_LAST_KILL_S = 10.0
_PAUSE_MIN_S = 0.001
_PAUSE_MAX_S = 0.25
_SIGNALS_READ_BYTES = 4096
_STDERR_FD = 2


class _Launcher:
    def __init__(self, sock, fence, children_fd, null_fd):
        self._sock = sock
        self._fence = fence
        self._children_fd = children_fd
        self._null_fd = null_fd
        self._pid = os.getpid()
        self._shepherds = set()
        #: (pid, wait status) of shepherds whose leftovers are being killed.
        self._lost = []
        self._pause_s = _PAUSE_MIN_S

    def serve(self):
        """Until the worker is gone."""
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        poll.register(self._children_fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll(self._patience_ms()):
                if fd == self._children_fd:
                    os.read(fd, _SIGNALS_READ_BYTES)
                    process.reap(self._ended)
                else:
                    message = messages.receive(self._sock)
                    if message is None:
                        return
                    if message[0] != "new":
                        raise ValueError(f"message {message[0]!r}")
                    self._fork()
            if self._lost:
                self._clean()

    def _patience_ms(self):
        if not self._lost:
            return None
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, _PAUSE_MAX_S)
        return pause_s * 1000

    def _fork(self):
        ours, theirs = messages.pair()
        with_fd = ours.fileno()
        try:
            pid = os.fork()
        except OSError as error:
            messages.send(self._sock, ("refused", error.strerror))
            pid = -1
        if pid == 0:
            ours.close()
            self._sock.close()
            _shepherd_and_exit(theirs, self._fence, self._children_fd, self._null_fd)
        theirs.close()
        if pid > 0:
            self._shepherds.add(pid)
            messages.send_with_fd(self._sock, ("shepherd", pid), with_fd)
        ours.close()

    def _ended(self, pid, status, _usage):
        """A child has ended: a shepherd, or something that a dead one left."""
        if pid in self._shepherds:
            self._shepherds.discard(pid)
            if status != 0:
                self._lost.append((pid, status))
                self._pause_s = _PAUSE_MIN_S

    def _clean(self):
        """Kill what was adopted from dead shepherds; report them when nothing of it is left."""
        left = [pid for pid in process.children(self._pid) if pid not in self._shepherds]
        if left:
            process.signal_descendants(left, signal.SIGKILL)
            return
        while self._lost:
            messages.send(self._sock, ("lost", *self._lost.pop(0)))


def _shepherd_and_exit(sock, fence, children_fd, null_fd):
    """In the fork: never return to the launcher's loop, whatever happens."""
    code = 1
    try:
        code = shepherd.serve(sock, fence, children_fd, null_fd)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _close_all_but(kept_fds):
    """Whatever the worker's starters let it inherit, a lock of the site perhaps, must reach no job."""
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > _STDERR_FD and int(entry) not in kept_fds:
            with contextlib.suppress(OSError):  # the descriptor that listed them is gone
                os.close(int(entry))


def main(argv):
    """Entry of the process.

    Args:
        argv: descriptors of the socket to the worker, and of the site's page.
    Returns:
        0 when nothing is left, else 1.
    """
    if len(argv) != 2 or not all(word.isdigit() for word in argv):
        print("launcher: the worker starts this; usage: launcher.py SOCKET_FD PAGE_FD", file=sys.stderr)
        return 2
    sock_fd, page_fd = map(int, argv)
    _close_all_but((sock_fd, page_fd))
    sock = _socket.socket(fileno=sock_fd)
    fence = Fence(SitePage.open(page_fd))
    os.set_inheritable(sock.fileno(), False)
    process.set_comm("jcq-launcher")
    process.become_subreaper()
    process.drop_ambient_capabilities()
    children_fd = process.child_signals()
    null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.chdir(IDLE_DIRECTORY)
    # What is never collected is never written to, and stays shared with the shepherds.
    gc.collect()
    gc.freeze()
    try:
        _Launcher(sock, fence, children_fd, null_fd).serve()
    except BrokenPipeError:
        pass  # the worker went while it was told something
    return 1 if process.kill_descendants(_LAST_KILL_S) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

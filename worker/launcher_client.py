"""The worker's side of the launcher of jobs and of its slot shepherds: sockets for an event loop, never blocking."""

import os
import select
import signal
import socket
import sys

from worker import messages
from worker.errors import LauncherFailed, ShepherdGone

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")
_SOCKET_FD = 3
_PAGE_FD = 4
#: The numbers may be each other's in this process: one goes by way of a third, which nobody has.
_FREE_FD = 1000


class Shepherd:
    """One slot: a shepherd process that runs one job at a time. Messages and specs: see `worker.shepherd`."""

    __slots__ = ("_sock", "pid")

    def __init__(self, pid, sock):
        self.pid = pid
        self._sock = sock

    def fileno(self):
        """Readable when the shepherd says something, or has ended."""
        return self._sock.fileno()

    def run(self, spec):
        """Run a job; answered by `begun` and `ended`, or by `failed`."""
        self.send(("run", spec))

    def signal(self, signum):
        """Send a signal to every process of the running job; without one it does nothing."""
        self.send(("signal", int(signum)))

    def stop(self, grace_s):
        """Interrupt the running job or delivery; answered by `stopped`, also where nothing runs."""
        self.send(("stop", grace_s))

    def deliver(self, spec):
        """Deliver output; answered by `delivered`."""
        self.send(("deliver", spec))

    def quit(self):
        """End the shepherd; its socket reads None then, and no `lost` follows."""
        self.send(("quit",))

    def send(self, message):
        """Send a tuple.

        Raises:
            MessageTooLong: arguments and environment are too much.
            ShepherdGone: it has ended (`lost` follows), or has not read its messages for a long time.
        """
        try:
            messages.send(self._sock, message)
        except OSError as error:
            raise ShepherdGone(pid=self.pid, reason=error.strerror) from error

    def receive(self):
        """All messages that are there.

        Returns:
            A list of tuples, the last of which is None when the shepherd has ended: close it, and, unless it was
            told to quit, wait for the launcher's `lost` before anything of its job is taken for gone.
        """
        found = []
        while not found or found[-1] is not None:
            try:
                found.append(messages.receive(self._sock))
            except BlockingIOError:
                break
        return found

    def close(self):
        """Close the socket: a shepherd that still lives kills its job and ends."""
        self._sock.close()


class Launcher:
    """The launcher process and the socket to it. The worker must be a subreaper, should the launcher be killed.

    Args:
        page_fd: descriptor of the `SitePage`: shepherds look at it before they start or deliver something.
    """

    def __init__(self, page_fd):
        self.pid = -1
        self._page_fd = page_fd
        self._sock: socket.socket | None = None
        #: Orders that the launcher's socket had no room for.
        self._owed = 0

    def start(self):
        """Start the process.

        Raises:
            LauncherFailed: with the reason.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                # UTF-8 whatever the locale: names from the site database are kept so.
                self.pid = os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-I", "-S", "-X", "utf8", _PROGRAM, str(_SOCKET_FD), str(_PAGE_FD)],
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, theirs.fileno(), _FREE_FD),
                        (os.POSIX_SPAWN_DUP2, self._page_fd, _PAGE_FD),
                        (os.POSIX_SPAWN_DUP2, _FREE_FD, _SOCKET_FD),
                        (os.POSIX_SPAWN_CLOSE, _FREE_FD),
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_DUP2, 2, 1),
                    ],
                    setsid=True,
                    # Blocked from its first instruction on, as it keeps them: the worker alone decides when it ends.
                    setsigmask=signal.valid_signals(),
                    setsigdef=(signal.SIGCHLD,),
                )
            except OSError as error:
                ours.close()
                raise LauncherFailed(reason=f"{sys.executable}: {error.strerror}") from error
        ours.setblocking(False)
        self._sock = ours

    def fileno(self):
        """Readable when `read` has news; ValueError when it is closed."""
        if self._sock is None:
            raise ValueError("the launcher is closed")
        return self._sock.fileno()

    def request_shepherd(self):
        """Ask for one more slot shepherd; `read` will bring it.

        Raises:
            LauncherFailed: the launcher has ended.
        """
        self._owed += 1
        self._send_owed()

    def _send_owed(self):
        """Where the launcher has some hundred orders before it, the rest follow with the news that it then sends."""
        while self._owed:
            try:
                messages.send(self._sock, ("new",))
            except BlockingIOError:
                return
            except OSError as error:
                raise LauncherFailed(reason=error.strerror) from error
            self._owed -= 1

    def read(self):
        """All news that are there.

        Raises:
            LauncherFailed: it has ended while orders were owed to it.
        Returns:
            A list of tuples:
            ("shepherd", Shepherd)      as requested
            ("refused", reason)         no shepherd could be made
            ("lost", pid, wait_status)  a shepherd ended unasked, and what it left is gone
            ("gone",)                   the launcher itself has ended, and with it all shepherds: the worker has
                                        to kill what is now below it (`jcq.process.kill_descendants`)
        """
        found = []
        while True:
            try:
                message, fd = messages.receive_with_fd(self._sock)
            except BlockingIOError:
                break
            if message is None:
                found.append(("gone",))
                return found
            if message[0] == "shepherd":
                sock = socket.socket(fileno=fd)
                sock.setblocking(False)
                message = ("shepherd", Shepherd(message[1], sock))
            found.append(message)
        self._send_owed()
        return found

    def close(self):
        """Close the socket: the launcher kills everything below it and ends."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def stop(self, limit_s):
        """Close, and wait for the launcher's end.

        Args:
            limit_s: how long to wait, in seconds.
        Returns:
            Its exit code: 0 when nothing is left below it; None if it has not ended in time.
        Raises:
            ChildProcessError: somebody else has collected it.
        """
        self.close()
        pidfd = os.pidfd_open(self.pid)
        try:
            if not select.select([pidfd], [], [], limit_s)[0]:
                return None
        finally:
            os.close(pidfd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

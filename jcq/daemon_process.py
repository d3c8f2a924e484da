"""What nqsdaemon and the worker have in common as processes: options, locks, descriptors, readiness, stop signals."""

import argparse
import contextlib
import os
import resource
import signal
import socket


def daemon_options(program):
    """The options with which cjcpw starts a daemon."""
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    parser.add_argument("--root", required=True)
    parser.add_argument("--site", required=True, help="the site's directory")
    parser.add_argument("--epoch", required=True, type=int)
    parser.add_argument("--ready-fd", required=True, type=int)
    parser.add_argument("--lock-fds", default=[], type=_descriptors)
    parser.add_argument("--page-fd", required=True, type=int, help="the site's page, see jcq.site_page")
    return parser


def _descriptors(text):
    return [int(word) for word in text.split(",") if word]


def keep_locks_from_children(lock_fds):
    """The site's locks stay open here but reach no child: one leaked into a job would keep the site locked."""
    for fd in lock_fds:
        os.set_inheritable(fd, False)


def raise_descriptor_limit():
    """Raise the soft limit of open files to the hard one.

    Returns:
        The (soft, hard) pair before, which jobs get back.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def announce_ready(fd):
    """Tell whoever started us, on the descriptor it gave."""
    os.write(fd, b"ready\n")
    os.close(fd)


def last_words(text):
    """A line to standard error, which is a file on the site's disk; that it is full changes no exit code."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="surrogateescape"))


class StopSignal:
    """SIGTERM as something that a selector can wait for; SIGINT, SIGHUP and SIGPIPE are ignored."""

    def __init__(self):
        self.requested = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._note)
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def _note(self, _signum, _frame):
        self.requested = True

    def fileno(self):
        """Readable after a signal."""
        return self._reader.fileno()

    def drain(self):
        """Take the bytes that signals have left."""
        try:
            self._reader.recv(4096)
        except BlockingIOError:
            return

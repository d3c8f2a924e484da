"""The process that writes the heartbeat and cjcpw's log, and may hang with the disk, where cjcpw may not.

It reads the owner record before each heartbeat; where that names another run, the site is lost. What
it finds it leaves in the site's page. Killed with its parent. Source: design section 9.
"""

import logging
import os
import select
import signal
import time

from jcq.cluster import heartbeat, owner
from jcq.cluster.attendant import fork_attendant
from jcq.errors import DatabaseUnusable, Fenced
from jcq.journal import PipeHandler, append_lines
from jcq.site_page import now_ns

_READ_BYTES = 65536
#: What the log may take to be written at the end.
_LAST_WORDS_S = 2.0


class Heart:
    """cjcpw's side: the child, and the pipe of the log.

    Args:
        site: the `jcq.site.Site`.
        page: the `SitePage`; its limit gives the interval.
        run: name of this run, as in the owner record, which is on disk already.
        beat_fd: descriptor of the file in which the heartbeat stands.
        log: cjcpw's logger; from the start on its file is written by the child.
    """

    def __init__(self, site, page, run, beat_fd, log):
        self.pid = -1
        self._site, self._page, self._run, self._beat_fd, self._log = site, page, run, beat_fd, log
        self._pipe = -1
        self._pidfd = -1

    def start(self):
        """Fork the child, or a new one where the old one has ended. Raises OSError."""
        self._forget()
        reader, self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

        def serve():
            os.close(self._pipe)
            return _Beating(self._site, self._page, self._run, self._beat_fd, reader, self._log).serve()

        self.pid = fork_attendant("heart", self._site, serve)
        os.close(reader)
        self._pidfd = os.pidfd_open(self.pid)
        PipeHandler.put_into(self._log, self._pipe)

    def kill(self):
        """End it at once: the site is lost, and nothing more may be written."""
        try:
            if self._pidfd >= 0:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return

    def close(self):
        """Let it write the last lines of the log and end; it is killed where the disk hangs."""
        if self._pipe < 0:
            return
        os.close(self._pipe)
        self._pipe = -1
        if not select.select([self._pidfd], [], [], _LAST_WORDS_S)[0]:
            self.kill()
        self._forget()

    def _forget(self):
        for fd in (self._pipe, self._pidfd):
            if fd >= 0:
                os.close(fd)
        self._pipe = self._pidfd = -1


class _Beating:
    """The child."""

    def __init__(self, site, page, run, beat_fd, log_fd, log):
        self._site, self._page, self._run = site, page, run
        self._beat_fd, self._log_fd = beat_fd, log_fd
        self._file = next((h for h in log.handlers if isinstance(h, logging.FileHandler)), None)
        self._limit_s = page.limit_ns / 1e9
        self._counter = 0
        self._next_s = time.monotonic()
        self._beating = True

    def serve(self):
        """Until the pipe of the log is closed, or the site is lost; returns the exit code."""
        while True:
            pause_s = max(0.0, self._next_s - time.monotonic()) if self._beating else None
            if select.select([self._log_fd], [], [], pause_s)[0]:
                lines = os.read(self._log_fd, _READ_BYTES)
                if not lines:
                    return 0
                append_lines(self._file, lines)
            if self._beating and time.monotonic() >= self._next_s:
                self._next_s = time.monotonic() + self._limit_s / heartbeat.BEATS_PER_LIMIT
                if self._beat() == Fenced.exit_code:
                    return Fenced.exit_code

    def _beat(self):
        begun_ns = now_ns()
        try:
            record = owner.read(self._site)
            if record.run != self._run:
                self._page.lost = 1
                return Fenced.exit_code
            if record.state == owner.RELEASED:
                self._beating = False
                return 0
            self._counter += 1
            heartbeat.write(self._beat_fd, heartbeat.Beat(self._run, self._counter, self._limit_s))
            space = os.statvfs(self._site.database)
        except (OSError, DatabaseUnusable):
            # No heartbeat: the site ends itself at the limit, unless a later one succeeds.
            return 0
        self._page.free_bytes = space.f_bavail * space.f_frsize
        self._page.beat_ns = begun_ns
        return 0

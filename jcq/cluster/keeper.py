"""The process that watches the space on the site's disk for cjcpw, and keeps the reserve (`jcq.cluster.space`).

It touches the disk, and may hang where cjcpw may not. What it finds it leaves in the site's page; what
an operator should know it tells cjcpw, which has the log. Killed with its parent.
"""

import os
import select
import selectors
import signal
import socket
import time

from jcq.cluster.attendant import fork_attendant
from jcq.cluster.epoch import DATA
from jcq.cluster.space import FULL, Reserve, decide, marks, pause_s, says_full
from jcq.jcdbs import server

_MESSAGE_BYTES = 4096
#: cjcpw waits so long for an answer about the end of jcdbs; a disk that hangs gives none.
_ANSWER_LIMIT_S = 1.0
_END_LIMIT_S = 1.0
#: The worker suspends who fills the disk before the reserve is freed for them too; it is not waited for any longer.
_CALM_LIMIT_S = 1.5
#: After the reserve could not be made again, although there seemed to be space.
_MAKE_AGAIN_S = 5.0
#: The log of a server that was started again and again on a full disk must not be what fills it.
_LOG_BYTES_MAX = 256 * 1024


class Keeper:
    """cjcpw's side: the child, and the socket to it.

    Args:
        site: the `jcq.site.Site`.
        page: the `SitePage`.
        log: cjcpw's logger.
        selector: where the socket is registered, with a function of the socket as its data.
    """

    def __init__(self, site, page, log, selector):
        self.pid = -1
        self._site, self._page, self._log, self._selector = site, page, log, selector
        self._sock: socket.socket | None = None
        self._answers = []

    def start(self):
        """Fork the child, or a new one where the old one has ended. Raises OSError."""
        self._forget()
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def serve():
            _close_all_but(theirs.fileno())
            return _Keeping(self._site, self._page, theirs).serve()

        self.pid = fork_attendant("keeper", self._site, serve)
        theirs.close()
        self._sock.setblocking(False)
        self._selector.register(self._sock, selectors.EVENT_READ, lambda _sock: self._hear())

    def jcdbs_ended_full(self, epoch):
        """Ask why jcdbs has ended: True where the disk is full.

        The child then makes what room there is. It knows only where the disk answers it within a second.
        """
        self._answers.clear()
        self._tell(f"ended {epoch}")
        deadline = time.monotonic() + _ANSWER_LIMIT_S
        while not self._answers and self._sock is not None and time.monotonic() < deadline:
            if select.select([self._sock], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self._hear()
        return bool(self._page.short) if not self._answers else self._answers[0] == "full"

    def jcdbs_answers(self):
        """Say that jcdbs answers again."""
        self._tell("answers")

    def close(self):
        """Let the child end; it is killed where the disk hangs."""
        if self._sock is None:
            return
        self._forget()
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if not select.select([pidfd], [], [], _END_LIMIT_S)[0]:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)

    def _tell(self, text):
        try:
            if self._sock is not None:
                self._sock.send(text.encode())
        except OSError:
            return

    def _hear(self):
        assert self._sock is not None
        try:
            text = self._sock.recv(_MESSAGE_BYTES).decode()
        except BlockingIOError:
            return
        except OSError:
            text = ""
        if not text:
            self._forget()
        elif text.startswith("say "):
            self._log.warning("site %s: %s", self._site.name, text.removeprefix("say "))
        else:
            self._answers.append(text)

    def _forget(self):
        if self._sock is not None:
            self._selector.unregister(self._sock)
            self._sock.close()
            self._sock = None


def _close_all_but(kept_fd):
    """Connections and pipes of cjcpw would not end for their other side as long as they are open here."""
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) != kept_fd:
            try:
                os.close(int(entry))
            except OSError:
                continue


class _Keeping:
    """The child."""

    def __init__(self, site, page, sock):
        self._site, self._page, self._sock = site, page, sock
        self._reserve = Reserve(site)
        self._database_ended = False
        self._short_since = time.monotonic()
        self._make_at = 0.0
        self._last = None
        self._last_s = 0.0
        self._used_per_s = 0.0
        self._warned = False

    def serve(self):
        """Until cjcpw hangs up; returns the exit code."""
        limit_s = 0.0
        while True:
            if select.select([self._sock], [], [], limit_s)[0]:
                words = self._sock.recv(_MESSAGE_BYTES).decode().split()
                if not words:
                    return 0
                if words[0] == "ended":
                    self._judge_end(int(words[1]))
                else:
                    self._database_ended = False
            try:
                limit_s = self._watch()
            except OSError as error:
                self._say(f"the space on the disk cannot be watched: {error}")
                limit_s = _MAKE_AGAIN_S

    def _judge_end(self, epoch):
        """jcdbs has ended; for want of space?"""
        directory = server.epoch_directory(self._site, epoch)
        try:
            look = self._reserve.look()
            full = look.free < marks(look.total).low or says_full(os.path.join(directory, "jcdbs.log"))
            if full:
                self._database_ended = True
                self._go_short(look)
                _clean(directory)
        except OSError as error:
            self._say(f"the end of jcdbs: {error}")
            full = bool(self._page.short)
        self._sock.send(b"full" if full else b"other")

    def _watch(self):
        """One look, and what follows; returns how long until the next."""
        look = self._reserve.look(self._database_ended)
        self._measure(look)
        decision = decide(bool(self._page.short), look)
        if decision.short and not self._page.short:
            self._go_short(look)
        if decision.free_reserve and self._calm() and self._reserve.free():
            self._say("the reserve is freed, so that what ends can be recorded")
        if decision.make_reserve:
            self._make(look)
        elif not decision.short and self._page.short:
            self._end_short(look)
        return pause_s(bool(self._page.short), look, self._used_per_s)

    def _measure(self, look):
        """Note free space and how fast it goes."""
        now = time.monotonic()
        if self._last is not None and now > self._last_s:
            rate = max(0.0, (self._last.free - look.free) / (now - self._last_s))
            # The worst of late, forgotten by and by.
            self._used_per_s = max(rate, self._used_per_s * 0.9)
        self._last, self._last_s = look, now
        self._page.low_bytes = marks(look.total).low
        self._page.free_bytes = look.free

    def _go_short(self, look):
        self._page.free_bytes = look.free
        if self._page.short:
            return
        self._page.short = 1
        self._short_since = time.monotonic()
        self._say(
            f"the disk is short of space, {look.free >> 10} KiB are free in {self._site.database}: nothing is "
            "submitted or started until there is space again"
        )

    def _calm(self):
        return bool(self._page.calm) or time.monotonic() > self._short_since + _CALM_LIMIT_S

    def _make(self, look):
        if time.monotonic() < self._make_at:
            return
        try:
            self._reserve.make(marks(look.total))
        except OSError as error:
            self._make_at = time.monotonic() + _MAKE_AGAIN_S
            if error.errno not in FULL or not self._warned:
                self._say(f"no reserve can be made: {error.strerror}")
                self._warned = True
            return
        self._warned = False
        self._end_short(look)

    def _end_short(self, look):
        if self._page.short:
            self._page.short = 0
            self._say(f"the disk has space again, {look.free >> 20} MiB are free: all goes on")

    def _say(self, text):
        try:
            self._sock.send(f"say {text}".encode())
        except OSError:
            return


def _clean(directory):
    """Remove what a server leaves that ended while it rewrote its file, and a log that has grown too large."""
    for place in (directory, os.path.join(directory, DATA)):
        for name in os.listdir(place):
            if name.startswith("temp-"):
                os.unlink(os.path.join(place, name))
    log = os.path.join(directory, "jcdbs.log")
    if os.path.exists(log) and os.path.getsize(log) > _LOG_BYTES_MAX:
        os.truncate(log, 0)

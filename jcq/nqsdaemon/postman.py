"""Sends the mails that the site database notes, each by a process of its own: a slow mail system delays nothing.

The list in the database is cut only when all mails of a batch were handed over or given up: a stop or crash
in between sends some of them twice, and loses none. A mail that cannot be sent is logged.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass

from jcq.errors import JcqError
from jcq.model import lifecycle
from jcq.nqsdaemon import request_lines

#: So many mails are on their way at once.
BATCH_MAX = 8
#: A process that has not ended by then is killed; it gives up by itself before.
_LIMIT_S = 120.0
_REASON_BYTES = 1000


@dataclass(frozen=True)
class Mail:
    """One mail, as `jcq.nqsdaemon.send_mail` reads it."""

    sender: str
    recipient: str
    subject: str
    body: str
    sendmail: str
    smtp: str


class Postman:
    """The mails of one site.

    Args:
        desk: what handlers work with.
        selector: the loop's selector, whose data are functions of the events.
        fence: the `Fence`: a daemon that was frozen sends nothing.
    """

    def __init__(self, desk, selector, fence):
        self._desk, self._selector, self._fence = desk, selector, fence
        #: What an earlier run left is sent, too.
        self._wanted = True
        #: pidfd -> (pid, descriptor of its words, who gets the mail)
        self._running = {}
        #: What is on its way: (how many, entry of the first).
        self._batch = None
        self._kill_at = 0.0

    def wake(self):
        """There is a mail in the list."""
        self._wanted = True

    def patience_s(self):
        """How long the loop may wait before `run_once` has something to do, in seconds."""
        if self._running:
            return max(0.0, self._kill_at - time.monotonic())
        return 0.0 if self._wanted else float("inf")

    def run_once(self):
        """Send the next mails, if none are on their way; end what takes too long.

        Raises:
            ConnectionLost, StaleEpoch, Fenced.
        """
        if self._running:
            if time.monotonic() >= self._kill_at:
                for pid, _, _ in self._running.values():
                    os.kill(pid, signal.SIGKILL)
                self._kill_at = time.monotonic() + _LIMIT_S
            return
        if not self._wanted:
            return
        store = self._desk.store
        entries = store.run(store.mail(BATCH_MAX))
        if not entries:
            self._wanted = False
            return
        self._fence.wait_young()
        self._batch = len(entries), entries[0][3]
        self._kill_at = time.monotonic() + _LIMIT_S
        conf, account = self._desk.conf, store.run(store.site()).mail_account
        found = store.run(store.requests([rid for rid, *_ in entries]))
        for (_, event, when_s, _), request in zip(entries, found, strict=True):
            if request is None:
                continue
            mail = compose(request, event, when_s, self._desk.identity.name, account, conf)
            if conf.smtp or os.access(conf.sendmail, os.X_OK):
                self._send(mail)
            elif conf.sendmail:
                self._desk.log.warning(
                    "no mail to %s (%s): there is no %s", mail.recipient, mail.subject, conf.sendmail
                )
        self._finish_batch()

    def close(self):
        """End what is on its way; the next run sends it again."""
        for pidfd, (pid, words, _) in self._running.items():
            self._selector.unregister(pidfd)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(pidfd)
            os.close(words)
        self._running.clear()

    def _send(self, mail):
        message, words = os.memfd_create("mail"), os.memfd_create("words")
        try:
            os.write(message, json.dumps(asdict(mail)).encode())
            os.lseek(message, 0, os.SEEK_SET)
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-m", "jcq.nqsdaemon.send_mail"],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, message, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, words, 2),
                ],
            )
        except OSError as error:
            self._desk.log.warning("no mail to %s: %s", mail.recipient, error.strerror)
            os.close(words)
            return
        finally:
            os.close(message)
        pidfd = os.pidfd_open(pid)
        self._running[pidfd] = pid, words, mail
        self._selector.register(pidfd, select.POLLIN, lambda _events: self._reap(pidfd))

    def _reap(self, pidfd):
        pid, words, mail = self._running.pop(pidfd)
        self._selector.unregister(pidfd)
        _, status = os.waitpid(pid, 0)
        if status:
            reason = os.pread(words, _REASON_BYTES, 0).decode(errors="replace").strip().splitlines() or [
                f"status {status}"
            ]
            self._desk.log.warning("no mail to %s (%s): %s", mail.recipient, mail.subject, reason[-1])
        else:
            self._desk.log.info("mail to %s: %s", mail.recipient, mail.subject)
        os.close(pidfd)
        os.close(words)
        self._finish_batch()

    def _finish_batch(self):
        if not self._running and self._batch:
            store = self._desk.store
            result = store.run_many([store.mailed(*self._batch, self._desk.now())])[0]
            if isinstance(result, JcqError):
                raise result
            self._batch = None
            self._wanted = True


#: How a mail says what happened; that of an outcome is followed by what is known of its end.
_WORDS = {
    "begun": "has begun",
    lifecycle.EXITED: "has ended",
    lifecycle.SIGNALLED: "has ended",
    lifecycle.DELETED: "was deleted",
    lifecycle.PURGED: "was purged",
    lifecycle.REJECTED: "was rejected",
    lifecycle.FORWARDED: "was forwarded",
}


def compose(request, event, when_s, site_name, account, conf):
    """The `Mail` about an event.

    Args:
        request: the `Request` as it is now.
        event: `begun` or an outcome.
        when_s: seconds since 1970.
        site_name: the site's name.
        account: who sends it (`set mail` of qmgr); empty: `nqs`.
        conf: `DaemonConf`.
    """
    zone = request_lines.readers_zone(request.tz)
    lines = [
        f"Request {request.id} {_WORDS[event]}.",
        "",
        f"Request name: {request_lines.shown(request.name)}",
        f"Queue: {request.queue}",
        f"Owner: {request_lines.owner(request)}",
        f"Time: {request_lines.moment(when_s, zone)}",
    ]
    if event == "begun":
        lines.append(f"Node: {request_lines.shown(request.node)}, attempt {request.attempt}")
    elif event in (lifecycle.EXITED, lifecycle.SIGNALLED):
        lines.append(f"Outcome: {request_lines.outcome(request)}")
        lines.append(f"Began: {request_lines.moment(request.started_s, zone)}")
        lines.append(f"Ended: {request_lines.moment(request.ended_s, zone)}")
        lines.append(f"CPU time: {request.cpu_s:.2f} seconds, largest resident set: {request.maxrss_kb} kB")
    if request.reason and event != "begun":
        lines.append(f"Note: {request_lines.shown(request.reason)}")
    return Mail(
        sender=account or "nqs",
        recipient=request.mail_to or request_lines.owner(request),
        subject=f"NQS request {request.id} ({request_lines.shown(request.name)}) {_WORDS[event]} at {site_name}",
        body="\n".join(lines) + "\n",
        sendmail=conf.sendmail,
        smtp=conf.smtp,
    )

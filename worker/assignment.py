"""One claimed request on its way through a shepherd, and how its end is written into it."""

import signal
import time

from jcq.model import lifecycle

#: Stages of an assignment.
WAITING = "waiting for a shepherd"
RUNNING = "running"
ENDED = "ended, to be recorded"
DELIVERING = "being delivered"
DELIVERED = "delivered, to be recorded"


class Assignment:
    """A claimed or adopted request.

    Args:
        request: the `Request`.
        account: the `Account` it runs under, None where there is none.
    """

    __slots__ = (
        "account",
        "held_s",
        "pending_signals",
        "request",
        "shepherd",
        "spared_until_s",
        "stage",
        "stopped_by_user",
        "tries",
    )

    def __init__(self, request, account):
        self.request = request
        self.account = account
        self.stage = WAITING
        self.shepherd = None
        #: Signals that were ordered before there was anything to send them to.
        self.pending_signals = []
        #: See `worker.suspend`.
        self.held_s = self.spared_until_s = 0.0
        self.stopped_by_user = False
        #: How many shepherds were lost over its delivery.
        self.tries = 0

    @property
    def to_deliver(self):
        """Whether it has run and only its output is left to be brought."""
        return self.request.state == lifecycle.EXITING

    def end(self, record):
        """Take how it ended from a shepherd's report or an exit record; None: its shepherd was lost."""
        record = record or _killed(self.request.started_s)
        for name in ("exit_code", "signal", "started_s", "ended_s", "cpu_s", "maxrss_kb"):
            setattr(self.request, name, record[name])
        self.request.outcome = lifecycle.SIGNALLED if record["signal"] else lifecycle.EXITED
        self.stage = ENDED


def _killed(started_s):
    """The record of a job whose shepherd was lost: SIGKILL, and nobody measured it."""
    return {
        "exit_code": 0,
        "signal": int(signal.SIGKILL),
        "started_s": started_s,
        "ended_s": time.time(),
        "cpu_s": 0.0,
        "maxrss_kb": 0,
    }

"""Telling the service manager that started cjcpw how the site is: the protocol of sd_notify(3), a datagram each.

READY when the site is up, or rests on purpose; STATUS with each state; EXTEND_TIMEOUT_USEC for what may take as long
as site.conf allows; STOPPING; and WATCHDOG, see `jcq.cluster.answers`. Sources: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket

from jcq.cluster import states

#: A manager that takes no message for so long does without it.
_SEND_LIMIT_S = 1.0
#: What the time to wait for another node's locks, and to kill what an old run left, may take together.
ACQUIRE_LIMIT_S = 180.0
#: Beyond a limit of site.conf, cjcpw kills what is left and ends.
_MARGIN_S = 15.0
_WORDS = {
    states.STARTING: "starting",
    states.REVIVING: "up, the disk is full, jcdbs is being started again",
    states.PAUSING: "the daemons are being stopped, cjcpw stays",
    states.PAUSED: "maintenance, cjcpw alone holds the site",
    states.RESUMING: "the daemons are being started again",
    states.STOPPING: "stopping",
    states.ENDED: "ended",
}


class Notifier:
    """What is to be told to whom; where nobody is to be told anything, nothing happens.

    Args:
        address: path of the manager's socket, or `@` and an abstract name; empty: none.
        watchdog_s: the manager wants a tick within this; 0: it wants none.
    """

    def __init__(self, address="", watchdog_s=0.0):
        self._address = address if address[:1] in ("/", "@") and len(address) > 1 else ""
        self.watchdog_s = watchdog_s if self._address else 0.0
        self._ready = False
        self._told = ""

    @classmethod
    def take(cls, environ):
        """One of the variables that the manager sets, which are taken away: no child may speak for cjcpw.

        Args:
            environ: the environment of this process, in which WATCHDOG_PID names this process or is not set.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = pid in ("", str(os.getpid()))
        number = int(usec) if mine and usec.isascii() and usec.isdigit() and len(usec) < 16 else 0
        return cls(address, number / 1e6)

    def acquiring(self, site_name):
        """The locks are being waited for."""
        self._send(STATUS=f"site {site_name}: waiting for its locks", EXTEND_TIMEOUT_USEC=_usec(ACQUIRE_LIMIT_S))

    def main_pid(self, pid):
        """Another process stays on top of the site."""
        self._send(MAINPID=str(pid))

    def state(self, state, site_name, epoch, limits, failure=None):
        """Tell a state of `jcq.cluster.states` once, when it is new.

        Args:
            state: the state.
            site_name: for the text.
            epoch: the run's number.
            limits: `SiteConf`.
            failure: what ended the run, or None.
        """
        if state == self._told:
            return
        self._told = state
        words = f"up, epoch {epoch}" if state == states.UP else _WORDS[state]
        fields = {"STATUS": f"site {site_name}: {words}" if failure is None else " ".join(str(failure).split())}
        if state in (states.UP, states.PAUSED) and not self._ready:
            self._ready = True
            fields["READY"] = "1"
        elif state == states.STARTING:
            fields["EXTEND_TIMEOUT_USEC"] = _usec(limits.boot_timeout_s + _MARGIN_S)
        elif state == states.STOPPING:
            fields |= {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": _usec(limits.stop_timeout_s + _MARGIN_S)}
        elif state == states.ENDED:
            fields["STOPPING"] = "1"
        self._send(**fields)

    def tick(self):
        """All is well."""
        self._send(WATCHDOG="1")

    def _send(self, **fields):
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        text = "\n".join(f"{name}={value}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_LIMIT_S)
                sender.sendto(text.encode("utf-8", "replace"), os.fsencode(address))
        except (OSError, ValueError):
            return  # the site is worth more than the manager's knowledge of it


def _usec(seconds):
    return str(int(seconds * 1e6))

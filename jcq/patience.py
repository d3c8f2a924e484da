"""How long a user's command waits for a site that does not answer on this node; loaded only when one does not.

A site that should be running (`expected` in its directory, see `jcq.expected`) is waited for: it is being
started, or moves. One that was stopped on purpose is not, unless this command was connected or waited before: then
it may be a restart or a move. Clocks of other machines play no part.
"""

import os
import time

from jcq import expected
from jcq.errors import SiteAway, SiteNotRunning, SiteUnknown
from jcq.site import hex_name, host_name, resolv_def

_LOOK_EVERY_S = 0.2
#: A daemon that answered for so long was there: what follows is another gap.
_STEADY_S = 2.0


class Patience:
    """The time that one command has.

    Args:
        there: the `jcq.site.Site`.
        limit_s: how long one gap may last.
    """

    def __init__(self, there, limit_s):
        self._there, self._limit_s = there, limit_s
        self._waited = False
        self._tried_s = time.monotonic()
        self._deadline_s = self._tried_s + limit_s

    def wait(self, error, connected, advice):
        """Wait until it is worth while to try again.

        Args:
            error: why it did not work now, a `SiteNotRunning` or `AnswerLost`.
            connected: this command was connected to the daemon before.
            advice: for the last message, what became of the request; empty: nothing was asked.
        Raises:
            SiteNotRunning: the site was stopped on purpose. SiteAway: the limit is over. `error`, where it is a
                lost answer, and the limit is over.
        """
        now_s = time.monotonic()
        if now_s - self._tried_s >= _STEADY_S:
            self._deadline_s = now_s + self._limit_s
        word, host = expected.read(self._there)
        away = isinstance(error, SiteNotRunning)
        if away and not (connected or self._waited or word == expected.RUNNING):
            raise error
        self._waited = True
        if now_s >= self._deadline_s:
            if not away:
                raise error
            why = self._why(word, host) + (f"; {advice}" if advice else "")
            raise SiteAway(site=self._there.name or self._there.directory, limit_s=self._limit_s, why=why) from None
        time.sleep(min(_LOOK_EVERY_S, max(0.01, self._deadline_s - now_s)))
        self._tried_s = time.monotonic()

    def _why(self, word, host):
        if word == expected.RUNNING and host == host_name():
            return "it should be; look with cjcls"
        if word == expected.RUNNING:
            return f"{host} had it last; give the command where the site is now"
        if word:
            return "it was stopped; start it with cjcpw or nqsstart"
        return "its disk is not here; give the command where the site is now"


def for_its_disk(there, limit_s):
    """Wait until the disk of a site is here and its daemon listens, as where this node is about to take it over.

    Args:
        there: the `jcq.site.Site`; its database is not here.
        limit_s: how long.
    Raises:
        SiteUnknown: nothing on this node says that there is such a site: it never had it, and `rc/resolv.def` does not
            name it. SiteAway: the limit is over.
    """
    if there.local or not (os.path.islink(there.directory) or _in_resolv_def(there)):
        raise SiteUnknown()
    patience = Patience(there, limit_s)
    while not os.path.exists(there.api_socket):
        patience.wait(SiteNotRunning(site=there.name), connected=True, advice="")


def _in_resolv_def(there):
    wanted = hex_name(there.address)
    return any(hex_name(address) == wanted for address, _, _ in resolv_def(there.root))

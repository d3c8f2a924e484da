"""Whether a site that is up really answers: a tick is due when each of its daemons has shown that it does.

jcdbs answers a PING. nqsdaemon and the worker note each turn of their loops in the site's page, behind what they
asked jcdbs in that turn, and turn as often as is asked for there. No socket of theirs is opened, for its place
is on the site's disk, which may hang; nothing is ever waited for.
"""

from jcq.site_page import now_ns

#: How often within the manager's limit it is looked whether all have answered.
LOOKS_PER_LIMIT = 4
#: And how often daemons turn at least.
_TURNS_PER_LIMIT = 8


class Answers:
    """Asks in rounds: the next one begins when all have answered.

    Args:
        page: the `SitePage`.
        limit_s: the manager's limit.
    """

    def __init__(self, page, limit_s):
        self._page = page
        self._asked_ns = 0
        page.turn_ns = int(limit_s / _TURNS_PER_LIMIT * 1e9)

    def forget(self):
        """The site is not up, and nobody is asked."""
        self._asked_ns = 0

    def look(self, pulse):
        """Whether a tick is due: all have answered since they were asked last, or are asked for the first time.

        Args:
            pulse: the `jcq.cluster.pulse.Pulse` of jcdbs.
        """
        asked_ns, page = self._asked_ns, self._page
        heard_ns = min(now_ns() - int(pulse.silent_s() * 1e9), page.nqsdaemon_ns, page.worker_ns)
        pulse.ask()
        if asked_ns and heard_ns < asked_ns:
            return False
        self._asked_ns = now_ns()
        return True

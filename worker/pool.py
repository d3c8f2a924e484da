"""The worker's shepherds: which ones there are, which has which assignment, and making more of them."""

import selectors
import time
from functools import partial

from worker.errors import LauncherFailed, ShepherdGone

#: Shepherds that are kept although they have nothing to do.
IDLE_MAX = 8
#: After no shepherd could be made: when to ask again.
_RETRY_S = 5.0


class Pool:
    """All shepherds of a worker.

    Args:
        launcher: the running `Launcher`.
        selector: the loop's selector, whose data are functions without arguments.
        log: a logger.
        free: called with a shepherd that has nothing to do; it assigns it or calls `rest`.
        note: called with (assignment, message) for what a shepherd says.
        lost: called with the assignment of a shepherd that ended unasked.
    """

    def __init__(self, launcher, selector, log, free, note, lost):
        self._launcher, self._selector, self._log = launcher, selector, log
        self._free, self._note, self._lost = free, note, lost
        self._idle = []
        #: pid of a shepherd that watches what a job left on purpose -> id of the request.
        self.kept = {}
        #: pid -> (Shepherd, its Assignment or None)
        self._shepherds = {}
        #: How many were asked for and have not come.
        self.ordered = 0
        self._retry_at = 0.0
        selector.register(launcher, selectors.EVENT_READ, self._hear_launcher)

    def order(self):
        """Ask for one more shepherd. Raises LauncherFailed."""
        self.ordered += 1
        self._launcher.request_shepherd()

    def order_again(self, wanted):
        """After a refusal, for want of memory perhaps: so many new orders, after a pause."""
        if self._retry_at and time.monotonic() >= self._retry_at:
            self._retry_at = 0.0
            for _ in range(wanted):
                self.order()

    def take_idle(self):
        """A shepherd that has nothing to do, or None."""
        return self._idle.pop() if self._idle else None

    def assign(self, shepherd, assignment):
        """This shepherd has this assignment now."""
        self._shepherds[shepherd.pid] = (shepherd, assignment)
        assignment.shepherd = shepherd

    def unassign(self, assignment):
        """Its shepherd has nothing to do with it any more; returns the shepherd, or None."""
        shepherd, assignment.shepherd = assignment.shepherd, None
        if shepherd is not None:
            self._shepherds[shepherd.pid] = (shepherd, None)
        return shepherd

    def keep(self, assignment):
        """Its shepherd does nothing any more but watch what the job left on purpose; it ends by itself."""
        shepherd = self.unassign(assignment)
        self.kept[shepherd.pid] = assignment.request.id

    def stop_kept(self, grace_s):
        """What was left on purpose gets SIGTERM, and SIGKILL after the grace."""
        for pid in self.kept:
            self.send(self._shepherds[pid][0], ("stop", grace_s))

    def rest(self, shepherd):
        """Keep a shepherd for the next assignment, or let it go."""
        if shepherd.fileno() < 0:
            return  # it ended after its last word
        if len(self._idle) < IDLE_MAX:
            self._idle.append(shepherd)
        else:
            self.send(shepherd, ("quit",))

    def send(self, shepherd, message):
        """Send a message; False where the shepherd is gone, which the launcher reports too. Raises MessageTooLong."""
        try:
            shepherd.send(message)
        except ShepherdGone as error:
            self._log.warning("%s", error)
            return False
        return True

    # --- hearing -----------------------------------------------------------------------------

    def _hear_launcher(self):
        for event in self._launcher.read():
            if event[0] == "shepherd":
                self.ordered -= 1
                shepherd = event[1]
                self._selector.register(shepherd, selectors.EVENT_READ, partial(self._hear_shepherd, shepherd))
                self._shepherds[shepherd.pid] = (shepherd, None)
                self._free(shepherd)
            elif event[0] == "lost":
                self._lose(event[1], event[2])
            elif event[0] == "refused":
                self.ordered -= 1
                self._log.error("no shepherd could be made: %s", event[1])
                self._retry_at = time.monotonic() + _RETRY_S
            else:
                raise LauncherFailed(reason="it ended unasked")

    def _hear_shepherd(self, shepherd):
        if shepherd.fileno() < 0:
            return  # heard to its end when it was reported as lost
        for message in shepherd.receive():
            if message is None:
                self._forget(shepherd)
                continue
            assignment = self._shepherds[shepherd.pid][1]
            if assignment is None:
                self._log.warning("shepherd %d says %s without an assignment", shepherd.pid, message[0])
            else:
                self._note(assignment, message)

    def _forget(self, shepherd):
        self._selector.unregister(shepherd)
        shepherd.close()
        if request_id := self.kept.pop(shepherd.pid, ""):
            self._log.info("request %s: its background processes have ended", request_id)
        if shepherd in self._idle:
            self._idle.remove(shepherd)
        # One with an assignment stays known until the launcher says that nothing of it is left.
        if self._shepherds[shepherd.pid][1] is None:
            del self._shepherds[shepherd.pid]

    def _lose(self, pid, status):
        """A shepherd ended unasked, by its job's hand for instance; the launcher has killed what it left."""
        self._log.error("shepherd %d was lost (wait status %d)", pid, status)
        if pid not in self._shepherds:
            return
        # What it said before counts, whichever of the two sockets was read first.
        self._hear_shepherd(self._shepherds[pid][0])
        _, assignment = self._shepherds.pop(pid, (None, None))
        if assignment is not None:
            assignment.shepherd = None
            self._lost(assignment)

"""Resource limits of a job: set in the shepherd around the spawn, so that a job has them from its start."""

import os
import resource
import select
import time

from worker.errors import JobNotStarted

_CAP_SYS_RESOURCE = 24
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: What the shepherd itself needs while a job's limits are in force for it.
_CPU_MARGIN_S = 2
_MEMORY_MARGIN_BYTES = 16 * 1024 * 1024
_STACK_BYTES = 1024 * 1024
_DESCRIPTORS = 32
_EXEC_S = 5.0
_EXEC_ASK_S = 0.0002
#: A stack limit that has stayed for so long has come after the end of exec.
_STACK_STAYS_S = 0.01
_STACK_ASK_S = 0.001
_NAMES = {value: name for name, value in vars(resource).items() if name.startswith("RLIMIT_")}


class Limits:
    """The shepherd's own limits, and a job's for as long as its spawn takes.

    A hard limit once lowered can be raised again with CAP_SYS_RESOURCE only, and a limit below what the
    shepherd itself has used (CPU seconds, address space) would hit the shepherd. In these cases the
    shepherd takes the nearest limit it can bear, and the child gets the exact one by prlimit just after.
    """

    __slots__ = ("_changed", "_late", "_may_raise")

    def __init__(self):
        self._may_raise = has_capability(_CAP_SYS_RESOURCE)
        self._changed = []
        self._late = []

    def take(self, wanted):
        """Take a job's limits.

        Args:
            wanted: [(resource number, soft, hard)], -1 for no limit. Without the right to raise a hard
                limit, the shepherd's own bounds them.
        Raises:
            JobNotStarted: the kernel refuses one; `restore` is due all the same.
        """
        for kind, soft, hard in wanted:
            own = resource.getrlimit(kind)
            if not self._may_raise:
                hard = _least(hard, own[1])
            exact = (_least(soft, hard), hard)
            floor = _own_need(kind)
            now = (_most(exact[0], floor), _most(exact[1], floor))
            if not self._may_raise:
                now = (_least(now[0], own[1]), own[1])
            if now != own:
                self._changed.append((kind, own))
                try:
                    resource.setrlimit(kind, now)
                except (OSError, ValueError) as error:
                    raise _refused(kind, exact, error) from None
            if now != exact:
                self._late.append((kind, exact))

    def complete(self, pid):
        """Give the child those limits that the shepherd could not bear. Needs the child's uid as the real uid.

        Raises:
            JobNotStarted: the kernel refuses one.
        """
        deadline = time.monotonic() + _EXEC_S
        stack = [exact for kind, exact in self._late if kind == resource.RLIMIT_STACK]
        while self._late:
            kind, exact = self._late[-1]
            try:
                resource.prlimit(pid, kind, exact)
            except PermissionError as error:
                # Between the moment when exec lets the parent go on and the one when it has set the
                # child's saved uid, the child is not the same user's; with CAP_SYS_RESOURCE nobody asks.
                if time.monotonic() > deadline:
                    raise _refused(kind, exact, error) from None
                select.select([], [], [], _EXEC_ASK_S)
                continue
            except ProcessLookupError:
                pass
            except (OSError, ValueError) as error:
                raise _refused(kind, exact, error) from None
            self._late.pop()
        if stack:
            _keep_stack(pid, stack[0], deadline)

    def restore(self):
        """Return to the shepherd's own limits."""
        self._late.clear()
        while self._changed:
            resource.setrlimit(*self._changed.pop())


def _keep_stack(pid, exact, deadline):
    """Give the child its stack limit until it stays.

    The parent goes on before exec has ended, and one of the last things that exec does is to write back the stack limit
    that it found at its beginning (bprm->rlim_stack; finalize_exec in fs/exec.c of Linux). The soft limit is right in
    any case, since the child begins with it.
    """
    since = time.monotonic()
    while since + _STACK_STAYS_S > time.monotonic() < deadline:
        select.select([], [], [], _STACK_ASK_S)
        try:
            if resource.prlimit(pid, resource.RLIMIT_STACK) != exact:
                resource.prlimit(pid, resource.RLIMIT_STACK, exact)
                since = time.monotonic()
        except OSError:
            return  # it has ended


def _refused(kind, exact, error):
    return JobNotStarted(reason=f"limit {_NAMES.get(kind, kind)} to {exact[0]}, {exact[1]}: {error}")


def has_capability(number):
    """Whether this process has the capability of this number (capabilities(7)) in force."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _own_need(kind):
    """Below this limit the shepherd would suffer itself."""
    if kind == resource.RLIMIT_CPU:
        return int(time.process_time()) + _CPU_MARGIN_S
    if kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[0]) * _PAGE_BYTES + _MEMORY_MARGIN_BYTES
    if kind == resource.RLIMIT_STACK:
        return _STACK_BYTES
    if kind == resource.RLIMIT_NOFILE:
        return _DESCRIPTORS
    return 0


def _least(one, other):
    if resource.RLIM_INFINITY in (one, other):
        return max(one, other)
    return min(one, other)


def _most(one, other):
    if resource.RLIM_INFINITY in (one, other):
        return resource.RLIM_INFINITY
    return max(one, other)

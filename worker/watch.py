"""Limits that the kernel does not know: CPU time, memory and elapsed time of a request, watched by its shepherd.

CPU time and memory are looked at once a second, over all living descendants of the shepherd, so that a job may exceed
them by what it does in that second. CPU time is that of the living processes, of those that their parents have
waited for, and of those that the shepherd has reaped; a child whose parent ignores SIGCHLD is lost to it as soon as it
has ended, as it is to the kernel's own sums. Memory is the sum of resident sets; only where that is above a limit are
shared pages counted by share (PSS), which takes the kernel much longer to tell.
"""

import os
import signal
import stat
import time

from jcq import process

INTERVAL_S = 1.0
#: Between the signal that says a limit is exceeded, and SIGKILL.
GRACE_S = 5.0

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FILE_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Watch:
    """The watched limits of one job, which begins now.

    Args:
        rows: [(kind, value, warning, words, value in words, warning in words)], see `worker.job_limits.watched`.
    """

    __slots__ = ("_began", "_looked", "_rows", "_warned", "exceeded")

    def __init__(self, rows):
        self._rows = rows
        self._began = self._looked = time.monotonic()
        #: Rows whose warning was sent.
        self._warned = []
        #: The row whose limit was exceeded.
        self.exceeded = None

    def next_s(self):
        """The moment of the monotonic clock at which to look again; None: never."""
        if not self._rows or self.exceeded:
            return None
        moments = []
        for row in self._rows:
            if row[0] != "elapsed":
                moments.append(self._looked + INTERVAL_S)
                continue
            wanted = (row[1], None if row in self._warned else row[2])
            moments += [self._began + after_s for after_s in wanted if after_s is not None]
        return min(moments, default=None)

    def look(self, shepherd_pid, reaped_cpu_s):
        """See whether a limit is reached.

        Args:
            shepherd_pid: whose descendants the job's processes are.
            reaped_cpu_s: CPU time of those that it has reaped.
        Returns:
            The signal to send to every process of the job, or 0. With `exceeded` set it is the last warning.
        """
        next_s = self.next_s()
        now = time.monotonic()
        if next_s is None or now < next_s:
            return 0
        self._looked = now
        pids = process.descendants(shepherd_pid) if any(row[0] != "elapsed" for row in self._rows) else []
        signum = 0
        for row in self._rows:
            kind, value, warning = row[:3]
            if kind == "elapsed":
                used = now - self._began
            elif kind == "cpu":
                used = reaped_cpu_s + sum(map(cpu_s, pids))
            else:
                used = memory_bytes(pids, min(number for number in (value, warning) if number is not None))
            if value is not None and used >= value:
                self.exceeded = row
                return signal.SIGXCPU if kind == "cpu" else signal.SIGTERM
            if warning is not None and used >= warning and row not in self._warned:
                self._warned.append(row)
                signum = signal.SIGXCPU
        return signum

    def line(self, request_id, signum):
        """What the owner should read at the end of the job's standard error, empty where there is nothing.

        Args:
            request_id: as people see it.
            signum: the signal that ended the script, or 0.
        """
        if self.exceeded:
            return f"request {request_id} exceeded its {self.exceeded[3]} of {self.exceeded[4]} and was ended"
        if self._warned and signum == signal.SIGXCPU:
            row = self._warned[-1]
            return f"request {request_id} reached the warning value {row[5]} of its {row[3]} and ended"
        return ""


def cpu_s(pid):
    """CPU time of a process, a zombie too, and of its children that it has waited for; 0 where it is gone."""
    fields = process.stat_fields(pid)
    return sum(map(int, fields[11:15])) / _TICKS_PER_S if fields else 0.0


def memory_bytes(pids, limit):
    """Resident memory of processes: exact, by shares of shared pages, only where their plain sum reaches `limit`."""
    resident = {pid: _resident_bytes(pid) for pid in pids}
    if sum(resident.values()) < limit:
        return sum(resident.values())
    return sum(min(number, _share_bytes(pid, number)) for pid, number in resident.items() if number)


def _resident_bytes(pid):
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _share_bytes(pid, otherwise):
    """The PSS of a process, `otherwise` where it is not told."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            for line in file.read(4096).splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return otherwise


def tell_owner(path, line):
    """Append a line to a spooled output file, which the job may have done anything to; what cannot be done is not."""
    text = f"jcq: {line}\n".encode(errors="surrogateescape")
    try:
        fd = os.open(path, _FILE_FLAGS)
    except OSError:
        return
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode):
            broken = found.st_size and os.pread(fd, 1, found.st_size - 1) != b"\n"
            os.write(fd, b"\n" + text if broken else text)
    except OSError:
        pass  # a full disk must not cost more than this line
    finally:
        os.close(fd)

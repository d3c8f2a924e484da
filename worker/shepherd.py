"""A slot shepherd: runs one job at a time as its owner and leaves no process of it behind.

Messages from the worker, each a tuple, one job at a time:

    ("run", spec)       answered by ("begun", pid, start_ticks) and ("ended", result), or by ("failed", reason, full),
                        where `full` says that there was no space for its output
    ("signal", signo)   to every process of the job
    ("stop", grace_s)   SIGTERM (and SIGCONT) to every process of the job, SIGKILL after the grace, then ("stopped",) in
                        the place of ("ended", ...), and no exit record. A job that had ended before is
                        reported as ended first. With no job it is ("stopped",) at once; a delivery is given up.
                        After a job that left processes on purpose (`background` in the result) it is for those, and
                        the shepherd ends with them; else it does so when they have ended by themselves.
    ("deliver", spec)   answered by ("delivered", note)
    ("quit",)           the shepherd ends. So it does, after it has killed everything, when the worker is gone.

Run spec: rid, id, attempt, epoch, site_dir, uid, gid, groups, home (where it runs), must_enter (and
nowhere else), shell, argv, env, umask (int), script, env_file (path or ""), out, err (path, or "" for the file of
out), direct (of `out` and `err`, which are the owner's files from the start, -ro and -re),
rlimits [(resource, soft, hard)], nice (or None), watched (limits of the request as a whole, see
`worker.job_limits.watched`), exit_record (path), root (whether to change ids),
background (whether what outlives the script is left alone: nqsbg of its queue).
Deliver spec: uid, gid, groups, home, umask, root, files [(spooled path, wanted absolute path, name for HOME)].

Result: exit_code (128 + n for a signal), signal, started_s, ended_s (since 1970), cpu_s (of every process that was
waited for), maxrss_kb (never below what the shepherd itself has, which the kernel counts in), stragglers (processes
that outlived the script and were killed), background (pids of those that outlived it and live on; this shepherd takes
no other job then), note (what else its owner should know; usually empty).

Limits: those of setrlimit are there from the job's start. CPU time, memory and elapsed time of the request are watched
while its script runs (`worker.watch`): at the warning value every process gets SIGXCPU, at the limit SIGXCPU (CPU time)
or SIGTERM, and SIGKILL after a grace; the job then counts as ended by a signal whatever its script makes of it, and its
standard error says why. Space of a request (-lF, -lV) nobody watches. A job without such limits costs nothing of this:
its shepherd sleeps until something happens.
"""

import os
import select
import signal
import time

from jcq import exit_record, process
from jcq.errors import Fenced
from worker import delivery, messages
from worker.errors import JobNotStarted
from worker.limits import Limits
from worker.owner import Owner
from worker.spawn import IDLE_DIRECTORY, IDLE_UMASK, spawn
from worker.watch import GRACE_S, Watch, tell_owner

#: After the worker's end: how long to go on killing. A process in D state outlives SIGKILL.
_LAST_KILL_S = 10.0
_PAUSE_MIN_S = 0.001
_PAUSE_MAX_S = 0.25
_SIGNALS_READ_BYTES = 4096


def serve(sock, fence, children_fd, null_fd):
    """Be a slot shepherd until told to quit or the worker is gone.

    It has no parent-death signal: where cjcpw, worker and launcher are killed at one instant, it alone can still
    tell what belonged to its job, and the end of the worker's socket tells it to kill that.

    Args:
        sock: the socket to the worker.
        fence: the `Fence`: a shepherd that was frozen starts and delivers nothing.
        children_fd: see `jcq.process.child_signals`.
        null_fd: /dev/null.
    Returns:
        The exit code: 0 when nothing of any job is left.
    """
    process.set_comm("jcq-shepherd")
    process.become_subreaper()
    os.umask(IDLE_UMASK)
    os.chdir(IDLE_DIRECTORY)
    try:
        _Shepherd(sock, fence, children_fd, null_fd).serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the worker went while it was told something
    return 1 if process.kill_descendants(_LAST_KILL_S) else 0


class _WorkerGone(Exception):
    """The worker's end of the socket is closed."""


class _Job:
    """What is known of the running job, and what is to be done to it."""

    __slots__ = (
        "background",
        "cpu_s",
        "ended_by",
        "ended_s",
        "kill_at",
        "left",
        "maxrss_kb",
        "outlived",
        "pause_s",
        "spawned",
        "status",
        "stopping",
        "stragglers",
        "watch",
    )

    def __init__(self, spawned, background, watched):
        self.spawned = spawned
        self.watch = Watch(watched)
        #: The signal that was sent because a limit was exceeded.
        self.ended_by = 0
        #: What outlives the script is left alone, unless the job was ordered to end.
        self.background = background
        #: Pids of what is left alone.
        self.left = []
        #: Wait status of the script's process, once it has ended.
        self.status: int | None = None
        self.ended_s = 0.0
        self.cpu_s = 0.0
        self.maxrss_kb = 0
        #: The script ended by itself: what is still there are stragglers.
        self.outlived = False
        self.stragglers = 0
        self.stopping = False
        #: From this moment of the monotonic clock on, everything is killed.
        self.kill_at = None
        self.pause_s = _PAUSE_MIN_S

    def count(self, pid, status, usage):
        """Take note of a process that has ended."""
        self.cpu_s += usage.ru_utime + usage.ru_stime
        self.maxrss_kb = max(self.maxrss_kb, usage.ru_maxrss)
        if pid == self.spawned.pid:
            self.status = status
            self.ended_s = time.time()
            if self.kill_at is None and not self.background:
                self.kill_at = 0.0
                self.outlived = True
        elif self.outlived and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            self.stragglers += 1

    def patience_ms(self):
        """How long to wait for news: None without end."""
        if self.kill_at is None:
            look_s = self.watch.next_s() if self.status is None else None
            return None if look_s is None else max(0.0, look_s - time.monotonic()) * 1000 + 1
        remaining_s = self.kill_at - time.monotonic()
        if remaining_s > 0:
            return remaining_s * 1000 + 1
        pause_s, self.pause_s = self.pause_s, min(self.pause_s * 2, _PAUSE_MAX_S)
        return pause_s * 1000

    def result(self):
        """How it ended, for the worker and the exit record."""
        assert self.status is not None
        code = os.waitstatus_to_exitcode(self.status)
        if self.ended_by and code >= 0:
            code = -self.ended_by
        return {
            "exit_code": code if code >= 0 else 128 - code,
            "signal": -code if code < 0 else 0,
            "started_s": self.spawned.started_s,
            "ended_s": self.ended_s,
            "cpu_s": round(self.cpu_s, 6),
            "maxrss_kb": self.maxrss_kb,
            "stragglers": self.stragglers,
            "background": self.left,
            "note": self.spawned.note,
        }


class _Shepherd:
    def __init__(self, sock, fence, children_fd, null_fd):
        self._sock = sock
        self._fence = fence
        self._children_fd = children_fd
        self._null_fd = null_fd
        self._pid = os.getpid()
        self._limits = Limits()
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._poll.register(children_fd, select.POLLIN)

    def serve(self):
        try:
            while (message := messages.receive(self._sock)) is not None:
                kind = message[0]
                if kind == "run":
                    if self._run(message[1]):
                        self._keep()
                        return
                elif kind == "deliver":
                    self._deliver(message[1])
                elif kind == "stop":
                    self._tell("stopped")
                elif kind == "quit":
                    return
                elif kind != "signal":  # one of those may come too late
                    raise ValueError(f"message {kind!r}")
        except (_WorkerGone, Fenced):
            return

    def _tell(self, *message):
        messages.send(self._sock, message)

    # --- a job

    def _run(self, spec):
        """Run a job to its end; True where it left processes that live on."""
        self._fence.wait_young()
        try:
            spawned = spawn(spec, Owner(spec), self._limits, self._null_fd)
        except JobNotStarted as error:
            self._tell("failed", str(error), bool(error.fields.get("no_space")))
            return False
        self._tell("begun", spawned.pid, int(process.stat_fields(spawned.pid)[19]))
        job = _Job(spawned, spec["background"], spec["watched"])
        self._watch(job)
        if job.stopping:
            self._tell("stopped")
            return False
        result = job.result()
        line = job.watch.line(spec["id"], result["signal"])
        if line:
            self._tell_owner(spec, line)
        try:
            exit_record.write(spec["exit_record"], spec | result)
        except OSError as error:
            note = f"exit record {spec['exit_record']} not written: {error.strerror}"
            result["note"] = f"{result['note']}; {note}".lstrip("; ")
        self._tell("ended", result)
        return bool(job.left)

    @staticmethod
    def _tell_owner(spec, line):
        """Append a line to standard error, with its owner's rights where the file is the owner's own (-re)."""
        ending = "err" if spec["err"] else "out"
        if ending not in spec["direct"]:
            tell_owner(spec[ending], line)
            return
        owner = Owner(spec)
        try:
            owner.take()
        except OSError:
            return
        try:
            tell_owner(spec[ending], line)
        finally:
            owner.restore()

    def _keep(self):
        """What a job left on purpose lives until it ends, or the worker tells this shepherd to end or is gone."""
        grace_end: float | None = None
        while process.reap() and (grace_end is None or time.monotonic() < grace_end):
            wait_ms = None if grace_end is None else max(0.0, grace_end - time.monotonic()) * 1000 + 1
            for fd, _ in self._poll.poll(wait_ms):
                if fd == self._children_fd:
                    os.read(fd, _SIGNALS_READ_BYTES)
                    continue
                message = messages.receive(self._sock)
                if message is None or message[0] == "quit":
                    return
                if message[0] == "signal" and message[1] in (signal.SIGKILL, signal.SIGTERM):
                    return  # it was meant for the request, all of it
                if message[0] == "stop":
                    grace_end = time.monotonic() + message[1]
                    self._signal(signal.SIGTERM)
                    self._signal(signal.SIGCONT)

    def _watch(self, job):
        """Wait until the job and everything it left has ended, and obey the worker meanwhile."""
        while True:
            heard = False
            for fd, _ in self._poll.poll(job.patience_ms()):
                if fd == self._children_fd:
                    os.read(fd, _SIGNALS_READ_BYTES)
                else:
                    heard = True
            # First what has ended, then what the worker wants: it cannot stop what has ended.
            if not process.reap(job.count):
                return
            if heard:
                self._obey(job)
            if job.status is None and job.kill_at is None:
                self._hold_to_limits(job)
            if job.status is not None and job.kill_at is None:
                job.left = self._living() if job.background else []
                if job.left:
                    return
                job.kill_at = 0.0
            if job.kill_at is not None and time.monotonic() >= job.kill_at:
                self._signal(signal.SIGKILL)

    def _hold_to_limits(self, job):
        signum = job.watch.look(self._pid, job.cpu_s)
        if not signum:
            return
        if job.watch.exceeded:
            job.ended_by = int(signum)
            job.background = False
            job.kill_at = time.monotonic() + GRACE_S
        self._signal(signum)
        if job.watch.exceeded:
            self._signal(signal.SIGCONT)  # a suspended process would not see it

    def _obey(self, job):
        message = messages.receive(self._sock)
        if message is None:
            raise _WorkerGone
        kind = message[0]
        if kind == "signal" and message[1] != signal.SIGKILL:
            self._signal(message[1])
            if message[1] == signal.SIGTERM:
                job.background = False
        elif kind == "signal":
            job.kill_at = 0.0
        elif kind == "stop":
            if job.status is None and not job.ended_by:
                job.stopping = True
                self._signal(signal.SIGTERM)
                self._signal(signal.SIGCONT)  # a suspended process would not see it
            grace_end = time.monotonic() + message[1]
            job.kill_at = grace_end if job.kill_at is None else min(job.kill_at, grace_end)
        else:
            raise ValueError(f"message {kind!r} while a job runs")

    def _living(self):
        """Pids of everything below this shepherd but zombies."""
        states = [(pid, process.stat_fields(pid)) for pid in process.descendants(self._pid)]
        return [pid for pid, fields in states if fields and fields[0] != b"Z"]

    def _signal(self, signum):
        process.signal_descendants(process.children(self._pid), signum)

    # --- its output

    def _deliver(self, spec):
        try:
            note = delivery.deliver(spec, Owner(spec), self._proceed)
        except delivery.GivenUp:
            self._tell("stopped")
            return
        finally:
            os.umask(IDLE_UMASK)
        self._tell("delivered", note)

    def _proceed(self):
        """Called between the parts of a long copy, and before a file becomes visible: may this delivery go on?

        Raises:
            GivenUp: it stops this shepherd.
            _WorkerGone: it is gone, or told the shepherd to quit.
            Fenced: the site is another owner's.
        """
        self._fence.wait_young()
        if not select.select([self._sock], [], [], 0)[0]:
            return
        message = messages.receive(self._sock)
        if message is None or message[0] == "quit":
            raise _WorkerGone
        if message[0] == "stop":
            raise delivery.GivenUp

"""Spawn a job: output files, directory, environment, limits and ids are made ready in the shepherd itself.

Nothing of Python runs in the child, which is why a change of uid costs no more than none (design section 8).
"""

import contextlib
import errno
import os
import signal
import time

from jcq import process
from jcq.durable import write_all
from worker.environment import read_environment
from worker.errors import JobNotStarted
from worker.limits import has_capability

#: Between jobs a shepherd has these.
IDLE_UMASK = 0o077
IDLE_DIRECTORY = "/"

_CAP_SYS_NICE = 23
#: How long to go on killing a job that could not be given its limits.
_KILL_S = 10.0
_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND | os.O_CLOEXEC
_DIRECT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
#: Python ignores some signals, and a daemon's starter may have: only these need to be reset in a job.
_IGNORED = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]


class Spawned:
    """A job that has begun."""

    __slots__ = ("note", "pid", "started_s")

    def __init__(self, pid, started_s, note):
        self.pid = pid
        #: Seconds since 1970.
        self.started_s = started_s
        #: What was not as it should be, but did not stop it.
        self.note = note


def spawn(spec, owner, limits, null_fd):
    """Start a job as its owner, in a session of its own.

    Args:
        spec: the run spec, see `worker.shepherd`.
        owner: `worker.owner.Owner` of the spec.
        limits: the shepherd's `worker.limits.Limits`.
        null_fd: /dev/null, for the job's standard input.
    Returns:
        A `Spawned`.
    Raises:
        JobNotStarted: with the reason; no output file is left then.
    """
    out_fd, err_fd = _open_outputs(spec, owner)
    try:
        return _spawn(spec, owner, limits, (null_fd, out_fd, err_fd))
    except JobNotStarted:
        _remove_outputs(spec)
        raise
    finally:
        os.close(out_fd)
        if err_fd != out_fd:
            os.close(err_fd)


def _output_paths(spec):
    return [(ending, spec[ending]) for ending in ("out", "err") if spec[ending]]


def _remove_outputs(spec, count=2):
    """Remove the first spooled files that were made; one that is its owner's from the start stays."""
    for ending, path in _output_paths(spec)[:count]:
        if ending not in spec["direct"]:
            os.unlink(path)


def _open_outputs(spec, owner):
    """Make the output files: the spooled ones with the site's rights, which no link can turn, others as their owner."""
    fds = []
    for ending, path in _output_paths(spec):
        try:
            direct = ending in spec["direct"]
            fds.append(_open_direct(path, spec["umask"], owner) if direct else _make(path, spec["root"], owner))
        except OSError as error:
            for fd in fds:
                os.close(fd)
            _remove_outputs(spec, len(fds))
            no_space = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise JobNotStarted(reason=f"output file {path}: {error.strerror}", no_space=no_space) from None
    return fds[0], fds[-1]


def _make(path, give, owner):
    fd = os.open(path, _OUTPUT_FLAGS, 0o600)
    try:
        if give:
            os.fchown(fd, owner.uid, owner.gid)
    except OSError:
        os.close(fd)
        os.unlink(path)
        raise
    return fd


def _open_direct(path, umask, owner):
    """Open the file that a job writes while it runs (-ro, -re), with its owner's rights only, as its shell would.

    What an earlier attempt has written goes, as with spooled output, which replaces what is there. A FIFO that nobody
    reads is refused instead of waited for.
    """
    owner.take()
    try:
        os.umask(umask)
        fd = os.open(path, _DIRECT_FLAGS, 0o666)
    finally:
        os.umask(IDLE_UMASK)
        owner.restore()
    os.set_blocking(fd, True)
    return fd


def _spawn(spec, owner, limits, fds):
    own_nice = _take_nice(spec["nice"])
    try:
        owner.take()
    except OSError as error:
        _give_back_nice(own_nice)
        raise JobNotStarted(reason=f"uid {owner.uid}, gid {owner.gid}: {error.strerror}") from None
    try:
        note = _enter(spec["home"], fds[2], spec.get("must_enter", False))
        environment = spec["env"]
        if spec["env_file"]:
            environment = read_environment(spec["env_file"]) | environment
        owner.expose()
        os.umask(spec["umask"])
        limits.take(spec["rlimits"])
        started_s = time.time()
        pid = _posix_spawn(spec, environment, fds)
        try:
            limits.complete(pid)
        except JobNotStarted:
            process.kill_descendants(_KILL_S)
            raise
    finally:
        owner.restore()
        limits.restore()
        _give_back_nice(own_nice)
        os.umask(IDLE_UMASK)
        os.chdir(IDLE_DIRECTORY)
    if spec["nice"] is not None and own_nice is None:
        note = "; ".join(filter(None, (note, _renice(pid, spec["nice"], fds[2]))))
    return Spawned(pid, started_s, note)


def _take_nice(nice):
    """Take a job's nice value for the spawn, so that the job has it from its start.

    Returns:
        The shepherd's own, to be given back; None where nothing was taken: there is none to take, or the
        shepherd could not return to its own.
    """
    if nice is None or not has_capability(_CAP_SYS_NICE):
        return None
    own = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        return None  # _renice says why
    return own


def _give_back_nice(own):
    if own is not None:
        os.setpriority(os.PRIO_PROCESS, 0, own)


def _renice(pid, nice, err_fd):
    """Give a job that runs already its nice value; returns what is wrong, or "".

    The whole process group gets it, with what the script may have started by now.
    """
    try:
        os.setpriority(os.PRIO_PGRP, pid, nice)
    except ProcessLookupError:
        pass  # it has ended
    except OSError as error:
        note = f"cannot set nice value {nice}: {error.strerror}"
        _tell_owner(err_fd, note)
        return note
    return ""


def _tell_owner(err_fd, note):
    with contextlib.suppress(OSError):  # a full disk must not cost more than this line
        write_all(err_fd, f"jcq: {note}\n".encode(errors="surrogateescape"))


def _enter(home, err_fd, must):
    """Make the owner's HOME the working directory, else `/`, which the owner reads first in standard error.

    A request that an old system would have run in a directory of its own (`must`) is not run anywhere else.
    """
    try:
        os.chdir(home)
    except OSError as error:
        if must:
            raise JobNotStarted(reason=f"cannot enter its directory {home!r}: {error.strerror}") from None
        os.chdir(IDLE_DIRECTORY)
        note = f"cannot enter HOME {home!r}: {error.strerror}; running in {IDLE_DIRECTORY}"
        _tell_owner(err_fd, note)
        return note
    return ""


def _posix_spawn(spec, environment, fds):
    try:
        return os.posix_spawn(
            spec["shell"],
            spec["argv"],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)],
            resetids=True,
            setsid=True,
            setsigmask=(),
            setsigdef=_IGNORED,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise JobNotStarted(reason=f"{spec['shell']}: {reason}") from None

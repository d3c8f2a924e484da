"""Processes on this machine: subreaper, parent-death signal, descendants, and killing all of them.

Loaded by cjcpw, the worker and, under `python -I -S`, by the launcher of jobs: it imports `os`,
`signal` and `ctypes` only. Source: ha-facts.md section 6 (which stragglers survive what).
"""

import ctypes
import os
import select
import signal
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
#: Of glibc and musl on Linux; larger than the kernel's set of 8 bytes.
_SIGSET_BYTES = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option, value):
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        _raise_errno()


def _raise_errno():
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


def become_subreaper():
    """Adopt every orphaned descendant from now on."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent, signum=signal.SIGKILL):
    """Ask for `signum` when the parent's thread that forked us ends; end at once if it already has.

    A change of ids clears this: call it after the last one. `parent` is the pid it must have.
    """
    _prctl(_PR_SET_PDEATHSIG, int(signum))
    if os.getppid() != parent:
        os._exit(1)


def drop_ambient_capabilities():
    """Keep what the service manager gave this process from its children of another uid: they would inherit it."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def child_signals():
    """Block every signal, and get the ends of children by a descriptor instead.

    Returns:
        A non-blocking signalfd, readable when a child of the process that polls it has ended; after a
        fork it serves the child. Children that are spawned need their signal mask emptied.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    mask = ctypes.create_string_buffer(_SIGSET_BYTES)
    _libc.sigemptyset(mask)
    _libc.sigaddset(mask, int(signal.SIGCHLD))
    fd = _libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        _raise_errno()
    return fd


def set_comm(name):
    """Set the 15-byte name that `ps -o comm` shows."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    _libc.prctl(_PR_SET_NAME, buffer, 0, 0, 0)


def stat_fields(pid):
    """Fields of /proc/PID/stat from the third on (0 state, 1 parent, 19 start ticks), of a zombie too; None if gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read()
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :].split()


def parents():
    """{pid: parent pid} of every process that /proc shows."""
    found = {}
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else None
        if fields:
            found[int(entry)] = int(fields[1])
    return found


def children(pid):
    """Pids of the living and zombie children of a process; one that is born or dies meanwhile may be missed."""
    if not _CHILDREN_LISTED:
        return [child for child, parent in parents().items() if parent == pid]
    found = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


#: Kernels without CONFIG_PROC_CHILDREN have no such list: then all of /proc is read.
_CHILDREN_LISTED = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def _children_of():
    """The function pid -> its children: the kernel's lists, or one scan of /proc."""
    if _CHILDREN_LISTED:
        return children
    known = {}
    for pid, parent in parents().items():
        known.setdefault(parent, []).append(pid)
    return lambda pid: known.get(pid, ())


def descendants(root_pid):
    """Pids of all living or zombie descendants of a process, parents before children, itself not among them."""
    below = _children_of()
    found = list(below(root_pid))
    for pid in found:  # grows while it is walked
        found += below(pid)
    return found


def signal_descendants(pids, signum):
    """Send a signal to each process and to all its descendants.

    Each is signalled as soon as its children are known, so that a tree which grows faster than it can be
    listed is cut while it is walked.

    Returns:
        Pids that were signalled, zombies among them.
    """
    below = _children_of()
    found = list(pids)
    for pid in found:  # grows while it is walked
        found += below(pid)
        signal_all((pid,), signum)
    return found


def signal_all(pids, signum):
    """Send a signal to each; those that are gone, or not ours to signal, are passed over. Returns the number sent."""
    sent = 0
    for pid in pids:
        try:
            os.kill(pid, signum)
            sent += 1
        except (ProcessLookupError, PermissionError):
            continue
    return sent


def reap(on_exit=None):
    """Collect every child that has ended, without waiting.

    Args:
        on_exit: called with (pid, wait status, rusage) for each.
    Returns:
        False when there is no child at all any more.
    """
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if on_exit:
            on_exit(pid, status, usage)


def kill_descendants(limit_s, on_exit=None, spared=()):
    """SIGKILL everything below this process, which must be a subreaper, until nothing is left.

    Args:
        limit_s: give up after this many seconds; a process in D state outlives SIGKILL.
        on_exit: as for `reap`.
        spared: pids of children that live on.
    Returns:
        Pids that are still there; empty when all is gone. With no child it costs one system call.
    """
    deadline = time.monotonic() + limit_s
    pause_s = 0.001
    while reap(on_exit):
        below = [pid for pid in children(os.getpid()) if pid not in spared]
        if not below:
            return []
        left = signal_descendants(below, signal.SIGKILL)
        if time.monotonic() > deadline:
            return left
        # Nothing tells of a grandchild's death but its arrival here: ask again, soon at first.
        select.select([], [], [], pause_s)
        pause_s = min(pause_s * 2, 0.05)
    return []


def be_silent(*fds):
    """Put /dev/null in the place of standard descriptors: whoever reads from a pipe there waits for its end."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(null, fd)
    os.close(null)


def run_apart(function):
    """Run `function()` in a child that nobody waits for; what it raises is lost. The caller reaps its children."""
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if os.fork() == 0:
        try:
            die_with_parent(parent)
            set_comm("jcq-apart")
            be_silent(0, 1, 2)
            function()
        finally:
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait_gone(pids_fds, limit_s):
    """Wait until every process behind the pidfds has ended.

    Returns:
        The pidfds that have not, after `limit_s` seconds.
    """
    left = set(pids_fds)
    deadline = time.monotonic() + limit_s
    poll = select.poll()
    for fd in left:
        poll.register(fd, select.POLLIN)
    while left:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            break
        for fd, _ in poll.poll(remaining_s * 1000):
            poll.unregister(fd)
            left.discard(fd)
    return left

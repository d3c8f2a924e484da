"""A machine of its own on this kernel, as root: mount, PID, UTS, network and cgroup namespaces with one first process.

SIGKILL of its first process ends everything in it at once, as a power-off does. This very file, run
as a program, makes the namespaces; it and the machine die with the tests that started it.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time

_CLONE_NEWNS = 0x00020000
_CLONE_NEWCGROUP = 0x02000000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
#: Of the cgroups of machines, before the pid of the tests and the name of the machine.
_CGROUP = "jcq-test"
_libc = ctypes.CDLL(None, use_errno=True)


class Machine:
    """A running machine."""

    def __init__(self, host_name, binds=()):
        """Start it.

        Args:
            host_name: what its `uname -n` says.
            binds: [(source, target)]: directories that are seen at another place in it.
        Raises:
            OSError: this kernel or container does not allow it.
        """
        self._cgroup = _make_cgroup(f"{_CGROUP}-{os.getpid()}-{host_name}")
        reader, writer = os.pipe()
        arguments = [str(writer), repr((host_name, list(binds), self._cgroup))]
        self._helper = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), *arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[writer],
            start_new_session=True,
        )
        os.close(writer)
        with open(reader, "rb") as ready:
            announced = ready.read()
        if not announced.strip().isdigit():
            said = self._helper.communicate()[1].decode(errors="replace").strip()
            _remove_cgroup(self._cgroup)
            raise OSError(f"no machine: {said}")
        #: Its first process, as seen from here.
        self.init = int(announced)
        self._inode = os.stat(f"/proc/{self.init}/ns/pid").st_ino

    def argv(self, argv, directory, user=None):
        """How a program is run in it.

        Args:
            argv: program and arguments.
            directory: its working directory.
            user: None for root, else a `User`.
        """
        become = []
        if user:
            groups = ["--groups", ",".join(map(str, user.every_group))]
            become = ["setpriv", "--reuid", str(user.uid), "--regid", str(user.gid), *groups]
        enter = ["nsenter", f"--target={self.init}", "--mount", "--uts", "--net", "--pid", "--cgroup", "--"]
        return [*enter, "env", f"--chdir={directory}", *become, *argv]

    def join_cgroup(self):
        """Move the calling process, a forked child, into its cgroup; `argv` does the rest."""
        if self._cgroup:
            with open(os.path.join(self._cgroup, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    def pids(self):
        """Every process in it but the first, as seen from here; a zombie is none."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != self.init:
                with contextlib.suppress(OSError):
                    if os.stat(f"/proc/{entry}/ns/pid").st_ino == self._inode:
                        found.append(int(entry))
        return found

    @property
    def alive(self):
        """Whether it runs."""
        return self._helper.poll() is None

    def kill(self):
        """Power it off."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.init, signal.SIGKILL)
        # The helper ends when the kernel has taken the last process of the machine away.
        self._helper.wait()
        self._helper.stderr.close()
        _remove_cgroup(self._cgroup)


# --- cgroups ---------------------------------------------------------------------------------


def _cgroup_mount():
    """Where cgroup v2 is mounted, or an empty string."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            if rest.startswith("cgroup2 "):
                return fields.split()[4]
    return ""


def _make_cgroup(name):
    """A cgroup for a machine, so that another machine's cgroups of the same names are others; empty: there is none."""
    top = _cgroup_mount()
    path = os.path.join(top, name) if top else ""
    try:
        if path:
            _remove_abandoned(top)
            os.mkdir(path)
    except OSError:
        return ""
    return path


def _remove_abandoned(top):
    """Remove what tests that were killed have left."""
    for name in os.listdir(top):
        words = name.split("-")
        if name.startswith(f"{_CGROUP}-") and words[2].isdigit() and not os.path.exists(f"/proc/{words[2]}"):
            _remove_cgroup(os.path.join(top, name))


def _remove_cgroup(path):
    """Remove a cgroup and those below it; the kernel may still be taking the last process out of it."""
    deadline = time.monotonic() + 10
    while path and os.path.isdir(path):
        try:
            for directory, _, _ in os.walk(path, topdown=False):
                os.rmdir(directory)
        except OSError:
            if time.monotonic() > deadline:
                raise
            os.sched_yield()


# --- the helper ------------------------------------------------------------------------------


def _check(answer, what):
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind="", flags=0):
    answer = _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), None)
    _check(answer, f"mount {kind or 'bind'} on {target}")


def _build(host_name, binds, cgroup):
    """What the first process does before anyone enters."""
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc")
    if cgroup:
        _mount(cgroup, os.path.dirname(cgroup), "", _MS_BIND)
    name = host_name.encode()
    _check(_libc.sethostname(name, len(name)), "sethostname")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
    for source, target in binds:
        _mount(source, target, "", _MS_BIND)


def _die_with(parent):
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")
    if os.getppid() not in (parent, 0):
        os._exit(1)


def _first_process(built, writer):
    """Adopt and reap until somebody pulls the plug."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    os.write(built, b"ready")
    os.close(built)
    os.close(writer)
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            continue


def _main():
    import ast

    writer, (host_name, binds, cgroup) = int(sys.argv[1]), ast.literal_eval(sys.argv[2])
    _die_with(os.getppid())
    if cgroup:
        with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    flags = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWCGROUP
    _check(_libc.unshare(flags), "unshare")
    reader, built = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            _die_with(parent)
            _build(host_name, binds, cgroup)
        except OSError as error:
            sys.exit(str(error))
        _first_process(built, writer)
    os.close(built)
    if os.read(reader, 5) == b"ready":
        os.write(writer, str(pid).encode())
    os.close(writer)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    _main()

"""Starting one daemon of a site: fork, own session, parent-death signal, lock descriptors, exec.

No `subprocess`: cjcpw adopts and reaps every orphan below it, which would steal its children
(design section 10). Called from the main thread only, since the parent-death signal fires when the
thread that forked ends.
"""

import fcntl
import os
import pwd
import signal
import sys
from dataclasses import dataclass

from jcq.jcdbs import server
from jcq.node import boot_id
from jcq.process import die_with_parent
from jcq.site import Site

JCDBS = "jcdbs"
NQSDAEMON = "nqsdaemon"
WORKER = "worker"
#: In the order of their start; they stop in the opposite one.
ORDER = (JCDBS, NQSDAEMON, WORKER)

_READY_FD = 3
_PAGE_FD = 4
_FIRST_LOCK_FD = 5
#: Above every number that is wanted.
_OUT_OF_THE_WAY = 64
#: What daemons say before their logs are open, or when they crash: `log/<name>.err`, emptied beyond this.
_ERRORS_BYTES_MAX = 1024 * 1024


@dataclass
class Daemon:
    """A started daemon."""

    name: str
    pid: int
    #: Where it announces readiness; -1 for jcdbs, which is asked, and once it has.
    ready_fd: int = -1


@dataclass(frozen=True)
class Launch:
    """What all daemons of one run share."""

    site: Site
    epoch: int
    #: Executable of jcdbs.
    server_path: str
    #: Descriptors of the lock files.
    lock_fds: tuple
    #: Descriptor of the `SitePage`.
    page_fd: int


def environment(site, epoch):
    """The environment of daemons: of the administrator's only PATH, LANG and TZ; and the marks for the sweep."""
    found = {
        "PATH": os.environ.get("PATH") or "/usr/bin:/bin",
        "HOME": _home(),
        "LANG": os.environ.get("LANG") or "C.UTF-8",
        "JCQ_ROOT": site.root,
        # Without it setproctitle wipes /proc/PID/environ, and the markers with it.
        "SPT_NOENV": "1",
        "JCQ_SITE": os.path.realpath(site.directory),
        "JCQ_EPOCH": str(epoch),
        "JCQ_BOOT": boot_id(site.root),
    }
    if os.environ.get("TZ"):
        found["TZ"] = os.environ["TZ"]
    return found


def start(name, launch, again=False):
    """Start one daemon.

    Args:
        name: one of `ORDER`.
        launch: the `Launch` of this run.
        again: jcdbs has run in this epoch before; nothing is written then, for the disk may be full.
    Returns:
        A `Daemon`; one whose program cannot be executed ends with 127.
    Raises:
        OSError: no process, or no descriptor, is to be had.
    """
    site, epoch = launch.site, launch.epoch
    if name == JCDBS:
        if not again:
            server.write_conf(site, epoch)
        argv = server.argv(site, epoch, launch.server_path)
        return _spawn(name, launch, launch.server_path, argv, server.epoch_directory(site, epoch), announces=False)
    module = "jcq.nqsdaemon" if name == NQSDAEMON else "worker"
    argv = [sys.executable, "-I", "-m", module, "--root", site.root, "--site", site.directory, "--epoch", str(epoch)]
    lock_fds = (str(_FIRST_LOCK_FD + number) for number in range(len(launch.lock_fds)))
    argv += ["--ready-fd", str(_READY_FD), "--page-fd", str(_PAGE_FD), "--lock-fds", ",".join(lock_fds)]
    return _spawn(name, launch, sys.executable, argv, "/", announces=True)


def _spawn(name, launch, program, argv, directory, announces):
    environ = environment(launch.site, launch.epoch)
    log_path = launch.site.path("log", f"{name}.err")
    ready_read, ready_write = os.pipe() if announces else (-1, -1)
    parent = os.getpid()
    # A signal that met the child before exec would be handled by our handlers, in our wakeup pipe.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            die_with_parent(parent)
            _place_descriptors(log_path, launch, ready_write)
            os.chdir(directory)
            os.umask(0o077)
            signal.set_wakeup_fd(-1)
            _default_signals()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execve(program, argv, environ)
        except BaseException as error:
            os.write(2, f"cannot start {program}: {error}\n".encode())
        finally:
            os._exit(127)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if announces:
        os.close(ready_write)
    return Daemon(name, pid, ready_read)


def _place_descriptors(log_path, launch, ready_fd):
    """Standard descriptors, readiness, page and locks at their numbers; everything else closed."""
    null = os.open("/dev/null", os.O_RDONLY)
    log = _open_errors(log_path)
    wanted = {0: null, 1: log, 2: log, _PAGE_FD: launch.page_fd}
    wanted |= {_FIRST_LOCK_FD + number: fd for number, fd in enumerate(launch.lock_fds)}
    if ready_fd >= 0:
        wanted[_READY_FD] = ready_fd
    # First out of the way of the numbers wanted, then into place.
    copies = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for number, fd in wanted.items()}
    os.closerange(3, _OUT_OF_THE_WAY)
    os.closerange(max(copies.values()) + 1, 1 << 20)
    for number, fd in copies.items():
        os.dup2(fd, number, inheritable=True)


def _open_errors(path):
    """The file of a daemon's last words; where there is none to be had, no log ends a daemon."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        if os.fstat(log).st_size > _ERRORS_BYTES_MAX:
            os.ftruncate(log, 0)
    except OSError:
        return os.open("/dev/null", os.O_WRONLY)
    return log


def _default_signals():
    """Default disposition for all: what is ignored here, as Python and a shell's `&` do, stays so over exec."""
    for signum in signal.valid_signals():
        if signal.getsignal(signum) not in (signal.SIG_DFL, None):
            signal.signal(signum, signal.SIG_DFL)


def _home():
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"

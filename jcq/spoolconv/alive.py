"""Whether an old system still uses its spool: processes of this node in it, locks on its files, true pid files.

A copy of a spool, or one whose system ran on another machine, shows none of this. Looking leaves no time of access
behind, where that is allowed: the spool stays as it is.
"""

import os
import stat

from jcq.node import start_ticks

#: Directories below the spool in which pid files are looked for, and names in one of them.
_DEPTH = 3
_NAMES_MAX = 2000
_TICKS = os.sysconf("SC_CLK_TCK")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def users_of(path, apart=""):
    """Who uses a spool.

    Args:
        path: the old spool.
        apart: a directory below it that is not part of it: the new site's.
    Returns:
        Phrases, one for each sign, some at the most.
    """
    top = os.path.realpath(path)
    apart = os.path.realpath(apart) if apart else ""
    return [*_processes(top, apart), *_pid_files(top, apart), *_locks(top, apart)][:5]


def _inside(path, top, apart):
    below = path == top or path.startswith(top.rstrip("/") + "/")
    return below and not (apart and (path == apart or path.startswith(apart + "/")))


def _processes(top, apart):
    """Those of others that have a file or directory of it open, or stand in it; not the caller's own ancestors."""
    mine = _ancestors()
    for pid in sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True):
        if pid in mine:
            continue
        found = next((target for target in _targets(pid) if _inside(target, top, apart)), None)
        if found:
            yield f"{_name(pid)}[{pid}] has {found} open"


def _targets(pid):
    links = [f"/proc/{pid}/cwd"]
    try:
        links += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return
    for link in links:
        try:
            yield os.readlink(link).removesuffix(" (deleted)")
        except OSError:
            continue


def _ancestors():
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found


def _name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"


def _files(top, apart, depth=_DEPTH):
    """(path, status) of the regular files near the top."""
    try:
        fd = _open(top, os.O_DIRECTORY)
    except OSError:
        return
    try:
        with os.scandir(fd) as entries:
            for number, entry in enumerate(entries):
                if number >= _NAMES_MAX:
                    return
                path = os.path.join(top, entry.name)
                if not _inside(path, top, apart):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth > 1:
                        yield from _files(path, apart, depth - 1)
                elif entry.is_file(follow_symlinks=False):
                    yield path, entry.stat(follow_symlinks=False)
    except OSError:
        return
    finally:
        os.close(fd)


def _open(path, flags=0):
    try:
        return os.open(path, _READ | flags | os.O_NOATIME)
    except PermissionError:
        # O_NOATIME is for the owner and root.
        return os.open(path, _READ | flags)


def _pid_files(top, apart):
    """Files `*.pid` that name a process which began before they were written, so that it may have written them."""
    for path, status in _files(top, apart):
        if not path.endswith((".pid", "_pid")) or status.st_size > 64:
            continue
        try:
            with open(path, encoding="ascii", opener=lambda name, _flags: _open(name)) as file:
                pid = int(file.read().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        begun_s = _begun_s(pid)
        if begun_s and begun_s <= status.st_mtime + 1 and pid not in _ancestors():
            yield f"{path} names {_name(pid)}[{pid}], which lives"


def _begun_s(pid):
    ticks = start_ticks(pid) if 0 < pid < 2**22 else None
    if ticks is None:
        return 0.0
    with open("/proc/stat", encoding="ascii") as file:
        boot_s = next(int(line.split()[1]) for line in file if line.startswith("btime"))
    return boot_s + ticks / _TICKS


def _locks(top, apart):
    """Locks of anybody on files near the top, as /proc/locks names them by device and inode."""
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            locked = {line.split()[5 + (line.split()[1] == "->")] for line in file}
    except (OSError, IndexError):
        return
    if not locked:
        return
    for path, status in _files(top, apart):
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        if device in locked and stat.S_ISREG(status.st_mode):
            yield f"{path} is locked"

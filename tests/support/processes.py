"""Probes: which processes belong to a site or a scratch root, and what memory they take."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """One living process, as /proc shows it."""

    pid: int
    ppid: int
    uid: int
    #: R, S, D, T ...; zombies are never listed.
    state: str
    #: What ps shows: the title, or argv joined by blanks.
    title: str
    #: Why it was listed.
    reason: str


def processes_with(marker):
    """Processes whose environment holds `marker`, for instance `JCQ_SITE=/x/nqs`."""
    wanted = os.fsencode(marker)
    return _listed(lambda pid: marker if wanted in _read(pid, "environ").split(b"\0") else "")


def processes_below(root):
    """Processes that have anything to do with a scratch root.

    That is: `JCQ_ROOT` or `JCQ_SITE` of their environment is the root or below it, or their working
    directory or program file is.
    """
    root = os.path.realpath(root)
    wanted = [os.fsencode(f"{name}={root}") for name in ("JCQ_ROOT", "JCQ_SITE")]

    def reason(pid):
        for variable in _read(pid, "environ").split(b"\0"):
            for prefix in wanted:
                if variable == prefix or variable.startswith(prefix + b"/"):
                    return os.fsdecode(variable)
        for link in ("cwd", "exe"):
            try:
                path = os.readlink(f"/proc/{pid}/{link}").removesuffix(" (deleted)")
            except OSError:
                continue
            if path == root or path.startswith(root + "/"):
                return f"{link} is {path}"
        return ""

    return _listed(reason)


def processes_in_namespace(inode):
    """Processes whose mount namespace has this inode."""

    def reason(pid):
        try:
            return "in the namespace" if os.stat(f"/proc/{pid}/ns/mnt").st_ino == inode else ""
        except OSError:
            return ""

    return _listed(reason)


def of_pids(pids, reason):
    """Those of the pids that live; a zombie does not."""
    wanted = set(pids)
    return _listed(lambda pid: reason if pid in wanted else "")


def without_forks(found):
    """Those of the processes that are not the copy of another one, made a moment ago to become something else."""
    titles = {process.pid: process.title for process in found}
    return [process for process in found if titles.get(process.ppid) != process.title]


def pss_kb(processes):
    """Sum of the proportional set sizes, in kB; a process that has just ended counts 0."""
    total_kb = 0
    for process in processes:
        for line in _read(process.pid, "smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total_kb += int(line.split()[1])
    return total_kb


def table(processes):
    """A text table for messages."""
    lines = [f"{p.pid:>8} {p.ppid:>8} {p.uid:>6} {p.state} {p.title[:90]}  [{p.reason}]" for p in processes]
    return "\n".join(lines) or "(no process)"


def _listed(reason):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        pid = int(entry)
        stat = _read(pid, "stat")
        fields = stat[stat.rfind(b")") + 2 :].split()
        if len(fields) < 2 or fields[0] in (b"Z", b"X"):
            continue
        why = reason(pid)
        if not why:
            continue
        try:
            uid = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            continue
        title = _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        found.append(Process(pid, int(fields[1]), uid, fields[0].decode(), title, why))
    return found


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""

"""Which machine this is, and whether a recorded process is still the same one (design section 3)."""

import os
from dataclasses import dataclass

from jcq.site import host_name


def node_id(root, configured=""):
    """The node's name for decisions across nodes: `node_id=` of daemon.conf, else node name and machine-id."""
    if configured:
        return configured
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip()
    except OSError:
        machine = ""
    return f"{host_name()}-{machine}" if machine else host_name()


def boot_id(root):
    """The kernel's boot id. A file `boot_id` in the root overrides it, so that tests can be another boot."""
    for path in (os.path.join(root, "boot_id"), "/proc/sys/kernel/random/boot_id"):
        try:
            with open(path, encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            continue
    return ""


def pid_namespace():
    """Inode of this process's PID namespace: a pid means something only inside it."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def start_ticks(pid):
    """Start time of a process in clock ticks since boot, or None if there is no such process, or only a zombie.

    With the pid it names a process for good: pids are reused, the pair is not.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


@dataclass(frozen=True)
class ProcessName:
    """A process that a record on the shared disk speaks of."""

    node: str
    boot: str
    pid_ns: int
    pid: int
    start: int

    @classmethod
    def of(cls, pid, root, node):
        """The name of a living process of this node."""
        return cls(node, boot_id(root), pid_namespace(), pid, start_ticks(pid) or 0)

    def alive_here(self, root):
        """Whether this very process lives on this node, now."""
        return self.boot == boot_id(root) and self.pid_ns == pid_namespace() and start_ticks(self.pid) == self.start

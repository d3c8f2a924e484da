"""The record of daemons `run/daemons`: which processes of the site this node started, and how.

For `-stop` after `cjcpw -c`, for cjcls, and for the start after a crash. A pid in it counts only
together with node, boot, PID namespace and start time (design section 3).
"""

import json
import os
from dataclasses import asdict, dataclass, field

from jcq.durable import write_durably
from jcq.node import ProcessName, boot_id, node_id, pid_namespace, start_ticks

CJCPW = "cjcpw"
#: What stands in cjcpw's place after `cjcpw -c`: the nqsdaemon on top.
TOP = "top"
NQSDAEMON = "nqsdaemon"


@dataclass
class DaemonRecord:
    """What `run/daemons` holds."""

    node: str = ""
    boot: str = ""
    pid_ns: int = 0
    #: Epoch of the daemons; 0 while there are none.
    epoch: int = 0
    #: Whether all of them have announced that they are ready.
    up: bool = False
    #: False after `cjcpw -c`.
    monitored: bool = True
    #: Value of local_daemon when the site was started (manual 2.3.6: read at start only).
    local_daemon: str = ""
    #: name -> [pid, start in clock ticks since boot].
    processes: dict = field(default_factory=dict)

    @classmethod
    def new(cls, root, conf, monitored):
        """An empty record of this node."""
        return cls(
            node_id(root, conf.node_id),
            boot_id(root),
            pid_namespace(),
            monitored=monitored,
            local_daemon=conf.local_daemon,
        )

    def put(self, name, pid):
        """Add a living process."""
        self.processes[name] = [pid, start_ticks(pid) or 0]

    def write(self, site):
        """Replace the file, 0600."""
        write_durably(_path(site), json.dumps(asdict(self)).encode(), 0o600)

    def alive(self, root):
        """{name: pid} of the recorded processes that live on this node, in the order of their start."""
        found = {}
        for name, (pid, start) in self.processes.items():
            if ProcessName(self.node, self.boot, self.pid_ns, pid, start).alive_here(root):
                found[name] = pid
        return found


def read(site):
    """Read the record; an empty one where there is none, or none that can be understood.

    It is a help to find processes, never the authority on who owns the site, so damage is no error.

    Raises:
        PermissionError: the caller may not look.
    """
    try:
        with open(_path(site), encoding="utf-8") as file:
            return DaemonRecord(**json.load(file))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return DaemonRecord()


def remove(site):
    """Remove the record: nothing of the site is left on this node."""
    try:
        os.unlink(_path(site))
    except FileNotFoundError:
        pass


def _path(site):
    return site.path("run", "daemons")

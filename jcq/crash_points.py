"""Named places in the start and the stop of a site at which a test can have the process killed; no-ops in production.

A test writes a point's name into `<root>/crash_at`, or `NAME 3` for the third time that one process
comes by. The file is read once, when a process arms itself; without it `reach` does nothing. Source:
ha-facts.md section 5, case 13.
"""

import os
import signal

#: (name, where the process is then). Every name in the code is here, and none else.
POINTS = (
    ("acquire locked", "cjcpw holds both locks and has done nothing else"),
    ("acquire swept", "what an old run left on this node is killed"),
    ("acquire recorded", "the record of daemons names this cjcpw; the owner record is still the old one"),
    ("epoch begin", "the number of the new epoch is known, nothing is copied"),
    ("epoch file", "one more file of the old epoch is copied"),
    ("epoch copied", "the copy is whole and on disk, under its temporary name"),
    ("epoch renamed", "the new epoch has its name; the owner record still has the old number"),
    ("epoch owned", "the owner record has the new number; no daemon is started"),
    ("daemon forked", "a daemon is started, and is not in the record of daemons"),
    ("daemon noted", "the daemon is in the record of daemons, and not ready"),
    ("daemon ready", "the daemon has said that it is ready; the next one is not started"),
    ("announce begin", "all daemons are ready; nothing says so"),
    ("announce end", "the site is up, and everybody was told"),
    ("release begin", "every process of the site has ended; the owner record says that it runs"),
    ("release end", "the owner record says that the site is released; the locks are still held"),
    ("recover begin", "nqsdaemon has opened the epoch, and judged no request"),
    ("recover request", "nqsdaemon has judged one more request"),
    ("recover end", "nqsdaemon has judged every request, and not said that it is ready"),
    ("worker ready", "the worker is registered, and has not said that it is ready"),
)

_FILE = "crash_at"
#: Name of the point that kills this process, and how often it is still to be passed.
_armed = ""
_passes = 0


def arm(root):
    """Read `<root>/crash_at` once, at the start of a process.

    Args:
        root: see `jcq.site.root_directory`.
    Raises:
        ValueError: the file names no point.
    """
    global _armed, _passes
    _armed = ""
    try:
        with open(os.path.join(root, _FILE), encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return
    name, _, count = text.rpartition(" ")
    if not count.isdigit():
        name, count = text, "1"
    if name not in dict(POINTS):
        raise ValueError(f"{_FILE} names {name!r}, which is no crash point")
    _armed, _passes = name, int(count)


def reach(name):
    """Be at a point: SIGKILL of this process where it is the armed one, else nothing.

    Args:
        name: one of `POINTS`.
    """
    global _passes
    if name != _armed:
        return
    _passes -= 1
    if _passes <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

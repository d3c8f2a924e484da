"""The owner record `database/.owner`: which node runs the site, or ran it last, and in which epoch.

Rewritten only at start and stop, durably. Each run has a name of its own: a process whose run it does
not name any more has lost the site. Source: design section 9.
"""

import os
import re
import time
import zlib
from dataclasses import dataclass, fields, replace
from typing import Any

from jcq.durable import write_durably
from jcq.errors import DatabaseUnusable
from jcq.node import ProcessName, boot_id, node_id, pid_namespace
from jcq.site import host_name

RUNNING = "running"
RELEASED = "released"


@dataclass(frozen=True)
class OwnerRecord:
    """What `.owner` holds."""

    #: `RUNNING`, or `RELEASED` when the last process of the site was seen to be gone.
    state: str = RELEASED
    site: str = ""
    #: See `jcq.node.node_id`.
    node: str = ""
    host: str = ""
    boot: str = ""
    pid_ns: int = 0
    #: cjcpw, or with `-c` the nqsdaemon on top.
    pid: int = 0
    #: Start of that process in clock ticks since boot.
    start: int = 0
    #: The epoch that runs, or ran last.
    epoch: int = 0
    #: Kind and version of the server that wrote the data, such as `valkey 9.1.2`.
    server: str = ""
    #: For people only; no decision compares clocks.
    since: str = ""
    #: Name of this run of the owner, new at every start.
    run: str = ""
    #: Name of the run of a frozen owner from which this one took the site over: see `jcq.cluster.locks`.
    forced: str = ""

    @property
    def runs(self):
        """The run that it names, and the one from which that took the site over."""
        return [run for run in (self.run, self.forced) if run]

    def write(self, site):
        """Replace the record, durably."""
        text = "".join(f"{spec.name}={getattr(self, spec.name)}\n" for spec in fields(self))
        text += f"sum={zlib.crc32(text.encode()):08x}\n"
        write_durably(_path(site), text.encode(), 0o644)

    def on_this_node(self, root):
        """Whether the process it names would be visible here: same boot, same PID namespace."""
        return self.boot == boot_id(root) and self.pid_ns == pid_namespace()

    def alive_here(self, root):
        """Whether the very process it names lives, on this node."""
        return ProcessName(self.node, self.boot, self.pid_ns, self.pid, self.start).alive_here(root)


def new_run():
    """A name for a run that no other one has."""
    return os.urandom(8).hex()


def here(root, conf, *, site, state, epoch, server, pid, run="", forced=""):
    """A record about a process of this node.

    Args:
        root: see `jcq.site.root_directory`.
        conf: `DaemonConf`, for its `node_id`.
        site: the site's name.
        state: `RUNNING` or `RELEASED`.
        epoch: number of the run.
        server: kind and version of the server.
        pid: the process that speaks for the site.
        run, forced: see `OwnerRecord`.
    """
    node = node_id(root, conf.node_id)
    process = ProcessName.of(pid, root, node)
    return OwnerRecord(
        state=state,
        site=site,
        node=node,
        host=host_name(),
        boot=process.boot,
        pid_ns=process.pid_ns,
        pid=pid,
        start=process.start,
        epoch=epoch,
        server=server,
        since=_now(),
        run=run,
        forced=forced,
    )


def released(record):
    """The same record once nothing of the site is left on its node."""
    return replace(record, state=RELEASED, since=_now())


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def read(site):
    """Read the record.

    Returns:
        `OwnerRecord`; an empty one where there is none yet.
    Raises:
        DatabaseUnusable: it is damaged, so that nobody can tell who owns the site.
    """
    path = _path(site)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return OwnerRecord()
    body, mark, total = text.rpartition("sum=")
    found = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
    try:
        if not mark or int(total, 16) != zlib.crc32(body.encode()):
            raise ValueError("checksum")
        values: dict[str, Any] = {
            spec.name: int(found[spec.name]) if spec.type is int else found[spec.name] for spec in fields(OwnerRecord)
        }
        return OwnerRecord(**values)
    except (KeyError, ValueError):
        reason = f"{path} is damaged; remove it once no node runs the site"
        raise DatabaseUnusable(site=site.name or site.directory, reason=reason) from None


def check_server(site, record, server):
    """Refuse a server that may not read what the last one wrote.

    A Redis 6.2 on newer data comes up empty without an error (ha-facts.md section 4), so an older
    version or another kind is never let near it.

    Args:
        site: for the message.
        record: the `OwnerRecord`; one without a server accepts any.
        server: kind and version of the server that is to be started.
    Raises:
        DatabaseUnusable: older, or of another kind.
    """
    if not record.server:
        return
    old_kind, old_version = _kind_and_version(record.server)
    kind, version = _kind_and_version(server)
    if kind != old_kind or version < old_version:
        reason = f"{record.server} wrote it and {server} of this node may not read it; install {record.server} or later"
        raise DatabaseUnusable(site=site.name or site.directory, reason=reason)


def _kind_and_version(server):
    kind, _, version = server.partition(" ")
    return kind, tuple(int(part) for part in re.findall(r"\d+", version))


def _path(site):
    return os.path.join(site.database, ".owner")

"""Two nodes over one shared directory, with one interface for both ways to have them here.

As root each node is a `Machine`; without root, or where a test wants it, both are ordinary processes
that differ in JCQ_ROOT, boot id and `node_id`. Either way a node can be powered off, and frozen and
thawed, with everything on it at one instant.
"""

import contextlib
import itertools
import os
import shutil
import signal
import tempfile
import uuid

from jcq.process import children
from support import processes
from support.harness import Node, SiteHarness
from support.machine import Machine
from support.waiting import wait_until

SITE = "testsite"
_addresses = itertools.count(1)
_GONE_LIMIT_S = 20


class OneNode(Node):
    """One of the two; `site` is the shared site as this node starts and stops it."""

    def __init__(self, name, shared):
        """Make it; it is not booted yet.

        Args:
            name: its node id; as root its host name too.
            shared: the `TwoNodes`.
        """
        super().__init__()
        self.name = name
        self._shared = shared
        self.add_name(shared.address, f"{SITE}.example", SITE)
        self.write_daemon_conf(f"node_id={name}\n")
        # What stands in run/ means something on one node only; its sockets could be reached from the other one.
        self.run_directory = self.make_directory("run", 0o711)
        self.site = self.adopt(SharedSite(self, shared))

    @property
    def host(self):
        """What the owner record calls this node's host."""
        return os.uname().nodename

    # --- power -------------------------------------------------------------------------------

    def boot(self):
        """Switch it on: another boot id than before."""
        with open(os.path.join(self.root, "boot_id"), "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")

    def pids(self):
        """Everything that runs on it, with what jobs left behind."""
        carriers = {process.pid for process in processes.processes_with(f"JCQ_ROOT={self.root}")}
        found, new = set(), carriers
        while new:
            found |= new
            new = {below for pid in new for below in children(pid)} - found
        return sorted(found)

    def kill(self):
        """Power it off: everything on it dies at one instant, unasked."""
        self._stop_all()
        self._send_all(signal.SIGKILL)
        wait_until(lambda: not self._kill_rest(), _GONE_LIMIT_S, lambda: processes.table(self.left_over()))
        self._off()

    def freeze(self):
        """SIGSTOP for everything on it, as a virtual machine that is paused."""
        self._stop_all()

    def thaw(self, but=()):
        """SIGCONT for everything on it but some pids."""
        self._send_all(signal.SIGCONT, but)

    def _stop_all(self):
        stopped = set()
        # What was forked by one that was not stopped yet is seen by the next look.
        while new := set(self.pids()) - stopped:
            for pid in new:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= new

    def _send_all(self, signum, but=()):
        for pid in set(self.pids()).difference(but):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    def _kill_rest(self):
        self._send_all(signal.SIGKILL)
        return processes.of_pids(self.pids(), "not dead yet")

    def _off(self):
        for child in self._started:
            child.wait()
        self._started.clear()
        self.site.cjcpw = None

    # --- the end -----------------------------------------------------------------------------

    def close(self, failed=False):
        """As `Node.close`; a frozen node is thawed first."""
        self.thaw()
        super().close(failed)


class MachineNode(OneNode):
    """As `OneNode`, with namespaces of its own."""

    def __init__(self, name, shared):
        """See `OneNode`."""
        self.machine = None
        super().__init__(name, shared)

    @property
    def host(self):
        """See `OneNode.host`."""
        return self.name

    def boot(self):
        """See `OneNode.boot`."""
        super().boot()
        self.machine = Machine(self.name, self.binds())

    def binds(self):
        """What is seen at another place on this node, as (source, target)."""
        return [(self.run_directory, os.path.join(self._shared.directory, "run"))]

    def pids(self):
        """See `OneNode.pids`."""
        return self.machine.pids() if self.machine and self.machine.alive else []

    def kill(self):
        """See `OneNode.kill`: the first process of its PID namespace is killed, and the kernel kills the rest."""
        self.machine.kill()
        self._continue_started()
        self._off()

    def thaw(self, but=()):
        """See `OneNode.thaw`."""
        super().thaw(but)
        self._continue_started()

    def _continue_started(self):
        # nsenter stops itself when its child is stopped.
        for child in self._started:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)

    def popen(self, argv, user=None, env=None, cwd=None, **options):
        """See `Node.popen`."""
        if not self.machine:
            return super().popen(argv, user, env, cwd, **options)
        inside = self.machine.argv(argv, cwd or self.scratch, user)
        values = {"USER": user.name, "LOGNAME": user.name} if user and user.name else {}
        # nsenter itself needs root's rights.
        return super().popen(inside, env={**values, **(env or {})}, **options)

    def enter(self):
        """See `Node.enter`."""
        if self.machine:
            self.machine.join_cgroup()

    def left_over(self):
        """See `Node.left_over`."""
        return processes.of_pids(self.pids(), f"on {self.name}")

    def close(self, failed=False):
        """See `OneNode.close`."""
        try:
            super().close(failed)
        finally:
            if self.machine:
                self.machine.kill()


class SharedSite(SiteHarness):
    """The shared site, as one of the nodes sees it."""

    def __init__(self, node, shared):
        super().__init__(node, SITE, shared.directory, db_path=shared.db_path, address=shared.address)

    def start_by_command(self):
        """`cjcpw -c`; returns itself when it is up."""
        self.node.run("cjcpw", "-c", self.name, self.db_path).ok()
        self.wait_up()
        return self

    def start_by_force(self, old_host):
        """`cjcpw --force OLDHOST`; returns itself when it is up."""
        self.cjcpw = self.node.spawn("cjcpw", "--force", old_host, self.name, self.db_path)
        self.wait_up()
        return self

    def end_by_itself(self, limit_s=_GONE_LIMIT_S):
        """Wait for the end of cjcpw; returns its exit code."""
        code = self.cjcpw.wait(limit_s)
        self.cjcpw = None
        return code

    def row(self):
        """See `SiteHarness.row`; a node that has never started the site does not know it."""
        lines = self.node.run("cjcls").ok().splitlines()
        rows = [line.split() for line in lines if line.startswith(f"{self.name} ")]
        return rows[0] if rows else [self.name, "SHUT", self.db_path, "", "OFF"]

    def processes(self):
        """Its processes on this node."""
        mine = set(self.node.pids())
        return [process for process in super().processes() if process.pid in mine]

    def cjcpw_pid(self):
        """The pid of cjcpw, as seen from the tests; fails unless there is exactly one."""
        found = [p for p in self.node.left_over() if "cjcpw" in p.title and "nsenter" not in p.title]
        found = processes.without_forks(found)
        assert len(found) == 1, processes.table(self.node.left_over())
        return found[0].pid


class TwoNodes:
    """`node_a` and `node_b`, both booted, and the directory that both see."""

    #: What a node is that has namespaces of its own.
    MACHINE = MachineNode

    def __init__(self, machines=None, site_conf="", database=None):
        """Make the site; it is not started.

        Args:
            machines: whether nodes have namespaces of their own; None: as root.
            site_conf: text of the site's site.conf.
            database: an existing directory that becomes DBPATH, on a file system of its own; None: an ordinary one.
        """
        self.machines = os.geteuid() == 0 if machines is None else machines
        number = next(_addresses)
        self.address = f"127.{177 + os.getpid() % 50}.{number // 250}.{number % 250 + 1}"
        #: What both nodes see besides the site: ledgers, work directories.
        self.scratch = os.path.realpath(tempfile.mkdtemp(prefix="jcq-two-"))
        os.chmod(self.scratch, 0o755)
        self.db_path = database or self.make_directory("db")
        self.directory = os.path.join(self.db_path, "nqs")
        kind = self.MACHINE if self.machines else OneNode
        self.node_a, self.node_b = kind("node-a", self), kind("node-b", self)
        self.nodes = (self.node_a, self.node_b)
        try:
            self._make_site(site_conf)
            self._boot()
        except BaseException:
            self.close(failed=True)
            raise

    def _make_site(self, site_conf):
        # Still outside every namespace: the site's run/ must be there to be covered.
        self.node_a.run("cjcmksite", SITE, "200", self.db_path).ok()
        with open(os.path.join(self.directory, "site.conf"), "w", encoding="ascii") as file:
            file.write(site_conf)

    def _boot(self):
        for node in self.nodes:
            node.boot()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close(failed=kind is not None)

    def make_directory(self, name, mode=0o755):
        """A directory that both nodes see."""
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def other(self, node):
        """The other one."""
        return self.node_b if node is self.node_a else self.node_a

    def close(self, failed=False):
        """As `Node.close`, of both."""
        try:
            self.node_a.close(failed)
        finally:
            try:
                self.node_b.close(failed)
            finally:
                shutil.rmtree(self.scratch)

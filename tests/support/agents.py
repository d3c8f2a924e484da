"""Cluster software played by hand: the files of `jcq ha` for two sites of a scratch node, and their calls."""

import os
import shlex
import shutil
import signal
import time

from support import processes
from support.harness import Node
from support.waiting import wait_until

MANAGERS = ("clusterware", "expresscluster", "pacemaker", "powerha", "serviceguard", "systemd")
SHELLS = ("dash", "bash")
#: Of a site that does not run, and of a site with nothing to do.
QUICK_S = 10


class Bench:
    """A node with its commands laid, and `testsite` and `testsite2` made."""

    def __init__(self, node):
        self.node = node
        # The laid commands carry this root, and the scripts name them.
        node.run("jcq", "install").ok()
        self.sites = {name: node.cluster_site(name, number) for name, number in (("testsite", 200), ("testsite2", 201))}
        self.site = self.sites["testsite"]
        for site in self.sites.values():
            with open(os.path.join(site.directory, "site.conf"), "w", encoding="ascii") as file:
                file.write("FORCEKILL_TIME=0.5\n")

    def path(self, manager, name, site="testsite"):
        """A file that `jcq ha` has written, now or before."""
        directory = directory_of(self.node, manager, site)
        if not os.path.isdir(directory):
            write_files(self.node, manager, site, self.sites[site].db_path)
        return os.path.join(directory, name)

    # --- calls -------------------------------------------------------------------------------

    def call(self, shell, manager, name, *args, site="testsite", env=None, limit_s=60):
        """Run a script to its end under one shell; returns the `Result`."""
        argv = [shutil.which(shell), self.path(manager, name, site), *args]
        return self.node.run(argv, env=env, limit_s=limit_s)

    def spawn(self, argv, env=None, **options):
        """Start a script that stays; returns its Popen, with `log`."""
        log = os.path.join(self.node.scratch, f"spawned.{time.monotonic_ns()}.log")
        with open(log, "wb") as file:
            child = self.node.popen(argv, env=env, stdout=file, stderr=file, **options)
        child.log = log
        return child

    def agent(self, shell, action, site="testsite", **parameters):
        """An action of the OCF agent; `parameters` replace those of the crm example, None: not given."""
        values = {"site": site, "dbpath": self.sites[site].db_path, **parameters}
        env = {f"OCF_RESKEY_{name}": value for name, value in values.items()}
        return self.call(shell, "pacemaker", "site", action, site=site, env=env)

    def lay(self, command):
        """The path of a laid command."""
        return self.node.lib("cluster" if command.startswith("cjc") else "", command)

    def shell(self, shell, text, **options):
        """Run a text as a script, with the paths of the laid commands in it."""
        return self.node.run([shutil.which(shell), "-c", text], **options)

    # --- what is seen ------------------------------------------------------------------------

    def state(self, site="testsite"):
        """The word of `cjcls --state`."""
        return self.node.run("cjcls", "--state", site).out.strip()

    def pids(self, site="testsite"):
        """Everything of a site that runs, by pid."""
        return sorted(process.pid for process in self.sites[site].processes())

    def cjcpw(self, site="testsite"):
        """Pids of the cjcpws that watch a site, as `ps` shows them."""
        found = processes.without_forks(self.node.left_over())
        ends = f"/cluster/cjcpw {site} {self.sites[site].db_path}"
        return [process.pid for process in found if process.title.endswith(ends)]

    def wait_up(self, site="testsite", child=None):
        """Wait until it is up, or in maintenance; fails when `child` ends."""

        def up():
            assert child is None or child.poll() is None, f"it ended:\n{read(child.log)}"
            return self.state(site) in ("up", "maintenance")

        wait_until(up, 30, self.sites[site].log_text)

    def check_gone(self, site="testsite"):
        """Fails unless nothing of it is left."""
        left = self.sites[site].processes()
        assert not left, processes.table(left)
        assert self.state(site) == "stopped"

    # --- what happens to it ------------------------------------------------------------------

    def leave_a_job(self):
        """SIGKILL everything of `testsite` at one instant but a job's process; returns that process's pid."""
        mark = os.path.join(self.node.scratch, f"job.{time.monotonic_ns()}")
        work = f"setsid sh -c 'echo $$ >{mark}.new; mv {mark}.new {mark}; exec sleep 600' &\nwait\n"
        self.site.qsub(work, "-nr")
        wait_until(lambda: os.path.exists(mark), 20, self.site.log_text)
        job = int(read(mark))
        # cjcpw, the only one without the site's mark, must be the first to stop, and the last to die.
        below = [pid for pid in self.pids() if pid != job]
        above = self.cjcpw()
        for pid in [*above, *below]:
            os.kill(pid, signal.SIGSTOP)
        for pid in [*reversed(below), *above]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pids() == [job], 20, lambda: processes.table(self.site.processes()))
        return job

    def stop(self):
        """Stop both sites, whatever became of them."""
        for name, site in self.sites.items():
            if site.processes() or self.cjcpw(name):
                self.node.run("cjcpw", "-stop", name).ok()


def make_bench():
    """A `Bench` on a node of its own, as a generator for a fixture."""
    with Node() as node:
        bench = Bench(node)
        yield bench
        bench.stop()


def write_files(node, manager, site, db_path):
    """`jcq ha MANAGER` on a node; returns the directory."""
    output = directory_of(node, manager, site)
    node.run("jcq", "ha", manager, "--site", site, "--db", db_path, "--output", output).ok()
    return output


def directory_of(node, manager, site):
    """Where `write_files` puts them."""
    return os.path.join(node.scratch, "ha", f"{manager}-{site}")


def read(path):
    """The text of a file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def command_line(text, key):
    """The command that a configuration file gives for a key, as words."""
    [line] = [line for line in text.splitlines() if line.startswith(key)]
    return shlex.split(shlex.split(line[len(key) :].lstrip(" ="))[0])

"""Without root, in a delegated cgroup: a later start finds the jobs of a run that was killed at one instant."""

import contextlib
import os
import re
import signal

import pytest

from jcq import site_cgroup
from jcq.process import children
from support import skips
from support.hard_jobs import SEVEN, HardJobs
from support.harness import BIN, Node
from support.users import ALICE
from support.waiting import wait_until

pytestmark = pytest.mark.root

LIMIT_S = 30


@pytest.fixture
def delegated():
    """Path of a cgroup that is alice's, as a service manager delegates one."""
    try:
        path = site_cgroup.make(f"jcqtest-{os.getpid()}")
    except OSError:
        pytest.skip(skips.NEEDS_CGROUP)
    for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        os.chown(os.path.join(path, name), ALICE.uid, ALICE.gid)
    yield path
    site_cgroup.remove(path)
    assert not os.path.exists(path), site_cgroup.members(path)


@contextlib.contextmanager
def standing_in(path):
    """What is started inside begins its life in this cgroup."""
    site_cgroup.join(path, os.getpid())
    try:
        yield
    finally:
        site_cgroup.join(os.path.dirname(path), os.getpid())


class Hers:
    """A site that alice made in her home, with a root of its own."""

    def __init__(self, node):
        self.node = node
        self.db_path = f"{node.namespace.home}/alice/db"
        self.root = f"{node.namespace.home}/alice/root"
        rc = f"{self.root}/usr/lib/nqs/rc"
        lines = f"mkdir -p {rc} {self.db_path}; echo 127.0.0.65 hers.example hers > {rc}/resolv.def"
        node.run(["/bin/sh", "-c", f"{lines}; echo port=0 > {rc}/daemon.conf"], user=ALICE).ok()
        self.run("cjcmksite", "hers", "9", self.db_path).ok()

    def run(self, command, *args, **options):
        env = {"JCQ_ROOT": self.root, "NQS_SITE": "hers"}
        return self.node.run([os.path.join(BIN, command), *args], user=ALICE, env=env, **options)

    def start(self):
        """cjcpw; returns its Popen when the site is up."""
        argv = [os.path.join(BIN, "cjcpw"), "hers", self.db_path]
        child = self.node.popen(argv, user=ALICE, env={"JCQ_ROOT": self.root})
        wait_until(lambda: self.row()[1].isdigit() or child.poll() is not None, LIMIT_S, self.row)
        assert child.poll() is None, self.log("cjcpw")
        return child

    def row(self):
        return self.run("cjcls").ok().splitlines()[1].split()

    def qsub(self, script, cwd):
        return re.match(r"Request (\S+) ", self.run("qsub", stdin=script, cwd=cwd).ok())[1]

    def log(self, name):
        return self.node.run(["/bin/cat", f"{self.db_path}/nqs/log/{name}.log"], user=ALICE).ok()

    def close(self):
        self.run("cjcpw", "-stop", "hers").ok()
        self.node.run(["/bin/rm", "-rf", self.root, self.db_path], user=ALICE).ok()


@pytest.fixture
def hers(namespace):
    with Node(namespace) as node:
        made = Hers(node)
        yield made
        made.close()


def test_it_is_found_from_another_cgroup(hers, delegated):
    directory = hers.node.make_directory("jobs", 0o777)
    jobs = HardJobs(directory, SEVEN)
    with standing_in(delegated):
        cjcpw = hers.start()
    request = hers.qsub(jobs.script(), directory)
    jobs.wait_running(request, describe=lambda: hers.log("worker"))
    wait_until(lambda: jobs.chain_lives(request), LIMIT_S, lambda: hers.log("worker"))
    (of_jobs,) = [entry.path for entry in os.scandir(delegated) if entry.is_dir()]
    assert {member.pid for member in jobs.living()} <= set(site_cgroup.members(of_jobs))
    daemons = children(cjcpw.pid)
    (launcher,) = [child for daemon in daemons for child in children(daemon) if _comm(child) == "jcq-launcher"]
    above = [cjcpw.pid, *daemons, launcher, *children(launcher)]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in above:
            os.kill(pid, signum)
    cjcpw.wait(LIMIT_S)
    old = jobs.living()
    assert {member.kind for member in old} == jobs.kinds
    jobs.open()
    hers.start()
    assert [member for member in old if member.alive] == []
    assert "(is in the site's cgroup)" in hers.log("cjcpw")
    # This run stands in root's cgroup, where alice can make none.
    assert "jobs have no cgroup: Permission denied" in hers.log("worker")
    assert hers.run("qwait", request).exit_code == 0
    assert jobs.overlaps() == {}
    assert not jobs.chain_lives(request)
    assert not os.path.exists(of_jobs)


def _comm(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()

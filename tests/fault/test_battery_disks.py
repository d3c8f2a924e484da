"""Battery, cases 5, 9 and 14: the power of the disk is cut, the disk hangs, and it is to be unmounted."""

import os
import signal
import threading
import time
import uuid

import pytest

from jcq import site_cgroup
from jcq.node import boot_id
from support import battery as parts
from support import processes
from support.battery import MODES, MONITORED, Load
from support.hard_jobs import HardJobs
from support.harness import Node
from support.ledger import Submitted
from support.loop_disk import LoopDisk
from support.waiting import wait_until

pytestmark = pytest.mark.root

FENCED = 6
_FORCEKILL_S = 1


class DiskNode(Node):
    """A node whose site stands on a disk of its own."""

    def __init__(self):
        super().__init__()
        self.disk = LoopDisk(self.make_directory("testsite.db"))

    def new_boot(self):
        """Another boot id than before; a machine that boots has no cgroups of its past."""
        for site in self.sites:
            site_cgroup.remove(site_cgroup.place(site.directory, boot_id(self.root)))
        with open(os.path.join(self.root, "boot_id"), "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")

    def made_site(self, fence_s=10):
        """A site with short limits, not started."""
        site = self.cluster_site()
        with open(os.path.join(site.directory, "site.conf"), "w", encoding="ascii") as file:
            file.write(f"FENCE_TIMEOUT={fence_s}\nFORCEKILL_TIME={_FORCEKILL_S}\n")
        return site

    def stop_everything(self):
        """SIGSTOP for everything of this node, as one instant; returns the pids."""
        stopped = set()
        while new := {process.pid for process in self.left_over()} - stopped:
            for pid in new:
                try:
                    os.kill(pid, signal.SIGSTOP)
                except ProcessLookupError:
                    continue
            stopped |= new
        return stopped

    def kill_everything(self):
        """SIGKILL for everything of this node."""

        def gone():
            for process in self.left_over():
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not self.left_over()

        wait_until(gone, 20, lambda: [process.title for process in self.left_over()])
        for child in self._started:
            child.wait()
        self._started.clear()

    def close(self, failed=False):
        """As `Node.close`, with the disk, which must be free before the scratch directory goes."""
        self.disk.thaw_if_frozen()
        troubles = []
        for site in self.sites:
            if site.cjcpw and site.cjcpw.poll() is None:
                try:
                    site.stop()
                except AssertionError as error:
                    troubles.append(str(error))
        left = self.left_over()
        if left:
            troubles.append(f"left behind:\n{processes.table(left)}")
            self.kill_everything()
        self.disk.close()
        super().close(failed)
        assert failed or not troubles, "\n".join(troubles)


@pytest.fixture
def node():
    """A node with a disk of its own."""
    with DiskNode() as made:
        yield made


def finish(site, battery, case, load):
    """Let all end, judge, stop."""
    verdict = load.verdict(site)
    site.node.run("cjcpw", "-stop", site.name).ok()
    parts.wait_gone(site)
    battery.judge(case, verdict)


def test_the_power_of_the_disk_is_cut(node, battery):
    case = "5 the power of the disk is cut"
    row = battery.row(case)
    site = node.made_site()
    load = Load.make(node.make_directory("load", 0o777), battery.random(case))
    parts.start(site, MONITORED)
    load.came_up(site)
    for number in range(battery.count(2, 20)):
        ids = load.submit(site, battery.count(4, 20))
        load.wait_started(ids, load.random.randint(1, 3))
        env = {"NQS_SITE": site.name, "NQS_TIMEOUT": "0"}
        words = ("-q", parts.QUEUES["STOP"], late_script(node, load))
        submitting = [node.spawn("qsub", *words, env=env, cwd=load.work) for _ in range(2)]
        # A random moment, in units of what one more command of the site takes.
        for _ in range(load.random.randint(0, 2)):
            site.qstat()
        node.stop_everything()
        copy = node.disk.photograph()
        node.kill_everything()
        for child in submitting:
            load.submitted += acknowledged(child)
        site.cjcpw = None
        node.disk.replace(copy)
        node.disk.mount()
        node.new_boot()
        parts.start(site, MODES[(number + 1) % 2])
        load.came_up(site)
        row.runs += 1
    finish(site, battery, case, load)


def late_script(node, load):
    path = os.path.join(node.scratch, "late")
    with open(path, "w", encoding="ascii") as file:
        file.write(load.ledger.script(0.0))
    return path


def acknowledged(child):
    """What a qsub that ran into the cut has told its user."""
    with open(child.log, encoding="utf-8") as file:
        words = [line.split() for line in file if line.startswith("Request ")]
    return [Submitted(line[1], "STOP") for line in words]


@pytest.mark.parametrize("mode", MODES)
def test_the_disk_hangs(node, battery, mode):
    """The site ends itself at the fence's limit; what is in D state goes when the disk answers again."""
    case = "9 the disk hangs"
    row = battery.row(case)
    site = node.made_site(fence_s=3)
    load = Load.make(node.make_directory("load", 0o777), battery.random(f"{case} {mode}"))
    parts.start(site, mode)
    load.came_up(site)
    ids = load.submit(site, battery.count(6, 100), longest_s=3.0)
    load.wait_started(ids, 2)
    jobs = [process.pid for process in site.processes() if "/requests/" in process.title]
    node.disk.freeze()

    def ended():
        # Of one that has ended a zombie may stay: who is to wait for it hangs.
        wait_until(lambda: not living(jobs), 30, lambda: processes.table(living(jobs) + site.processes()))
        if mode == MONITORED:
            assert site.cjcpw.wait(30) == FENCED, site.cjcpw.log
            site.cjcpw = None

    row.slowest_s = max(row.slowest_s, parts.timed(ended))
    # Something is in D state: no success is claimed, and the command returns.
    begin = time.monotonic()
    node.run("cjcpw", "-stop", site.name).refused("SIGKILL does not end", exit_code=1)
    # It goes on to hang for as long as a real one may: nothing is waited for.
    threading.Event().wait(max(0.0, battery.count(0, 55) - (time.monotonic() - begin)))
    node.disk.thaw()
    parts.wait_gone(site, 30)
    parts.start(site, mode)
    load.came_up(site)
    row.runs += 1
    finish(site, battery, case, load)


def living(pids):
    return processes.of_pids(pids, "a job")


@pytest.mark.parametrize("mode", MODES)
def test_the_disk_is_free_when_a_stop_has_succeeded(node, battery, mode):
    """Jobs that resist, at work on the disk itself: a cluster manager unmounts it without force."""
    case = "14 hard jobs, and the disk is unmounted"
    row = battery.row(case)
    site = node.made_site()
    jobs = HardJobs(node.make_directory("jobs", 0o777))
    work = os.path.join(site.db_path, "work")
    os.mkdir(work, 0o777)
    requests = []
    for _ in range(battery.count(1, 10)):
        parts.start(site, mode)
        if not requests:
            requests = [site.qsub(jobs.script(work=f"cd {work}"), cwd=work) for _ in range(2)]
            site.qmgr("set run_limit = 2 batch")
        jobs.wait_running(*requests, describe=site.log_text)

        def move():
            node.run("cjcpw", "-stop", site.name).ok()
            node.disk.unmount()

        row.slowest_s = max(row.slowest_s, parts.timed(move))
        assert jobs.living() == []
        parts.wait_gone(site)
        node.disk.mount()
        row.runs += 1
    parts.start(site, mode)
    jobs.wait_running(*requests, describe=site.log_text)
    jobs.open()
    assert [site.qwait(request) for request in requests] == [0, 0]
    assert jobs.overlaps() == {}
    node.run("cjcpw", "-stop", site.name).ok()
    parts.wait_gone(site)

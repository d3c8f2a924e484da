"""The seven kinds of stragglers: nothing is left of any after a job's end, a daemon's death, a stop, and the worst.

The worst: everything above the job is killed at one instant, so that nobody is left who could clean up; then the next
start finds it. As whoever runs the tests, and as root with jobs of another uid.
"""

import os
import signal
import time
from functools import partial

import pytest

from jcq.process import children
from support import processes
from support.hard_jobs import SEVEN, HardJobs
from support.harness import Node
from support.users import ALICE
from support.waiting import wait_until

#: What a loaded machine may need; what is measured is printed.
LIMIT_S = 10
DAEMONS = ("worker", "nqsdaemon", "jcdbs")


class Setting:
    """A running site, a submitter, and jobs that leave all seven behind."""

    def __init__(self, node, user):
        self.node = node
        self.submit_as = {"user": user} if user else {}
        self.site = node.local_site() if node.namespace else node.cluster_site()
        self.jobs = HardJobs(node.make_directory("jobs", 0o777), SEVEN)
        if user:
            self.submit_as["cwd"] = self.jobs.directory
        self.site.start()
        self.request = ""

    def begin(self, *options):
        """A request that has left all of them behind, and goes on."""
        self.request = self.site.qsub(self.jobs.script(), *options, **self.submit_as)
        self.jobs.wait_running(self.request, describe=self.site.log_text)
        wait_until(lambda: self.jobs.chain_lives(self.request), LIMIT_S, self.site.log_text)

    def left(self):
        """What lives of the request."""
        return self.jobs.living(self.request) + ["the chain"] * self.jobs.chain_lives(self.request)

    def gone_after_s(self, since_s):
        """Wait until nothing of it lives; how long after a moment (seconds since 1970) the last one was seen."""
        wait_until(lambda: not self.jobs.living(self.request), LIMIT_S, lambda: str(self.jobs.living()))
        seen_s = time.time()
        # Between two of its members the chain is none that could be seen.
        wait_until(lambda: not self.left(), LIMIT_S, lambda: str(self.left()))
        return max(seen_s, self.jobs.chain_moved_s(self.request)) - since_s

    def say(self, what, after_s):
        """For the reader of `pytest -s`."""
        print(f"{what}: the last straggler was gone after {after_s * 1000:.0f} ms")


def own_user():
    return Node(), None


def another_user(namespace):
    return Node(namespace), ALICE


@pytest.fixture(params=["own uid", pytest.param("another uid", marks=pytest.mark.root)])
def setting(request):
    if request.param == "own uid":
        node, user = own_user()
    else:
        node, user = another_user(request.getfixturevalue("namespace"))
    with node:
        made = Setting(node, user)
        yield made
        made.jobs.open()
        for member in made.jobs.living():
            os.kill(member.pid, signal.SIGKILL)


def test_after_the_jobs_end_and_after_a_stop(setting):
    site, jobs = setting.site, setting.jobs
    setting.begin()
    jobs.open()
    assert site.qwait(setting.request) == 0
    assert setting.left() == []
    os.unlink(os.path.join(jobs.directory, "open"))
    setting.begin("-nr")
    site.stop()
    assert setting.left() == []


def test_after_the_death_of_each_daemon(setting):
    site = setting.site
    for name in DAEMONS:
        setting.begin()
        killed_s = time.time()
        os.kill(site.daemon(name), signal.SIGKILL)
        after_s = setting.gone_after_s(killed_s)
        setting.say(f"SIGKILL of {name}", after_s)
        assert site.cjcpw.wait(LIMIT_S) == 1
        site.cjcpw = None
        assert not site.processes(), processes.table(site.processes())
        setting.jobs.open()
        site.start()
        assert site.qwait(setting.request) == 0
        os.unlink(os.path.join(setting.jobs.directory, "open"))


def test_after_the_next_start_when_all_above_were_killed_at_one_instant(setting):
    site, jobs = setting.site, setting.jobs
    setting.begin()
    worker = site.daemon("worker")
    (launcher,) = children(worker)
    above = [site.cjcpw.pid, site.daemon("nqsdaemon"), worker, launcher, *children(launcher)]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in above:
            os.kill(pid, signum)
    assert site.cjcpw.wait(LIMIT_S) == -signal.SIGKILL
    site.cjcpw = None
    assert {member.kind for member in jobs.living(setting.request)} == jobs.kinds
    assert jobs.chain_lives(setting.request)
    jobs.open()
    old = partial(jobs.members, setting.request)
    before = {member.pid for member in old()}
    site.start()
    assert site.qwait(setting.request) == 0
    assert [member for member in old() if member.pid in before and member.alive] == []
    assert jobs.overlaps() == {}
    assert setting.left() == []

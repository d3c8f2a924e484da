"""What Pacemaker does with two nodes over one disk, by the agent's actions and the very values of the crm example.

As root each node has namespaces of its own; without root both are ordinary processes.
"""

import os
import re
import signal
import time

import pytest

from support import processes
from support.agents import directory_of, read, write_files
from support.two_nodes import SITE, TwoNodes
from support.waiting import wait_until

SUCCESS, GENERIC, NOT_RUNNING = 0, 1, 7
#: A move with hard jobs on the disk (ha-facts.md, battery 14).
MOVE_LIMIT_S = 15

#: A job in a directory of the site's disk, with two more processes there: one in a session of its own, and one that
#: has also emptied its environment; both deaf to SIGTERM. It ends when `open` is there.
JOB = """\
cd {place}
trap '' TERM
setsid sh -c 'exec sleep 600' &
(env -i /usr/bin/setsid sh -c 'exec sleep 600 >>on-the-disk &') &
exec 3>>on-the-disk
touch started.$JCQ_EPOCH
while [ ! -e open ]; do sleep 0.1; done
"""


class Agent:
    """The agent of one node, called with the parameters of its crm example."""

    def __init__(self, node, db_path):
        self.node = node
        node.run("jcq", "install").ok()
        self._directory = directory_of(node, "pacemaker", SITE)
        write_files(node, "pacemaker", SITE, db_path)
        crm = read(os.path.join(self._directory, f"jcq-{SITE}.crm"))
        parameters = re.search(r"ocf:jcq:site.*\n +params (.*) \\\n", crm)[1].split()
        assert [word.split("=")[0] for word in parameters] == ["site", "dbpath", "nqs"]
        self._env = {f"OCF_RESKEY_{name}": value.strip('"') for name, value in (word.split("=") for word in parameters)}

    def __call__(self, action):
        """The exit code of an action, and what it said."""
        ran = self.node.run([os.path.join(self._directory, "site"), action], env=self._env)
        self.said = ran.err
        return ran.exit_code

    def do(self, action):
        """An action that must succeed."""
        assert self(action) == SUCCESS, self.said


@pytest.fixture
def two():
    """Two nodes with a site, not started."""
    with TwoNodes(site_conf="FENCE_TIMEOUT=4\nFORCEKILL_TIME=1\n") as made:
        yield made


def on_the_disk(two):
    """Processes that would keep the disk from being unmounted."""
    wanted = os.path.realpath(two.db_path) + "/"

    def uses(pid):
        try:
            names = [f"/proc/{pid}/{name}" for name in ("cwd", "root", "exe")]
            names += [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            return False
        for name in names:
            try:
                if (os.readlink(name) + "/").startswith(wanted):
                    return True
            except OSError:
                continue
        return False

    return processes.of_pids(
        [int(name) for name in os.listdir("/proc") if name.isdigit() and uses(name)], "on the disk"
    )


def begin(two, site):
    """Submit the job and wait until it runs; returns (its id, its directory)."""
    place = os.path.join(two.db_path, "work")
    os.makedirs(place, exist_ok=True)
    os.chmod(place, 0o777)
    request = site.qsub(JOB.format(place=place), cwd=place)
    wait_until(lambda: started(place) == 1, 20, site.log_text)
    # Both others have their place on the disk, too.
    wait_until(lambda: len(sleepers(two)) >= 2, 20, lambda: processes.table(on_the_disk(two)))
    return request, place


def started(place):
    return sum(name.startswith("started.") for name in os.listdir(place))


def sleepers(two):
    return [process for process in on_the_disk(two) if process.title == "sleep 600"]


def finish(agent, request, place):
    """The job that runs again on this node comes to its end, and the site is stopped."""
    site = agent.node.site
    wait_until(lambda: started(place) == 2, 20, site.log_text)
    with open(os.path.join(place, "open"), "w", encoding="ascii"):
        pass
    assert site.qwait(request) == 0
    agent.do("stop")


def test_a_planned_move_with_a_job_that_holds_the_disk(two):
    here, there = (Agent(node, two.db_path) for node in two.nodes)
    # Pacemaker's probes, on nodes that have never seen the site.
    assert (here("monitor"), there("monitor")) == (NOT_RUNNING, NOT_RUNNING)
    here.do("start")
    here.do("monitor")
    assert there("monitor") == NOT_RUNNING
    before = sorted(process.pid for process in here.node.site.processes())
    # A busy lock is a soft error, and a stop over there touches nothing.
    assert there("start") == GENERIC
    assert two.node_a.host in there.said
    there.do("stop")
    assert there("monitor") == NOT_RUNNING
    assert sorted(process.pid for process in here.node.site.processes()) == before

    request, place = begin(two, here.node.site)
    began = time.monotonic()
    here.do("stop")
    assert on_the_disk(two) == [], processes.table(on_the_disk(two))
    assert here("monitor") == NOT_RUNNING
    there.do("start")
    assert time.monotonic() - began < MOVE_LIMIT_S
    there.do("monitor")
    assert here("monitor") == NOT_RUNNING
    finish(there, request, place)


def test_a_move_after_a_failure_that_left_a_job_on_the_disk(two):
    here, there = (Agent(node, two.db_path) for node in two.nodes)
    here.do("start")
    request, place = begin(two, here.node.site)
    site = here.node.site
    # cjcpw is stopped first and dies last, so that nobody is there who could clean up.
    top, rest = site.cjcpw_pid(), [p.pid for p in site.processes() if p.title != "sleep 600"]
    for pid in (top, *rest):
        os.kill(pid, signal.SIGSTOP)
    for pid in (*reversed(rest), top):
        os.kill(pid, signal.SIGKILL)
    assert sleepers(two)
    # What Pacemaker does then: monitor fails, stop, start elsewhere.
    assert here("monitor") == GENERIC
    here.do("stop")
    assert on_the_disk(two) == [], processes.table(on_the_disk(two))
    there.do("start")
    finish(there, request, place)

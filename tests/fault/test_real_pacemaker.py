"""A real Pacemaker with fencing runs a site on two nodes from the files of `jcq ha pacemaker`, as they are."""

import os
import shutil
import signal
import tempfile

import pytest

from support import skips
from support.pacemaker_pair import COMMANDS, LIMIT_S, PacemakerPair
from support.two_nodes import SITE
from support.waiting import wait_until

GROUP = f"jcq-{SITE}"
AWAY = 75
#: Deaf, with a process of its own session, both on the site's disk; it ends when `open` is there.
JOB = """\
cd {place}
trap '' TERM
setsid sh -c 'exec sleep 600' &
exec 3>>held
echo $JCQ_EPOCH $(uname -n) >>started
while [ ! -e open ]; do sleep 0.1; done
exit 7
"""

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not all(map(shutil.which, COMMANDS)), reason=skips.NEEDS_PACEMAKER),
]


@pytest.fixture
def pair():
    """Two nodes under Pacemaker; the site has been started by it."""
    place = os.path.realpath(tempfile.mkdtemp(prefix="jcq-pair-"))
    os.chmod(place, 0o755)
    try:
        with PacemakerPair(place) as made:
            yield made
    finally:
        os.rmdir(place)


def where(pair):
    """The node that runs the site, and the other one."""
    found = []

    def up():
        found[:] = [node for node in pair.nodes if node.run("cjcls", "--state", SITE).out == "up\n"]
        return found

    wait_until(up, LIMIT_S, pair.node_a.cluster_log)
    assert len(found) == 1
    return found[0], pair.other(found[0])


def starts(node, place):
    """How often the job has started, as a node sees it that has the disk."""
    return len(node.run(["cat", f"{place}/started"]).out.splitlines())


def test_it_starts_moves_mends_and_takes_over_the_site(pair):
    here, there = where(pair)
    place = os.path.join(pair.db_path, "work")
    here.run(["mkdir", "-m", "777", place]).ok()
    request = here.site.qsub(JOB.format(place=place), cwd=place)
    wait_until(lambda: starts(here, place) == 1, LIMIT_S, here.cluster_log)
    # There the disk is not mounted; the site has never been there, but resolv.def names it.
    env = {"NQS_SITE": SITE, "NQS_TIMEOUT": str(LIMIT_S)}
    waits = there.spawn("qwait", request, env=env)
    loses = here.spawn("qwait", request, env={**env, "NQS_TIMEOUT": "5"})

    # A planned move, with a job that holds the disk.
    here.crm("resource", "move", GROUP, there.name)
    pair.wait_up(there)
    there.crm("resource", "clear", GROUP)
    wait_until(lambda: starts(there, place) == 2, LIMIT_S, there.cluster_log)
    assert loses.wait(LIMIT_S) == AWAY
    assert waits.poll() is None

    # A cjcpw that hangs is replaced on its node.
    before = there.site.cjcpw_pid()
    os.kill(before, signal.SIGSTOP)
    wait_until(lambda: starts(there, place) == 3, LIMIT_S, there.cluster_log)
    pair.wait_up(there)
    assert there.site.cjcpw_pid() != before
    assert pair.fenced() == []
    there.crm("resource", "cleanup", GROUP)

    # Its power is cut.
    there.machine.kill()
    pair.wait_up(here)
    assert pair.fenced() == [there.name]
    wait_until(lambda: starts(here, place) == 4, LIMIT_S, here.cluster_log)
    here.run(["touch", f"{place}/open"]).ok()
    assert here.site.qwait(request) == 7

    # Stopped in order, disk and all.
    here.crm("resource", "stop", GROUP)
    wait_until(lambda: here.run(["mountpoint", "-q", pair.db_path]).exit_code != 0, LIMIT_S, here.cluster_log)
    assert here.run("cjcls", "--state", SITE).out == "stopped\n"

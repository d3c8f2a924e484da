"""A site whose heartbeat stops, or whose database hangs, ends itself; one whose heartbeat's process dies goes on."""

import os
import signal

import pytest

from jcq.process import children
from support import processes
from support.gate import Gate
from support.harness import Node
from support.waiting import wait_until

#: With less, a start on a busy machine may last longer than the heartbeat may be silent.
FENCE_TIMEOUT_S = 4
LIMIT_S = 60


@pytest.fixture
def site():
    with Node() as node:
        made = node.cluster_site()
        with open(os.path.join(made.directory, "site.conf"), "a", encoding="ascii") as file:
            file.write(f"FENCE_TIMEOUT={FENCE_TIMEOUT_S}\n")
        yield made.start()


def heart(site):
    """The pid of the process that writes the heartbeat."""
    (pid,) = [pid for pid in children(site.cjcpw.pid) if comm(pid) == "NQS heart " + site.name[:5]]
    return pid


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def wait_end(site):
    code = site.cjcpw.wait(LIMIT_S)
    site.cjcpw = None
    return code


def gone(site):
    wait_until(lambda: not site.processes(), LIMIT_S, lambda: processes.table(site.processes()))


def counter(site):
    with open(os.path.join(site.directory, "database", ".owner.ofd"), "rb") as file:
        return file.read().rstrip(b"\0")


def test_without_a_heartbeat_all_of_the_site_ends_with_6(site):
    gate = Gate(site.node.make_directory("jobs", 0o777))
    request = site.qsub(gate.script())
    wait_until(lambda: gate.started(), LIMIT_S, site.log_text)
    frozen = heart(site)
    os.kill(frozen, signal.SIGSTOP)
    assert wait_end(site) == 6
    gone(site)
    site.start()
    assert site.qstat(request)["requests"][0]["state"] == "RUNNING" or site.qwait(request) == 0
    gate.open()
    assert site.qwait(request) == 0


def test_with_cjcpw_frozen_its_daemons_end_by_themselves(site):
    beating = heart(site)
    os.kill(beating, signal.SIGSTOP)
    os.kill(site.cjcpw.pid, signal.SIGSTOP)
    try:
        # They are dead; their parent does not collect them.
        wait_until(
            lambda: not [p for p in site.processes() if p.title.startswith("NQS")],
            LIMIT_S,
            lambda: processes.table(site.processes()),
        )
    finally:
        os.kill(site.cjcpw.pid, signal.SIGCONT)
    assert wait_end(site) in (1, 6)
    gone(site)


def test_when_the_heartbeats_process_dies_there_is_a_new_one(site):
    old = heart(site)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: old not in children(site.cjcpw.pid), LIMIT_S, site.log_text)
    before = counter(site)
    wait_until(lambda: counter(site) != before, LIMIT_S, site.log_text)
    assert site.qwait(site.qsub("exit 3\n")) == 3
    assert heart(site) != old


def test_jcdbs_that_hangs_ends_the_site(site):
    hung = site.daemon("jcdbs")
    os.kill(hung, signal.SIGSTOP)
    # cjcpw's own answer would be 1; nqsdaemon or the worker may give up first, which is 1 as well.
    assert wait_end(site) == 1
    gone(site)
    site.start()
    assert site.qwait(site.qsub("exit 3\n")) == 3


def test_a_site_that_rests_keeps_its_heartbeat(site):
    site.node.run("nqsstop", site.name).ok()
    before = counter(site)
    wait_until(lambda: counter(site) != before, LIMIT_S, site.log_text)
    site.node.run("nqsstart", site.name).ok()
    assert site.qwait(site.qsub("exit 3\n")) == 3

"""ExpressCluster's demands (manual 4.1): start.sh, which the PID monitor watches, and stop.sh, which is waited for."""

import os
import re
import resource
import shutil
import signal

import pytest

from support.agents import QUICK_S, SHELLS, read
from support.ports import PORT, give_port, is_listening

STACK_BYTES = 8 << 20
SMALL_STACK_BYTES = 2 << 20
NOT_FROM_THE_CLUSTER = (
    {},
    {"CLP_EVENT": "", "CLP_DISK": "SUCCESS"},
    {"CLP_EVENT": "START"},
    {"CLP_EVENT": "START", "CLP_DISK": "FAILURE"},
    {"CLP_EVENT": "FAILOVER", "CLP_DISK": "NONE"},
)


@pytest.fixture(scope="module", autouse=True)
def _with_port(module_bench):
    give_port(module_bench.site)


def begin(bench, shell, event, hard_limit):
    """Start start.sh as an exec resource does: in the background, with a stack of 2 MB; returns its Popen."""
    hard = "" if hard_limit == resource.RLIM_INFINITY else f"ulimit -Hs {hard_limit >> 10}; "
    script = f"ulimit -Ss {SMALL_STACK_BYTES >> 10}; {hard}exec {shutil.which(shell)} {start_script(bench)}"
    child = bench.spawn(["/bin/sh", "-c", script], env={"CLP_EVENT": event, "CLP_DISK": "SUCCESS"})
    bench.wait_up(child=child)
    return child


def start_script(bench):
    return bench.path("expresscluster", "start.sh")


def stack_bytes(pid):
    """The soft limit of a process's stack."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return int(re.search(r"Max stack size +(\d+)", file.read())[1])


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[1])


@pytest.mark.case(7)
@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_started_without_the_clusters_word(bench, shell):
    for env in NOT_FROM_THE_CLUSTER:
        assert "is not started" in bench.call(shell, "expresscluster", "start.sh", env=env, limit_s=QUICK_S).ok()
        bench.call(shell, "expresscluster", "stop.sh", env=env, limit_s=QUICK_S).ok()
    bench.check_gone()


@pytest.mark.case(6, 8, 9, 11)
@pytest.mark.parametrize("shell", SHELLS)
def test_start_stays_and_stop_is_waited_for(bench, shell):
    child = begin(bench, shell, "START", resource.RLIM_INFINITY)
    # In the foreground: cjcpw is the script's own child, and the script waits.
    [cjcpw] = bench.cjcpw()
    assert parent_of(cjcpw) == child.pid
    assert stack_bytes(bench.site.daemon("nqsdaemon")) == STACK_BYTES
    assert bench.site.qwait(bench.site.qsub("true\n")) == 0
    assert is_listening(bench.site.address, PORT)
    assert "taken over from nqsportkpr" in read(bench.site.directory + "/log/nqsdaemon.log")
    stopped = bench.call(shell, "expresscluster", "stop.sh", env={"CLP_EVENT": "START", "CLP_DISK": "SUCCESS"})
    bench.check_gone()
    stopped.ok()
    assert child.wait(20) == 0, read(child.log)


@pytest.mark.case(6, 8, 10)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_daemons_death_ends_start_under_a_small_stack(bench, shell):
    child = begin(bench, shell, "FAILOVER", SMALL_STACK_BYTES)
    assert "the stack limit stays" in read(child.log)
    assert {stack_bytes(bench.site.daemon(name)) for name in ("jcdbs", "nqsdaemon", "worker")} == {SMALL_STACK_BYTES}
    assert bench.site.qwait(bench.site.qsub("seq 10000 | sort -n | tail -1\n")) == 0
    os.kill(bench.site.daemon("nqsdaemon"), signal.SIGKILL)
    assert child.wait(30) == 0, read(child.log)
    assert "cjcpw ended with 1" in read(child.log)
    bench.check_gone()
    # The stop that follows finds nothing to do.
    env = {"CLP_EVENT": "FAILOVER", "CLP_DISK": "SUCCESS"}
    bench.call(shell, "expresscluster", "stop.sh", env=env, limit_s=QUICK_S).ok()

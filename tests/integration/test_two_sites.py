"""A local and a cluster site up together: one is stopped or killed, the other does not notice."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from support.gate import Gate
from support.harness import Node
from support.processes import without_forks
from support.waiting import wait_until


@pytest.fixture
def both():
    """(node, running local site, running cluster site)."""
    with Node() as node:
        local = node.local_site(machine_id=1)
        node.write_daemon_conf("local_daemon=SITE\n")
        cluster = node.cluster_site(machine_id=200)
        yield node, local.start(), cluster.start()


def lasting(site):
    """The site's daemons and jobs by pid, without what a job that waits for its gate starts for a moment.

    That is a sleep, or the copy of the shell that is just about to become one.
    """
    found = [process for process in site.processes() if not process.title.startswith("sleep ")]
    jobs = [process for process in found if "/requests/" in process.title]
    daemons = [process for process in found if process not in jobs]
    return {process.pid: process.title for process in [*daemons, *without_forks(jobs)]}


@pytest.mark.parametrize("stopped", ["local", "cluster"])
def test_one_is_stopped_and_the_other_untouched(both, stopped):
    node, local, cluster = both
    leaver, stayer = (local, cluster) if stopped == "local" else (cluster, local)
    gates = {site: Gate(node.make_directory(f"gate-{site.name}", 0o777)) for site in (local, cluster)}
    requests = {site: site.qsub(gates[site].script()) for site in (local, cluster)}
    assert requests[local] == f"1.{os.uname().nodename}"
    assert requests[cluster] == "1.testsite"
    for site in (local, cluster):
        wait_until(gates[site].started, 20, site.log_text)
    before = lasting(stayer)
    assert len(before) >= 4, before

    leaver.stop()

    assert lasting(stayer) == before
    leaver.run("qstat").refused("not running")
    gates[stayer].open()
    assert stayer.qwait(requests[stayer]) == 0
    assert stayer.cjcpw.poll() is None

    # What the stop interrupted runs again at the next start: new queues are RESTART.
    leaver.start()
    gates[leaver].open()
    assert leaver.qwait(requests[leaver]) == 0


def test_both_keep_queues_and_requests_apart(both):
    _, local, cluster = both
    cluster.qmgr("create batch_queue only_here priority = 5", "enable queue only_here")
    assert "only_here@" in cluster.run("qstat").ok()
    assert "only_here@" not in local.run("qstat").ok()
    request = cluster.qsub("true\n", "-q", "only_here")
    local.run("qdel", request).refused(request)
    assert "has been deleted" in cluster.run("qdel", request).ok()


@pytest.mark.parametrize("env", ["", "env -i "], ids=["with its environment", "without"])
def test_sites_of_two_roots_with_one_machine_id_do_not_sweep_each_other(env):
    """As a try-out beside the real local site: both are site 1 of this host, and only their directories differ."""
    with Node() as first, Node() as second:
        stayer, leaver = first.local_site(machine_id=1).start(), second.local_site(machine_id=1).start()
        gates = {site: Gate(site.node.make_directory("gate", 0o777)) for site in (stayer, leaver)}
        work = f"{env}/bin/sh -c 'sleep 300 & wait $!' & echo $! > {stayer.node.scratch}/pid; exec >/dev/null 2>&1"
        requests = {
            stayer: stayer.qsub(gates[stayer].script().replace("\n", f"\n{work}\n", 1)),
            leaver: leaver.qsub(gates[leaver].script()),
        }
        for site in (stayer, leaver):
            wait_until(gates[site].started, 20, site.log_text)
        stray = int(Path(stayer.node.scratch, "pid").read_text())
        leaver.stop()
        assert os.path.exists(f"/proc/{stray}")
        gates[stayer].open()
        assert stayer.qwait(requests[stayer]) == 0
        assert not os.path.exists(f"/proc/{stray}")


def test_one_is_killed_with_all_below_it_and_the_other_untouched(both):
    node, local, cluster = both
    victim, stayer = cluster, local
    gates = {site: Gate(node.make_directory(f"gate-{site.name}", 0o777)) for site in (local, cluster)}
    requests = {site: site.qsub(gates[site].script()) for site in (local, cluster)}
    for site in (local, cluster):
        wait_until(gates[site].started, 20, site.log_text)
    before = lasting(stayer)
    # From the top down, so that nobody above is left to note a death below.
    for process in sorted(victim.processes(), key=lambda process: process.pid != victim.cjcpw.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    victim.cjcpw.wait()
    wait_until(lambda: not victim.processes(), 20, victim.log_text)

    assert lasting(stayer) == before
    assert stayer.cjcpw.poll() is None
    gates[stayer].open()
    assert stayer.qwait(requests[stayer]) == 0

    victim.start()
    gates[victim].open()
    assert victim.qwait(requests[victim]) == 0
    # The start's sweep has taken nothing of the other one's.
    assert {pid for pid, title in before.items() if "/requests/" not in title} <= lasting(stayer).keys()

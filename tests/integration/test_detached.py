"""`cjcpw -c`: an nqsdaemon on top does what cjcpw does, and nobody waits for it."""

import os
import signal

import pytest

from jcq.process import stat_fields
from support import processes
from support.hard_jobs import HardJobs
from support.harness import Node
from support.waiting import wait_until

GONE_LIMIT_S = 20


@pytest.fixture
def site():
    with Node() as node:
        made = node.cluster_site()
        node.run("cjcpw", "-c", made.name, made.db_path).ok()
        yield made
        made.stop()


def top(site):
    """The pid of the process on top: the parent of every daemon."""
    parents = {int(stat_fields(site.daemon(name))[1]) for name in ("jcdbs", "nqsdaemon", "worker")}
    assert len(parents) == 1
    return parents.pop()


def wait_gone(site, jobs):
    wait_until(
        lambda: not site.processes() and not jobs.living(),
        GONE_LIMIT_S,
        lambda: f"{processes.table(site.processes())}\n{jobs.living()}\n{site.log_text()}",
    )


@pytest.fixture
def jobs(site):
    made = HardJobs(site.node.make_directory("jobs", 0o777))
    yield made
    for member in made.living():
        os.kill(member.pid, signal.SIGKILL)


def test_the_site_is_up_when_the_command_returns_and_shows_no_cjcpw(site):
    name, pid, _, _, cjcpw = site.row()
    assert (name, int(pid), cjcpw) == (site.name, site.daemon("nqsdaemon"), "OFF")
    assert site.qwait(site.qsub("exit 3\n")) == 3


def test_the_process_on_top_is_called_nqsdaemon_and_belongs_to_process_1(site):
    pid = top(site)
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        assert file.read().startswith(b"NQS nqsdaemon " + site.name.encode())
    # In a container, the nearest subreaper stands for process 1.
    assert int(stat_fields(pid)[1]) not in {process.pid for process in site.processes()}


def test_a_second_start_is_refused_and_harmless(site):
    for detached in ((), ("-c",)):
        site.node.run("cjcpw", *detached, site.name, site.db_path).refused("already running", exit_code=4)
    assert site.qwait(site.qsub("exit 3\n")) == 3


@pytest.mark.parametrize("victim", ["jcdbs", "nqsdaemon", "worker", "top"])
def test_when_one_dies_nothing_is_left_and_the_next_start_works(site, jobs, victim):
    request = site.qsub(jobs.script())
    jobs.wait_running(request, describe=site.log_text)
    os.kill(top(site) if victim == "top" else site.daemon(victim), signal.SIGKILL)
    wait_gone(site, jobs)
    assert site.row()[1] == "SHUT"
    site.node.run("cjcpw", "-c", site.name, site.db_path).ok()
    jobs.wait_running(request, describe=site.log_text)
    jobs.open()
    assert site.qwait(request) == 0
    assert jobs.overlaps() == {}


def test_nqsstop_stops_all_and_nqsstart_starts_it_again(site):
    site.node.run("nqsstop", site.name).ok()
    assert site.processes() == []
    site.node.run("nqsstart", site.name).ok()
    assert site.row()[4] == "OFF"
    assert site.qwait(site.qsub("exit 3\n")) == 3


def test_what_keeps_it_from_starting_is_said_by_the_command(site):
    site.stop()
    with open(os.path.join(site.directory, "site.conf"), "a", encoding="ascii") as file:
        file.write("BOOT_TIMEOUT=soon\n")
    site.node.run("cjcpw", "-c", site.name, site.db_path).refused("BOOT_TIMEOUT must be a number")
    assert site.processes() == []

"""What a stop does to running requests: SIGTERM, then SIGKILL, to all of each job; interrupted, not done, judged."""

import os
import signal

import pytest

from support import processes, site_database
from support.gate import Gate
from support.hard_jobs import HardJobs
from support.harness import Node
from support.waiting import wait_until

FORCEKILL_S = 1
PURGED = 125
#: Ends on SIGTERM, with a word and exit code 0: still it was interrupted.
POLITE = """\
#!/bin/sh
trap 'echo polite >> {directory}/$QSUB_REQID.term; exit 0' TERM
echo begun >> {directory}/$QSUB_REQID.begun
tries=0
while [ ! -e {directory}/open ] && [ $tries -lt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done
"""


def by_command(site):
    site.stop()


def by_nqsstop(site):
    site.node.run("nqsstop", site.name).ok()
    assert site.cjcpw.poll() is None


def by_signal(site):
    site.cjcpw.send_signal(signal.SIGTERM)
    assert site.cjcpw.wait(30) == 0
    site.cjcpw = None


def by_qmgr(site):
    site.run("qmgr", "shutdown").ok()
    # The command asks; the site's own end is what is waited for.
    wait_until(lambda: site.cjcpw.poll() is not None, 30, site.log_text)
    assert site.cjcpw.wait() == 0
    site.cjcpw = None


WAYS = (by_command, by_nqsstop, by_signal, by_qmgr)


def start_again(site):
    """nqsstart where cjcpw rests, else a new cjcpw."""
    if site.cjcpw:
        site.node.run("nqsstart", site.name).ok()
        site.wait_up()
    else:
        site.start()


@pytest.fixture
def stopped():
    """A cluster site with a short FORCEKILL_TIME, not started."""
    with Node() as node:
        made = node.cluster_site()
        with open(os.path.join(made.directory, "site.conf"), "w", encoding="ascii") as file:
            file.write(f"FORCEKILL_TIME={FORCEKILL_S}\n")
        yield made


@pytest.fixture
def jobs(stopped):
    """Hard jobs; whatever a failed test leaves of them is killed."""
    made = HardJobs(stopped.node.make_directory("jobs", 0o777))
    yield made
    for member in made.living():
        os.kill(member.pid, signal.SIGKILL)


@pytest.fixture
def site(stopped):
    """The same, running, with room for four in queue `batch`, and a PURGE queue."""
    prepare(stopped.start())
    return stopped


def prepare(site):
    site.qmgr(
        "set run_limit = 4 batch",
        "create batch_queue purging run_limit = 2",
        "set restart = (PURGE) purging",
        "enable queue purging",
        "start queue purging",
    )


def words(directory, request, ending):
    try:
        with open(os.path.join(directory, f"{request}.{ending}"), encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def check_stop(site, jobs, stop, again):
    """Requests in each condition, a stop, a start, and what became of each."""
    polite_script = POLITE.format(directory=jobs.directory)
    ended = site.qsub("exit 3\n")
    assert site.qwait(ended) == 3
    hard, purged = site.qsub(jobs.script()), site.qsub(jobs.script(), "-q", "purging")
    polite, once = site.qsub(polite_script), site.qsub(polite_script, "-nr")
    jobs.wait_running(hard, purged, describe=site.log_text)
    wait_until(lambda: all(words(jobs.directory, r, "begun") for r in (polite, once)), 20, site.log_text)
    queued = site.qsub("exit 5\n", "-q", "purging")
    other = site.qsub("exit 6\n", "-q", "purging")
    assert [site.qwait(request) for request in (queued, other)] == [5, 6]
    held_back = site.qsub(jobs.script(), "-a", "23:59 tomorrow")
    cjcpw = {site.cjcpw.pid} if site.cjcpw else set()

    stop(site)
    assert jobs.living() == []
    left = [process for process in site.processes() if process.pid not in cjcpw]
    assert not left, processes.table(left)
    assert words(jobs.directory, polite, "term") == ["polite"]
    assert words(jobs.directory, once, "term") == ["polite"]

    again(site)
    jobs.wait_running(hard, describe=site.log_text)
    wait_until(lambda: len(words(jobs.directory, polite, "begun")) == 2, 20, site.log_text)
    assert [site.qwait(request) for request in (purged, once)] == [PURGED, PURGED]
    states = {request["id"]: request["state"] for request in site.qstat(hard, polite, held_back)["requests"]}
    assert states == {hard: "RUNNING", polite: "RUNNING", held_back: "WAITING"}
    site_database.check(site_database.connection(site))
    jobs.open()
    assert [site.qwait(request) for request in (hard, polite)] == [0, 0]
    assert [site.qwait(request) for request in (ended, queued, other)] == [3, 5, 6]
    assert [len(jobs.epochs(request)) for request in (hard, purged)] == [2, 1]
    assert len(words(jobs.directory, once, "begun")) == 1
    assert jobs.overlaps() == {}


@pytest.mark.parametrize("stop", WAYS)
def test_what_runs_is_interrupted_and_judged(site, jobs, stop):
    check_stop(site, jobs, stop, start_again)


def test_the_same_without_a_cjcpw(stopped, jobs):
    def start_detached(site):
        site.node.run("cjcpw", "-c", site.name, site.db_path).ok()
        site.wait_up()

    start_detached(stopped)
    prepare(stopped)
    check_stop(stopped, jobs, by_command, start_detached)
    stopped.stop()


def test_a_suspended_job_is_stopped_too(site, jobs):
    request = site.qsub(POLITE.format(directory=jobs.directory))
    wait_until(lambda: words(jobs.directory, request, "begun"), 20, site.log_text)
    site.run("qdel", f"-{int(signal.SIGSTOP)}", request).ok()

    def suspended():
        found = [process for process in site.processes() if "/requests/" in process.title]
        return found and all(process.state == "T" for process in found)

    wait_until(suspended, 20, lambda: processes.table(site.processes()))
    site.stop()
    assert words(jobs.directory, request, "term") == ["polite"]


def test_what_ended_by_itself_just_before_the_stop_is_done(site):
    gate = Gate(site.node.make_directory("gate", 0o777))
    requests = [site.qsub(gate.script(exit_code=7)) for _ in range(4)]
    wait_until(lambda: len(gate.started()) == 4, 20, site.log_text)
    os.kill(site.daemon("worker"), signal.SIGSTOP)
    gate.open()
    wait_until(lambda: len(exit_records(site)) == 4, 20, site.log_text)
    # Its end was recorded before the stop's signal, though nobody was told yet.
    site.cjcpw.send_signal(signal.SIGTERM)
    os.kill(site.daemon("worker"), signal.SIGCONT)
    assert site.cjcpw.wait(30) == 0
    site.start()
    assert [site.qwait(request) for request in requests] == [7] * 4
    assert {request["attempt"] for request in site.qstat(*requests)["requests"]} == {1}


def exit_records(site):
    return [name for name in os.listdir(os.path.join(site.directory, "output")) if name.endswith(".exit")]

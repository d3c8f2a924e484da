"""The commands that act on requests, at work on a real site: what they do to the job itself."""

import contextlib
import os

import pytest

from support.harness import Node
from support.waiting import wait_until

#: Writes a line at each SIGUSR1, and ends when its file `go` appears.
PATIENT = """trap 'echo signal >>"$QSUB_WORKDIR/heard"' USR1
echo attempt >>"$QSUB_WORKDIR/attempts"
while [ ! -e "$QSUB_WORKDIR/go" ]; do sleep 0.05; done
"""


@pytest.fixture(scope="module")
def started_site():
    """A running cluster site."""
    with Node() as node:
        yield node.cluster_site().start()


@pytest.fixture
def cluster_site(started_site):
    """That site, without the files of the test before."""
    for name in ("attempts", "heard", "go"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{started_site.node.scratch}/{name}")
    return started_site


def of(site, request_id):
    (request,) = site.qstat(request_id)["requests"]
    return request


def lines(site, name):
    try:
        with open(f"{site.node.scratch}/{name}", encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def started(site, attempts=1):
    wait_until(lambda: len(lines(site, "attempts")) == attempts, 30, lambda: site.log_text())


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_hold_release_alter_move(cluster_site):
    site = cluster_site
    site.qmgr("create batch_queue night run_limit=1", "enable queue night")
    first = site.qsub("echo one\n", "-q", "night")
    assert site.run("qhold", first).ok() == f"Request {first} has been held.\n"
    assert of(site, first)["state"] == "HELD"
    assert site.run("qalter", "-r", "other", "-p", "9", first).ok() == f"Request {first} has been altered.\n"
    site.run("qhold", first).refused("is held already")
    site.run("qrls", first).ok()
    assert site.run("qmove", "batch", first).ok() == f"Request {first} has been moved to queue: batch.\n"
    assert site.qwait(first) == 0
    assert (of(site, first)["name"], of(site, first)["priority"]) == ("other", 9)
    with open(f"{site.node.scratch}/other.o{first.split('.')[0]}", encoding="utf-8") as file:
        assert file.read() == "one\n"
    for command in (["qhold"], ["qrls"], ["qmove", "night"], ["qalter", "-p", "1"], ["qrerun"], ["qspnd"], ["qsig"]):
        site.run(*command, first).refused("has ended already")
        site.run(*command).refused(command[0], exit_code=2)


def test_suspend_resume_signal_rerun(cluster_site):
    site = cluster_site
    request_id = site.qsub(PATIENT)
    started(site)
    pid = of(site, request_id)["pid"]
    site.run("qspnd", request_id).ok()
    wait_until(lambda: process_state(pid) == "T", 10, lambda: process_state(pid))
    assert of(site, request_id)["suspended"] is True
    site.run("qrsm", request_id).ok()
    wait_until(lambda: process_state(pid) != "T", 10, lambda: process_state(pid))
    assert of(site, request_id)["suspended"] is False
    site.run("qsig", "-s", "USR1", request_id).ok()
    wait_until(lambda: lines(site, "heard") == ["signal"], 10, lambda: lines(site, "heard"))
    site.run("qrerun", request_id).ok()
    started(site, attempts=2)
    assert of(site, request_id)["attempt"] == 2
    with open(f"{site.node.scratch}/go", "w", encoding="utf-8"):
        pass
    assert site.qwait(request_id) == 0


def test_what_is_not_restartable_is_not_rerun(cluster_site):
    site = cluster_site
    request_id = site.qsub(PATIENT, "-nr")
    started(site)
    site.run("qrerun", request_id).refused("not restartable")
    site.run("qdel", "-k", request_id).ok()
    assert site.qwait(request_id) == 137
    assert lines(site, "attempts") == ["attempt"]


def test_abort_queue_kills_what_does_not_heed_sigterm(cluster_site):
    """The operator's command has long ended when the SIGKILL comes."""
    site = cluster_site
    deaf = site.qsub("trap '' TERM\n" + PATIENT)
    started(site)
    heeding = site.qsub("exec sleep 600\n")
    wait_until(lambda: of(site, heeding)["pid"], 30, lambda: site.log_text())
    waiting = site.qsub("true\n", "-a", "2037-01-01 00:00")
    assert "2 requests of queue batch told to end" in site.run("qmgr", "abort queue batch 2").ok()
    assert site.qwait(heeding) == 143
    assert site.qwait(deaf) == 137
    assert of(site, waiting)["state"] == "WAITING"
    site.run("qmgr", "purge queue batch").ok()
    assert of(site, waiting)["outcome"] == "deleted"

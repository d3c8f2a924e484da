"""A crash between the end of a job and its record: the exit record tells, and what has ended is never run again."""

import os
import re
import signal

import pytest

from jcq.process import stat_fields
from support import site_database
from support.gate import Gate
from support.harness import Node
from support.processes import without_forks
from support.waiting import wait_until

EXIT_CODE = 7


@pytest.fixture
def site():
    """A running site; a stop need not wait long for what does not answer."""
    with Node() as node:
        made = node.cluster_site()
        with open(os.path.join(made.directory, "site.conf"), "w", encoding="ascii") as file:
            file.write("FORCEKILL_TIME=0.2\n")
        yield made.start()


@pytest.fixture
def gate(site):
    return Gate(site.node.make_directory("gate", 0o777))


@pytest.fixture
def home(site):
    """Where requests are submitted and their output belongs."""
    return site.node.make_directory("work", 0o777)


def start_counting(gate):
    """A job that counts its starts: each one adds a line, so that a second run shows."""
    script = gate.script(work="echo output", exit_code=EXIT_CODE)
    first, rest = script.split("\n", 1)
    return f'{first}\necho $JCQ_EPOCH >> {gate.directory}/"$QSUB_REQID".starts\n{rest}'


def starts(gate, request):
    with open(os.path.join(gate.directory, f"{request}.starts"), encoding="ascii") as file:
        return file.read().split()


def exit_records(site):
    names = os.listdir(os.path.join(site.directory, "output"))
    return sorted(name for name in names if re.fullmatch(r"200-\d+\.a\d+\.e\d+\.exit", name))


def submit(site, gate, home, *options):
    """A running request; returns (id, pid of its script)."""
    request = site.qsub(start_counting(gate), *options, cwd=home)
    wait_until(lambda: request in gate.started(), 20, site.log_text)
    (shown,) = site.qstat(request)["requests"]
    return request, pid_of(site, shown)


def pid_of(site, shown):
    rid = f"200-{shown['id'].split('.')[0]}"
    scripts = [process for process in site.processes() if process.title.endswith(f"/requests/{rid}")]
    (script,) = without_forks(scripts)
    return script.pid


def kill_and_end(site, daemon):
    os.kill(site.daemon(daemon), signal.SIGKILL)
    assert site.cjcpw.wait(5) == 1
    site.cjcpw = None


def output(home, request):
    with open(os.path.join(home, f"STDIN.o{request.split('.')[0]}"), encoding="utf-8") as file:
        return file.read()


def state(site, request):
    return site.qstat(request)["requests"][0]["state"]


@pytest.mark.parametrize("options", [(), ("-nr",)])
@pytest.mark.parametrize("daemon", ["worker", "jcdbs", "nqsdaemon"])
def test_an_end_that_nobody_was_told_is_recorded_and_not_run_again(site, gate, home, daemon, options):
    request, _ = submit(site, gate, home, *options)
    os.kill(site.daemon("worker"), signal.SIGSTOP)
    gate.open()
    wait_until(lambda: exit_records(site), 20, site.log_text)
    kill_and_end(site, daemon)
    site.start()
    assert site.qwait(request) == EXIT_CODE
    (shown,) = site.qstat(request)["requests"]
    assert (shown["state"], shown["outcome"], shown["exit_code"], shown["attempt"]) == ("DONE", "exited", EXIT_CODE, 1)
    assert output(home, request) == "output\n"
    assert starts(gate, request) == ["2"]
    site_database.check(site_database.connection(site))


def test_an_end_that_a_lost_shepherd_recorded_counts(site, gate, home):
    request, script = submit(site, gate, home)
    shepherd = int(stat_fields(script)[1])
    os.kill(site.daemon("worker"), signal.SIGSTOP)
    gate.open()
    wait_until(lambda: exit_records(site), 20, site.log_text)
    os.kill(shepherd, signal.SIGKILL)
    wait_until(lambda: gone(shepherd), 20, site.log_text)
    os.kill(site.daemon("worker"), signal.SIGCONT)
    assert site.qwait(request) == EXIT_CODE
    assert output(home, request) == "output\n"
    assert site.cjcpw.poll() is None


def gone(pid):
    fields = stat_fields(pid)
    return not fields or fields[0] in (b"Z", b"X")


def test_a_job_that_was_killed_before_its_record_is_interrupted(site, gate, home):
    request, _ = submit(site, gate, home)
    kill_and_end(site, "worker")
    assert exit_records(site) == []
    site.start()
    wait_until(lambda: len(starts(gate, request)) == 2, 20, site.log_text)
    gate.open()
    assert site.qwait(request) == EXIT_CODE
    assert starts(gate, request) == ["2", "3"]


@pytest.fixture
def exiting(site, gate, home):
    """A request that has ended and is recorded, but whose shepherd is frozen before it delivers."""
    request, script = submit(site, gate, home)
    shepherd, worker = int(stat_fields(script)[1]), site.daemon("worker")
    os.kill(worker, signal.SIGSTOP)
    gate.open()
    wait_until(lambda: exit_records(site), 20, site.log_text)
    os.kill(shepherd, signal.SIGSTOP)
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: state(site, request) == "EXITING", 20, site.log_text)
    return request


def check_delivered(site, gate, home, request):
    site.start()
    assert site.qwait(request) == EXIT_CODE
    assert output(home, request) == "output\n"
    assert starts(gate, request) == ["2"]
    site_database.check(site_database.connection(site))


def test_what_was_being_delivered_in_a_crash_is_delivered_later(site, gate, home, exiting):
    kill_and_end(site, "worker")
    check_delivered(site, gate, home, exiting)


def test_what_was_being_delivered_in_a_stop_is_delivered_later(site, gate, home, exiting):
    site.stop()
    check_delivered(site, gate, home, exiting)

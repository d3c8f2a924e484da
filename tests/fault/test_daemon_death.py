"""SIGKILL of each process of a site while jobs run that resist: all of it dies, and the next start judges each job."""

import os
import signal

import pytest

from jcq.process import children, stat_fields
from support import processes, site_database
from support.hard_jobs import HardJobs
from support.harness import Node
from support.waiting import wait_until

#: The issue's own bound: from the SIGKILL of one process to the end of cjcpw.
LIMIT_S = 5
DAEMONS = ("jcdbs", "nqsdaemon", "worker")
#: (queue, options of qsub): what becomes of it is in `AFTER`.
INTERRUPTED = (("batch", ()), ("batch", ("-nr",)), ("purging", ()), ("purging", ("-nr",)), ("stopping", ()))
#: State after the next start, for `INTERRUPTED`.
AFTER = ("RUNNING", "DONE", "DONE", "DONE", "QUEUED")
PURGED = 125


@pytest.fixture
def site():
    """A running site with a queue for each kind of judgement."""
    with Node() as node:
        made = node.cluster_site().start()
        made.qmgr(
            "set run_limit = 2 batch",
            *(
                f"{verb} {name}"
                for name in ("purging", "stopping")
                for verb in ("create batch_queue", "enable queue", "start queue")
            ),
            "set run_limit = 2 purging",
            "set restart = (PURGE) purging",
            "set restart = (STOP) stopping",
        )
        yield made


@pytest.fixture
def jobs(site):
    """Hard jobs; whatever a failed test leaves of them is killed."""
    made = HardJobs(site.node.make_directory("jobs", 0o777))
    yield made
    for member in made.living():
        os.kill(member.pid, signal.SIGKILL)


class Load:
    """Requests in every state, the interrupted ones running."""

    def __init__(self, site, jobs):
        self.site, self.jobs = site, jobs
        self.ended = [site.qsub("exit 3\n"), site.qsub("kill -9 $$\n")]
        assert [site.qwait(request) for request in self.ended] == [3, 137]
        self.deleted = site.qsub("true\n", "-a", "23:59 tomorrow")
        site.run("qdel", self.deleted).ok()
        self.interrupted = [site.qsub(jobs.script(queue), "-q", queue, *options) for queue, options in INTERRUPTED]
        jobs.wait_running(*self.interrupted, describe=site.log_text)
        self.queued = [site.qsub("true\n"), site.qsub("true\n", "-nr")]
        self.waiting = site.qsub("true\n", "-a", "23:59 tomorrow")

    @property
    def ids(self):
        return [*self.ended, self.deleted, *self.interrupted, *self.queued, self.waiting]

    def states(self):
        """{id: state}; an id that the site does not know fails."""
        answer = {request["id"]: request["state"] for request in self.site.qstat(*self.ids)["requests"]}
        assert set(answer) == set(self.ids), (answer, self.ids)
        return answer

    def gone(self):
        """Nothing of the jobs and of the site lives."""
        return not self.jobs.living() and not self.site.processes()

    def describe(self):
        """What lives, and the logs."""
        return f"{self.jobs.living()}\n{processes.table(self.site.processes())}\n{self.site.log_text()}"

    def check_next_start(self):
        """Start again: every id, each judged, no ghost, nothing twice at once; then let all end."""
        site, jobs = self.site, self.jobs
        site.start()
        jobs.wait_running(self.interrupted[0], describe=self.describe)
        again = dict(zip(self.interrupted, AFTER, strict=True))

        def judged():
            return {request: state for request, state in self.states().items() if request in again} == again

        # Purged ones are on the way out while their output is delivered.
        wait_until(judged, 20, lambda: f"{self.states()}\n{self.describe()}")
        assert self.states()[self.waiting] == "WAITING"
        # Of two slots in queue batch one is free: the queued ones run through it.
        assert [site.qwait(request) for request in self.queued] == [0, 0]
        site_database.check(site_database.connection(site))
        assert [site.qwait(request) for request in self.ended] == [3, 137]
        purged = [request for request, state in again.items() if state == "DONE"]
        assert [site.qwait(request) for request in purged] == [PURGED] * 3
        assert [len(jobs.epochs(request)) for request in self.interrupted] == [2, 1, 1, 1, 1]
        jobs.open()
        site.qmgr("start queue stopping")
        assert [site.qwait(request) for request in (self.interrupted[0], self.interrupted[4])] == [0, 0]
        assert jobs.overlaps() == {}
        assert jobs.living() == []


@pytest.fixture
def load(site, jobs):
    return Load(site, jobs)


def launcher(site):
    """The pid of the launcher: the worker's one child."""
    (pid,) = children(site.daemon("worker"))
    return pid


def shepherd(jobs, request_id):
    """The pid of the shepherd of a running request: the parent of its script."""
    (script,) = [member for member in jobs.living(request_id) if member.kind == "script"]
    return int(stat_fields(script.pid)[1])


def exit_code(site, limit_s=LIMIT_S):
    """The exit code of the site's cjcpw, which is to end by itself."""
    code = site.cjcpw.wait(limit_s)
    site.cjcpw = None
    return code


@pytest.mark.parametrize("victim", [*DAEMONS, "launcher"])
def test_one_dies_and_all_of_the_site_and_its_jobs_with_it(site, load, victim):
    os.kill(launcher(site) if victim == "launcher" else site.daemon(victim), signal.SIGKILL)
    assert exit_code(site) == 1
    assert load.gone(), load.describe()
    load.check_next_start()


def test_of_a_shepherd_only_its_request_dies(site, jobs):
    victim, other = [site.qsub(jobs.script(), *options) for options in (("-nr",), ())]
    jobs.wait_running(victim, other, describe=site.log_text)
    os.kill(shepherd(jobs, victim), signal.SIGKILL)
    assert site.qwait(victim) == 128 + signal.SIGKILL
    # Its end is known only when nothing of it lives any more.
    assert jobs.living(victim) == []
    assert len(jobs.living(other)) == 5
    assert site.cjcpw.poll() is None
    site_database.check(site_database.connection(site))
    assert site.qwait(site.qsub("exit 4\n")) == 4
    jobs.open()
    assert site.qwait(other) == 0
    assert [len(jobs.epochs(request)) for request in (victim, other)] == [1, 1]


def test_an_idle_shepherd_that_was_killed_gets_no_job(site):
    assert site.qwait(site.qsub("true\n")) == 0
    idle = children(launcher(site))
    assert idle
    for pid in idle:
        os.kill(pid, signal.SIGKILL)
    assert [site.qwait(site.qsub(f"exit {code}\n")) for code in (1, 2, 3)] == [1, 2, 3]


def test_cjcpw_dies_and_all_with_it(site, load):
    site.cjcpw.kill()
    assert exit_code(site) == -signal.SIGKILL
    wait_until(load.gone, LIMIT_S, load.describe)
    load.check_next_start()


def kill_at_one_instant(pids):
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, signum)


@pytest.mark.parametrize("frozen", [False, True], ids=["shepherds live", "shepherds are frozen"])
def test_cjcpw_worker_and_launcher_die_at_one_instant(site, load, frozen):
    above = [site.cjcpw.pid, site.daemon("worker"), launcher(site)]
    if frozen:
        for pid in children(above[-1]):
            os.kill(pid, signal.SIGSTOP)
    kill_at_one_instant(above)
    assert exit_code(site) == -signal.SIGKILL
    load.check_next_start()


def test_with_the_shepherds_too_the_next_start_kills_what_they_left(site):
    jobs = HardJobs(site.node.make_directory("jobs", 0o777))
    ids = [site.qsub(jobs.script()) for _ in range(2)]
    jobs.wait_running(*ids, describe=site.log_text)
    above = [site.cjcpw.pid, site.daemon("worker"), launcher(site)]
    kill_at_one_instant([*above, *children(above[-1])])
    assert exit_code(site) == -signal.SIGKILL
    assert {member.request_id for member in jobs.living()} == set(ids)
    site.start()
    jobs.wait_running(*ids, describe=site.log_text)
    assert {member.epoch for member in jobs.living()} == {3}
    jobs.open()
    assert [site.qwait(request) for request in ids] == [0, 0]
    assert [jobs.epochs(request) for request in ids] == [[2, 3], [2, 3]]
    assert jobs.overlaps() == {}

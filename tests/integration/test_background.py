"""nqsbg: processes that outlive a script on purpose live on; a kill of the request and the end of the site end them."""

import os
import signal
import uuid

import pytest

from jcq import process
from support.hard_jobs import HardJobs
from support.slots import LIMIT_S, Slots, tree, with_word
from support.waiting import wait_until

#: A background process that is named by a word and says who it is.
STAY = """trap '{deaf}' TERM; echo $$ > "$READY.part"; mv "$READY.part" "$READY"; while :; do sleep 0.05; done"""


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


class Left:
    """A job that leaves one process behind, in a session of its own."""

    def __init__(self, slots, deaf=False, end=""):
        self.word = f"jcqtest-{uuid.uuid4()}"
        self.ready = os.path.join(slots.home, self.word)
        stay = slots.make_file(f"{self.ready}.sh", STAY.format(deaf="" if deaf else "exit").encode())
        script = f'setsid sh {stay} {self.word} &\nuntil [ -e "$READY" ]; do sleep 0.01; done\n{end}\n'
        env = {"PATH": "/usr/bin:/bin", "READY": self.ready}
        self.spec = slots.run_spec(script, env=env, background=True)

    def living(self):
        return with_word(self.word)

    @property
    def pid(self):
        with open(self.ready, encoding="ascii") as file:
            return int(file.read())

    def wait_ready(self):
        wait_until(lambda: os.path.exists(self.ready), LIMIT_S, lambda: self.living())


def wait_ended(slots, shepherd):
    """The shepherd has ended by itself, and the launcher had nothing to clean."""
    assert shepherd.hear() is None
    wait_until(lambda: shepherd.pid not in process.children(slots.launcher.pid), LIMIT_S, lambda: tree(shepherd.pid))
    assert slots.news == []


def test_what_outlives_the_script_lives_until_it_ends(slots):
    left, shepherd = Left(slots, end="exit 7"), slots.shepherd()
    result = shepherd.finish(left.spec)
    assert (result["exit_code"], result["stragglers"]) == (7, 0)
    assert left.pid in left.living()
    assert left.pid in result["background"]
    assert shepherd.pid in process.children(slots.launcher.pid)
    os.kill(left.pid, signal.SIGKILL)
    wait_ended(slots, shepherd)


def test_a_script_that_leaves_nothing_leaves_its_shepherd_free(slots):
    shepherd = slots.shepherd()
    for code in (1, 2):
        result = shepherd.finish(slots.run_spec(f"(true) & wait; exit {code}\n", background=True))
        assert (result["exit_code"], result["background"]) == (code, [])


@pytest.mark.parametrize("deaf", [False, True])
def test_a_stop_ends_it(slots, deaf):
    left, shepherd = Left(slots, deaf), slots.shepherd()
    shepherd.finish(left.spec)
    assert left.living()
    shepherd.stop(0.1 if deaf else LIMIT_S)
    wait_ended(slots, shepherd)
    assert left.living() == []


def test_the_end_of_the_worker_ends_it(slots):
    left, shepherd = Left(slots, deaf=True), slots.shepherd()
    shepherd.finish(left.spec)
    assert left.living()
    shepherd.close()
    wait_until(lambda: shepherd.pid not in process.children(slots.launcher.pid), LIMIT_S, lambda: tree(shepherd.pid))
    assert left.living() == []


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_takes_all_of_the_request(slots, signum):
    left, shepherd = Left(slots, deaf=True, end="exec sleep 1000"), slots.shepherd()
    shepherd.begin(left.spec)
    left.wait_ready()
    shepherd.signal(signum)
    kind, result = shepherd.hear()
    assert (kind, result["signal"], result["background"]) == ("ended", signum, [])
    assert left.living() == []
    assert shepherd.finish(slots.run_spec("exit 3\n"))["exit_code"] == 3


def test_another_signal_is_the_jobs_own_affair(slots):
    left = Left(slots, end='trap "exit 5" USR1; : > $READY.2; while :; do sleep 0.01; done')
    shepherd = slots.shepherd()
    script = shepherd.begin(left.spec)
    wait_until(lambda: os.path.exists(f"{left.ready}.2"), LIMIT_S, lambda: tree(shepherd.pid))
    os.kill(script, signal.SIGUSR1)
    kind, result = shepherd.hear()
    assert (kind, result["exit_code"], left.pid in left.living()) == ("ended", 5, True)
    os.kill(left.pid, signal.SIGKILL)
    wait_ended(slots, shepherd)


# --- on a site


@pytest.fixture
def jobs(cluster_site):
    """Jobs that leave processes; their queue runs one at a time and lets those live."""
    cluster_site.qmgr("set run_limit = 1 batch", "set nqsbg = ON batch")
    made = HardJobs(cluster_site.node.make_directory("jobs", 0o777))
    yield made
    for member in made.living():
        os.kill(member.pid, signal.SIGKILL)


def test_on_a_site_they_live_until_it_stops_and_the_slot_goes_on(cluster_site, jobs):
    site = cluster_site
    first = site.qsub(jobs.script())
    jobs.wait_running(first, describe=site.log_text)
    jobs.open()
    assert site.qwait(first) == 0
    helpers = {"child", "session", "forked-twice", "closed"}
    assert {member.kind for member in jobs.living(first)} == helpers
    assert [site.qwait(site.qsub(f"exit {code}\n")) for code in (1, 2, 3)] == [1, 2, 3]
    assert {member.kind for member in jobs.living(first)} == helpers
    (queue,) = (queue for queue in site.qstat()["queues"] if queue["name"] == "batch")
    assert queue["background"] is True
    assert "Nqsbg = ON" in site.qmgr("show long queue batch")
    text = f"request {first} of "
    wait_until(lambda: "4 processes live on in the background" in _line(site, text), LIMIT_S, site.log_text)
    site.stop()
    assert jobs.living() == []
    assert "its background processes end with the site" in _line(site, f"request {first}: its background processes end")


def test_on_a_site_a_kill_takes_them_and_off_is_off_again(cluster_site, jobs):
    site = cluster_site
    killed = site.qsub(jobs.script())
    jobs.wait_running(killed, describe=site.log_text)
    site.run("qdel", "-k", killed).ok()
    assert site.qwait(killed) == 128 + signal.SIGKILL
    assert jobs.living() == []
    site.qmgr("set nqsbg = OFF batch")
    ended = site.qsub(jobs.script())
    jobs.wait_running(ended, describe=site.log_text)
    jobs.open()
    assert site.qwait(ended) == 0
    assert jobs.living() == []


def _line(site, words):
    """The line of the worker's log that has these words, or an empty string."""
    with open(os.path.join(site.directory, "log", "worker.log"), encoding="utf-8") as file:
        return next((line for line in file if words in line), "")

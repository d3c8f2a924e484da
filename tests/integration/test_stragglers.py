"""What a job leaves behind dies with it: at its end, at a stop, with its shepherd, the launcher or the worker."""

import os
import signal
import uuid

import pytest

from jcq import exit_record, process
from support.slots import LIMIT_S, Slots, command_line, read, tree, with_word
from support.waiting import wait_until
from worker.errors import ShepherdGone

#: A loop that is deaf to everything but SIGKILL; the word after it names it. It says that it lives by a file.
DEAF = """trap '' TERM HUP INT QUIT USR1; : > "$READY"; while :; do sleep 1; done"""
#: Ways to leave a process behind (ha-facts.md section 6). {deaf} is a command that runs DEAF.
STRAGGLERS = {
    "background": "{deaf} &",
    "own session": "setsid {deaf} &",
    "double fork": "(setsid sh -c '{deaf} &' &)",
    "no environment": "setsid env -i READY=$READY PATH=$PATH {deaf} &",
    "closed files": "setsid {deaf} 0<&- 1>&- 2>&- &",
    "fork chain": "setsid sh $CHAIN $WORD &",
}
#: Each process of it forks the next one and ends.
CHAIN = ': > "$READY"; sleep 0.01; sh "$0" "$1" & exit\n'
WAIT_READY = 'until [ -e "$READY" ]; do sleep 0.01; done\n'


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


@pytest.fixture
def shepherd(slots):
    return slots.shepherd()


class Deaf:
    """What a script needs to leave a process behind, and whether that lives."""

    def __init__(self, slots):
        self.word = f"jcqtest-{uuid.uuid4()}"
        self.ready = os.path.join(slots.home, "ready")
        self.env = {
            "PATH": "/usr/bin:/bin",
            "READY": self.ready,
            "WORD": self.word,
            "DEAF": slots.make_file(os.path.join(slots.home, "deaf"), DEAF.encode()),
            "CHAIN": slots.make_file(os.path.join(slots.home, "chain"), CHAIN.encode()),
        }

    def script(self, kind):
        return STRAGGLERS[kind].format(deaf="sh $DEAF $WORD") + "\n" + WAIT_READY

    def wait_ready(self):
        wait_until(lambda: os.path.exists(self.ready), LIMIT_S, lambda: f"{with_word(self.word)} live")


# --- nothing is left behind


@pytest.mark.parametrize("kind", STRAGGLERS)
def test_stragglers_die_with_the_job(slots, shepherd, kind):
    deaf = Deaf(slots)
    spec = slots.run_spec(deaf.script(kind) + "exit 7\n", env=deaf.env)
    result = shepherd.finish(spec)
    assert os.path.exists(deaf.ready), "nothing was left behind in the first place"
    assert (result["exit_code"], with_word(deaf.word), tree(shepherd.pid)) == (7, [], [])
    assert result["stragglers"] >= 1


@pytest.mark.parametrize("kind", STRAGGLERS)
def test_stragglers_die_with_the_stop(slots, shepherd, kind):
    deaf = Deaf(slots)
    spec = slots.run_spec(deaf.script(kind) + "sleep 1000\n", env=deaf.env)
    shepherd.begin(spec)
    deaf.wait_ready()
    shepherd.stop(0.1)
    assert shepherd.hear() == ("stopped",)
    assert (with_word(deaf.word), tree(shepherd.pid)) == ([], [])
    assert not os.path.exists(spec["exit_record"])


@pytest.mark.parametrize("kind", STRAGGLERS)
def test_stragglers_die_with_the_workers_socket(slots, shepherd, kind):
    deaf = Deaf(slots)
    shepherd.begin(slots.run_spec(deaf.script(kind) + "sleep 1000\n", env=deaf.env))
    deaf.wait_ready()
    shepherd.close()
    wait_until(lambda: shepherd.pid not in process.children(slots.launcher.pid), LIMIT_S, lambda: tree(shepherd.pid))
    assert with_word(deaf.word) == []


@pytest.mark.parametrize("kind", STRAGGLERS)
def test_stragglers_die_with_the_launchers_socket(slots, kind):
    deaf = Deaf(slots)
    first, second = slots.shepherd(), slots.shepherd()
    first.begin(slots.run_spec(deaf.script(kind) + "sleep 1000\n", env=deaf.env))
    second.begin(slots.run_spec(f"exec sh {deaf.env['DEAF']} {deaf.word}\n", env=deaf.env))
    deaf.wait_ready()
    assert with_word(deaf.word)
    assert slots.launcher.stop(LIMIT_S) == 0
    slots.launcher.pid = -1
    assert with_word(deaf.word) == []


def test_script_that_kills_its_process_group(slots, shepherd):
    result = shepherd.finish(slots.run_spec("kill -TERM 0; sleep 1000\n"))
    assert result["signal"] == signal.SIGTERM
    assert shepherd.finish(slots.run_spec("exit 8\n"))["exit_code"] == 8


def test_script_that_closes_its_files(slots, shepherd):
    spec = slots.run_spec("exec 0<&- 1>&- 2>&-; go=$HOME/go; until [ -e $go ]; do sleep 0.01; done; exit 9\n")
    shepherd.begin(spec)
    slots.make_file(os.path.join(slots.home, "go"), b"")
    assert shepherd.hear()[1]["exit_code"] == 9


def test_orphans_are_collected_while_the_job_runs(slots, shepherd):
    orphans = "i=0; while [ $i -lt 30 ]; do (true &); i=$((i+1)); done; : > $HOME/ready; exec sleep 1000\n"
    pid = shepherd.begin(slots.run_spec(orphans))
    wait_until(lambda: os.path.exists(os.path.join(slots.home, "ready")), LIMIT_S, lambda: tree(shepherd.pid))
    wait_until(lambda: process.children(shepherd.pid) == [pid], LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.stop(0)
    assert shepherd.hear() == ("stopped",)


# --- signals and stops


def test_signal_reaches_every_process(slots, shepherd):
    mark = 'trap ": > $HOME/got.{0}" USR1; : > $HOME/up.{0}; while :; do sleep 0.01; done'
    child = slots.make_file(os.path.join(slots.home, "child"), mark.format("child").encode())
    spec = slots.run_spec(f"setsid sh {child} &\n{mark.format('script')}\n")
    shepherd.begin(spec)
    names = lambda: sorted(os.listdir(slots.home))  # noqa: E731
    wait_until(lambda: {"up.child", "up.script"} <= set(names()), LIMIT_S, names)
    shepherd.signal(signal.SIGUSR1)
    wait_until(lambda: {"got.child", "got.script"} <= set(names()), LIMIT_S, names)
    shepherd.signal(signal.SIGKILL)
    assert shepherd.hear()[1]["stragglers"] == 0, "what was killed on demand is no straggler"


def test_kill_takes_everything_and_is_an_end(slots, shepherd):
    deaf = Deaf(slots)
    spec = slots.run_spec(deaf.script("double fork") + "sleep 1000\n", env=deaf.env)
    shepherd.begin(spec)
    deaf.wait_ready()
    shepherd.signal(signal.SIGKILL)
    kind, result = shepherd.hear()
    assert (kind, result["signal"], with_word(deaf.word)) == ("ended", signal.SIGKILL, [])
    assert exit_record.read(spec["exit_record"])["signal"] == signal.SIGKILL


def test_stop_gives_the_job_its_grace(slots, shepherd):
    script = 'trap "echo saved; exit 0" TERM; : > $HOME/up; while :; do sleep 0.01; done\n'
    spec = slots.run_spec(script)
    shepherd.begin(spec)
    wait_until(lambda: os.path.exists(os.path.join(slots.home, "up")), LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.stop(LIMIT_S)
    assert shepherd.hear() == ("stopped",)
    assert read(spec["out"]) == b"saved\n"
    assert not os.path.exists(spec["exit_record"])


def test_stop_reaches_a_suspended_job(slots, shepherd):
    pid = shepherd.begin(slots.run_spec("exec sleep 1000\n"))
    wait_until(lambda: command_line(pid) == "sleep 1000", LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.signal(signal.SIGSTOP)
    wait_until(lambda: process.stat_fields(pid)[0] == b"T", LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.stop(LIMIT_S * 10)
    assert shepherd.hear() == ("stopped",)


def test_job_that_ended_before_the_stop_is_an_end(slots, shepherd):
    spec = slots.run_spec("exit 2\n")
    shepherd.begin(spec)
    wait_until(lambda: os.path.exists(spec["exit_record"]), LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.stop(0)
    assert shepherd.hear()[0] == "ended"
    assert shepherd.hear() == ("stopped",)


def test_script_that_ended_before_the_stop_was_read_is_an_end(slots, shepherd):
    deaf = Deaf(slots)
    spec = slots.run_spec(deaf.script("double fork") + "exec sleep 1000\n", env=deaf.env)
    pid = shepherd.begin(spec)
    deaf.wait_ready()
    os.kill(shepherd.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: process.stat_fields(pid)[0] == b"Z", LIMIT_S, lambda: tree(shepherd.pid))
    shepherd.stop(LIMIT_S)
    os.kill(shepherd.pid, signal.SIGCONT)
    kind, result = shepherd.hear()
    assert (kind, result["signal"], result["stragglers"] > 0) == ("ended", signal.SIGKILL, True)
    assert exit_record.read(spec["exit_record"]) is not None
    assert with_word(deaf.word) == []


def test_signal_that_comes_too_late_is_nothing(slots, shepherd):
    shepherd.finish(slots.run_spec(""))
    shepherd.signal(signal.SIGTERM)
    assert shepherd.finish(slots.run_spec("exit 1\n"))["exit_code"] == 1


def test_quit_ends_the_shepherd_and_is_no_loss(slots, shepherd):
    shepherd.quit()
    assert shepherd.hear() is None
    wait_until(lambda: process.children(slots.launcher.pid) == [], LIMIT_S, lambda: tree(slots.launcher.pid))
    with pytest.raises(ShepherdGone):
        shepherd.quit()
    assert slots.shepherd().finish(slots.run_spec("exit 1\n"))["exit_code"] == 1
    assert slots.news == []


# --- shepherds and launchers that die


def test_lost_shepherd_takes_its_job_and_no_other(slots):
    deaf, other = Deaf(slots), f"jcqtest-{uuid.uuid4()}"
    lost, kept = slots.shepherd(), slots.shepherd()
    lost.begin(slots.run_spec(deaf.script("double fork") + "sleep 1000\n", env=deaf.env))
    env = deaf.env | {"WORD": other, "READY": os.path.join(slots.home, "second")}
    kept.begin(slots.run_spec(deaf.script("double fork") + "sleep 1000\n", env=env))
    deaf.wait_ready()
    wait_until(lambda: os.path.exists(env["READY"]), LIMIT_S, lambda: tree(kept.pid))
    os.kill(lost.pid, signal.SIGKILL)
    assert slots.hear_launcher() == ("lost", lost.pid, signal.SIGKILL)
    assert with_word(deaf.word) == []
    assert len(with_word(other)) == 1
    assert lost.hear() is None
    kept.stop(0)
    assert kept.hear() == ("stopped",)


@pytest.mark.root
def test_owner_can_neither_signal_nor_look_into_the_shepherd(slots, shepherd):
    # For the instant of the spawn the shepherd's real uid is the owner's, and a quick job can see it.
    wait = "until grep -q '^Uid:.0.0.0.0$' /proc/$PPID/status; do :; done\n"
    spec = slots.run_spec(f"{wait}kill -9 $PPID; ls /proc/$PPID/fd; cat /proc/$PPID/environ; exit 3\n")
    assert shepherd.finish(spec)["exit_code"] == 3
    assert read(spec["err"]).count(b"not permitted") + read(spec["err"]).count(b"ermission denied") == 3


def test_descriptors_that_the_worker_leaks_reach_no_job():
    with open("/dev/null", "rb") as file:
        os.set_inheritable(file.fileno(), True)
        with Slots() as slots:
            spec = slots.run_spec("ls /proc/self/fd\n")
            slots.shepherd().finish(spec)
            assert read(spec["out"]) == b"0\n1\n2\n3\n"


def test_launcher_leaves_sigterm_to_the_worker(slots):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(slots.launcher.pid, number)
    assert slots.shepherd().finish(slots.run_spec("exit 1\n"))["exit_code"] == 1


def test_a_shepherd_outlives_its_launcher_until_the_worker_lets_go(slots, shepherd):
    shepherd.finish(slots.run_spec(""))
    os.kill(slots.launcher.pid, signal.SIGKILL)
    assert slots.hear_launcher() == ("gone",)
    assert slots.launcher.stop(LIMIT_S) == -signal.SIGKILL
    slots.launcher.pid = -1
    assert shepherd.finish(slots.run_spec("exit 3\n"))["exit_code"] == 3
    shepherd.close()
    wait_until(lambda: not command_line(shepherd.pid), LIMIT_S, lambda: command_line(shepherd.pid))

"""Resource limits at work: real jobs on a real site see their limits, and are ended when they exceed them."""

import os
import re
import signal
import sys
import time

import pytest

from support import skips
from support.harness import Node
from support.slots import AS_ROOT, Slots, read

MB = 1 << 20
BURN = "while :; do :; done"


@pytest.fixture(scope="module")
def site():
    """A running cluster site."""
    with Node() as node:
        yield node.cluster_site().start()


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


def output(site, request, letter):
    path = f"{site.node.scratch}/STDIN.{letter}{request.split('.')[0]}"
    with open(path, encoding="utf-8") as file:
        return file.read()


def record(site, request):
    (found,) = site.qstat(request)["requests"]
    return found


def run(site, script, *options):
    """(exit code of qwait, standard output, standard error, seconds between start and end) of a job."""
    request = site.qsub(script, "-s", "/bin/sh", *options)
    code = site.qwait(request)
    times = record(site, request)
    err = output(site, request, "e").replace(request, "ID")
    return code, output(site, request, "o"), err, times["ended_s"] - times["started_s"]


# --- setrlimit and nice


def test_the_job_has_every_rlimit(site):
    wanted = {
        "-lc": ("0", "core file size", 0, 0),
        "-ld": ("1gb, 900mb", "data size", 900 * MB, 1024 * MB),
        "-lf": ("20mb", "", 0, 0),
        "-lv": ("10mb, 1mb", "file size", MB, 10 * MB),
        "-lm": ("2000mb", "address space", 2000 * MB, 2000 * MB),
        "-ls": ("4mb", "stack size", 4 * MB, 4 * MB),
        "-lt": ("1:06.5, 30.2", "cpu time", 31, 67),
        "-lw": ("300mb", "resident set", 300 * MB, 300 * MB),
    }
    rows = {row[1:] for row in wanted.values() if row[1]}
    pattern = "|".join(rf"{name} +{soft} +{hard} " for name, soft, hard in rows)
    # Without the right to raise a hard limit again, the shepherd sets the child's just after the spawn.
    wait = f"until [ $(grep -cE 'Max ({pattern})' /proc/$$/limits) = {len(rows)} ]; do :; done\n"
    options = [word for option, (value, *_) in wanted.items() for word in (option, value)]
    code, out, err, _ = run(site, f"{wait}cat /proc/self/limits\n", *options)
    assert (code, err) == (0, "")
    seen = {
        (match[1], int(match[2]), int(match[3]))
        for match in re.finditer(r"^Max (\w+(?: \w+)*) +(\d+) +(\d+) ", out, re.MULTILINE)
    }
    assert rows <= seen, out


def test_a_file_size_limit_is_enforced(site):
    code, out, _, _ = run(
        site, 'cd "$QSUB_WORKDIR"; trap "" XFSZ\nhead -c 3000000 /dev/zero >big; wc -c <big; rm big\n', "-lf", "1mb"
    )
    assert (code, out.split()) == (0, [str(MB)])


def test_the_warning_value_of_cpu_time_per_process_comes_first(site):
    code, out, _, _ = run(site, f"trap 'echo warned; exit 3' XCPU\n{BURN}\n", "-lt", "5, 1")
    assert (code, out) == (3, "warned\n")
    code, _, _, _ = run(site, f"{BURN}\n", "-lt", "1")
    assert code in (128 + signal.SIGKILL, 128 + signal.SIGXCPU)


def test_the_job_has_its_nice_value(site):
    nice = str(os.getpriority(os.PRIO_PROCESS, 0) + 5)
    code, out, _, _ = run(site, f"until [ $(nice) = {nice} ]; do :; done; sh -c nice\n", "-ln", nice)
    assert (code, out) == (0, f"{nice}\n")
    code, out, _, _ = run(site, "nice\n")
    assert (code, out) == (0, f"{os.getpriority(os.PRIO_PROCESS, 0)}\n")


@pytest.mark.root
def test_root_may_have_a_better_one(site):
    code, out, _, _ = run(site, "until [ $(nice) = -3 ]; do :; done; nice\n", "-ln", "-3")
    assert (code, out) == (0, "-3\n")


# --- of all processes of a request


def test_cpu_time_of_three_processes(site):
    code, _, err, _ = run(site, f"({BURN}) & ({BURN}) & {BURN}\n", "-lT", "1")
    assert code == 128 + signal.SIGXCPU
    assert err.splitlines()[-1] == "jcq: request ID exceeded its CPU time per request of 1 s and was ended"


def test_cpu_time_of_processes_that_have_ended(site):
    """No process alone uses much; their parents have waited for them."""
    burn_a_little = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    code, _, err, _ = run(site, f"while :; do sh -c '{burn_a_little}'; done\n", "-lT", "1")
    assert code == 128 + signal.SIGXCPU
    assert "exceeded its CPU time per request of 1 s" in err


def test_elapsed_time(site):
    code, _, err, elapsed_s = run(site, "exec sleep 1000\n", "-lE", "1")
    assert code == 128 + signal.SIGTERM
    assert err == "jcq: request ID exceeded its elapsed time per request of 1 s and was ended\n"
    assert 1 <= elapsed_s < 60


def test_memory_of_all_processes(site):
    allocate = f"{sys.executable} -c 'import time; kept = b\"x\" * {60 * MB}; time.sleep(1000)'"
    code, _, err, _ = run(site, f"{allocate} & {allocate} & wait\n", "-lM", "100mb")
    assert code == 128 + signal.SIGTERM
    assert err.splitlines()[-1] == "jcq: request ID exceeded its memory size per request of 100 mb and was ended"


def test_what_stays_below_its_limits_is_left_alone(site):
    code, out, err, _ = run(site, "sleep 2; echo done\n", "-lT", "10", "-lE", "1:00", "-lM", "1gb", "-lF", "1b")
    assert (code, out, err) == (0, "done\n", "")


def test_qlimit_and_qmgr_say_what_is_enforced(site):
    text = site.run("qlimit").ok()
    assert "Shell strategy = FREE" in text
    assert site.run("qmgr", "show", "limits_supported").ok() == text
    site.run("qlimit", "word").refused("qlimit: ", exit_code=2)


# --- limits of queues


@pytest.fixture(scope="module")
def night(site):
    """A queue with limits, and a pipe queue that leads to it only."""
    site.qmgr(
        "create batch_queue night run_limit=4",
        "set corefile_limit = (0) night",
        "set data_limit = (1gb, 900mb) night",
        "set per_process cpu_limit = (1:07) night",
        "set per_request cpu_limit = (10:00) night",
        "set elapsed_limit = (1:00) night",
        "enable queue night",
        "start queue night",
        "create pipe_queue evening dest=night",
        "enable queue evening",
        "start queue evening",
    )
    return "night"


@pytest.mark.parametrize("queue", ["night", "evening"])
def test_a_job_has_the_limits_of_its_queue_where_it_has_none(site, night, queue):
    rows = {("data size", 900 * MB, 1024 * MB), ("cpu time", 30, 30), ("core file size", 0, 0)}
    pattern = "|".join(rf"{name} +{soft} +{hard} " for name, soft, hard in rows)
    wait = f"until [ $(grep -cE 'Max ({pattern})' /proc/$$/limits) = {len(rows)} ]; do :; done\n"
    code, out, err, _ = run(site, f"{wait}echo seen\n", "-q", queue, "-lt", "30")
    assert (code, out, err) == (0, "seen\n", "")


def test_a_job_is_ended_at_the_limit_that_its_queue_had_when_it_came(site, night):
    site.qmgr("set elapsed_limit = (1) night")
    began = f"{site.node.scratch}/began"
    request = site.qsub(f"touch {began}; exec sleep 1000\n", "-s", "/bin/sh", "-q", night)
    site.qmgr("set elapsed_limit = (1:00) night")
    assert record(site, request)["limits"]["elapsed_request"] == {"value": 1, "warning": None, "from_queue": True}
    assert site.qwait(request) == 128 + signal.SIGTERM
    assert "exceeded its elapsed time per request of 1 s" in output(site, request, "e")


def test_more_than_the_queue_allows_is_refused(site, night):
    words = "queue night allows CPU time per request of 0:10:00, but 1:00:00 was asked for (-lT)"
    for queue in ("night", "evening"):
        site.run("qsub", "-q", queue, "-lT", "1:00:00", stdin=":\n").refused(f"qsub: {words}", exit_code=1)
    site.run("qsub", "-q", night, "-lT", "unlimited", stdin=":\n").refused("but unlimited was asked for (-lT)")
    request = site.qsub(":\n", "-a", "tomorrow", "-lT", "1:00:00")
    site.run("qmove", night, request).refused(f"qmove: request {request}: {words}", exit_code=1)
    site.run("qalter", "-lT", "9:00", request).ok()
    site.run("qmove", night, request).ok()
    site.run("qalter", "-lT", "1:00:00", request).refused(f"qalter: request {request}: {words}", exit_code=1)
    long = site.run("qstat", "-l", request).ok()
    assert "Per-request CPU time limit = 0:09:00\n" in long
    assert "Per-request elapsed time limit = 0:01:00 <DEFAULT>\n" in long
    site.run("qdel", request).ok()


# --- the shepherd itself


def row(kind, value, warning=None):
    return (kind, value, warning, f"{kind} per request", f"{value} s", f"{warning} s")


def test_what_ignores_signals_is_killed_after_the_grace(slots):
    shepherd = slots.shepherd()
    began = time.monotonic()
    spec = slots.run_spec("trap '' TERM XCPU; echo -n unfinished >&2; sleep 1000; sleep 1000\n")
    result = shepherd.finish(spec | {"watched": [row("elapsed", 0.2)]})
    assert 5 <= time.monotonic() - began < 60
    assert (result["signal"], result["exit_code"]) == (signal.SIGKILL, 128 + signal.SIGKILL)
    assert read(spec["err"]).decode() == (
        f"unfinished\njcq: request {spec['id']} exceeded its elapsed per request of 0.2 s and was ended\n"
    )
    assert shepherd.finish(slots.run_spec("exit 6\n"))["exit_code"] == 6


def test_what_ends_well_after_the_signal_counts_as_ended_by_it(slots):
    spec = slots.run_spec(
        "trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done\n", watched=[row("elapsed", 0.2)]
    )
    result = slots.shepherd().finish(spec)
    assert (result["signal"], result["exit_code"]) == (signal.SIGTERM, 128 + signal.SIGTERM)
    assert read(spec["out"]) == b"tidied\n"


@pytest.mark.parametrize("script", [BURN, "while :; do sleep 0.05; done"])
def test_the_warning_comes_once_and_before_the_limit(slots, script):
    watched = [row("elapsed", None, 0.2)] if "sleep" in script else [row("cpu", None, 0.5)]
    trap = f"trap 'echo warned; exit 3' XCPU; {script}\n"
    spec = slots.run_spec(trap, watched=watched)
    assert slots.shepherd().finish(spec)["exit_code"] == 3
    assert read(spec["out"]) == b"warned\n"
    assert b"jcq:" not in read(spec["err"])
    spec = slots.run_spec(f"{script}\n", watched=watched)
    assert slots.shepherd().finish(spec)["signal"] == signal.SIGXCPU
    assert f"jcq: request {spec['id']} reached the warning value" in read(spec["err"]).decode()


def test_a_suspended_job_is_ended_too(slots):
    spec = slots.run_spec("kill -STOP $$\n", watched=[row("elapsed", 0.2)])
    assert slots.shepherd().finish(spec)["signal"] == signal.SIGTERM


def test_the_line_goes_through_no_link_and_no_pipe(slots):
    victim = slots.make_file(slots.path("victim"), b"old\n")
    for change in (f"ln -s {victim} $ERR", "mkfifo $ERR", ":"):
        spec = slots.run_spec(f"rm -f $ERR; {change}; exec sleep 1000\n", watched=[row("elapsed", 0.2)])
        spec["env"]["ERR"] = spec["err"]
        assert slots.shepherd().finish(spec)["signal"] == signal.SIGTERM
    assert read(victim) == b"old\n"


@pytest.mark.skipif(AS_ROOT, reason=skips.NEEDS_ORDINARY_USER)
def test_a_nice_value_that_is_refused_is_noted(slots):
    wanted = os.getpriority(os.PRIO_PROCESS, 0) - 1
    spec = slots.run_spec("exit 4\n", nice=wanted)
    result = slots.shepherd().finish(spec)
    assert result["exit_code"] == 4
    assert result["note"].startswith(f"cannot set nice value {wanted}: ")
    assert read(spec["err"]).decode() == f"jcq: {result['note']}\n"

"""Slot shepherds on real processes: a job begins as its owner, and what it came to is told and recorded."""

import os
import resource
import signal

import pytest

from jcq import exit_record
from support.slots import AS_ROOT, Slots, mode, read
from worker.errors import MessageTooLong


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


@pytest.fixture
def shepherd(slots):
    return slots.shepherd()


# --- an ordinary job


def test_exit_code_output_and_record(slots, shepherd):
    spec = slots.run_spec("echo to out; echo to err >&2; exit 3\n")
    result = shepherd.finish(spec)
    assert (result["exit_code"], result["signal"], result["stragglers"], result["note"]) == (3, 0, 0, "")
    assert result["started_s"] <= result["ended_s"]
    assert (read(spec["out"]), read(spec["err"])) == (b"to out\n", b"to err\n")
    record = exit_record.read(spec["exit_record"])
    assert record == {"rid": spec["rid"], "attempt": 1, "epoch": 3} | {k: result[k] for k in record.keys() & result}
    assert mode(spec["exit_record"]) == 0o600


def test_output_is_the_owners_alone(slots, shepherd):
    spec = slots.run_spec("")
    shepherd.finish(spec)
    for path in (spec["out"], spec["err"]):
        assert mode(path) == 0o600
        assert os.stat(path).st_uid == slots.uid


def test_both_outputs_in_one_file_in_order(slots, shepherd):
    spec = slots.run_spec("echo 1; echo 2 >&2; echo 3\n", err="")
    shepherd.finish(spec)
    assert read(spec["out"]) == b"1\n2\n3\n"


def test_ids_directory_umask_and_files(slots, shepherd):
    spec = slots.run_spec("id -u; id -ru; id -g; id -G; pwd; umask; ls /proc/self/fd\n")
    shepherd.finish(spec)
    uid, real_uid, gid, groups, directory, umask, *fds = read(spec["out"]).decode().split("\n")
    assert (int(uid), int(real_uid), int(gid)) == (slots.uid, slots.uid, slots.gid)
    assert str(slots.gid) in groups.split()
    assert not AS_ROOT or groups == str(slots.gid)
    assert (directory, int(umask, 8)) == (slots.home, 0o027)
    assert fds == ["0", "1", "2", "3", ""]  # 3 is the directory that ls reads


def test_job_has_default_signals_its_own_session_and_no_capabilities(slots, shepherd):
    spec = slots.run_spec("cat /proc/self/status; exec cat /proc/$$/stat\n")
    shepherd.finish(spec)
    text = read(spec["out"]).decode()
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert int(status["SigBlk"], 16) == int(status["SigPnd"], 16) == 0
    # The C library's posix_spawn ignores its own two, 32 and 33, which no program can use.
    assert int(status["SigIgn"], 16) & ~(0b11 << 31) == 0
    pid, rest = int(text.splitlines()[-1].split()[0]), text.splitlines()[-1].rsplit(") ", 1)[1].split()
    assert (int(rest[2]), int(rest[3])) == (pid, pid)  # process group, session
    if AS_ROOT:
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0
        assert set(status["Uid"].split()) == {str(slots.uid)}


def test_jobs_one_after_another(slots, shepherd):
    for number in range(20):
        assert shepherd.finish(slots.run_spec(f"exit {number}\n"))["exit_code"] == number


def test_killed_by_a_signal(slots, shepherd):
    result = shepherd.finish(slots.run_spec("kill -SEGV $$\n"))
    assert (result["signal"], result["exit_code"]) == (signal.SIGSEGV, 128 + signal.SIGSEGV)


def test_cpu_time_counts_every_process(slots, shepherd):
    burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    alone = shepherd.finish(slots.run_spec(burn))["cpu_s"]
    ready = os.path.join(slots.home, "burnt")
    orphan = f"setsid sh -c '{burn}; : > {ready}; exec sleep 1000' & until [ -e {ready} ]; do sleep 0.01; done\n"
    spec = slots.run_spec(orphan)
    assert alone > 0
    result = shepherd.finish(spec)
    assert result["stragglers"] == 1
    assert result["cpu_s"] > alone / 2


def test_big_environment(slots, shepherd):
    spec = slots.run_spec('printf "%s" "$BIG" | wc -c\n')
    spec["env"]["BIG"] = "x" * 20_000
    shepherd.finish(spec)
    assert int(read(spec["out"])) == 20_000


def test_environment_that_no_message_holds_is_refused(slots, shepherd):
    spec = slots.run_spec("")
    spec["env"]["BIG"] = "x" * 2_000_000
    with pytest.raises(MessageTooLong):
        shepherd.run(spec)
    assert shepherd.finish(slots.run_spec("exit 4\n"))["exit_code"] == 4


def test_text_that_is_no_utf8(slots, shepherd):
    spec = slots.run_spec('printf "%s" "$ODD"\n')
    spec["env"]["ODD"] = os.fsdecode(b"\xff\xe4")
    shepherd.finish(spec)
    assert read(spec["out"]) == b"\xff\xe4"


def test_environment_file_is_below_the_specs_own(slots, shepherd):
    path = slots.make_file(slots.path("200-1.env"), b"3:A=1,3:B=2,5:C=x y,", 0o400)
    spec = slots.run_spec('echo "$A $B $C"\n', env_file=path)
    spec["env"]["B"] = "9"
    shepherd.finish(spec)
    assert read(spec["out"]) == b"1 9 x y\n"


@pytest.mark.root
def test_environment_file_is_read_as_the_owner(slots, shepherd):
    path = slots.path("secret.env")
    with open(path, "wb") as file:
        file.write(b"3:A=1,")
    os.chmod(path, 0o600)
    reason = shepherd.refuse(slots.run_spec("", env_file=path))
    assert reason == f"environment file {path}: Permission denied"


def test_home_that_cannot_be_entered(slots, shepherd):
    spec = slots.run_spec("pwd\n", home="/nonexistent/home")
    result = shepherd.finish(spec)
    assert "'/nonexistent/home': No such file or directory; running in /" in result["note"]
    assert read(spec["out"]) == b"/\n"
    assert read(spec["err"]).decode() == f"jcq: {result['note']}\n"


@pytest.mark.root
def test_home_is_entered_with_the_owners_rights(slots, shepherd):
    closed = slots.path("closed")
    os.mkdir(closed, 0o700)
    assert "Permission denied" in shepherd.finish(slots.run_spec("", home=closed))["note"]


# --- jobs that cannot start


@pytest.mark.parametrize(
    ("shell", "reason"), [("/no/such/shell", "No such file or directory"), ("/etc/passwd", "Permission denied")]
)
def test_shell_that_cannot_be_run(slots, shepherd, shell, reason):
    spec = slots.run_spec("", shell=shell)
    assert shepherd.refuse(spec) == f"{shell}: {reason}"
    assert os.listdir(slots.spool) == []
    assert shepherd.finish(slots.run_spec("exit 5\n"))["exit_code"] == 5


def test_damaged_environment_file(slots, shepherd):
    path = slots.make_file(slots.path("bad.env"), b"3:A=1,nonsense", 0o400)
    reason = shepherd.refuse(slots.run_spec("", env_file=path))
    assert reason == f"environment file {path} is damaged: no netstring at byte 6"


def test_output_file_that_exists_is_never_opened(slots, shepherd):
    spec = slots.run_spec("echo new\n")
    victim = slots.make_file(slots.path("victim"), b"old")
    os.symlink(victim, spec["err"])
    assert shepherd.refuse(spec) == f"output file {spec['err']}: File exists"
    assert read(victim) == b"old"
    assert not os.path.exists(spec["out"])


# --- limits


def test_limits_are_the_jobs_and_not_the_shepherds(slots, shepherd):
    before = [resource.prlimit(shepherd.pid, kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]
    limits = [(resource.RLIMIT_NOFILE, 77, 99), (resource.RLIMIT_CORE, 0, 0)]
    # Without the right to raise a hard limit again, the shepherd sets the child's just after the spawn.
    wait = "until [ $(ulimit -Hn) = 99 ] && [ $(ulimit -Hc) = 0 ]; do :; done\n"
    spec = slots.run_spec(f"ulimit -Sn; {wait}ulimit -Sn; ulimit -Hn; ulimit -Hc\n", rlimits=limits)
    for _ in range(2):
        shepherd.finish(spec)
        assert read(spec["out"]) == b"77\n77\n99\n0\n"
        after = [resource.prlimit(shepherd.pid, kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]
        assert after == before
        os.unlink(spec["out"])
        os.unlink(spec["err"])


def test_limits_that_the_shepherd_itself_could_not_bear(slots, shepherd):
    small = 6 * 1024 * 1024
    limits = [(resource.RLIMIT_AS, small, small), (resource.RLIMIT_CPU, 1, 1), (resource.RLIMIT_NOFILE, 16, 16)]
    ready = os.path.join(slots.home, "go")
    # The exact ones come just after the spawn: the script waits for them by reading its own limits.
    wait = "until [ $(ulimit -v) = 6144 ] && [ $(ulimit -t) = 1 ] && [ $(ulimit -n) = 16 ]; do :; done\n"
    spec = slots.run_spec(f"{wait}: > {ready}; while :; do :; done\n", rlimits=limits)
    result = shepherd.finish(spec)
    assert os.path.exists(ready)
    assert result["signal"] in (signal.SIGKILL, signal.SIGXCPU)
    assert shepherd.finish(slots.run_spec("exit 6\n"))["exit_code"] == 6

"""One-line scripts at run limit 4, with output delivered and full records, beside a bare spawn loop and rq's pool."""

import os
import pwd
import statistics
import subprocess
import sys
import time

from bench.clients import ask, submit

_LIMIT = 4
_SCRIPT = b"/bin/true\n"
#: Not the account's own, which may be one that lets nobody in.
_SHELL = "/bin/sh"
_ROUNDS = 3


def measure(site, quick):
    """Rows: requests per second, and the ratio to a loop of `posix_spawn` of the same script with 4 at a time."""
    count = 100 if quick else 1000
    uid = _other_uid()
    path = os.path.join(site.node.scratch, "one.sh")
    with open(path, "wb") as file:
        file.write(_SCRIPT)
    floors, rates, submits = [], [], []
    ask(site, "qmgr", f"set run_limit = {_LIMIT} batch")
    for number in range(1 if quick else _ROUNDS):
        floors.append(_spawn_loop(_SHELL, path, count))
        submit_rate, rate = _drain(site, count, number, uid)
        submits.append(submit_rate)
        rates.append(rate)
    floor, rate = statistics.median(floors), statistics.median(rates)
    change = "no change of uid" if uid is None else f"as uid {uid}"
    yield f"bare posix_spawn loop of {_SHELL}, {_LIMIT} at once", f"{floor:.0f}/s", "1.00", ""
    yield f"requests run {change}, delivered, rq records", f"{rate:.0f}/s", f"{rate / floor:.2f}", ">= 0.5"
    yield "submissions by one client, one connection each", f"{statistics.median(submits):.0f}/s", "", ""
    pool = _rq_pool(site, path, _SHELL, count // 5)
    yield f"rq worker-pool, {_LIMIT} workers, the same script", f"{pool:.0f}/s", "", ""
    yield "requests run, against rq worker-pool", "", f"{rate / pool:.1f}", ">= 5"


def _other_uid():
    """With root: an account that is not root, so that every job changes its uid. Without: None."""
    if os.geteuid() != 0:
        return None
    return next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid and os.path.isdir(entry.pw_dir))


def _spawn_loop(shell, path, count):
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    running, started = set(), 0
    begin = time.perf_counter()
    while started < count or running:
        while started < count and len(running) < _LIMIT:
            running.add(os.posix_spawn(shell, [shell, path], os.environ, setsid=True, file_actions=actions))
            started += 1
        running.discard(os.waitpid(-1, 0)[0])
    os.close(null)
    return count / (time.perf_counter() - begin)


def _drain(site, count, number, uid):
    # A directory for each round: ext4 is slow at new files for seconds after many were deleted.
    work = site.node.make_directory(f"drain{number}", 0o777)
    ask(site, "qmgr", "stop queue batch")
    begin = time.perf_counter()
    numbers = [submit(site, _SCRIPT, "-s", _SHELL, cwd=work, uid=uid) for _ in range(count)]
    submitted = time.perf_counter()
    ask(site, "qmgr", "start queue batch")
    for number in numbers[-_LIMIT * 2 :]:
        ask(site, "qwait", str(number))
    ended = time.perf_counter()
    assert len(os.listdir(work)) >= 2 * count, f"{len(os.listdir(work))} output files of {count} requests"
    return count / (submitted - begin), count / (ended - submitted)


_POOL = """
import subprocess, sys, time
from redis import Redis
from rq import Queue
connection = Redis(unix_socket_path=sys.argv[1])
queue = Queue("bench-pool", connection=connection)
count = int(sys.argv[4])
jobs = [queue.enqueue("subprocess.call", [sys.argv[2], sys.argv[3]]) for _ in range(count)]
begin = time.perf_counter()
subprocess.run([sys.executable, "-m", "rq.cli", "worker-pool", "-b", "-n", "4", "-q", "-u", "unix://" + sys.argv[1],
                "bench-pool"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
taken = time.perf_counter() - begin
assert all(job.get_status(refresh=True) == "finished" for job in jobs), "not all jobs of the pool finished"
print(count / taken)
"""


def _rq_pool(site, path, shell, count):
    """rq's own pool on the same server, another queue of it; its start-up is counted in."""
    socket = os.path.join(site.directory, "database", ".jcdbs.sock")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _POOL, socket, shell, path, str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)

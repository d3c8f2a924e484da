"""What a request's limits become for its job, and how a watch is kept. Pure, or on this process itself."""

import math
import os
import resource
import signal

from jcq.model import limits
from worker import job_limits, watch
from worker.watch import Watch


def test_rlimits():
    found = limits.from_text("permfile_process=1000:900 tempfile_process=2000:100 cpu_process=1.5 core_process=0")
    assert sorted(job_limits.rlimits(found)) == sorted(
        [
            (resource.RLIMIT_FSIZE, 100, 1000),
            (resource.RLIMIT_CPU, 2, 2),
            (resource.RLIMIT_CORE, 0, 0),
        ]
    )
    assert job_limits.rlimits(limits.from_text("memory_process=unlimited")) == [(resource.RLIMIT_AS, -1, -1)]
    assert job_limits.rlimits(limits.from_text("memory_process=unlimited:5")) == [(resource.RLIMIT_AS, 5, -1)]
    assert job_limits.rlimits(limits.from_text("cpu_request=1 nice_process=3")) == []
    most = f"memory_process={limits.SIZE_MAX}"
    assert job_limits.rlimits(limits.from_text(most)) == [(resource.RLIMIT_AS, limits.SIZE_MAX, limits.SIZE_MAX)]


def test_nice():
    assert job_limits.nice(limits.from_text("nice_process=0")) == 0
    assert job_limits.nice({}) is None


def test_watched():
    found = limits.from_text("memory_request=1048576 cpu_request=60:50 elapsed_request=unlimited permfile_request=1")
    assert job_limits.watched(found) == [
        ("memory", 1048576, None, "memory size per request", "1 mb", ""),
        ("cpu", 60, 50, "CPU time per request", "60 s", "50 s"),
    ]
    assert job_limits.watched({}) == []


def test_a_watch_without_limits_never_looks(monkeypatch):
    monkeypatch.setattr(watch.process, "descendants", lambda pid: 1 / 0)
    empty = Watch([])
    assert empty.next_s() is None
    assert empty.look(os.getpid(), math.inf) == 0


def test_a_watch_looks_when_it_is_time(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(watch.process, "descendants", lambda pid: [])
    kept = Watch([("cpu", 10, 5, "CPU time", "10 s", "5 s"), ("elapsed", 60, None, "elapsed time", "60 s", "")])
    assert kept.look(1, 99) == 0, "it is not time to look yet"
    clock[0] += 1
    assert kept.look(1, 4.9) == 0
    clock[0] += 1
    assert kept.look(1, 5) == signal.SIGXCPU
    assert kept.exceeded is None
    assert kept.line("1.s", signal.SIGXCPU) == "request 1.s reached the warning value 5 s of its CPU time and ended"
    assert kept.line("1.s", 0) == ""
    clock[0] += 1
    assert kept.look(1, 6) == 0, "it is warned once"
    clock[0] += 57
    assert kept.look(1, 6) == signal.SIGTERM
    assert kept.line("1.s", 15) == "request 1.s exceeded its elapsed time of 60 s and was ended"
    assert kept.next_s() is None


def test_memory_and_cpu_of_a_process():
    own = watch.memory_bytes([os.getpid()], math.inf)
    shared_by_share = watch.memory_bytes([os.getpid()], 0)
    assert 0 < shared_by_share <= own
    assert watch.cpu_s(os.getpid()) > 0
    assert watch.memory_bytes([2**22 + 1], 0) == watch.cpu_s(2**22 + 1) == 0

"""A full disk never ends cjcpw: nothing new begins, what ends is recorded, and all goes on when there is space."""

import os
import signal
import subprocess

import pytest

from support import processes
from support.harness import Node
from support.small_disk import SmallDisk, private_mounts
from support.waiting import wait_until

pytestmark = pytest.mark.root

MIB = 1024 * 1024
LIMIT_S = 30

#: Prints until it is told to end, and ends with 9 when a write fails: one that is suspended in time never sees that.
WRITER = """\
while [ ! -e {gate}/writers ]; do
    head -c 16384 /dev/zero || exit 9
    echo x >> {gate}/$QSUB_REQID.count
    sleep 0.05
done
"""
#: Prints nothing.
QUIET = "while [ ! -e {gate}/{name} ]; do sleep 0.05; done\nexit {code}\n"


class Bench:
    """A running site on a small disk, and gates for its jobs on another one."""

    def __init__(self, node, mib):
        self.disk = SmallDisk(node.make_directory("testsite.db"), 64)
        self.site = node.cluster_site()
        with open(os.path.join(self.site.directory, "site.conf"), "a", encoding="ascii") as file:
            file.write("FENCE_TIMEOUT=100\n")
        # Some 16 MiB have to be free to make a site.
        self.disk.resize(mib)
        self.site.start()
        self.site.qmgr("set run_limit = 8 batch")
        self.gates = node.make_directory("gates", 0o777)

    def close(self):
        if self.site.cjcpw.poll() is None:
            self.site.stop()
        self.disk.close()

    def quiet(self, name, code):
        return self.site.qsub(QUIET.format(gate=self.gates, name=name, code=code))

    def writer(self):
        return self.site.qsub(WRITER.format(gate=self.gates))

    def open(self, name):
        with open(os.path.join(self.gates, name), "w", encoding="ascii"):
            pass

    def state(self, request):
        found = {row["id"]: row for row in self.site.qstat("-a")["requests"]}
        return found[request]["state"] if request in found else None

    def log(self):
        assert self.site.cjcpw.poll() is None, f"cjcpw has ended:\n{self.site.log_text()}"
        return self.site.log_text()

    def wait_log(self, text, count=1):
        wait_until(lambda: self.log().count(text) >= count, LIMIT_S, lambda: f"{text!r} is not in\n{self.log()}")

    def refused(self):
        """qsub says why, with the disk and what it has free."""
        words = ("nothing is submitted while the disk", "testsite", "MiB free in", os.path.join(self.disk.path, "nqs"))
        self.site.run("qsub", stdin="true\n").refused(*words)

    def normal(self):
        """Submissions are accepted, run and delivered; the reserve is there."""

        def accepted():
            self.log()
            return self.site.run("qsub", stdin="exit 5\n")

        result = wait_until(lambda: (r := accepted()).exit_code == 0 and r, LIMIT_S, self.log)
        request = result.out.split()[1]
        assert self.site.qwait(request) == 5
        wait_until(lambda: os.path.getsize(self.reserve), LIMIT_S, self.log)

    @property
    def reserve(self):
        return os.path.join(self.site.directory, "database", ".reserve")

    def helpers(self):
        """Pids of the processes that watch the disk for cjcpw, for which a full disk can be hidden."""
        top = self.site.cjcpw.pid
        with open(f"/proc/{top}/task/{top}/children", encoding="ascii") as file:
            below = processes.of_pids(map(int, file.read().split()), "child of cjcpw")
        return [process.pid for process in below if process.title.startswith(("NQS keeper", "NQS heart"))]


class Load:
    """Somebody who submits all the time, until the test has ended."""

    def __init__(self, bench):
        self._bench = bench
        text = f"while [ ! -e {bench.gates}/enough ]; do echo exit 7 | qsub; done"
        self._child = bench.site.node.popen(
            ["/bin/sh", "-c", text],
            env={"NQS_SITE": bench.site.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def check(self):
        """What was acknowledged runs; what was not was refused with a word about the disk."""
        self._bench.open("enough")
        out, err = self._child.communicate(timeout=LIMIT_S)
        for line in out.decode().splitlines():
            assert self._bench.site.qwait(line.split()[1]) == 7
        for line in err.decode().splitlines():
            assert "short of space" in line, line
        assert out
        assert err


@pytest.fixture
def bench(request):
    """On a disk of 64 MiB, or of as many as the test says."""
    with private_mounts(), Node() as node:
        made = Bench(node, getattr(request, "param", 64))
        yield made
        made.close()


@pytest.mark.parametrize("bench", [64, 16], indirect=True)
def test_who_fills_the_disk_is_suspended_and_the_others_are_recorded(bench):
    writers = [bench.writer(), bench.writer()]
    quiet = bench.quiet("quiet", 3)
    killed = bench.writer()
    wait_until(lambda: all(bench.state(one) == "RUNNING" for one in (*writers, killed, quiet)), LIMIT_S, bench.log)
    reserve = os.path.getsize(bench.reserve)
    bench.disk.fill(left=reserve // 2 + MIB)
    for writer in (*writers, killed):
        bench.wait_log(f"{writer} is suspended")
    bench.refused()
    # What is left goes as well, and jcdbs has to write.
    bench.disk.fill(left=0, name="more")
    wait_until(lambda: not os.path.getsize(bench.reserve), LIMIT_S, bench.log)
    bench.open("quiet")
    assert bench.site.qwait(quiet) == 3
    bench.refused()
    assert bench.state(writers[0]) == "RUNNING"
    # One that is suspended can be ended.
    bench.site.run("qdel", "-15", killed).ok()
    assert bench.site.qwait(killed) == 128 + signal.SIGTERM
    bench.disk.empty("more")
    bench.disk.empty()
    bench.normal()
    bench.open("writers")
    for writer in writers:
        assert bench.site.qwait(writer) == 0
    assert bench.log().count("starting, epoch") == 1


def test_jcdbs_that_ends_on_the_full_disk_is_started_again_in_the_same_epoch(bench):
    # So many ends do not fit into what is left of the last block.
    firsts = [bench.quiet("first", 3) for _ in range(6)]
    second = bench.quiet("second", 4)
    wait_until(lambda: all(bench.state(one) == "RUNNING" for one in (*firsts, second)), LIMIT_S, bench.log)
    jcdbs = bench.site.daemon("jcdbs")
    others = [bench.site.daemon(name) for name in ("nqsdaemon", "worker")]
    load = Load(bench)
    # At one stroke, and the ends of jobs have to be written.
    bench.disk.fill(left=0)
    bench.open("first")
    for first in firsts:
        assert bench.site.qwait(first) == 3
    assert [bench.site.daemon(name) for name in ("nqsdaemon", "worker")] == others
    bench.refused()
    bench.site.run("qstat").ok()
    bench.open("second")
    assert bench.site.qwait(second) == 4
    bench.disk.empty()
    bench.normal()
    text = bench.log()
    assert text.count("starting, epoch") == 1
    assert "jcdbs is started again" in text
    assert bench.site.daemon("jcdbs") != jcdbs
    load.check()


@pytest.mark.parametrize("bench", [16], indirect=True)
def test_jcdbs_is_started_again_and_again_until_there_is_space(bench):
    quiet = [bench.quiet("quiet", 3) for _ in range(6)]
    wait_until(lambda: all(bench.state(one) == "RUNNING" for one in quiet), LIMIT_S, bench.log)
    # The disk is short, and those who would free the reserve are asleep.
    bench.disk.fill(left=os.path.getsize(bench.reserve) // 5)
    bench.wait_log("the disk is short of space")
    asleep = bench.helpers()
    assert len(asleep) == 2
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    bench.disk.fill(left=0, name="more")
    jcdbs = bench.site.daemon("jcdbs")
    bench.open("quiet")
    wait_until(lambda: _pid(bench, "jcdbs") not in (None, jcdbs), LIMIT_S, bench.log)
    again = _pid(bench, "jcdbs")
    wait_until(lambda: _pid(bench, "jcdbs") not in (None, jcdbs, again), LIMIT_S, bench.log)
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    for request in quiet:
        assert bench.site.qwait(request) == 3
    bench.refused()
    bench.disk.empty("more")
    bench.disk.empty()
    bench.normal()
    assert bench.log().count("starting, epoch") == 1


def _pid(bench, name):
    try:
        return bench.site.daemon(name)
    except AssertionError:
        return None


@pytest.mark.parametrize("bench", [16], indirect=True)
def test_a_site_stops_and_starts_on_a_full_disk(bench):
    quiet = bench.quiet("quiet", 3)
    wait_until(lambda: bench.state(quiet) == "RUNNING", LIMIT_S, bench.log)
    bench.disk.fill(left=0)
    wait_until(lambda: not os.path.getsize(bench.reserve), LIMIT_S, bench.log)
    bench.site.stop()
    bench.site.start()
    bench.refused()
    bench.disk.empty()
    bench.normal()
    bench.open("quiet")
    assert bench.site.qwait(quiet) == 3


def test_any_other_end_of_jcdbs_ends_the_site_full_disk_or_not(bench):
    bench.disk.fill(left=0)
    bench.wait_log("the disk is short of space")
    os.kill(bench.site.daemon("jcdbs"), signal.SIGKILL)
    assert bench.site.cjcpw.wait(LIMIT_S) == 1
    assert bench.site.processes() == []
    bench.disk.empty()

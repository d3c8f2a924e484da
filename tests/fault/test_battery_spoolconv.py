"""Battery: spoolconv, nqsdaemon or jcdbs is killed at a random moment of a conversion: all of it is there, or nothing.

The next run completes it. With the site stopped, and with the site running while others submit.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from itertools import cycle

from jcq.process import children
from support import battery as parts
from support import tiny_layout as tiny
from support.harness import Node
from support.waiting import wait_until

NQSDAEMON, JCDBS = "nqsdaemon", "jcdbs"
_LIMIT_S = 120
#: Conversions into one site: each makes the next look longer at what is there.
_EACH_SITE = 10
#: Nobody waits for a site that the test itself starts again.
_AT_ONCE = {"NQS_TIMEOUT": "0"}


class Moments:
    """Conversions into one site, each of other requests, killed at random moments of the time that one takes."""

    def __init__(self, site, chance, row, requests):
        self.site, self.random, self.row, self.requests = site, chance, row, requests
        self.whole = self.absent = 0
        self._round = 0
        #: How long an undisturbed one takes, in seconds.
        self.takes_s = 0.0

    def spool(self):
        """The next spool: a queue of its own, and its requests."""
        self._round += 1
        base = self._round * 100_000
        queue, fields = f"q{self._round}", {"environment": {"PATH": "/bin", "FILLED": "x" * 200}}
        rows = [tiny.queue(queue)]
        rows += [tiny.request(base + n, os.geteuid(), queue, **fields) for n in range(self.requests)]
        return tiny.make(self.site.node.make_directory(f"old{self._round}"), rows), queue

    def begin(self, directory):
        """Start spoolconv; both its outputs are one pipe."""
        argv = tiny.argv("-c", directory, "-y")
        env = {"NQS_SITE": self.site.name}
        return self.site.node.popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def undisturbed(self):
        """Convert one, to know how long it takes."""
        directory, _ = self.spool()
        begun_s = time.monotonic()
        child = self.begin(directory)
        out, _ = child.communicate(timeout=_LIMIT_S)
        assert child.returncode == 0, out
        self.takes_s = time.monotonic() - begun_s

    def kill(self, victim):
        """Convert one and kill `victim` (function of the spoolconv process -> pid or None) at a random moment."""
        directory, queue = self.spool()
        child = self.begin(directory)
        # A moment is what is to be random here; the sleep is none for something else.
        time.sleep(self.random.uniform(0.1, 1.1) * self.takes_s)
        pid = victim(child)
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        out, _ = child.communicate(timeout=_LIMIT_S)
        self.row.runs += 1
        return directory, queue, child.returncode, out.decode()

    def judge(self, queue, code, out):
        """The site is up: whole or absent; what spoolconv said of it holds."""
        names = {found["name"] for found in self.site.qstat()["queues"]}
        ids = self.site.run("qselect", "-a", "-q", queue).ok().split() if queue in names else []
        assert len(ids) in (0, self.requests), f"{len(ids)} of {self.requests} (seed in the table)\n{out}"
        assert bool(ids) == (queue in names), out
        assert code != 0 or ids, f"converted, it said\n{out}"
        if ids:
            self.whole += 1
        else:
            self.absent += 1
        return ids

    def complete(self, directory, queue):
        """The next run does what is left, and no more."""
        self.site.node.run(tiny.argv("-c", directory, "-y"), env={"NQS_SITE": self.site.name}, limit_s=_LIMIT_S).ok()
        ids = self.site.run("qselect", "-a", "-q", queue).ok().split()
        assert len(ids) == self.requests
        self.row.acknowledged += len(ids)

    def verify(self, directory):
        """What the site has is what the spool holds."""
        argv = tiny.argv("-c", directory, "--verify")
        found = self.site.node.run(argv, env={"NQS_SITE": self.site.name}, limit_s=_LIMIT_S).ok()
        assert f"{self.requests + 1} the same" in found

    def no_rubbish(self):
        """After a start of the site every file belongs to a request that it knows."""
        files = {name.split(".")[0] for name in os.listdir(os.path.join(self.site.directory, "requests"))}
        known = {f"200-{row['id'].split('.')[0]}" for row in self.history()}
        assert files <= known | {f"200-{number}" for number in self.others()}

    def history(self):
        """What `jcq history` knows."""
        out = self.site.run("jcq", "history", "--json", limit_s=_LIMIT_S).ok()
        return [json.loads(line) for line in out.splitlines()]

    def others(self):
        """Numbers of requests that were submitted."""
        return {request["id"].split(".")[0] for request in self.site.qstat("-a")["requests"]}


def itself(child):
    """spoolconv."""
    return child.pid


def daemon_of(site, name):
    """A daemon of the site."""
    return lambda _child: parts.pid_of(site, name)


def jcdbs_of(child):
    """The temporary jcdbs of a spoolconv, or None where there is none now."""
    try:
        found = children(child.pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    for pid in found:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if b"jcdbs" in file.read():
                    return pid
        except OSError:
            continue
    return None


def repeat(battery, case, step, victims):
    """Call `step(moments, victims, count)` on one new site after another until all moments have been."""
    chance, left = battery.random(case), battery.count(5, 50)
    while left:
        count = min(left, _EACH_SITE)
        with Node() as node:
            moments = Moments(node.cluster_site(), chance, battery.row(case), battery.count(500, 5000))
            step(moments, victims, count)
        left -= count


def test_spoolconv_or_its_jcdbs_dies_while_the_site_is_stopped(battery):
    case = "14 spoolconv or its jcdbs is killed, site stopped"
    repeat(battery, case, killed_while_stopped, cycle((itself, jcdbs_of)))


def killed_while_stopped(moments, victims, count):
    """The step of the case above."""
    moments.undisturbed()
    for _ in range(count):
        directory, queue, code, out = moments.kill(next(victims))
        parts.wait_gone(moments.site)
        if moments.random.random() < 0.5:
            # The next run finds what this one has left; else the next start of the site does.
            env = {"NQS_SITE": "testsite"}
            moments.site.node.run(tiny.argv("-c", directory, "-y"), env=env, limit_s=_LIMIT_S).ok()
            code, out = 1, ""
        parts.start(moments.site, parts.MONITORED)
        moments.judge(queue, code, out)
        moments.no_rubbish()
        moments.complete(directory, queue)
        moments.site.stop()
    moments.verify(directory)


def test_spoolconv_nqsdaemon_or_jcdbs_dies_while_the_site_runs(battery):
    case = "15 spoolconv, nqsdaemon or jcdbs is killed, site running"
    repeat(battery, case, killed_while_running, cycle((None, NQSDAEMON, JCDBS)))


def killed_while_running(moments, victims, count):
    """The step of the case above."""
    site, submitted = moments.site, []
    parts.start(site, parts.MONITORED)
    moments.undisturbed()
    for _ in range(count):
        name = next(victims)
        with submitting(site, submitted):
            directory, queue, code, out = moments.kill(daemon_of(site, name) if name else itself)
        if site.cjcpw.poll() is not None or not _up(site):
            parts.wait_gone(site)
            parts.start(site, parts.MONITORED)
        moments.judge(queue, code, out)
        assert set(submitted) <= {request["id"] for request in site.qstat("-a")["requests"]}
        moments.complete(directory, queue)
    moments.verify(directory)
    site.stop()
    parts.start(site, parts.MONITORED)
    moments.no_rubbish()


@contextlib.contextmanager
def submitting(site, submitted):
    """Others submit meanwhile; `submitted` gets the ids that were acknowledged."""
    stop = threading.Event()

    def submit():
        while not stop.is_set():
            result = site.run("qsub", "-a", "2099-01-01 00:00", "--parsable", stdin="true\n", env=_AT_ONCE)
            if result.exit_code == 0:
                submitted.append(result.out.strip())
            stop.wait(0.05)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _up(site):
    """Whether the site runs on; one of its daemons may have been killed an instant ago."""
    state = []

    def settled():
        state[:] = [site.run("qstatq", env=_AT_ONCE).exit_code == 0]
        return site.cjcpw.poll() is not None or state[0]

    wait_until(settled, 20, site.log_text)
    try:
        site.cjcpw.wait(1.0)
    except subprocess.TimeoutExpired:
        return site.run("qstatq").exit_code == 0
    return False

"""Battery, cases 1 to 4 and 13: processes of a site are killed under load, at random and at points of the start."""

import os
import signal
from itertools import cycle

import pytest

from jcq.crash_points import POINTS
from jcq.process import children
from support import battery as parts
from support.battery import DETACHED, MODES, MONITORED, Load
from support.harness import Node
from support.ledger import Submitted
from support.waiting import wait_until

#: Points that only a stop passes.
_AT_STOP = ("release begin", "release end")
#: Points in the process on top; the others are in daemons, whose end it reports.
_ON_TOP = ("acquire", "epoch", "daemon", "announce", "release")
#: Points that every start passes twice at least.
_PASSED_TWICE = ("epoch file", "daemon forked", "daemon noted", "daemon ready")
#: From the death of a daemon to the end of the site.
_SLOWEST_S = 5.0
_DAEMON_DIED = 1


@pytest.fixture
def node():
    """A scratch node."""
    with Node() as made:
        yield made


def make_site(node):
    """A site that is not started, with short limits."""
    site = node.cluster_site()
    with open(os.path.join(site.directory, "site.conf"), "w", encoding="ascii") as file:
        file.write("FENCE_TIMEOUT=10\nFORCEKILL_TIME=1\n")
    return site


def make_load(site, battery, case):
    """An empty load; the site is not started yet."""
    return Load.make(site.node.make_directory("load", 0o777), battery.random(case))


def finish(site, battery, case, load):
    """Let all end, judge, stop."""
    verdict = load.verdict(site)
    site.node.run("cjcpw", "-stop", site.name).ok()
    parts.wait_gone(site)
    battery.judge(case, verdict)


def killed_under_load(site, battery, case, times, requests, kill):
    """Start, submit, kill, again and again; `kill(mode)` returns the exit code that cjcpw must end with."""
    load = make_load(site, battery, case)
    row = battery.row(case)
    modes = cycle(MODES)
    for _ in range(times):
        mode = next(modes)
        parts.start(site, mode)
        load.came_up(site)
        ids = load.submit(site, requests)
        load.wait_started(ids, load.random.randint(1, 2))
        code = None
        expected = kill(mode, load.random)

        def end():
            nonlocal code
            code = parts.wait_gone(site)

        took_s = parts.timed(end)
        row.runs += 1
        row.slowest_s = max(row.slowest_s, took_s)
        assert mode == DETACHED or code == expected, (code, site.log_text())
        assert took_s < _SLOWEST_S
    parts.start(site, MONITORED)
    load.came_up(site)
    finish(site, battery, case, load)


def test_a_random_daemon_dies(node, battery):
    site = make_site(node)

    def kill(_mode, chance):
        os.kill(parts.pid_of(site, chance.choice(parts.DAEMONS)), signal.SIGKILL)
        return _DAEMON_DIED

    count = battery.count(15, 100)
    killed_under_load(site, battery, "1 a random daemon is killed", count, battery.count(4, 10), kill)


def test_cjcpw_dies(node, battery):
    site = make_site(node)

    def kill(_mode, _chance):
        os.kill(parts.pid_of(site, "top"), signal.SIGKILL)
        return -signal.SIGKILL

    count = battery.count(5, 20)
    killed_under_load(site, battery, "2 cjcpw is killed", count, battery.count(4, 10), kill)


def test_cjcpw_worker_and_shepherds_die_at_one_instant(node, battery):
    """Their jobs stay, adopted by init: the next start kills them before anything of theirs runs again."""
    site, case = make_site(node), "3 cjcpw, worker and shepherds at one instant"
    load = make_load(site, battery, case)
    row = battery.row(case)
    for mode in [mode for mode in MODES for _ in range(battery.count(1, 10))]:
        parts.start(site, mode)
        load.came_up(site)
        ids = load.submit(site, battery.count(6, 10), longest_s=2.0)
        load.wait_started(ids, 3)
        launcher = parts.pid_of(site, "launcher")
        victims = [parts.pid_of(site, "top"), parts.pid_of(site, "worker"), launcher, *children(launcher)]
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in victims:
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    continue
        if site.cjcpw:
            assert site.cjcpw.wait(5) == -signal.SIGKILL
            site.cjcpw = None
        row.runs += 1
    parts.start(site, MONITORED)
    load.came_up(site)
    finish(site, battery, case, load)


def points(chance, count):
    """So many points in random order; each comes up equally often."""
    names = [name for name, _ in POINTS]
    chosen = []
    while len(chosen) < count:
        chosen += chance.sample(names, len(names))
    return chosen[:count]


def test_cjcpw_dies_in_the_middle_of_a_start(node, battery):
    site, case = make_site(node), "13 killed inside the start sequence"
    load = make_load(site, battery, case)
    row = battery.row(case)
    crash_at = os.path.join(node.root, "crash_at")
    modes = cycle(MODES)
    parts.start(site, MONITORED)
    load.came_up(site)
    for point in points(load.random, battery.count(8, 50)):
        # Something to recover: requests that are interrupted before the start that will be killed.
        load.wait_started(load.submit(site, battery.count(4, 8), longest_s=3.0))
        before = parts.epoch(site)
        os.kill(parts.pid_of(site, "top"), signal.SIGKILL)
        parts.wait_gone(site)
        with open(crash_at, "w", encoding="ascii") as file:
            file.write(f"{point} {load.random.choice((1, 2)) if point in _PASSED_TWICE else 1}\n")
        mode = next(modes)
        took_s = parts.timed(lambda mode=mode, point=point: die(site, mode, point))
        os.unlink(crash_at)
        load.was_begun(site)
        row.runs += 1
        row.slowest_s = max(row.slowest_s, took_s)
        parts.start(site, mode)
        assert parts.epoch(site) > before, point
        load.came_up(site)
    finish(site, battery, case, load)


def die(site, mode, point):
    """Start, and be killed at the armed point."""
    if mode == MONITORED:
        site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    else:
        command = site.node.spawn("cjcpw", "-c", site.name, site.db_path)
    if point in _AT_STOP:
        site.wait_up()
        # Its own end is that of a killed process; what it says about that is not the point.
        site.node.run("cjcpw", "-stop", site.name)
    if mode == DETACHED:
        code = command.wait(30)
        assert (code == 0) == (point in (*_AT_STOP, "announce end")), (point, code)
        parts.wait_gone(site, 30)
        return
    code = site.cjcpw.wait(30)
    expected = -signal.SIGKILL if point.split(" ")[0] in _ON_TOP else _DAEMON_DIED
    assert code == expected, (point, site.log_text())
    parts.wait_gone(site)


# --- case 4 ----------------------------------------------------------------------------------

_CLIENT = """\
number=0
while [ ! -e {stop} ]; do
  {qsub} -q {queue} {options} {script} && number=$((number + 1))
  echo $number > {count}
done
"""


class Client:
    """A shell that submits again and again until `stop` exists."""

    def __init__(self, site, load, number):
        self.directory = site.node.make_directory(f"client{number}-{len(load.submitted)}")
        self.attribute = list(parts.QUEUES)[number % len(parts.QUEUES)]
        self.restartable = number % 2 == 0
        script = os.path.join(self.directory, "script")
        with open(script, "w", encoding="ascii") as file:
            file.write(load.ledger.script(0.0))
        text = _CLIENT.format(
            stop=os.path.join(self.directory, "stop"),
            count=os.path.join(self.directory, "count"),
            qsub=" ".join(site.node.argv("qsub")),
            queue=parts.QUEUES[self.attribute],
            options="" if self.restartable else "-nr",
            script=script,
        )
        self.out = os.path.join(self.directory, "out")
        with open(self.out, "wb") as out, open(self.out + ".err", "wb") as err:
            self.child = site.node.popen(
                ["/bin/sh", "-c", text],
                env={"NQS_SITE": site.name, "NQS_TIMEOUT": "0"},
                cwd=load.work,
                stdout=out,
                stderr=err,
            )

    def acknowledged(self):
        """The ids that were printed."""
        with open(self.out, encoding="utf-8") as file:
            return [line.split()[1] for line in file if line.endswith(".\n")]

    def finish(self):
        """Stop after the submission under way."""
        open(os.path.join(self.directory, "stop"), "wb").close()
        assert self.child.wait(30) == 0


def test_jcdbs_dies_under_clients_that_submit(node, battery):
    site, case = make_site(node), "4 jcdbs is killed under four clients"
    load = make_load(site, battery, case)
    row = battery.row(case)
    for mode in [mode for mode in MODES for _ in range(battery.count(1, 10))]:
        parts.start(site, mode)
        load.came_up(site)
        clients = [Client(site, load, number) for number in range(4)]
        wanted = load.random.randint(4, 10)
        wait_until(
            lambda clients=clients, wanted=wanted: all(len(client.acknowledged()) >= wanted for client in clients),
            60,
            site.log_text,
        )
        os.kill(parts.pid_of(site, "jcdbs"), signal.SIGKILL)
        row.slowest_s = max(row.slowest_s, parts.timed(lambda: parts.wait_gone(site)))
        row.runs += 1
        for client in clients:
            client.finish()
            for request in client.acknowledged():
                load.submitted.append(Submitted(request, client.attribute, client.restartable))
    parts.start(site, MONITORED)
    load.came_up(site)
    finish(site, battery, case, load)

"""Battery, cases 12 and 15: owners that are frozen and wake up later, and a site that goes to and fro between nodes."""

import os
import re

import pytest

from jcq.cluster import epoch
from support import battery as parts
from support import processes
from support.battery import MODES, MONITORED, Load
from support.ledger import Submitted, attempts
from support.two_nodes import TwoNodes
from support.waiting import wait_until

FENCED = 6
#: After it wakes up, nothing of a replaced owner lives longer.
AWAKE_LIMIT_S = 5
#: How a job says in its output which attempt it was.
_SAY_EPOCH = "echo epoch $JCQ_EPOCH"


def kinds():
    """As root both ways to have two nodes: in one of them the owner's run/ is shared as on a real disk."""
    return [True, False] if os.geteuid() == 0 else [False]


def share(count, machines):
    """How many of the runs are made in this way to have two nodes."""
    if len(kinds()) == 1:
        return count
    return (count + 1) // 2 if machines else count // 2


@pytest.fixture
def two(request):
    """Two nodes with a site, not started."""
    with TwoNodes(request.param, site_conf="FENCE_TIMEOUT=4\nFORCEKILL_TIME=1\n") as made:
        yield made


class Long:
    """Requests that run while their owner is frozen, and say in their output which attempt it is from."""

    def __init__(self, two, load):
        self.load, self.gate = load, os.path.join(two.scratch, "gate")
        self.ids = []

    def submit(self, site):
        """Three that run again elsewhere, two that must not."""
        script = self.load.ledger.script(60, self.gate, work=_SAY_EPOCH)
        for attribute, flag in (
            ("RESTART", True),
            ("RESTART", True),
            ("STOP", True),
            ("RESTART", False),
            ("PURGE", True),
        ):
            options = ["-q", parts.QUEUES[attribute], *([] if flag else ["-nr"])]
            self.ids.append(site.qsub(script, *options, cwd=self.load.work))
            self.load.submitted.append(Submitted(self.ids[-1], attribute, flag))
        self.load.wait_started(self.ids, len(self.ids))

    def check_output(self):
        """What was delivered of those that ended is what the attempt of the last owner wrote."""
        tried = attempts(self.load.ledger.lines())
        for request in self.ids:
            path = os.path.join(self.load.work, f"STDIN.o{request.split('.')[0]}")
            mine = tried[request]
            if len(mine) > 1:
                with open(path, encoding="ascii") as file:
                    assert file.read() == f"epoch {mine[-1].epoch}\n", (request, mine)


def late_submissions(node):
    """Commands on a frozen node: what they ask for reaches its daemon when it wakes up."""
    env = {"NQS_SITE": node.site.name, "NQS_TIMEOUT": "0"}
    return [node.spawn("qsub", os.path.join(node.scratch, "late"), env=env) for _ in range(2)]


def check_refused(commands):
    """Nobody was told a number that the new owner does not know."""
    for command in commands:
        code = command.wait(60)
        with open(command.log, encoding="utf-8") as file:
            text = file.read()
        assert code != 0, text
        assert not re.search(r"submitted", text), text
        assert "Traceback" not in text, text


@pytest.mark.parametrize("two", kinds(), indirect=True, ids=lambda kind: "machines" if kind else "roots")
def test_a_frozen_owner_wakes_up(two, battery):
    case = "12 a frozen owner wakes up later"
    row = battery.row(case)
    load = Load.make(two.make_directory("load", 0o777), battery.random(f"{case} {two.machines}"))
    owner, successor = two.nodes
    parts.start(owner.site, MONITORED)
    load.came_up(owner.site, owner.name, run_limit=6)
    mode = MONITORED
    for node in two.nodes:
        with open(os.path.join(node.scratch, "late"), "w", encoding="ascii") as file:
            file.write("true\n")
    for number in range(share(battery.count(3, 20), two.machines)):
        long = Long(two, load)
        long.submit(owner.site)
        load.submit(owner.site, battery.count(4, 10))
        old_epoch = load.runs[-1].epoch
        owner.freeze()
        late = late_submissions(owner)
        next_mode = MODES[(number + 1) % 2]
        start_by_force(successor.site, owner.host, next_mode)
        load.frozen.add(old_epoch)
        load.came_up(successor.site, successor.name)
        owner.thaw()
        row.slowest_s = max(row.slowest_s, parts.timed(lambda owner=owner, mode=mode: wait_fenced(owner, mode)))
        check_refused(late)
        open(long.gate, "wb").close()
        row.runs += 1
        wait_until(lambda long=long, site=successor.site: all_done(site, long.ids), 60, successor.site.log_text)
        long.check_output()
        os.unlink(long.gate)
        owner, successor, mode = successor, owner, next_mode
        # The new owner has the locks by now, and goes on as any other.
        successor.run("cjcpw", successor.site.name, successor.site.db_path).refused(owner.host, exit_code=3)
    verdict = load.verdict(owner.site)
    owner.run("cjcpw", "-stop", owner.site.name).ok()
    owner.site.cjcpw = None
    battery.judge(case, verdict)


def start_by_force(site, old_host, mode):
    if mode == MONITORED:
        site.start_by_force(old_host)
    else:
        site.node.run("cjcpw", "-c", "--force", old_host, site.name, site.db_path).ok()
        site.wait_up()


def wait_fenced(owner, mode):
    """The old owner ends itself, with all its jobs."""
    wait_until(lambda: not owner.site.processes(), AWAKE_LIMIT_S, lambda: processes.table(owner.left_over()))
    if mode == MONITORED:
        assert owner.site.end_by_itself() == FENCED, owner.site.log_text()


def all_done(site, ids):
    parts.start_queues(site)
    return {request["state"] for request in site.qstat(*ids)["requests"]} == {"DONE"}


# --- case 15 ---------------------------------------------------------------------------------


class Sizes:
    """What must not grow with the number of moves."""

    def __init__(self, site):
        self.descriptors, self.pss_kb = 0, 0
        for name in ("jcdbs", "nqsdaemon", "worker", "top"):
            pid = parts.pid_of(site, name)
            self.descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            self.pss_kb += processes.pss_kb(processes.of_pids([pid], name))
        names = os.listdir(os.path.join(site.directory, "database"))
        self.epochs = sum(1 for name in names if re.fullmatch(r"e\d+", name))
        self.files = sum(1 for name in names if not re.fullmatch(r"e\d+(\.sock)?", name))
        self.files += sum(len(os.listdir(os.path.join(site.directory, name))) for name in ("run", "log"))


@pytest.mark.parametrize("two", kinds()[:1], indirect=True, ids=["two nodes"])
def test_to_and_fro(two, battery):
    case = "15 to and fro under load"
    row = battery.row(case)
    load = Load.make(two.make_directory("load", 0o777), battery.random(case))
    here, there = two.nodes
    parts.start(here.site, MONITORED)
    load.came_up(here.site, here.name)
    ordered = make_ordered(here.site)
    sizes = []
    for number in range(battery.count(5, 50)):
        ids = load.submit(here.site, battery.count(4, 10))
        load.wait_started(ids)
        if load.random.random() < 0.5:
            here.run("cjcpw", "-stop", here.site.name).ok()
            here.site.cjcpw = None
        else:
            here.kill()
            here.boot()
        here, there = there, here
        parts.start(here.site, MODES[number % 2])
        load.came_up(here.site, here.name)
        assert order(here.site) == ordered
        row.runs += 1
        if number % 2:
            sizes.append(Sizes(here.site))
    here.site.run("qdel", *(request for request, _ in ordered)).ok()
    verdict = load.verdict(here.site)
    check_sizes(sizes)
    here.run("cjcpw", "-stop", here.site.name).ok()
    here.site.cjcpw = None
    battery.judge(case, verdict)


def make_ordered(site):
    """Requests of several priorities in a queue that is stopped; returns their order."""
    site.qmgr("create batch_queue ordered run_limit = 1", "enable queue ordered")
    for priority in (31, 40, 31, 10, 40):
        site.qsub("true\n", "-q", "ordered", "-p", str(priority))
    found = order(site)
    assert [priority for _, priority in found] == [40, 40, 31, 31, 10]
    return found


def order(site):
    """[(id, priority)] of that queue, in the order of their positions."""
    found = sorted(site.qstat("ordered")["requests"], key=lambda request: request["position"])
    return [(request["id"], request["priority"]) for request in found]


def check_sizes(sizes):
    """What the last runs take is what the first ones took."""
    first, last = sizes[0], sizes[-1]
    seen = f"{vars(first)}\n{vars(last)}"
    assert last.descriptors <= first.descriptors + 10, seen
    assert last.pss_kb <= 1.5 * first.pss_kb, seen
    assert last.epochs <= epoch.MOST, seen
    assert last.files <= first.files + 10, seen

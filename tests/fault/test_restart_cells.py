"""The twenty cells of the restart table, on two nodes: three running requests in each when the owner's tree ends.

The verdicts come from the fsynced ledger and from qstat; the table stands here once more, by hand.
"""

import os
import signal
from itertools import pairwise

import pytest

from jcq.process import stat_fields
from support import battery as parts
from support.ledger import Ledger, attempts
from support.processes import without_forks
from support.two_nodes import TwoNodes
from support.waiting import wait_until

#: Of each cell so many run.
RUNNING = 3
RERUN, PURGED, KEPT = "rerun", "purged", "kept"
#: (attribute, restartable) -> (on the same node, on the other one). Manual 2.5.4, design section 5.
CELLS = {
    ("RESTART", True): (RERUN, RERUN),
    ("RESTART", False): (PURGED, PURGED),
    ("PURGE", True): (PURGED, PURGED),
    ("PURGE", False): (PURGED, PURGED),
    ("STOP", True): (KEPT, KEPT),
    ("STOP", False): (PURGED, PURGED),
    ("MIGRATION_PURGE", True): (RERUN, PURGED),
    ("MIGRATION_PURGE", False): (PURGED, PURGED),
    ("MIGRATION_STOP", True): (RERUN, KEPT),
    ("MIGRATION_STOP", False): (PURGED, PURGED),
}
#: Queues that are stopped afterwards, on the same node and on the other one.
STOPPED = ({"stop"}, {"stop", "migrationstop"})
#: Of what does not run, one request of each attribute; the flag may make no difference to them either.
OTHERS = tuple(cell for number, cell in enumerate(CELLS) if number % 4 in (0, 3))


@pytest.fixture
def two():
    """Two nodes with a site, not started."""
    with TwoNodes(site_conf="FENCE_TIMEOUT=5\nFORCEKILL_TIME=1\n") as made:
        yield made


class Load:
    """Requests in every state, the cells running."""

    def __init__(self, two, site):
        self.two, self.site = two, site
        self.ledger = Ledger(two.make_directory("ledger", 0o777))
        self.work = two.make_directory("work", 0o777)
        self.gate, self.early = os.path.join(two.scratch, "gate"), os.path.join(two.scratch, "early")
        parts.create_queues(site, run_limit=2 * RUNNING + 1)
        self.cells = {cell: [self.submit(*cell, self.gate) for _ in range(RUNNING)] for cell in CELLS}
        # They will have ended, with their output on its way.
        self.exiting = [self.submit(*cell, self.early) for cell in OTHERS]
        every = [*self.running, *self.exiting]
        wait_until(lambda: self.ledger.started() >= set(every), 60, lambda: self.describe(every))
        # Every slot is taken, also when those have ended.
        site.qmgr(*(f"set run_limit = {2 * RUNNING} {name}" for name in parts.QUEUES.values()))
        self.queued = [self.submit(*cell, self.gate) for cell in OTHERS]
        self.held = [self.submit(*cell, self.gate) for cell in OTHERS]
        site.qmgr(*(f"hold request = {request}" for request in self.held))
        self.waiting = [self.submit(*cell, self.gate, "-a", "23:59 tomorrow") for cell in OTHERS]
        self._end_but_do_not_deliver()

    @property
    def running(self):
        return [request for cell in self.cells.values() for request in cell]

    def submit(self, attribute, restartable, gate, *options):
        more = () if restartable else ("-nr",)
        script = self.ledger.script(120, gate, work="echo output")
        return self.site.qsub(script, "-q", parts.QUEUES[attribute], *more, *options, cwd=self.work)

    def _end_but_do_not_deliver(self):
        """The exit records are written, and those who would deliver are frozen."""
        scripts = {f"/requests/200-{request.split('.')[0]}": request for request in self.exiting}
        found = [p for p in without_forks(self.site.processes()) if p.title.endswith(tuple(scripts))]
        assert len(found) == len(scripts), found
        shepherds = [int(stat_fields(process.pid)[1]) for process in found]
        worker = parts.pid_of(self.site, "worker")
        os.kill(worker, signal.SIGSTOP)
        open(self.early, "wb").close()
        output = os.path.join(self.site.directory, "output")
        names = [f"200-{request.split('.')[0]}." for request in self.exiting]

        def recorded():
            exits = [name for name in os.listdir(output) if name.endswith(".exit")]
            return all(any(name.startswith(start) for name in exits) for start in names)

        wait_until(recorded, 30, lambda: os.listdir(output))
        for pid in shepherds:
            os.kill(pid, signal.SIGSTOP)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: self.states(self.exiting) == {"EXITING"}, 30, lambda: self.describe(self.exiting))

    def shown(self, ids):
        return {request["id"]: request for request in self.site.qstat(*ids)["requests"]}

    def states(self, ids):
        found = self.shown(ids)
        assert set(found) == set(ids), set(ids) - set(found)
        return {request["state"] for request in found.values()}

    def describe(self, ids):
        return f"{self.site.run('qstat', '-a')}\n{self.ledger.started() ^ set(ids)}\n{self.site.log_text()}"

    def check(self, site, column):
        """After the next start: each cell as the table says, nothing else touched.

        Args:
            site: as the node sees it that started it.
            column: 0 on the same node, 1 on the other one.
        """
        self.site = site
        expected = {cell: outcomes[column] for cell, outcomes in CELLS.items()}
        self._wait_verdicts(expected)
        stopped = {queue["name"] for queue in site.qstat()["queues"] if not queue["started"]}
        assert stopped == STOPPED[column]
        assert self.states(self.waiting) == {"WAITING"}
        assert self.states(self.held) == {"HELD"}
        # They had ended: delivered, never rerun.
        self._wait_well_done(self.exiting)
        for request in self.exiting:
            with open(os.path.join(self.work, f"STDIN.o{request.split('.')[0]}"), encoding="ascii") as file:
                assert file.read() == "output\n"
        open(self.gate, "wb").close()
        parts.start_queues(site)
        kept = [r for cell, ids in self.cells.items() for r in ids if expected[cell] != PURGED]
        self._wait_well_done([*self.queued, *kept])
        self._check_ledger(expected)

    def _wait_well_done(self, ids):
        wait_until(lambda: self.states(ids) == {"DONE"}, 60, lambda: self.describe([]))
        ends = {(request["outcome"], request["exit_code"]) for request in self.shown(ids).values()}
        assert ends == {("exited", 0)}, self.shown(ids)

    def _wait_verdicts(self, expected):
        def verdicts():
            shown, tried = self.shown(self.running), attempts(self.ledger.lines())
            return {
                cell: {_verdict(shown.get(request), tried[request]) for request in ids}
                for cell, ids in self.cells.items()
            }

        wanted = {cell: {outcome} for cell, outcome in expected.items()}
        wait_until(lambda: verdicts() == wanted, 30, lambda: f"{_different(verdicts(), wanted)}\n{self.describe([])}")

    def _check_ledger(self, expected):
        """At the very end: how often each was started, and nothing at the same time as an older self."""
        tried = attempts(self.ledger.lines())
        for cell, ids in self.cells.items():
            starts = [len(tried[request]) for request in ids]
            assert starts == [1 if expected[cell] == PURGED else 2] * RUNNING, (cell, starts)
        for request in [*self.exiting, *self.queued]:
            assert len(tried[request]) == 1, (request, tried[request])
        for request, mine in tried.items():
            for earlier, later in pairwise(mine):
                assert earlier.lived_after(later.started_s) is None, (request, mine)


def _verdict(shown, tried):
    """What became of one that ran: from its record and its starts."""
    if shown is None:
        return "unknown"
    state, starts = shown["state"], len(tried)
    if state == "RUNNING" and starts == 2:
        return RERUN
    if state == "DONE" and shown["outcome"] == "purged" and starts == 1:
        return PURGED
    if state == "QUEUED" and starts == 1:
        return KEPT
    return f"{state} {shown['outcome']} {starts}"


def _different(found, wanted):
    return {cell: (found[cell], wanted[cell]) for cell in wanted if found[cell] != wanted[cell]}


def power_off(node, _mode):
    node.kill()
    node.boot()


def planned_stop(node, _mode):
    node.site.stop()


@pytest.mark.parametrize("column", [0, 1], ids=["same node", "other node"])
@pytest.mark.parametrize(
    ("end", "mode"),
    [(power_off, parts.MONITORED), (power_off, parts.DETACHED), (planned_stop, parts.MONITORED)],
    ids=["power off", "power off after -c", "stop"],
)
def test_what_ran_is_judged_by_the_table(two, end, mode, column):
    first = two.node_a
    second = two.nodes[column]
    parts.start(first.site, mode)
    load = Load(two, first.site)
    end(first, mode)
    parts.start(second.site, mode)
    load.check(second.site, column)
    second.run("cjcpw", "-stop", second.site.name).ok()
    second.site.cjcpw = None

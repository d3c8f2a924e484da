"""The battery: its counts, its load of short requests in every kind of queue, and the table it prints at the end.

Its cases are those of ha-facts.md section 5; `--battery=full` gives the counts that jcq is judged by.
"""

import os
import random
import time
from dataclasses import dataclass, field

from jcq.model import restart
from jcq.process import children, stat_fields
from support import processes
from support.ledger import Ledger, Run, Submitted, check
from support.waiting import wait_until

#: The two ways to run a site: cjcpw stays, or `cjcpw -c`.
MONITORED, DETACHED = "monitored", "-c"
MODES = (MONITORED, DETACHED)
DAEMONS = ("jcdbs", "nqsdaemon", "worker", "launcher")
#: From a death to the end of everything of the site on that node.
GONE_LIMIT_S = 5
#: Everything that was submitted has ended within this, by far.
DRAIN_LIMIT_S = 150
_IDS_AT_ONCE = 200


# --- counts and table ------------------------------------------------------------------------


@dataclass
class Row:
    """What one case has shown."""

    case: str
    runs: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubles: int = 0
    overlaps: int = 0
    #: Short lives of jobs of an owner that was thawed, counted apart.
    thawed: int = 0
    #: From a death to the end of the site, the longest of all runs, in seconds.
    slowest_s: float = 0.0

    def cells(self):
        """The words of its line."""
        numbers = (self.runs, self.acknowledged, self.lost, self.doubles, self.overlaps, self.thawed)
        return (self.case, *map(str, numbers), f"{self.slowest_s:.2f}" if self.slowest_s else "-")


class Battery:
    """Counts of this run, and what has been found so far."""

    HEADER = ("case", "runs", "acknowledged", "lost", "doubles", "overlaps", "thawed", "slowest end (s)")

    def __init__(self, full):
        self.full = full
        self.rows = {}
        #: Printed with the table, so that a run can be repeated.
        self.seed = random.SystemRandom().randrange(10**6)

    def count(self, in_ci, in_full):
        """How often, or how many."""
        return in_full if self.full else in_ci

    def random(self, case):
        """The random choices of a case."""
        return random.Random(f"{self.seed} {case}")

    def row(self, case):
        """The line of a case, made at its first use."""
        return self.rows.setdefault(case, Row(case))

    def judge(self, case, verdict):
        """Count a `Verdict` and fail on any fault."""
        row = self.row(case)
        row.acknowledged += verdict.acknowledged
        row.lost += verdict.count("lost")
        row.doubles += verdict.count("double")
        row.overlaps += verdict.count("overlap")
        row.thawed += len(verdict.thawed)
        assert not verdict.faults, "\n".join(map(str, verdict.faults)) + f"\n(seed {self.seed})"

    def table(self):
        """Lines of text: a Markdown table."""
        lines = [self.HEADER, *(row.cells() for _, row in sorted(self.rows.items(), key=_by_number))]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.HEADER))]
        texts = ["| " + " | ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) + " |"
                 for line in lines]  # fmt: skip
        return [texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]]


def _by_number(item):
    number = item[0].split(" ")[0]
    return (int(number) if number.isdigit() else 99, item[0])


# --- the site --------------------------------------------------------------------------------


def start(site, mode):
    """Start a `SiteHarness` in one of the `MODES`; it is up when this returns."""
    if mode == MONITORED:
        site.start()
        return
    site.node.run("cjcpw", "-c", site.name, site.db_path).ok()
    site.wait_up()


def pid_of(site, name):
    """The pid of one of `DAEMONS`, or of `top`: cjcpw, or after `-c` the process that took its place."""
    if name == "top":
        return int(stat_fields(site.daemon("jcdbs"))[1])
    if name == "launcher":
        (pid,) = children(site.daemon("worker"))
        return pid
    return site.daemon(name)


def wait_gone(site, limit_s=GONE_LIMIT_S):
    """Wait until nothing of the site is on its node, jobs and cjcpw included; returns cjcpw's exit code."""

    def gone():
        if site.cjcpw and site.cjcpw.poll() is None:
            return False
        return not site.processes() and not _on_top(site)

    wait_until(gone, limit_s, lambda: f"{processes.table(site.node.left_over())}\n{site.log_text()}")
    code = site.cjcpw.wait() if site.cjcpw else None
    site.cjcpw = None
    return code


def _on_top(site):
    """What carries no mark of the site: cjcpw, what `cjcpw -c` left in its place, and what they forked."""
    words = ("cjcpw", "NQS ")
    return [process for process in site.node.left_over() if any(word in process.title for word in words)]


def epoch(site):
    """The newest epoch on disk."""
    names = os.listdir(os.path.join(site.directory, "database"))
    return max(int(name[1:]) for name in names if name[0] == "e" and name[1:].isdigit())


# --- the load --------------------------------------------------------------------------------

#: Restart attribute -> name of its queue.
QUEUES = {attribute: attribute.lower().replace("_", "") for attribute in restart.ATTRIBUTES}


def create_queues(site, run_limit):
    """A started queue for each restart attribute."""
    lines = []
    for attribute, name in QUEUES.items():
        lines += [f"create batch_queue {name} run_limit = {run_limit}", f"set restart = ({attribute}) {name}"]
        lines += [f"enable queue {name}", f"start queue {name}"]
    site.qmgr(*lines)


def start_queues(site):
    """Start those queues that the restart table has stopped."""
    mine = set(QUEUES.values())
    stopped = [queue["name"] for queue in site.qstat()["queues"] if queue["name"] in mine and not queue["started"]]
    if stopped:
        site.qmgr(*(f"start queue {name}" for name in stopped))


@dataclass
class Load:
    """Requests that were acknowledged, their ledger, and the runs of the site that they met."""

    ledger: Ledger
    #: A directory that their owners may write, on every node.
    work: str
    random: random.Random
    submitted: list[Submitted] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)

    @classmethod
    def make(cls, directory, chance):
        """`directory` is there for it alone; `chance` is a `random.Random`."""
        return cls(Ledger(directory), directory, chance)

    def came_up(self, site, node="node", run_limit=3):
        """Note that the site is up in a new epoch; the first time make the queues, else start the stopped ones."""
        number = epoch(site)
        assert not self.runs or number > self.runs[-1].epoch, (number, self.runs)
        if self.runs:
            start_queues(site)
        else:
            create_queues(site, run_limit)
        self.runs.append(Run(number, node))

    def was_begun(self, site, node="node"):
        """Note a start that was killed: it may have started requests all the same."""
        number = epoch(site)
        if number > self.runs[-1].epoch:
            self.runs.append(Run(number, node))

    def submit(self, site, count, longest_s=1.0, gate=""):
        """Submit requests with random rules; half of them may not be rerun. Returns their ids."""
        ids = []
        for number in range(count):
            attribute = self.random.choice(restart.ATTRIBUTES)
            restartable = number % 2 == 0
            script = self.ledger.script(self.random.uniform(0, longest_s), gate)
            options = ["-q", QUEUES[attribute], *([] if restartable else ["-nr"])]
            ids.append(site.qsub(script, *options, cwd=self.work))
            self.submitted.append(Submitted(ids[-1], attribute, restartable))
        return ids

    def wait_started(self, ids, some=1):
        """Wait until so many of the requests have started."""
        wait_until(lambda: len(self.ledger.started() & set(ids)) >= some, 30, lambda: self.ledger.lines()[-5:])

    def drain(self, site, limit_s=DRAIN_LIMIT_S):
        """Wait until nothing is queued, runs or is delivered; returns what qstat then says of every request."""
        start_queues(site)
        wait_until(lambda: not site.qstat()["requests"], limit_s, lambda: f"{site.run('qstat')}\n{site.log_text()}")
        return self.shown(site)

    def shown(self, site):
        """What qstat says of every acknowledged request; one that it does not know is left out."""
        found, ids = [], [request.id for request in self.submitted]
        for first in range(0, len(ids), _IDS_AT_ONCE):
            found += site.qstat(*ids[first : first + _IDS_AT_ONCE])["requests"]
        return found

    def verdict(self, site):
        """Drain the site, and judge."""
        shown = self.drain(site)
        return check(self.submitted, self.ledger.lines(), shown, self.runs, self.frozen)


def timed(action):
    """Run `action()`; returns the seconds it took."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun

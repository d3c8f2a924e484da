"""Jobs that write down each start and end with fsync, and the one checker that judges a ledger against qstat."""

import os
from dataclasses import dataclass, field
from itertools import pairwise

from jcq.model import restart

#: A thawed owner's jobs run until it ends them: overlaps of a frozen epoch up to this are counted apart.
THAWED_S = 1.0
#: `alive` lines come this often; two of them that are further apart are no proof that the job ran between them.
BEAT_S = 0.2
_GAP_S = 10 * BEAT_S

#: Words for /proc/uptime, in 0.01 s, are the same on every node of one kernel; one builtin reads them.
_SCRIPT = """\
#!/bin/sh
ledger={path}
note() {{ read -r up idle < /proc/uptime; echo "$QSUB_REQID $JCQ_EPOCH $$ $1 $up" >> $ledger; }}
note start
sync $ledger
n=0
while [ $n -lt {beats} ]{until}; do sleep {beat}; note alive; n=$((n + 1)); done
{work}
note end
sync $ledger
"""


@dataclass(frozen=True)
class Line:
    """One line of a ledger."""

    id: str
    epoch: int
    #: Of the job's shell, in its own PID namespace: with the epoch it names an attempt.
    pid: int
    #: `start`, `alive` or `end`.
    kind: str
    #: Seconds since the kernel's boot.
    at_s: float


@dataclass(frozen=True)
class Submitted:
    """What was acknowledged: the request and the rules it is under."""

    id: str
    #: Restart attribute of its queue.
    attribute: str
    restartable: bool = True


@dataclass(frozen=True)
class Run:
    """One start of the site that came up: the epoch and the node that judged what was interrupted before."""

    epoch: int
    node: str


@dataclass
class Attempt:
    """One start of a request, as its lines tell."""

    epoch: int
    pid: int
    started_s: float
    ended_s: float | None = None
    beats_s: list = field(default_factory=list)

    def lived_after(self, moment_s):
        """For how many seconds beats prove that it ran after a moment; None where none does.

        A job that is frozen makes no beat, so that the time until it goes on is not counted.
        """
        late = [beat for beat in sorted(self.beats_s) if beat > moment_s]
        if not late:
            return None
        # The one before proves that it ran up to the first late one, if it is near.
        before = max((beat for beat in [self.started_s, *self.beats_s] if beat <= moment_s), default=late[0])
        first = moment_s if late[0] - before < _GAP_S else late[0]
        steps = zip([first, *late], late, strict=False)
        return sum(after - earlier for earlier, after in steps if after - earlier < _GAP_S)


@dataclass(frozen=True)
class Fault:
    """One thing that must not be."""

    #: `lost`, `double` or `overlap`.
    kind: str
    id: str
    what: str

    def __str__(self):
        return f"{self.kind}: {self.id}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    """What the checker found."""

    faults: tuple[Fault, ...]
    #: Overlaps of frozen epochs that were short enough: [(id, seconds)].
    thawed: tuple[tuple[str, float], ...]
    acknowledged: int

    def count(self, kind):
        """How many faults of a kind."""
        return sum(1 for fault in self.faults if fault.kind == kind)


class Ledger:
    """A file on which every job of a test writes what becomes of it."""

    def __init__(self, directory):
        """`directory` can be written by the jobs' owners, and by every node."""
        self.path = os.path.join(directory, "ledger")
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
        os.fchmod(fd, 0o666)
        os.close(fd)

    def script(self, run_s=0.0, gate="", work=""):
        """A job.

        Args:
            run_s: how long it runs, or where there is a gate, at most.
            gate: path of a file; the job ends when it exists.
            work: shell commands before its end.
        """
        until = f" && [ ! -e {gate} ]" if gate else ""
        beats = round(run_s / BEAT_S)
        return _SCRIPT.format(path=self.path, beats=beats, beat=BEAT_S, until=until, work=work)

    def lines(self):
        """Every whole line, in order."""
        with open(self.path, encoding="ascii") as file:
            text = file.read()
        return parse(text)

    def started(self):
        """Ids of the requests that have started."""
        return {line.id for line in self.lines() if line.kind == "start"}


def parse(text):
    """Lines of a ledger's text; a last line without its end is none."""
    found = []
    for line in text.split("\n")[:-1]:
        name, epoch, pid, kind, at_s = line.split()
        found.append(Line(name, int(epoch), int(pid), kind, float(at_s)))
    return found


def attempts(lines):
    """{request id: [Attempt]}, in the order of their starts."""
    found = {}
    for line in lines:
        of_request = found.setdefault(line.id, {})
        key = (line.epoch, line.pid)
        if line.kind == "start":
            of_request[key] = Attempt(line.epoch, line.pid, line.at_s)
            continue
        attempt = of_request.setdefault(key, Attempt(line.epoch, line.pid, line.at_s))
        attempt.beats_s.append(line.at_s)
        if line.kind == "end":
            attempt.ended_s = line.at_s
    return {name: sorted(each.values(), key=lambda one: one.started_s) for name, each in found.items()}


def check(submitted, lines, shown, runs, frozen=()):
    """Judge a ledger against what qstat says when all has come to rest.

    Args:
        submitted: [Submitted], each one acknowledged.
        lines: [Line].
        shown: [request object of `qstat --json`] of their ids.
        runs: [Run] in order: every start of the site that came up.
        frozen: epochs whose owner was frozen and woke up later.
    Returns:
        A `Verdict`.
    """
    known = {request["id"]: request for request in shown}
    tried = attempts(lines)
    faults, thawed = [], []
    for request in submitted:
        mine = tried.get(request.id, [])
        faults += _lost(request, mine, known.get(request.id))
        faults += _double(request, mine, runs)
        for fault, apart in _overlaps(request, mine, frozen):
            faults += [fault] if fault else []
            thawed += [apart] if apart else []
    strangers = set(tried) - {request.id for request in submitted}
    # Whoever submitted it got no answer; it may run, under the rules of whoever is most careful.
    for name in sorted(strangers):
        faults += [fault for fault, _ in _overlaps(Submitted(name, restart.RESTART), tried[name], frozen) if fault]
    return Verdict(tuple(faults), tuple(thawed), len(submitted))


def _lost(request, mine, known):
    """Acknowledged, and neither ended nor purged by rule."""
    if known is None:
        return [Fault("lost", request.id, "qstat does not know it")]
    state, outcome = known["state"], known["outcome"]
    if state != "DONE":
        return [Fault("lost", request.id, f"it is {state} where all should have ended")]
    if outcome == "exited" and known["exit_code"] == 0:
        if not any(attempt.ended_s is not None for attempt in mine):
            return [Fault("lost", request.id, "it is said to have ended well, and its last line is missing")]
        return []
    if outcome == "purged":
        may = not request.restartable or request.attribute in (restart.PURGE, restart.MIGRATION_PURGE)
        return [] if may else [Fault("lost", request.id, f"purged in a queue with restart={request.attribute}")]
    return [Fault("lost", request.id, f"outcome {outcome}, exit code {known['exit_code']}, signal {known['signal']}")]


def _double(request, mine, runs):
    """Two starts where the rule forbids the second."""
    faults = []
    for first, second in pairwise(mine):
        why = _forbidden(request, first, second, runs)
        if why:
            what = f"started in epoch {first.epoch} and again in epoch {second.epoch}: {why}"
            faults.append(Fault("double", request.id, what))
    return faults


def _forbidden(request, first, second, runs):
    if first.epoch == second.epoch:
        return "twice in one epoch"
    if not request.restartable:
        return "it is not restartable"
    before = next((run.node for run in runs if run.epoch == first.epoch), "")
    judge = next((run.node for run in runs if run.epoch > first.epoch), "")
    if restart.judge(request.attribute, True, before == judge) == restart.REMOVE:
        return f"its queue has restart={request.attribute}, and it was judged on {judge or 'no node'}"
    return ""


def _overlaps(request, mine, frozen):
    """[(Fault or None, (id, seconds) or None)] for each attempt that lived after a later one's start."""
    found = []
    for index, attempt in enumerate(mine):
        for later in mine[index + 1 :]:
            lived_s = attempt.lived_after(later.started_s)
            if lived_s is None:
                continue
            if attempt.epoch in frozen and lived_s <= THAWED_S:
                found.append((None, (request.id, lived_s)))
                continue
            what = f"the attempt of epoch {attempt.epoch} ran {lived_s:.2f} s beside the one of epoch {later.epoch}"
            found.append((Fault("overlap", request.id, what), None))
    return found

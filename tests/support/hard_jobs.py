"""Jobs that are hard to kill, and that say which processes they are: the ledger that faults are judged by."""

import os
from dataclasses import dataclass

from jcq.process import stat_fields
from support.gate import Gate
from support.waiting import wait_until

#: Stays whatever SIGTERM says: what a shell ignores, its `exec` goes on ignoring.
_STAY = """\
trap '' TERM HUP INT
fields=$(sed 's/.*) //' /proc/$$/stat)
echo "$2 $$ $(echo $fields | cut -d' ' -f20) $3" >> "$1"
exec sleep 301
"""

#: What an attempt finds alive of those before it, itself not, it writes down: nothing may ever run twice at once.
_PRELUDE = """\
trap '' TERM HUP INT
ledger={directory}/$QSUB_REQID.pids
touch "$ledger"
while read -r epoch pid start kind; do
  fields=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || continue
  set -- $fields
  [ "$1" != Z ] && [ "${{20}}" = "$start" ] && echo "$pid $kind" >> {directory}/$QSUB_REQID.overlap
done < "$ledger"
own=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
echo "$JCQ_EPOCH $$ $own script" >> "$ledger"
"""
#: What a job leaves besides its script -> how it is started.
_HELPERS = {
    "child": "sh {stay} {arguments} &\n",
    "session": "setsid sh {stay} {arguments} &\n",
    "forked-twice": "(env -i /usr/bin/setsid sh -c 'sh \"$@\" & exit' sh {stay} {arguments}) &\n",
    "closed": "(env -i /usr/bin/setsid sh -c 'exec <&- >&- 2>&-; sh \"$@\" & exit' sh {stay} {arguments}) &\n",
}


@dataclass(frozen=True)
class Member:
    """One process of a job, as it introduced itself."""

    request_id: str
    epoch: int
    pid: int
    start_ticks: int
    #: `script`, or one of `_HELPERS`.
    kind: str

    @property
    def alive(self):
        """Whether this very process lives; a zombie does not."""
        fields = stat_fields(self.pid)
        return bool(fields) and fields[0] not in (b"Z", b"X") and int(fields[19]) == self.start_ticks


class HardJobs(Gate):
    """As `Gate`; each job also has four processes more, deaf to SIGTERM: a child, a session leader, one forked
    twice with an empty environment, and the same with all descriptors closed.
    """

    def __init__(self, directory, kinds=tuple(_HELPERS)):
        """`directory` as for `Gate`; `kinds`: names of `_HELPERS`."""
        super().__init__(directory)
        self.kinds = frozenset({"script", *kinds})
        self._stay = os.path.join(directory, "stay")
        with open(self._stay, "w", encoding="ascii") as file:
            file.write(_STAY)

    def script(self, label="job", work="", exit_code=0):
        """See `Gate.script`."""
        first, rest = super().script(label, work, exit_code).split("\n", 1)
        prelude = _PRELUDE.format(directory=self.directory)
        for kind in sorted(self.kinds - {"script"}):
            arguments = f'"$ledger" $JCQ_EPOCH {kind}'
            prelude += _HELPERS[kind].format(stay=self._stay, arguments=arguments)
        return f"{first}\n{prelude}{rest}"

    def members(self, request_id=None, epoch=None):
        """Every process that introduced itself, of one request, of one epoch."""
        found = []
        for name in os.listdir(self.directory):
            owner, _, kind = name.rpartition(".")
            if kind != "pids" or request_id not in (None, owner):
                continue
            with open(os.path.join(self.directory, name), encoding="ascii") as file:
                lines = [line.split() for line in file if line.endswith("\n")]
            found += [Member(owner, int(words[0]), int(words[1]), int(words[2]), words[3]) for words in lines]
        return [member for member in found if epoch in (None, member.epoch)]

    def living(self, request_id=None):
        """Those that live."""
        return [member for member in self.members(request_id) if member.alive]

    def wait_running(self, *request_ids, limit_s=30, describe=lambda: ""):
        """Wait until every process of these requests lives."""

        def all_there():
            return all({member.kind for member in self.living(request_id)} == self.kinds for request_id in request_ids)

        wait_until(all_there, limit_s, lambda: f"{self.living()}\n{describe()}")

    def epochs(self, request_id):
        """In which epochs a request was started, in order."""
        return sorted({member.epoch for member in self.members(request_id)})

    def overlaps(self):
        """What attempts found alive of those before them: {request id: text}."""
        found = {}
        for name in os.listdir(self.directory):
            if name.endswith(".overlap"):
                with open(os.path.join(self.directory, name), encoding="ascii") as file:
                    found[name.removesuffix(".overlap")] = file.read()
        return found

"""Jobs that are hard to kill, and that say which processes they are: the ledger that faults are judged by."""

import os
from dataclasses import dataclass

from jcq.process import stat_fields
from support.gate import Gate
from support.waiting import wait_until

#: A chain that has not moved for so long has ended.
CHAIN_STANDS_S = 0.5
#: Kind of a straggler that is many processes, one after the other.
CHAIN = "chain"

#: Stays whatever SIGTERM says: what a shell ignores, its `exec` goes on ignoring.
_STAY = """\
trap '' TERM HUP INT
fields=$(sed 's/.*) //' /proc/$$/stat)
echo "$2 $$ $(echo $fields | cut -d' ' -f20) $3" >> "$1"
exec sleep 301
"""

#: The same, open to every signal.
_PLAIN = "trap - TERM HUP INT\n" + _STAY.split("\n", 1)[1]

#: Each process of it says that it lives, starts the next one and ends: faster than /proc can be listed. It goes with
#: its ledger, should nobody catch it.
_CHAIN = """\
[ -e "$1" ] || exit
echo $$ > "$2"
sh "$0" "$1" "$2" &
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
#: Further ones, for those who ask for them.
_MORE = {
    "plain": "(trap - TERM HUP INT; exec sh {plain} {arguments}) &\n",
    "orphan": "(setsid sh -c 'sh \"$@\" & exit' sh {stay} {arguments} &)\n",
    "no-environment": "env -i /bin/sh {stay} {arguments} &\n",
    CHAIN: 'env -i /usr/bin/setsid sh {chain} "$ledger" "$ledger.chain" &\n',
}
#: The kinds of stragglers of ha-facts.md section 6; a child that is deaf to SIGTERM is among them.
SEVEN = ("plain", "session", "orphan", "no-environment", "child", CHAIN, "closed")


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
        """`directory` as for `Gate`; `kinds`: names of `_HELPERS`, or some of `SEVEN`."""
        super().__init__(directory)
        self._all_kinds = frozenset({"script", *kinds})
        #: Those whose processes introduce themselves.
        self.kinds = self._all_kinds - {CHAIN}
        self._programs = {name: os.path.join(directory, name) for name in ("stay", "plain", "chain")}
        for (_, path), text in zip(self._programs.items(), (_STAY, _PLAIN, _CHAIN), strict=True):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)

    def script(self, label="job", work="", exit_code=0):
        """See `Gate.script`."""
        first, rest = super().script(label, work, exit_code).split("\n", 1)
        prelude = _PRELUDE.format(directory=self.directory)
        for kind in sorted(self._all_kinds - {"script"}):
            arguments = f'"$ledger" $JCQ_EPOCH {kind}'
            prelude += (_HELPERS | _MORE)[kind].format(arguments=arguments, **self._programs)
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

    def chain_moved_s(self, request_id):
        """When the chain of a request was last seen alive, in seconds since 1970; 0.0: never."""
        try:
            return os.stat(os.path.join(self.directory, f"{request_id}.pids.chain")).st_mtime
        except FileNotFoundError:
            return 0.0

    def chain_lives(self, request_id):
        """Whether the chain of a request goes on: it is looked at for a moment."""
        before = self.chain_moved_s(request_id)
        try:
            wait_until(lambda: self.chain_moved_s(request_id) > before, CHAIN_STANDS_S, str)
        except AssertionError:
            return False
        return True

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

"""Battery, cases 6 and 7: the append-only file is cut, torn or damaged between two runs.

At the level of what cjcpw does with the data: copy it forward, mend it or refuse, and let a server load it.
"""

import logging

import pytest

from jcq.cluster.aof import TAIL_BYTES_MAX
from jcq.cluster.errors import NoSuchEpoch
from jcq.errors import DatabaseUnusable, JcqError
from jcq.jcdbs import keys
from jcq.model import lifecycle
from support import site_data
from support.store_bench import NOW_S

_REQUESTS = 12
_TRANSACTIONS = 3
#: What changes in a life, so that nobody can tell a flip in it from a change.
_MUTABLE = {"state", "queue", "promoted", "due_s", "attempt", "epoch", "token", "node", "pid", "pid_start", "started_s"}
_MUTABLE |= {"ended_s", "cpu_s", "maxrss_kb", "outcome", "exit_code", "signal", "dispatch", "reason", "rerun"}


class Life:
    """A site's data with requests, the last of them submitted in transactions of their own."""

    def __init__(self):
        self.data = site_data.SiteData()
        with self.data.load(1) as connect:
            bench = site_data.StoreBench(connect)
            bench.worker()
            bench.run_through(bench.submit(workdir="/home/alice"))
            bench.submit(workdir="/home/alice")
            bench.claim()
            held = [bench.submit(hold=number % 2, name=f"job-{number}") for number in range(_REQUESTS)]
            self.last = held[-_TRANSACTIONS:]
            self.before = {rid: bench.get(rid) for rid in [f"200-{seq}" for seq in range(1, _REQUESTS + 3)]}
        self.content = self.data.read(1)
        self.ends = site_data.transactions(self.content)

    def of(self, size):
        """The rids of the requests that a prefix of the file holds."""
        return [rid for rid in self.before if f"jcq:request:{rid}\r\n".encode() in self.content[:size]]


@pytest.fixture(scope="module")
def life():
    made = Life()
    yield made
    made.data.close()


@pytest.fixture(autouse=True)
def whole(life):
    """Every test begins with whole data in epoch 1, and no other epoch."""
    life.data.write(1, life.content)
    yield
    for number in site_data.epoch.existing(life.data.site):
        if number > 1:
            life.data.drop(number)


def loaded_requests(life, number):
    """{rid: Request} of a run of an epoch, whose rules all hold."""
    with life.data.load(number) as connect:
        assert connect is not None, "the server refused a mended file"
        bench = site_data.Loaded(connect, number)
        bench.run(bench.store.open_epoch())
        bench.check()
        _, rids = bench.run(bench.store.records(0))
        return {request.rid: request for request in bench.run(bench.store.requests(rids))}


# --- the tail --------------------------------------------------------------------------------


def test_a_tail_that_is_cut_anywhere_costs_the_cut_transaction_only(life, battery):
    row = battery.row("6 AOF tail cut")
    start = life.ends[-_TRANSACTIONS - 1]
    near = {end + step for end in life.ends[-_TRANSACTIONS - 1 :] for step in (-1, 0, 1)}
    cuts = near | set(range(start, len(life.content), battery.count(29, 1)))
    for cut in sorted(cut for cut in cuts if start <= cut <= len(life.content)):
        life.data.write(1, life.content[:cut])
        number = life.data.advance()
        good = max(end for end in life.ends if end <= cut)
        assert life.data.read(number) == life.content[:good], cut
        assert life.data.read(1) == life.content[:cut], "the original was touched"
        found = loaded_requests(life, number)
        assert sorted(found) == sorted(life.of(good)), cut
        assert not [request for request in found.values() if request.flaw()], cut
        life.data.drop(number)
        row.runs += 1


TAILS = {
    "newline": b"\n",
    "one zero": b"\0",
    "a block of zeros": b"\0" * 4096,
    "many zeros": b"\0" * (TAIL_BYTES_MAX - 4096),
    "garbage": bytes(range(255, 31, -1)) * 20,
}


@pytest.mark.parametrize("half", [False, True], ids=["", "after half a transaction"])
@pytest.mark.parametrize("tail", TAILS)
def test_a_torn_tail_is_mended_and_the_original_kept(life, battery, caplog, tail, half):
    cut = (life.ends[-2] + life.ends[-1]) // 2 if half else life.ends[-1]
    torn = life.content[:cut] + TAILS[tail]
    life.data.write(1, torn)
    with caplog.at_level(logging.WARNING):
        number = life.data.advance()
    good = life.ends[-2] if half else life.ends[-1]
    assert life.data.read(1) == torn
    (record,) = caplog.records
    assert (
        f"{life.data.file(1)} had a torn tail: the last {len(torn) - good} of {len(torn)} bytes" in record.getMessage()
    )
    found = loaded_requests(life, number)
    assert sorted(found) == sorted(life.of(good))
    battery.row("6 AOF tail torn").runs += 1


@pytest.mark.parametrize("tail", [b"x" * (TAIL_BYTES_MAX + 1), b"\0" * (TAIL_BYTES_MAX + 1)])
def test_more_than_a_tail_is_not_mended(life, tail):
    life.data.write(1, life.content + tail)
    with pytest.raises(DatabaseUnusable, match="more than a torn tail") as caught:
        life.data.advance()
    assert caught.value.exit_code == 5
    assert site_data.epoch.existing(life.data.site) == [1]
    assert life.data.read(1) == life.content + tail


def test_damage_with_whole_transactions_behind_it_is_no_tail(life):
    damaged = bytearray(life.content)
    damaged[life.ends[-3] + 1] ^= 4
    life.data.write(1, bytes(damaged))
    with pytest.raises(DatabaseUnusable, match="whole commands follow the damage"):
        life.data.advance()


# --- the middle ------------------------------------------------------------------------------


def outcome(life, number):
    """What becomes of flipped data: "refused", or "loaded" where every request is right, lost, or never started."""
    with life.data.load(number) as connect:
        if connect is None:
            return "refused"
        bench = site_data.Loaded(connect, number)
        try:
            bench.run(bench.store.open_epoch())
            bench.run(bench.store.site())
            queues = bench.run(bench.store.queues())
        except JcqError:
            return "refused"
        _walk(bench, queues)
        lost = {rid for rid, *_ in bench.run(bench.store.lost_found())}
        _, rids = bench.run(bench.store.records(0))
        found = {request.rid: request for request in bench.run(bench.store.requests(rids))}
        trusted = {rid: request for rid, request in found.items() if not request.flaw()}
        for rid, request in trusted.items():
            assert rid in life.before, f"{rid} was never submitted"
            for name, value in vars(life.before[rid]).items():
                assert name in _MUTABLE or getattr(request, name) == value, (rid, name)
        gone = set(life.before) - set(found) - lost
        assert not gone, f"{gone} are neither there nor lost"
        return "loaded"


def _walk(bench, queues):
    """What the start and the audit of nqsdaemon do: each list, then each record."""
    places = [(keys.WAITING, "", lifecycle.WAITING), (keys.DONE, "", lifecycle.DONE)]
    for queue in queues:
        places += [(keys.members(queue.name, s), queue.name, s) for s in lifecycle.STATES if s != lifecycle.DONE]
    for key, queue, state in places:
        _, rids = bench.run(bench.store.walk(key, 0))
        if rids:
            bench.run(bench.store.check(rids, NOW_S, key, queue, state))
    _, rids = bench.run(bench.store.records(0))
    bench.run(bench.store.check(rids, NOW_S))


def test_a_flipped_bit_never_makes_a_wrong_request(life, battery):
    chance = battery.random("7")
    row = battery.row("7 bit flips in the AOF")
    seen = {"refused": 0, "loaded": 0}
    for _ in range(battery.count(40, 600)):
        place, bit = chance.randrange(life.ends[-_TRANSACTIONS - 1]), chance.randrange(8)
        flipped = bytearray(life.content)
        flipped[place] ^= 1 << bit
        life.data.write(1, bytes(flipped))
        try:
            number = life.data.advance()
        except DatabaseUnusable:
            seen["refused"] += 1
        else:
            try:
                seen[outcome(life, number)] += 1
            except AssertionError as error:
                around = bytes(flipped[max(0, place - 40) : place + 20])
                raise AssertionError(f"bit {bit} at {place}, in {around}: {error} (seed {battery.seed})") from error
            life.data.drop(number)
        row.runs += 1
    assert seen["refused"]
    assert seen["loaded"]


def test_an_older_copy_is_offered_and_works(life):
    number = life.data.advance()
    with life.data.load(number) as connect:
        bench = site_data.Loaded(connect, number)
        bench.run(bench.store.open_epoch())
        later = bench.submit(rid="200-100", seq=100)
    damaged = bytearray(life.data.read(number))
    damaged[life.ends[3] + 1] ^= 4
    life.data.write(number, bytes(damaged))
    with pytest.raises(DatabaseUnusable, match=r"cjcpw --from-epoch 1 testsite .*\(copies there: 1\)"):
        life.data.advance()
    with pytest.raises(NoSuchEpoch, match=f"no epoch 77 to start from; there are: 1, {number}"):
        life.data.advance(source=77)
    restored = life.data.advance(source=1)
    assert restored == number + 1
    found = loaded_requests(life, restored)
    assert sorted(found) == sorted(life.before)
    assert later not in found

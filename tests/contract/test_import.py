"""A conversion of an old spool: what is staged is part of nothing; what is completed is all there, and in order."""

from dataclasses import replace

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import BadValue, ComplexExists, ImportTaken, NoSuchQueue, QueueExists, SiteConfigured
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import HELD, QUEUED, WAITING
from jcq.model.queue import PIPE, Queue
from support import backends
from support.store_bench import ALICE, BOB, NOW_S

TOKEN = "0123456789abcdef"


class Import:
    """One conversion into a bench's site."""

    def __init__(self, bench, token=TOKEN):
        self.bench, self.token = bench, token
        self.count = 0

    @property
    def store(self):
        return self.bench.store

    def run(self, op):
        return self.bench.run(op)

    def queue(self, name="old", kind="queue", **fields):
        """Stage a queue."""
        flat = Queue(name, **fields).to_hash()
        self.run(self.store.import_part(self.token, kind, name, [word for pair in flat.items() for word in pair]))

    def requests(self, *states, queue="old", first=None, form="o{}", **fields):
        """Reserve numbers and stage a request in each state; returns the rids. `form` makes old ids of numbers."""
        first = first or 100 + self.count
        self.run(self.store.import_reserve(self.token, first, len(states)))
        rows = []
        for seq, state in enumerate(states, first):
            request = self.bench.new(queue, submitted_to=queue, old_id=form.format(seq), **fields)
            request = replace(request, rid=f"200-{seq}", seq=seq, state=state, submitted_s=NOW_S)
            request.due_s = NOW_S + 60 if state == WAITING else 0.0
            request.sum = request.checksum()
            flat = request.to_hash()
            del flat["rid"]
            line = "\0".join((request.old_id, request.rid, self.token, f"records:{seq}"))
            rows.append((request.rid, f"origin{seq}", line, flat))
        assert self.run(self.store.import_stage(self.token, rows, NOW_S)) == len(rows)
        self.count += len(states)
        return [rid for rid, *_ in rows]

    def complete(self, count=None, seq=0, about="{}"):
        """The last step."""
        return self.run(self.store.import_all(self.token, self.count if count is None else count, seq, about, NOW_S))

    def clear(self):
        """Forget it; returns the ranges."""
        found = []
        while cleared := self.run(self.store.import_clear()):
            found.append(cleared)
        return found


@pytest.fixture
def conversion(bench):
    return Import(bench)


def visible(bench):
    """Everything in the database but what is staged."""
    data = backends.all_data(bench.connection)
    return {key: value for key, value in data.items() if not key.startswith(keys.IMPORT.encode() + b":")
            and key != keys.IMPORT.encode()}  # fmt: skip


def test_what_is_staged_is_part_of_nothing_until_the_last_step(bench, conversion):
    bench.submit()
    before = visible(bench)
    conversion.queue()
    conversion.requests(QUEUED, WAITING, HELD)
    conversion.run(bench.store.import_part(TOKEN, "manager", "alice", ["m"]))
    conversion.run(bench.store.import_part(TOKEN, "param", "run_limit", ["7"]))
    flat = ["queues", "old", "run_limit", "2"]
    conversion.run(bench.store.import_part(TOKEN, "complex", "c", flat))
    assert visible(bench) == before
    assert bench.run(bench.store.importing())
    conversion.complete(seq=500, about='{"spool": "/old"}')
    assert [bench.state(rid) for rid in ("200-100", "200-101", "200-102")] == [QUEUED, WAITING, HELD]
    assert bench.counts("old") == {QUEUED: 1, WAITING: 1, HELD: 1}
    site = bench.run(bench.store.site())
    assert (site.seq, site.run_limit) == (500, 7)
    assert bench.run(bench.store.managers())["alice"] == "m"
    (one,) = bench.run(bench.store.complexes())
    assert (one.name, one.queues, one.run_limit) == ("c", ("old",), 2)
    assert bench.run(bench.store.imports()) == {TOKEN: '{"spool": "/old"}'}
    assert not list(bench.connection.scan_iter(match=keys.IMPORT + ":*"))
    assert not bench.connection.exists(keys.IMPORT)
    assert bench.get("200-100").flaw() == ""


def test_what_was_converted_is_known_by_its_old_id_and_origin_for_good(bench, conversion):
    conversion.queue()
    (rid,) = conversion.requests(HELD)
    assert bench.run(bench.store.by_origin(["origin100", "other"])) == [rid, None], "also while it is staged"
    assert bench.run(bench.store.by_old_id("o100")) == []
    conversion.complete()
    line = ("o100", rid, TOKEN, "records:100")
    assert bench.run(bench.store.by_old_id("o100")) == [line]
    assert bench.run(bench.store.by_old_id("o10")) == []
    assert bench.run(bench.store.old_ids(0)) == [line]
    bench.run(bench.store.delete(rid, -1, NOW_S))
    bench.run(bench.store.retire(NOW_S + 10**6, NOW_S))
    assert bench.state(rid) == "-"
    assert bench.run(bench.store.by_origin(["origin100"])) == [rid]
    assert bench.run(bench.store.by_old_id("o100")) == [line]


def test_the_number_of_an_array_means_its_tasks(bench, conversion):
    conversion.queue()
    conversion.requests(HELD, HELD, form="42.{}")
    conversion.requests(HELD, form="42")
    conversion.requests(HELD, form="42-{}")
    conversion.requests(HELD, form="4.{}")
    conversion.requests(HELD, form="caf\udce9.{}")
    conversion.complete()

    def found(old_id):
        return [line[0] for line in bench.run(bench.store.by_old_id(old_id))]

    assert found("42") == ["42", "42.100", "42.101"]
    assert found("42.100") == ["42.100"]
    assert found("4") == ["4.104"]
    assert found("caf\udce9") == ["caf\udce9.105"]
    assert found("") == found("42.") == found("2") == []


def test_the_last_step_again_does_no_more(bench, conversion):
    conversion.queue()
    conversion.requests(QUEUED)
    conversion.complete()
    before = backends.all_data(bench.connection)
    assert conversion.complete() == 1
    assert backends.all_data(bench.connection) == before


def test_a_conversion_that_is_cleared_leaves_nothing(bench, conversion):
    before = backends.all_data(bench.connection)
    conversion.queue()
    conversion.requests(QUEUED, HELD)
    conversion.requests(WAITING)
    assert conversion.clear() == [(100, 2), (102, 1)]
    assert backends.all_data(bench.connection) == before
    assert not bench.run(bench.store.importing())
    with pytest.raises(ImportTaken):
        conversion.complete()


def test_numbers_that_were_taken_and_not_used_are_cleared(bench, conversion):
    bench.run(bench.store.import_reserve(TOKEN, 7, 300))
    assert bench.run(bench.store.importing())
    assert conversion.clear() == [(7, 300)]


def test_two_conversions_do_not_mix(bench, conversion):
    conversion.queue()
    other = Import(bench, "other")
    before = backends.all_data(bench.connection)
    for wish in (
        bench.store.import_reserve("other", 1, 1),
        bench.store.import_part("other", "manager", "bob", ["m"]),
        bench.store.import_stage("other", [], NOW_S),
    ):
        with pytest.raises(ImportTaken):
            bench.run(wish)
    with pytest.raises(ImportTaken):
        other.complete()
    assert backends.all_data(bench.connection) == before


def refused(bench, conversion, kind, **how):
    before = backends.all_data(bench.connection)
    with pytest.raises(kind):
        conversion.complete(**how)
    assert backends.all_data(bench.connection) == before


def test_the_last_step_is_refused_where_the_site_has_changed(bench, conversion):
    conversion.queue()
    conversion.requests(QUEUED)
    bench.queue("old")
    refused(bench, conversion, QueueExists)


def test_the_last_step_is_refused_where_something_is_missing(bench, conversion):
    conversion.requests(QUEUED, queue="gone")
    refused(bench, conversion, NoSuchQueue)
    conversion.clear()
    conversion.count = 0
    conversion.queue("pipe", type=PIPE, destinations=("gone",))
    refused(bench, conversion, NoSuchQueue)
    conversion.clear()
    conversion.run(bench.store.import_part(TOKEN, "param", "default_queue", ["gone"]))
    refused(bench, conversion, NoSuchQueue)
    conversion.clear()
    conversion.run(bench.store.import_part(TOKEN, "complex", "c", ["queues", "gone", "run_limit", "1"]))
    refused(bench, conversion, NoSuchQueue)


def test_the_last_step_is_refused_where_not_all_is_staged(bench, conversion):
    conversion.queue()
    (rid,) = conversion.requests(QUEUED)
    refused(bench, conversion, BadValue, count=2)
    bench.connection.delete(keys.staged(f"request:{rid}"))
    refused(bench, conversion, BadValue)


def test_a_complex_or_number_that_exists_is_refused(bench, conversion):
    bench.run(bench.store.edit_complex("c", "create", NOW_S, ["batch"], 1))
    conversion.run(bench.store.import_part(TOKEN, "complex", "c", ["queues", "", "run_limit", "1"]))
    refused(bench, conversion, ComplexExists)
    conversion.clear()
    rid = bench.submit()
    conversion.requests(QUEUED, queue="batch", first=int(rid.split("-")[1]))
    refused(bench, conversion, BadValue)
    conversion.clear()


def test_a_queue_that_the_site_was_made_with_gives_way_until_it_is_used(bench, conversion):
    conversion.queue("batch", "default", run_limit=9, enabled=True)
    bench.submit()
    refused(bench, conversion, SiteConfigured)


def test_a_queue_that_the_site_was_made_with_gives_way(bench, conversion):
    conversion.queue("batch", "default", run_limit=9, enabled=True, priority=3)
    conversion.requests(QUEUED, queue="batch")
    conversion.complete()
    queue = bench.run(bench.store.queue("batch"))
    assert (queue.run_limit, queue.started, queue.priority) == (9, False, 3)
    assert bench.counts("batch") == {QUEUED: 1}


def test_requests_run_in_order_beside_those_that_were_there(bench, conversion):
    bench.worker()
    bench.set("batch", "started", False)
    low = bench.submit(priority=1)
    conversion.requests(QUEUED, QUEUED, queue="batch", priority=31)
    conversion.requests(QUEUED, queue="batch", priority=40)
    conversion.requests(QUEUED, queue="batch", priority=31, rerun=True)
    conversion.complete()
    bench.set("batch", "run_limit", 9)
    bench.set("batch", "started", True)
    assert bench.promoted() == [102, 103, 100, 101, int(low.split("-")[1])]


def test_a_started_queue_begins_at_once_and_a_pipe_hands_on(bench, conversion):
    bench.worker()
    conversion.queue("made", started=True, enabled=True, run_limit=1)
    conversion.queue("pipe", type=PIPE, started=True, enabled=True, destinations=("made",))
    conversion.requests(QUEUED, QUEUED, queue="pipe")
    conversion.complete()
    assert bench.promoted("made") == [100]
    assert bench.counts("pipe") == {}
    bench.check()


def test_a_user_limit_counts_them(bench, conversion):
    bench.worker()
    bench.queue("limited", user_limit=1, run_limit=9)
    conversion.requests(QUEUED, QUEUED, queue="limited", uid=ALICE)
    conversion.requests(QUEUED, queue="limited", uid=BOB)
    conversion.complete()
    assert bench.promoted("limited") == [100, 102]


def test_a_waiting_request_is_queued_in_its_time(bench, conversion):
    conversion.queue()
    conversion.requests(WAITING)
    conversion.complete()
    assert bench.run(bench.store.due(NOW_S + 61)) == (1, None)
    assert bench.counts("old") == {QUEUED: 1}


def test_a_new_run_of_the_site_clears_what_the_old_one_staged(bench, conversion):
    conversion.queue()
    conversion.requests(QUEUED)
    bench.store = Store(bench.connect(), 2)
    bench.run(bench.store.open_epoch())
    assert conversion.clear() == [(100, 1)]

"""Damaged requests: each goes into the lost-and-found, out of every list and slot, and the others go on."""

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import DatabaseEmpty, RecordDamaged
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import DONE, EXITING, HELD, NOWHERE, QUEUED, RUNNING, WAITING
from support.store_bench import ALICE, NOW_S, OPERATOR, WORKER


def lost(bench):
    """{rid: reason}."""
    return {rid: reason for rid, _, reason, _ in bench.run(bench.store.lost_found())}


def next_run(bench, epoch=2):
    bench.store = Store(bench.connect(), epoch)
    bench.run(bench.store.open_epoch())


def whole_check(bench):
    """What nqsdaemon's audit does, in one go: every set, then every record. Returns how many were lost."""
    store, count = bench.store, 0
    places = [(keys.WAITING, "", WAITING), (keys.DONE, "", DONE)]
    for queue in ("batch", "guilb_def"):
        places.append((keys.promoted(queue), queue, QUEUED))
        places += [(keys.members(queue, state), queue, state) for state in (HELD, WAITING, QUEUED, RUNNING, EXITING)]
    for key, queue, state in places:
        _, rids = bench.run(store.walk(key, 0))
        if rids:
            count += bench.run(store.check(rids, NOW_S, key, queue, state))
    _, rids = bench.run(store.records(0))
    return count + (bench.run(store.check(rids, NOW_S)) if rids else 0)


@pytest.fixture
def life(bench):
    """{state: rid} of a request in each state; two promoted ones are left."""
    rids = {}
    bench.worker()
    bench.run_through(bench.submit())
    (rids[DONE],) = bench.run(bench.store.done())
    bench.submit()
    (claimed,) = bench.claim()
    rids[EXITING] = bench.finish(claimed).rid
    rids[RUNNING] = bench.submit()
    bench.claim()
    rids["promoted"] = bench.submit()
    rids[QUEUED] = bench.submit()
    rids[HELD] = bench.submit(hold=True)
    rids[WAITING] = bench.submit(due_s=NOW_S + 60)
    return rids


# --- the checksum ----------------------------------------------------------------------------


def test_every_request_has_a_sum_of_what_its_submission_said(bench):
    rid = bench.submit("guilb_def", priority=40, due_s=NOW_S + 5, workdir="/a\udcff", variables="HOME=/h\0PATH=/p")
    request = bench.get(rid)
    assert (len(request.sum), request.flaw()) == (8, "")


def test_a_whole_life_leaves_the_sum_right(bench):
    bench.worker()
    rid = bench.submit("guilb_def")
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    bench.run(bench.store.release(rid, ALICE, NOW_S))
    (first,) = bench.claim()
    assert first.flaw() == ""
    next_run(bench)
    bench.run(bench.store.recover(rid, "rerun", "why", NOW_S))
    bench.worker()
    (second,) = bench.claim()
    assert second.flaw() == ""
    bench.deliver(bench.finish(second))
    assert bench.get(rid).flaw() == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("uid", "1000"), ("user", "alicf"), ("name", "jnb"), ("workdir", "/tmp"), ("restartable", "0")),
        *(("submitted_s", "1800000001.0"), ("out_path", "/etc/passwd"), ("priority", "30"), ("seq", "2")),
        *(("site", "tests"), ("sum", "00000000")),
    ],
)
def test_a_field_that_has_changed_is_a_flaw(bench, field, value):
    rid = bench.submit()
    bench.connection.hset(keys.request(rid), field, value)
    assert "checksum" in bench.get(rid).flaw()


@pytest.mark.parametrize(("field", "value"), [("uid", "1o01"), ("submitted_s", "nan"), ("rid", "200-2"), ("seq", "")])
def test_a_field_that_is_no_value_is_a_flaw_and_the_record_is_shown_all_the_same(bench, field, value):
    rid = bench.submit()
    bench.connection.hset(keys.request(rid), field, value)
    request = bench.get(rid)
    assert f"field {field}" in request.flaw()
    assert request.rid == rid
    bench.run(bench.store.lose(rid, request.flaw(), NOW_S))


def test_a_field_whose_name_has_changed_is_a_flaw(bench):
    rid = bench.submit()
    bench.connection.hdel(keys.request(rid), "user")
    bench.connection.hset(keys.request(rid), b"us\xe5r", "alice")
    assert "checksum" in bench.get(rid).flaw()


# --- the lost-and-found ----------------------------------------------------------------------


@pytest.mark.parametrize("state", [DONE, EXITING, RUNNING, "promoted", QUEUED, HELD, WAITING])
def test_a_lost_request_is_out_of_every_list_and_its_record_is_kept(bench, life, state):
    rid = life[state]
    record = bench.connection.hgetall(keys.request(rid))
    assert bench.run(bench.store.lose(rid, "why", NOW_S + 1)) is True
    (entry,) = bench.run(bench.store.lost_found())
    assert entry[:3] == (rid, NOW_S + 1, "why")
    assert entry[3].id == f"{rid.split('-')[1]}.testsite"
    left = bench.connection.hgetall(keys.lost(rid))
    assert {name: left[name] for name in record if name not in (b"promoted", b"state")}.items() <= record.items()
    assert bench.stands(rid) == ({}, {keys.LOST_FOUND})
    for key in bench.connection.scan_iter(match="rq:*"):
        assert rid not in key.decode() or key.startswith((b"rq:results:",)), key
    assert bench.state(rid) == NOWHERE
    # Again, after a lost answer: nothing more happens.
    assert bench.run(bench.store.lose(rid, "other", NOW_S + 2)) is False
    assert lost(bench) == {rid: "why"}


def test_the_slot_of_a_lost_request_goes_to_the_next_one(bench):
    bench.worker()
    first = [bench.submit() for _ in range(3)]
    assert bench.promoted() == [1, 2]
    bench.run(bench.store.lose(first[0], "why", NOW_S))
    assert bench.promoted() == [2, 3]
    (claimed, _) = bench.claim()
    fourth = bench.submit()
    bench.run(bench.store.lose(claimed.rid, "why", NOW_S))
    assert [request.rid for request in bench.claim()] == [fourth]


def test_of_what_is_not_known_nothing_is_kept_unless_it_is_wished(bench):
    assert bench.run(bench.store.lose("200-9", "why", NOW_S)) is False
    assert lost(bench) == {}
    assert bench.run(bench.store.lose("200-9", "only a script", NOW_S, in_any_case=True)) is True
    assert lost(bench) == {"200-9": "only a script"}
    assert bench.run(bench.store.known(["200-9", "200-8"])) == [True, False]


# --- found by itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda c, key: c.delete(key),
        lambda c, key: c.hset(key, "state", "QUEUEE"),
        lambda c, key: c.hdel(key, "state"),
        lambda c, key: c.hset(key, "queue", "bbtch"),
        lambda c, key: c.hdel(key, "queue"),
    ],
)
def test_a_queued_one_without_a_true_record_does_not_keep_the_others_from_their_slots(bench, damage):
    rids = [bench.submit() for _ in range(4)]
    damage(bench.connection, keys.request(rids[0]))
    bench.worker()
    assert bench.promoted() == [2, 3]
    assert list(lost(bench)) == rids[:1]


@pytest.mark.parametrize("field", ["state", "queue", "attempt"])
def test_a_promoted_one_that_contradicts_itself_is_not_dispatched(bench, field):
    bench.worker()
    rids = [bench.submit() for _ in range(4)]
    bench.connection.hset(keys.request(rids[0]), field, "x1")
    claimed = bench.claim() + bench.claim()
    assert [request.rid for request in claimed] == rids[1:3]
    assert list(lost(bench)) == rids[:1]


def test_numbers_that_are_none_do_not_break_the_order(bench):
    rids = [bench.submit(priority=40), bench.submit()]
    bench.connection.hset(keys.request(rids[0]), mapping={"priority": "4x", "seq": "y"})
    bench.worker()
    claimed = bench.claim()
    assert sorted(request.rid for request in claimed) == rids
    assert [bool(request.flaw()) for request in sorted(claimed, key=lambda r: r.rid)] == [True, False]


def test_what_waits_without_a_record_is_lost_when_its_time_comes(bench):
    rid, other = bench.submit(due_s=NOW_S + 1), bench.submit(due_s=NOW_S + 1)
    bench.connection.delete(keys.request(rid))
    assert bench.run(bench.store.due(NOW_S + 2)) == (1, None)
    assert (list(lost(bench)), bench.state(other)) == ([rid], QUEUED)


def test_the_check_finds_nothing_on_a_whole_site(bench, life):
    before = {rid: bench.stands(rid) for rid in life.values()}
    assert whole_check(bench) == 0
    assert {rid: bench.stands(rid) for rid in life.values()} == before
    next_run(bench)
    assert whole_check(bench) == 0


@pytest.mark.parametrize("state", [DONE, EXITING, RUNNING, "promoted", QUEUED, HELD, WAITING])
def test_the_check_finds_a_place_without_a_record(bench, life, state):
    bench.connection.delete(keys.request(life[state]))
    assert whole_check(bench) == 1
    assert lost(bench) == {life[state]: "it has no record"}
    assert bench.stands(life[state]) == ({}, {keys.LOST_FOUND})


@pytest.mark.parametrize("state", [DONE, EXITING, RUNNING, "promoted", QUEUED, HELD, WAITING])
def test_the_check_finds_a_record_without_a_place(bench, life, state):
    rid = life[state]
    for key in bench.stands(rid)[1]:
        if bench.connection.type(key) == b"zset":
            bench.connection.zrem(key, rid)
    assert whole_check(bench) == 1
    assert lost(bench) == {rid: "it stands in no list of the site"}


def test_a_place_that_is_anothers_is_taken_from_it_and_the_request_goes_on(bench, life):
    """A flip in a list's entry: one request stands twice, another nowhere."""
    running = life[RUNNING]
    bench.connection.zadd(keys.members("batch", HELD), {running: 1})
    bench.connection.zrem(keys.members("batch", HELD), life[HELD])
    assert whole_check(bench) == 1
    assert list(lost(bench)) == [life[HELD]]
    assert bench.state(running) == RUNNING
    bench.check()


def test_a_running_one_in_the_list_of_the_queued_is_not_started_again(bench):
    bench.worker()
    running = bench.submit()
    bench.claim()
    bench.connection.zadd(keys.members("batch", QUEUED), {running: 1})
    waiting = bench.submit()
    assert [request.rid for request in bench.claim()] == [waiting]
    assert (bench.get(running).attempt, lost(bench)) == (1, {})


def test_a_reader_meets_no_error_where_a_record_is_missing(bench, life):
    bench.connection.delete(keys.request(life[HELD]))
    assert bench.run(bench.store.requests([life[HELD]])) == [None]
    assert bench.run(bench.store.members("batch", HELD)) == [life[HELD]]
    assert bench.run(bench.store.values([life[HELD]], "uid")) == [""]


# --- site and queues -------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [keys.SITE, keys.EPOCH])
def test_an_empty_database_is_no_site(bench, missing):
    bench.connection.delete(missing)
    with pytest.raises(DatabaseEmpty) as caught:
        next_run(bench)
    assert caught.value.exit_code == 5
    assert not bench.connection.exists(missing)
    bench.store = Store(bench.connect(), 1)
    bench.connection.hset(keys.SITE, mapping={"name": "testsite", "machine_id": 200, "schema": 1, "seq": 0})


@pytest.mark.parametrize(
    ("field", "value"), [("restart", "RESTARU"), ("type", "BATCI"), ("run_limit", "2x"), ("name", "bbtch")]
)
def test_a_queue_that_is_damaged_is_said_to_be(bench, field, value):
    before = bench.connection.hget(keys.queue("batch"), field)
    bench.connection.hset(keys.queue("batch"), field, value)
    with pytest.raises(RecordDamaged, match="queue batch") as caught:
        bench.run(bench.store.queues())
    assert caught.value.exit_code == 5
    bench.connection.hset(keys.queue("batch"), field, before)


def test_a_site_record_that_is_damaged_is_said_to_be(bench):
    bench.connection.hset(keys.SITE, "seq", "1x")
    with pytest.raises(RecordDamaged, match="the site itself"):
        bench.run(bench.store.site())
    bench.connection.hset(keys.SITE, "seq", "0")


# --- reruns first ----------------------------------------------------------------------------


def test_what_was_interrupted_goes_before_equals_and_behind_higher_priority(bench):
    older, high = bench.submit(hold=True), bench.submit(hold=True, priority=50)
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    assert claimed.rid == rid
    next_run(bench)
    bench.run(bench.store.recover(rid, "rerun", "why", NOW_S))
    for held in (older, high):
        bench.run(bench.store.release(held, OPERATOR, NOW_S))
    bench.set("batch", "run_limit", 1)
    bench.worker()
    order = []
    for _ in range(3):
        (request,) = bench.claim()
        order.append(request.rid)
        assert not bench.get(request.rid).rerun
        bench.deliver(bench.finish(request))
    assert order == [high, rid, older]


def test_what_is_held_after_its_interruption_keeps_its_right(bench):
    older = bench.submit(hold=True)
    bench.worker()
    rid = bench.submit()
    bench.claim()
    next_run(bench)
    bench.run(bench.store.recover(rid, "rerun", "why", NOW_S))
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    for held in (older, rid):
        bench.run(bench.store.release(held, OPERATOR, NOW_S))
    bench.set("batch", "run_limit", 1)
    bench.worker()
    assert [request.rid for request in bench.claim()] == [rid]


def test_what_was_claimed_and_given_back_is_first_again(bench):
    older = bench.submit(hold=True)
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.set("batch", "run_limit", 1)
    bench.run(bench.store.release(older, OPERATOR, NOW_S))
    bench.run(bench.store.bounce(claimed, "the site stops", WORKER, NOW_S, target=QUEUED))
    assert [request.rid for request in bench.claim()] == [rid]

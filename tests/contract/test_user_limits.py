"""User limits of queues and run limits of complexes: both hold, and nobody waits behind one who is at the limit."""

import random

import pytest
import redis

from jcq.jcdbs.errors import BadValue, ComplexExists, InComplex, NoSuchComplex, NoSuchQueue, NotInComplex, QueueInUse
from jcq.jcdbs.ops.queues import Complex
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import HELD, QUEUED
from support import backends, skips
from support.store_bench import ALICE, BOB, NOW_S, OPERATOR

EVE = 1003


@pytest.fixture
def limited(bench):
    """Queue `batch`: ten run at once, two of one user."""
    bench.set("batch", "run_limit", 10)
    bench.set("batch", "user_limit", 2)
    bench.worker()
    return bench


def fill(bench, *uids, **fields):
    return [bench.submit(uid=uid, **fields) for uid in uids]


def seqs(requests):
    return [request.seq for request in requests]


# --- user limits -----------------------------------------------------------------------------


def test_a_user_at_the_limit_lets_the_others_pass(limited):
    fill(limited, ALICE, ALICE, ALICE, ALICE, BOB, BOB, BOB, EVE)
    running = limited.claim()
    assert seqs(running) == [1, 2, 5, 6, 8]
    limited.check()
    limited.finish(running[0])
    assert seqs(limited.claim()) == [3]
    limited.finish(running[2])
    assert seqs(limited.claim()) == [7]


def test_the_slots_of_each_user_are_told_by_queue(limited):
    limited.queue("night")
    fill(limited, ALICE, ALICE, ALICE, BOB)
    (first, *_) = limited.claim()
    slots = limited.store.user_slots(["batch", "night"])
    assert limited.run(slots) == {"batch": {ALICE: 2, BOB: 1}, "night": {}}
    limited.set("batch", "started", False)
    assert limited.run(slots)["batch"] == {ALICE: 2, BOB: 1}
    limited.finish(first)
    assert limited.run(slots)["batch"] == {ALICE: 1, BOB: 1}
    assert limited.run(limited.store.user_slots([])) == {}


def test_the_order_among_users_is_that_of_the_queue(limited):
    limited.set("batch", "started", False)
    fill(limited, ALICE, BOB, ALICE)
    fill(limited, BOB, priority=60)
    limited.set("batch", "started", True)
    assert limited.promoted() == [4, 1, 2, 3]


def test_setting_raising_and_unsetting_the_limit_takes_effect_at_once(bench):
    bench.set("batch", "run_limit", 10)
    bench.worker()
    fill(bench, *[ALICE] * 5, BOB)
    assert bench.promoted() == [1, 2, 3, 4, 5, 6]
    bench.set("batch", "user_limit", 1)
    assert bench.promoted() == [1, 6]
    bench.check()
    bench.claim(1)
    bench.set("batch", "user_limit", 3)
    assert bench.promoted() == [2, 3, 6]
    bench.check()
    bench.set("batch", "user_limit", 0)
    assert bench.promoted() == [2, 3, 4, 5, 6]


def test_a_limit_below_what_runs_starts_nothing_of_that_user(limited):
    fill(limited, *[ALICE] * 4, BOB, BOB)
    running = limited.claim()
    limited.set("batch", "user_limit", 1)
    limited.finish(running[0])
    limited.check()
    assert limited.claim() == []
    limited.finish(running[1])
    assert seqs(limited.claim()) == [3]


def test_what_is_held_moved_deleted_or_altered_leaves_the_index(limited):
    limited.queue("other")
    rids = fill(limited, *[ALICE] * 6)
    limited.run(limited.store.hold(rids[0], "why", OPERATOR, NOW_S))
    assert limited.promoted() == [2, 3]
    limited.run(limited.store.move(rids[3], OPERATOR, "other", NOW_S))
    limited.run(limited.store.delete(rids[4], OPERATOR, NOW_S))
    limited.check()
    limited.run(limited.store.delete(rids[1], OPERATOR, NOW_S))
    assert limited.promoted() == [3, 6]
    limited.run(limited.store.release(rids[0], OPERATOR, NOW_S))
    limited.run(limited.store.move(rids[3], OPERATOR, "batch", NOW_S))
    limited.check()
    assert limited.state(rids[0]) == QUEUED


def test_a_damaged_request_gives_its_users_place_back(limited):
    rids = fill(limited, *[ALICE] * 4)
    limited.claim(1)
    for rid in rids[:3]:
        limited.run(limited.store.lose(rid, "why", NOW_S))
        limited.check()
    assert limited.promoted() == [4]


def test_a_new_run_of_the_site_makes_the_index_anew(limited):
    rids = fill(limited, *[ALICE] * 4, BOB)
    limited.claim(1)
    limited.connection.hset("jcq:used:batch", ALICE, 77)
    limited.store = Store(limited.connect(), 2)
    limited.run(limited.store.open_epoch())
    limited.check()
    limited.run(limited.store.recover(rids[0], "rerun", "why", NOW_S))
    limited.worker()
    assert limited.promoted() == [1, 2, 5]


def test_a_bounced_or_rerun_request_gives_its_place_back(limited):
    fill(limited, *[ALICE] * 3)
    first, second = limited.claim()
    limited.run(limited.store.bounce(first, "why", "worker-1", NOW_S, HELD))
    limited.check()
    assert limited.promoted() == [3]
    limited.run(limited.store.rerun(second.rid, OPERATOR, NOW_S))
    limited.finish(second)
    assert limited.promoted() == [3, 2]


def test_a_pipe_queue_has_no_user_limit(bench):
    with pytest.raises(BadValue, match="pipe queue guilb_def has no user_limit"):
        bench.set("guilb_def", "user_limit", 2)


def test_a_queue_that_is_deleted_leaves_nothing_of_its_index(limited):
    limited.queue("night", user_limit=1)
    (rid,) = fill(limited, ALICE, queue="night")
    limited.run(limited.store.delete(rid, OPERATOR, NOW_S))
    limited.set("night", "enabled", False)
    limited.run(limited.store.delete_queue("night"))
    assert not list(limited.connection.scan_iter(match="jcq:*:night*"))


# --- complexes -------------------------------------------------------------------------------


def edit(bench, name, mode, *queues, run_limit=""):
    bench.run(bench.store.edit_complex(name, mode, NOW_S, queues, run_limit))


def test_the_queues_of_a_complex_share_its_limit(bench):
    for name in ("a", "b", "c"):
        bench.queue(name, run_limit=5)
    edit(bench, "ab", "create", "a", "b", run_limit=3)
    bench.worker()
    for name in ("a", "b", "c"):
        fill(bench, *[ALICE] * 4, queue=name)
    running = bench.claim()
    assert sorted(request.queue for request in running) == ["a", "a", "a", "c", "c", "c", "c"]
    bench.check()
    bench.finish(next(request for request in running if request.queue == "a"))
    bench.finish(next(request for request in running if request.queue == "a" and not request.outcome))
    assert [request.queue for request in bench.claim()] == ["a", "b"]
    assert bench.run(bench.store.complexes()) == [Complex("ab", 3, ("a", "b"), 3)]


def test_every_complex_of_a_queue_and_its_user_limit_hold(limited):
    limited.queue("other", run_limit=10)
    edit(limited, "wide", "create", "batch", "other", run_limit=4)
    edit(limited, "narrow", "create", "batch", run_limit=3)
    fill(limited, ALICE, ALICE, ALICE, BOB, BOB)
    assert limited.promoted() == [1, 2, 4]
    fill(limited, *[EVE] * 3, queue="other")
    assert limited.promoted("other") == [6]
    limited.check()
    edit(limited, "narrow", "delete")
    assert len(limited.promoted()) + len(limited.promoted("other")) == 4


def test_changes_of_a_complex_take_effect_at_once(bench):
    bench.queue("a", run_limit=5)
    bench.worker()
    fill(bench, *[ALICE] * 5, queue="a")
    edit(bench, "c", "create", "a", run_limit=1)
    assert bench.promoted("a") == [1]
    edit(bench, "c", "limit", run_limit=3)
    assert bench.promoted("a") == [1, 2, 3]
    edit(bench, "c", "remove", "a")
    assert len(bench.promoted("a")) == 5
    edit(bench, "c", "add", "a")
    assert len(bench.promoted("a")) == 3
    edit(bench, "c", "delete")
    assert len(bench.promoted("a")) == 5
    assert bench.run(bench.store.complexes()) == []


@pytest.mark.parametrize(
    ("error", "name", "mode", "queues"),
    [
        (ComplexExists, "c", "create", ("batch",)),
        (NoSuchComplex, "d", "add", ("batch",)),
        (NoSuchComplex, "d", "delete", ()),
        (NoSuchComplex, "d", "limit", ()),
        (NoSuchQueue, "d", "create", ("batch", "nosuch")),
        (BadValue, "d", "create", ("batch", "guilb_def")),
        (InComplex, "c", "add", ("other", "batch")),
        (NotInComplex, "c", "remove", ("batch", "other")),
    ],
)
def test_a_refused_change_changes_nothing(bench, error, name, mode, queues):
    bench.queue("other")
    edit(bench, "c", "create", "batch", run_limit=2)
    before = backends.all_data(bench.connection)
    with pytest.raises(error):
        edit(bench, name, mode, *queues, run_limit=1)
    assert backends.all_data(bench.connection) == before


def test_a_queue_in_a_complex_is_not_deleted(bench):
    bench.queue("a", enabled=False)
    edit(bench, "c", "create", "a", run_limit=2)
    with pytest.raises(QueueInUse, match="in a complex"):
        bench.run(bench.store.delete_queue("a"))
    edit(bench, "c", "remove", "a")
    bench.run(bench.store.delete_queue("a"))


# --- all together ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_index_is_right_and_no_limit_is_exceeded(bench, seed, battery):
    """Random orders; `check` compares the index with the requests."""
    luck = random.Random(seed)
    bench.queue("a", run_limit=6, user_limit=2)
    bench.queue("b", run_limit=6, user_limit=1)
    edit(bench, "ab", "create", "a", "b", run_limit=5)
    bench.worker()
    running, rids = [], []

    def submit():
        rids.append(bench.submit(luck.choice("ab"), uid=luck.choice((ALICE, BOB, EVE)), priority=luck.randrange(64)))

    def order(make):
        if rids:
            bench.store.run_many([make(luck.choice(rids))])

    def end():
        if not running:
            return
        request = running.pop(luck.randrange(len(running)))
        if luck.random() < 0.3:
            bench.run(bench.store.bounce(request, "why", "worker-1", NOW_S, luck.choice((HELD, QUEUED))))
        else:
            bench.deliver(bench.finish(request))

    acts = [
        submit,
        submit,
        lambda: running.extend(bench.claim(luck.randrange(1, 4))),
        end,
        lambda: order(lambda rid: bench.store.hold(rid, "why", OPERATOR, NOW_S)),
        lambda: order(lambda rid: bench.store.release(rid, OPERATOR, NOW_S)),
        lambda: order(lambda rid: bench.store.move(rid, OPERATOR, luck.choice("ab"), NOW_S)),
        lambda: order(lambda rid: bench.store.delete(rid, OPERATOR, NOW_S)),
        lambda: bench.set(luck.choice("ab"), "user_limit", luck.randrange(4)),
        lambda: bench.set(luck.choice("ab"), "started", luck.random() < 0.7),
        lambda: edit(bench, "ab", "limit", run_limit=luck.randrange(1, 7)),
    ]
    for step in range(120 if battery.full else 60):
        luck.choice(acts)()
        if step % 20 == 0:
            bench.check()


def test_many_requests_of_one_user_at_the_limit_are_not_looked_through(limited):
    """A turn costs the same number of commands whatever waits: the server counts them, fakeredis does not."""

    def commands():
        try:
            stats = limited.connection.info("commandstats")
        except redis.ResponseError:
            pytest.skip(skips.NEEDS_COMMANDSTATS)
        return sum(row["calls"] for row in stats.values())

    costs = []
    for _ in range(2):
        fill(limited, *[ALICE] * 40)
        limited.claim()
        before = commands()
        limited.submit(uid=BOB)
        (request,) = [one for one in limited.claim() if one.uid == BOB]
        limited.deliver(limited.finish(request))
        costs.append(commands() - before)
    assert costs[0] == costs[1]

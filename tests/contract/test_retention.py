"""Ended requests stay known until their retention is over, and then nothing of them is left."""

from jcq.model.lifecycle import DONE, NOWHERE
from support import backends
from support.store_bench import NOW_S, OPERATOR


def test_what_ended_before_the_moment_goes_and_the_rest_stays(bench):
    rids = [bench.submit() for _ in range(3)]
    for number, rid in enumerate(rids):
        bench.run(bench.store.delete(rid, OPERATOR, NOW_S + number))
    assert bench.run(bench.store.done()) == rids
    assert bench.run(bench.store.retire(NOW_S + 1, NOW_S + 9)) == rids[:2]
    assert [bench.state(rid) for rid in rids] == [NOWHERE, NOWHERE, DONE]
    assert bench.run(bench.store.done()) == rids[2:]


def test_at_most_so_many_at_a_time(bench):
    for _ in range(5):
        bench.run(bench.store.delete(bench.submit(), OPERATOR, NOW_S))
    sizes = [len(bench.run(bench.store.retire(NOW_S, NOW_S, 2))) for _ in range(4)]
    assert sizes == [2, 2, 1, 0]


def test_nothing_of_it_is_left(bench):
    before = set(backends.all_data(bench.connection))
    bench.worker()
    rid = bench.submit()
    bench.run_through(rid)
    assert bench.run(bench.store.retire(NOW_S, NOW_S)) == [rid]
    left = {key for key in backends.all_data(bench.connection) if rid.encode() in key}
    assert left == set()
    for key in ("rq:finished:batch", "rq:failed:batch", "rq:wip:batch", "jcq:done"):
        assert not bench.connection.exists(key), key
    assert set(backends.all_data(bench.connection)) - before <= {b"jcq:worker", b"jcq:rqjob", b"rq:worker:worker-1"}


def test_its_queue_may_be_gone(bench):
    bench.queue("night")
    rid = bench.submit("night")
    bench.run(bench.store.delete(rid, OPERATOR, NOW_S))
    bench.set("night", "enabled", False)
    bench.run(bench.store.delete_queue("night"))
    assert bench.run(bench.store.retire(NOW_S, NOW_S)) == [rid]


def test_what_runs_or_waits_is_never_forgotten(bench):
    bench.worker()
    running, held = bench.submit(), bench.submit(hold=True)
    bench.claim()
    assert bench.run(bench.store.retire(NOW_S + 10**9, NOW_S)) == []
    assert NOWHERE not in (bench.state(running), bench.state(held))


def test_the_sites_own_retention_goes_before_the_callers(bench):
    bench.worker()
    rid = bench.submit()
    bench.run_through(rid)
    bench.run(bench.store.set_param("retention_s", 7200, NOW_S))
    assert bench.run(bench.store.retire(NOW_S + 7199, NOW_S + 7199)) == []
    assert bench.run(bench.store.retire(NOW_S - 1, NOW_S + 7200)) == [rid]

"""Reports and orders of those who have been replaced: an older epoch, attempt or token changes nothing."""

import dataclasses

import pytest

from jcq.jcdbs import scripts
from jcq.jcdbs.errors import LostClaim, StaleEpoch
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import EXITED
from jcq.model.queue import Queue
from support import backends
from support.store_bench import ALICE, NODE, NOW_S, OPERATOR, RETENTION_S, TEMPLATE, TTL_S, WORKER


def changing(store, request):
    """{script: an Op of it} for everything that changes the database."""
    return {
        "abort": store.abort("batch", [request.rid], NOW_S, NOW_S),
        "adopt": store.adopt("x", NOW_S),
        "beat": store.beat(WORKER, TTL_S, NOW_S),
        "begin": store.begin(request, 1, 1, NOW_S),
        "bounce": store.bounce(request, "why", WORKER, NOW_S),
        "check": store.check([request.rid], NOW_S),
        "claim": store.claim(WORKER, 9, "x", NODE, TTL_S, NOW_S),
        "alter": store.alter(request, dataclasses.replace(request, priority=1), OPERATOR, NOW_S),
        "create_queue": store.create_queue(Queue("new")),
        "delete": store.delete(request.rid, OPERATOR, NOW_S),
        "delete_queue": store.delete_queue("batch"),
        "delete_default_queues": store.delete_default_queues(),
        "deliver": store.deliver(request, "", NOW_S),
        "due": store.due(NOW_S + 10**6),
        "edit_access": store.edit_access("batch", "none"),
        "edit_complex": store.edit_complex("c", "create", NOW_S, ["batch"], 1),
        "edit_destinations": store.edit_destinations("guilb_def", "set", [], NOW_S),
        "edit_limit": store.edit_limit("batch", {"cpu_request": (1, None)}, NOW_S),
        "edit_managers": store.edit_managers("set", []),
        "finish": store.finish(request, WORKER, RETENTION_S, NOW_S),
        "hold": store.hold(request.rid, "why", OPERATOR, NOW_S),
        "import": store.import_all("token", 0, 0, "{}", NOW_S),
        "import_clear": store.import_clear(),
        "import_part": store.import_part("token", "manager", "alice", ["m"]),
        "import_reserve": store.import_reserve("token", 1, 1),
        "import_stage": store.import_stage(
            "token", [("200-98", "o", "98", {"state": "HELD", "queue": "batch"})], NOW_S
        ),
        "kill": store.kill(request.rid, OPERATOR, 9, NOW_S),
        "lose": store.lose(request.rid, "why", NOW_S),
        "mailed": store.mailed(1, "first", NOW_S),
        "move": store.move(request.rid, OPERATOR, "guilb_def", NOW_S),
        "recover": store.recover(request.rid, "rerun", "why", NOW_S),
        "register_worker": store.register_worker("other", TEMPLATE, NOW_S),
        "release": store.release(request.rid, OPERATOR, NOW_S),
        "rerun": store.rerun(request.rid, OPERATOR, NOW_S),
        "retire": store.retire(NOW_S + 10**6, NOW_S),
        "set_manager": store.set_manager("alice", "m"),
        "set_param": store.set_param("run_limit", 1, NOW_S),
        "set_queue": store.set_queue("batch", "priority", 1, NOW_S),
        "submit": store.submit(dataclasses.replace(request, rid="200-99", seq=99), NOW_S),
        "take_orders": store.take_orders("o1", NOW_S),
    }


#: Scripts that are not of a run: they read, or begin one.
OTHERS = {"complexes", "create_site", "known", "live", "lost_found", "open_epoch", "queues", "values"}


def test_every_changing_script_is_tried(bench):
    assert set(changing(bench.store, bench.new())) | OTHERS == set(scripts.load())


@pytest.mark.parametrize("script", sorted(set(scripts.load()) - OTHERS))
def test_an_older_run_of_the_site_changes_nothing(bench, script):
    """A worker that thaws after its site has moved: with its own token, which the database still has."""
    bench.worker()
    rid = bench.submit()
    bench.submit()
    bench.submit(due_s=NOW_S + 60)
    bench.run(bench.store.delete(bench.submit(), OPERATOR, NOW_S))
    (claimed, _) = bench.claim()
    assert claimed.rid == rid
    old = bench.store
    bench.store = Store(bench.connect(), 2)
    bench.run(bench.store.open_epoch())
    before = backends.all_data(bench.connection)
    with pytest.raises(StaleEpoch) as caught:
        old.run(changing(old, claimed)[script])
    assert caught.value.exit_code == 6
    assert backends.all_data(bench.connection) == before


def test_a_run_that_was_never_opened_changes_nothing(bench):
    early = Store(bench.connect(), 9)
    with pytest.raises(StaleEpoch):
        early.run(early.set_param("run_limit", 1, NOW_S))
    assert bench.run(bench.store.site()).run_limit == 0


REPORTS = {
    "begin": lambda store, claimed: store.begin(claimed, 1, 1, NOW_S),
    "bounce": lambda store, claimed: store.bounce(claimed, "why", WORKER, NOW_S),
    "finish": lambda store, claimed: store.finish(claimed, WORKER, RETENTION_S, NOW_S),
    "deliver": lambda store, claimed: store.deliver(claimed, "", NOW_S),
}


@pytest.mark.parametrize("changed", ["token", "attempt", "rid"])
@pytest.mark.parametrize("report", REPORTS)
def test_a_report_must_show_attempt_and_token(bench, report, changed):
    bench.worker()
    bench.submit()
    (claimed,) = bench.claim()
    claimed.outcome = EXITED
    if report == "deliver":
        bench.finish(claimed)
    wrong = {"token": {"token": "guessed"}, "attempt": {"attempt": 2}, "rid": {"rid": "200-77"}}[changed]
    before = backends.all_data(bench.connection)
    with pytest.raises(LostClaim):
        bench.run(REPORTS[report](bench.store, dataclasses.replace(claimed, **wrong)))
    assert backends.all_data(bench.connection) == before


def test_the_report_of_an_earlier_attempt_is_not_taken_for_the_present_one(bench):
    bench.worker()
    rid = bench.submit()
    (first,) = bench.claim()
    bench.run(bench.store.bounce(first, "why", WORKER, NOW_S))
    bench.run(bench.store.release(rid, ALICE, NOW_S))
    (second,) = bench.claim()
    first.outcome = EXITED
    before = backends.all_data(bench.connection)
    with pytest.raises(LostClaim):
        bench.run(bench.store.finish(first, WORKER, RETENTION_S, NOW_S))
    assert backends.all_data(bench.connection) == before
    bench.deliver(bench.finish(second))


def test_after_adoption_the_former_deliverer_is_refused(bench):
    bench.worker()
    bench.submit()
    (claimed,) = bench.claim()
    bench.finish(claimed)
    bench.store = Store(bench.connect(), 2)
    bench.run(bench.store.open_epoch())
    (adopted,) = bench.run(bench.store.adopt("a", NOW_S))
    with pytest.raises(LostClaim):
        bench.deliver(claimed)
    bench.deliver(adopted)

"""From queued to done: promotion, the worker's claim, its reports, and what rq sees of it."""

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.errors import LostClaim
from jcq.model.lifecycle import DONE, EXITED, EXITING, HELD, QUEUED, RUNNING, SIGNALLED
from support.store_bench import ALICE, NODE, NOW_S, RETENTION_S, TTL_S, WORKER


def test_nothing_is_promoted_without_a_worker(bench):
    bench.submit()
    assert bench.promoted() == []
    assert bench.claim() == []
    bench.worker()
    assert bench.promoted() == [1]


def test_a_claim_makes_it_running_with_attempt_epoch_node_and_token(bench):
    bench.worker()
    rid = bench.submit()
    bench.now_s = NOW_S + 5
    (claimed,) = bench.claim()
    assert claimed == bench.get(rid)
    assert (claimed.state, claimed.attempt, claimed.epoch, claimed.node) == (RUNNING, 1, 1, NODE)
    assert (claimed.started_s, claimed.dispatch, claimed.promoted) == (NOW_S + 5, 1, False)
    assert claimed.token
    assert bench.claim() == []


def test_a_claim_tells_whether_what_outlives_the_script_lives_on(bench):
    bench.worker()
    bench.set("batch", "background", True)
    rid = bench.submit()
    (claimed,) = bench.claim()
    assert claimed.background
    assert bench.get(rid).background
    bench.run(bench.store.bounce(claimed, "not here", WORKER, NOW_S, target=QUEUED))
    bench.set("batch", "background", False)
    (again,) = bench.claim()
    assert (again.attempt, again.background) == (2, False)


def test_a_claim_takes_at_most_so_many_and_tokens_differ(bench):
    bench.set("batch", "run_limit", 10)
    bench.worker()
    for _ in range(5):
        bench.submit()
    claimed = bench.claim(2) + bench.claim(10)
    assert [request.seq for request in claimed] == [1, 2, 3, 4, 5]
    assert len({request.token for request in claimed}) == 5
    assert [request.dispatch for request in claimed] == [1, 2, 3, 4, 5]


def test_the_first_process_is_recorded(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.run(bench.store.begin(claimed, 4242, 99, NOW_S))
    assert (bench.get(rid).pid, bench.get(rid).pid_start) == (4242, 99)


def test_the_end_is_recorded_and_delivered(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    claimed.cpu_s, claimed.maxrss_kb = 1.5, 2048
    bench.finish(claimed, SIGNALLED, signal=15, now_s=NOW_S + 7)
    ended = bench.get(rid)
    assert (ended.state, ended.outcome, ended.signal, ended.ended_s) == (EXITING, SIGNALLED, 15, NOW_S + 7)
    assert (ended.cpu_s, ended.maxrss_kb) == (1.5, 2048)
    bench.now_s = NOW_S + 9
    bench.deliver(claimed, "output is in HOME")
    done = bench.get(rid)
    assert (done.state, done.outcome, done.signal, done.reason) == (DONE, SIGNALLED, 15, "output is in HOME")
    assert done.ended_s == NOW_S + 7
    assert bench.run(bench.store.done()) == [rid]


def test_a_report_repeated_changes_nothing(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.finish(claimed, EXITED, 3)
    before = bench.stands(rid)
    claimed.exit_code = 4
    bench.run(bench.store.finish(claimed, WORKER, RETENTION_S, NOW_S + 1))
    assert bench.stands(rid) == before
    bench.deliver(claimed)
    before = bench.stands(rid)
    bench.now_s += 1
    bench.deliver(claimed, "elsewhere")
    assert bench.stands(rid) == before


@pytest.mark.parametrize("target", [HELD, QUEUED])
def test_what_could_not_be_started_goes_back_and_frees_its_slot(bench, target):
    bench.set("batch", "run_limit", 1)
    bench.worker()
    first, second = bench.submit(), bench.submit()
    (claimed,) = bench.claim()
    bench.run(bench.store.bounce(claimed, "uid 1001 is unknown on this node", WORKER, NOW_S, target))
    request = bench.get(first)
    assert (request.state, request.pid, request.started_s) == (target, 0, 0.0)
    assert request.reason == "uid 1001 is unknown on this node"
    assert bench.promoted() == [1 if target == QUEUED else 2]
    assert bench.state(second) == QUEUED
    with pytest.raises(LostClaim):
        bench.run(bench.store.begin(claimed, 1, 1, NOW_S))


def test_a_bounced_request_gets_a_new_attempt(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.run(bench.store.bounce(claimed, "why", WORKER, NOW_S))
    bench.run(bench.store.release(rid, ALICE, NOW_S))
    (again,) = bench.claim()
    assert (again.attempt, again.reason) == (2, "")


def test_orders_to_kill_reach_the_worker_once(bench):
    bench.worker()
    rid = bench.submit()
    bench.claim()
    bench.run(bench.store.kill(rid, ALICE, 15, NOW_S))
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {rid: (15,)}
    assert bench.run(bench.store.take_orders("o2", NOW_S)) == {}


def test_a_kill_is_not_softened_by_a_later_signal(bench):
    bench.worker()
    rid = bench.submit()
    bench.claim()
    for signum in (15, 9, 1):
        bench.run(bench.store.kill(rid, ALICE, signum, NOW_S))
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {rid: (15, 9)}


def test_an_order_dies_with_its_request(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.run(bench.store.kill(rid, ALICE, 15, NOW_S))
    bench.finish(claimed)
    assert bench.run(bench.store.take_orders("o1", NOW_S)) == {}


# --- what others hear ------------------------------------------------------------------------


def heard(pubsub):
    """What the channels said: [(channel, text)]."""
    found = []
    while message := pubsub.get_message(timeout=0.2):
        if message["type"] == "message":
            found.append((message["channel"].decode(), message["data"].decode()))
    return found


def test_the_worker_is_woken_and_an_end_is_told(bench):
    pubsub = bench.connect().pubsub()
    pubsub.subscribe(keys.CHANNEL_WAKE, keys.CHANNEL_DONE)
    bench.worker()
    rid = bench.submit()
    assert (keys.CHANNEL_WAKE, "work") in heard(pubsub)
    (claimed,) = bench.claim()
    bench.run(bench.store.kill(rid, ALICE, 15, NOW_S))
    assert (keys.CHANNEL_WAKE, "kill") in heard(pubsub)
    bench.finish(claimed)
    assert heard(pubsub) == []
    bench.deliver(claimed)
    assert heard(pubsub) == [(keys.CHANNEL_DONE, rid)]
    pubsub.close()


# --- rq's view -------------------------------------------------------------------------------


def text(flat):
    return {key.decode(): value.decode() for key, value in flat.items()}


def test_rq_sees_the_job_through_its_life(bench):
    bench.worker()
    rid = bench.submit()
    connection = bench.connection
    job = text(connection.hgetall(f"rq:job:{rid}"))
    assert (job["status"], job["origin"], job["description"]) == ("queued", "batch", "1.testsite job")
    (claimed,) = bench.claim()
    pair = f"{rid}:{claimed.token}"
    assert connection.hget(f"rq:job:{rid}", "status") == b"started"
    assert connection.hget(f"rq:job:{rid}", "worker_name") == WORKER.encode()
    assert connection.zrange("rq:wip:batch", 0, -1) == [pair.encode()]
    assert connection.hget(f"rq:execution:{pair}", "job_id") == rid.encode()
    assert connection.smembers(f"rq:worker:{WORKER}:executions") == {pair.encode()}
    assert bench.run(bench.store.beat(WORKER, TTL_S, NOW_S + 30)) == 1
    assert connection.zscore("rq:wip:batch", pair) == NOW_S + 30 + TTL_S
    bench.finish(claimed)
    assert connection.hget(f"rq:job:{rid}", "status") == b"finished"
    assert connection.zrange("rq:wip:batch", 0, -1) == []
    assert connection.zrange("rq:finished:batch", 0, -1) == [rid.encode()]
    assert connection.exists(f"rq:execution:{pair}") == 0
    assert connection.smembers(f"rq:worker:{WORKER}:executions") == set()
    assert 0 < connection.ttl(f"rq:job:{rid}") <= RETENTION_S
    assert connection.xlen(f"rq:results:{rid}") == 1
    assert bench.run(bench.store.beat(WORKER, TTL_S, NOW_S + 60)) == 0


def test_rq_sees_a_failure_as_one(bench):
    bench.worker()
    rid = bench.submit()
    (claimed,) = bench.claim()
    bench.finish(claimed, EXITED, 3)
    assert bench.connection.hget(f"rq:job:{rid}", "status") == b"failed"
    assert bench.connection.zrange("rq:failed:batch", 0, -1) == [rid.encode()]


def test_rq_knows_the_batch_queues_and_no_pipe_queue(bench):
    bench.queue("night")
    assert bench.connection.smembers("rq:queues") == {b"rq:queue:batch", b"rq:queue:night"}


def test_a_name_in_rqs_list_that_holds_no_slot_is_not_run(bench):
    """rq's list is a hint: only what was promoted may start."""
    bench.set("batch", "started", False)
    bench.worker()
    rid = bench.submit()
    bench.connection.rpush("rq:queue:batch", rid, "200-99")
    assert bench.claim() == []
    assert bench.state(rid) == QUEUED

"""Resource limits of queues: asked at submission, at a move, at routing and by qalter; given to what asks for none."""

from dataclasses import replace

import pytest

from jcq.jcdbs.errors import BadValue, LimitExceeded, NoSuchQueue, QueueClosed, RecordDamaged
from jcq.jcdbs.store import Store
from jcq.model import limits
from jcq.model.lifecycle import DONE, HELD, QUEUED, REJECTED, WAITING
from support import backends
from support.store_bench import ALICE, NOW_S, OPERATOR


def give(bench, text, queue="batch"):
    for name, numbers in limits.from_text(text).items():
        bench.run(bench.store.edit_limit(queue, {name: numbers}, NOW_S))


def refused(bench, op, kind=LimitExceeded):
    before = backends.all_data(bench.connection)
    with pytest.raises(kind) as caught:
        bench.run(op)
    assert backends.all_data(bench.connection) == before
    return str(caught.value)


def submission(bench, queue="batch", **fields):
    return bench.store.submit(bench.new(queue, **fields), NOW_S)


def qalter(bench, rid, **fields):
    request = bench.get(rid)
    return bench.store.alter(request, replace(request, **fields), ALICE, NOW_S)


def text_of(bench, queue="batch"):
    return bench.run(bench.store.queue(queue)).limits


# --- what a queue has ------------------------------------------------------------------------


def test_limits_are_set_changed_and_taken_away_one_by_one_in_the_order_of_the_table(bench):
    assert text_of(bench) == ""
    give(bench, "elapsed_request=0.5 cpu_process=600:540 core_process=0")
    assert text_of(bench) == "core_process=0 cpu_process=600:540 elapsed_request=0.5"
    give(bench, "cpu_process=60 nice_process=-5")
    assert text_of(bench) == "core_process=0 nice_process=-5 cpu_process=60 elapsed_request=0.5"
    give(bench, "core_process=unlimited cpu_process=unlimited:9 nice_process=unlimited")
    assert text_of(bench) == "cpu_process=unlimited:9 elapsed_request=0.5"
    give(bench, "cpu_process=unlimited elapsed_request=unlimited")
    assert text_of(bench) == ""


def test_a_queue_of_an_older_version_has_none(bench):
    bench.connection.hdel("jcq:queue:batch", "limits")
    assert text_of(bench) == ""
    assert bench.get(bench.submit(limits="cpu_request=unlimited")).queue_limits == ""
    give(bench, "cpu_request=5")
    assert text_of(bench) == "cpu_request=5"


def test_what_cannot_have_limits(bench):
    one = {"cpu_request": (5, None)}
    assert "guilb_def has no resource limits" in refused(
        bench, bench.store.edit_limit("guilb_def", one, NOW_S), BadValue
    )
    refused(bench, bench.store.set_queue("guilb_def", "limits", "cpu_request=5", NOW_S), BadValue)
    refused(bench, bench.store.edit_limit("nosuch", one, NOW_S), NoSuchQueue)


# --- what it takes ---------------------------------------------------------------------------

#: Limit of the queue, asked, whether that is too much.
COMPARED = [
    ("cpu_request=600", "cpu_request=600", False),
    ("cpu_request=600", "cpu_request=600.001", True),
    ("cpu_request=9", "cpu_request=10", True),
    ("cpu_request=10", "cpu_request=9", False),
    ("cpu_request=0.5", "cpu_request=0.25", False),
    ("cpu_request=600", "cpu_request=unlimited", True),
    ("cpu_request=unlimited:5", "cpu_request=unlimited", False),
    ("cpu_request=unlimited:5", "cpu_request=999999", False),
    ("cpu_request=600:500", "cpu_request=600:550", False),
    ("cpu_request=600", "cpu_process=700", False),
    ("memory_process=9223372036854775806", "memory_process=9223372036854775807", True),
    ("memory_process=9223372036854775807", "memory_process=9223372036854775806", False),
    ("memory_process=9999999999999999", "memory_process=10000000000000000", True),
    ("memory_process=10000000000000000", "memory_process=9999999999999999", False),
    ("nice_process=5", "nice_process=4", True),
    ("nice_process=5", "nice_process=10", False),
    ("nice_process=-5", "nice_process=-6", True),
    ("nice_process=-5", "nice_process=-5", False),
    ("cpu_request=600 memory_request=100", "memory_request=101 cpu_request=5", True),
]


@pytest.mark.parametrize(("allowed", "asked", "too_much"), COMPARED)
def test_numbers_are_compared_as_numbers(bench, allowed, asked, too_much):
    give(bench, allowed)
    if too_much:
        refused(bench, submission(bench, limits=asked))
    else:
        assert bench.get(bench.submit(limits=asked)).state == QUEUED


@pytest.mark.parametrize(
    ("allowed", "asked", "words"),
    [
        (
            "cpu_request=600",
            "cpu_request=3600",
            "queue batch allows CPU time per request of 0:10:00, but 1:00:00 was asked for (-lT)",
        ),
        (
            "memory_process=1048576:5",
            "memory_process=unlimited",
            "queue batch allows memory size per process of 1 mb, but unlimited was asked for (-lm)",
        ),
        (
            "nice_process=5",
            "nice_process=0",
            "queue batch allows a nice value of 5 and above, but 0 was asked for (-ln)",
        ),
    ],
)
def test_the_refusal_names_the_limit_and_both_values(bench, allowed, asked, words):
    give(bench, allowed)
    assert refused(bench, submission(bench, limits=asked)) == words


# --- what it gives ---------------------------------------------------------------------------


def test_a_request_takes_what_it_has_not_and_keeps_it(bench):
    give(bench, "memory_process=2000 cpu_process=600:540 elapsed_request=60")
    rid = bench.submit(limits="cpu_process=10")
    bare = bench.submit()
    assert bench.get(rid).queue_limits == "memory_process=2000 elapsed_request=60"
    assert bench.get(bare).queue_limits == "memory_process=2000 cpu_process=600:540 elapsed_request=60"
    give(bench, "memory_process=1 elapsed_request=unlimited core_process=0")
    assert bench.get(rid).queue_limits == "memory_process=2000 elapsed_request=60"
    bench.worker()
    (claimed, _) = bench.claim()
    assert (claimed.rid, claimed.queue_limits) == (rid, "memory_process=2000 elapsed_request=60")
    assert claimed.flaw() == ""


def test_it_keeps_them_when_it_is_held_released_and_run_again(bench):
    give(bench, "cpu_request=60")
    rid = bench.submit()
    bench.run(bench.store.hold(rid, "why", ALICE, NOW_S))
    give(bench, "cpu_request=5")
    bench.run(bench.store.release(rid, ALICE, NOW_S))
    bench.worker()
    bench.claim()
    bench.store = Store(bench.connect(), 2)
    bench.run(bench.store.open_epoch())
    bench.run(bench.store.recover(rid, "rerun", "why", NOW_S))
    assert (bench.state(rid), bench.get(rid).queue_limits) == (QUEUED, "cpu_request=60")


def test_nobody_brings_limits_of_a_queue_along(bench):
    assert bench.get(bench.submit(queue_limits="cpu_request=5")).queue_limits == ""


# --- at a move -------------------------------------------------------------------------------


def test_a_move_asks_and_gives_anew(bench):
    bench.queue("night")
    give(bench, "cpu_request=60 core_process=0")
    give(bench, "cpu_request=30", "night")
    rid = bench.submit(hold=True)
    great = bench.submit(limits="cpu_request=31", hold=True)
    bench.run(bench.store.move(rid, OPERATOR, "night", NOW_S))
    assert (bench.state(rid), bench.get(rid).queue_limits) == (HELD, "cpu_request=30")
    assert "queue night allows" in refused(bench, bench.store.move(great, OPERATOR, "night", NOW_S))
    bench.set("guilb_def", "started", False)
    bench.run(bench.store.move(rid, OPERATOR, "guilb_def", NOW_S))
    assert bench.get(rid).queue_limits == ""
    bench.run(bench.store.move(rid, OPERATOR, "batch", NOW_S))
    assert bench.get(rid).queue_limits == "core_process=0 cpu_request=60"


def test_a_pipe_queue_is_no_way_round(bench):
    bench.queue("night")
    give(bench, "cpu_request=30")
    rid = bench.submit("night", limits="cpu_request=31", hold=True)
    assert "queue batch allows" in refused(bench, bench.store.move(rid, OPERATOR, "guilb_def", NOW_S))


# --- at routing ------------------------------------------------------------------------------


@pytest.fixture
def piped(bench):
    """Pipe queue p with the destinations small and large."""
    bench.queue("small")
    bench.queue("large")
    bench.pipe("p", "small", "large")
    give(bench, "cpu_request=10", "small")
    give(bench, "cpu_request=100 core_process=0", "large")
    return bench


def test_a_destination_that_refuses_for_good_is_passed_over(piped):
    for asked, queue, given in (
        ("cpu_request=10", "small", ""),
        ("", "small", "cpu_request=10"),
        ("cpu_request=11", "large", "core_process=0"),
    ):
        request = piped.get(piped.submit("p", limits=asked))
        assert (request.state, request.queue, request.queue_limits) == (QUEUED, queue, given)


def test_a_disabled_destination_whose_limits_are_too_small_is_not_waited_for(piped):
    piped.set("small", "enabled", False)
    assert piped.get(piped.submit("p", limits="cpu_request=11")).queue == "large"
    piped.set("large", "enabled", False)
    waiting = piped.get(piped.submit("p", limits="cpu_request=11"))
    assert (waiting.state, waiting.queue_limits) == (WAITING, "")
    assert "destination large is disabled" in waiting.reason


def test_what_no_destination_takes_is_refused_at_once_with_the_last_reason(piped):
    assert "queue large allows CPU time per request of 0:01:40" in refused(
        piped, submission(piped, "p", limits="cpu_request=101")
    )
    piped.run(piped.store.edit_access("large", "none"))
    assert "queue large accepts nobody" in refused(piped, submission(piped, "p", limits="cpu_request=11"), QueueClosed)
    assert piped.get(piped.submit("p", limits="cpu_request=10")).queue == "small"


def test_pipe_queues_behind_pipe_queues_are_looked_through_and_circles_end(piped):
    piped.pipe("first", "p", "batch")
    assert piped.get(piped.submit("first", limits="cpu_request=101")).queue == "batch"
    give(piped, "cpu_request=1")
    assert "queue batch allows" in refused(piped, submission(piped, "first", limits="cpu_request=101"))
    piped.run(piped.store.edit_destinations("p", "add", ["first"], NOW_S))
    assert "queue batch allows" in refused(piped, submission(piped, "first", limits="cpu_request=101"))
    piped.run(piped.store.edit_destinations("p", "set", ["first"], NOW_S))
    piped.run(piped.store.edit_destinations("first", "set", ["p"], NOW_S))
    assert piped.get(piped.submit("first", limits="cpu_request=101")).outcome == REJECTED


def test_what_a_later_change_shuts_out_is_rejected_with_the_reason(piped):
    piped.set("p", "started", False)
    rid = piped.submit("p", limits="cpu_request=50")
    give(piped, "cpu_request=20", "large")
    piped.set("p", "started", True)
    request = piped.get(rid)
    assert (request.state, request.outcome) == (DONE, REJECTED)
    assert request.reason == "queue p has no destination that takes it; its -lT is more than queue small allows"


# --- qalter ----------------------------------------------------------------------------------


def test_qalter_asks_the_queue_about_what_is_changed_only(bench):
    rid = bench.submit(limits="cpu_request=50 memory_request=100", hold=True)
    give(bench, "cpu_request=20 memory_request=1000")
    refused(bench, qalter(bench, rid, limits="cpu_request=60 memory_request=100"))
    refused(bench, qalter(bench, rid, limits="cpu_request=40 memory_request=200"))
    bench.run(qalter(bench, rid, limits="cpu_request=50 memory_request=200", priority=3))
    bench.run(qalter(bench, rid, priority=4))
    bench.run(qalter(bench, rid, limits="cpu_request=20 memory_request=1000"))
    refused(bench, qalter(bench, rid, limits="cpu_request=unlimited memory_request=1000"))
    assert (bench.get(rid).limits, bench.get(rid).flaw()) == ("cpu_request=20 memory_request=1000", "")


def test_an_own_limit_goes_before_that_of_the_queue(bench):
    give(bench, "cpu_request=20:10")
    rid = bench.submit()
    bench.run(qalter(bench, rid, limits="cpu_request=5"))
    request = bench.get(rid)
    assert limits.effective(request.limits, request.queue_limits) == {"cpu_request": (5, None)}


def test_qalter_in_a_pipe_queue_asks_its_destinations(piped):
    piped.set("p", "started", False)
    rid = piped.submit("p")
    refused(piped, qalter(piped, rid, limits="cpu_request=101"))
    piped.run(qalter(piped, rid, limits="cpu_request=100"))
    piped.set("p", "started", True)
    assert piped.get(rid).queue == "large"


def test_who_has_no_access_any_more_may_still_lower_limits(bench):
    give(bench, "cpu_request=20")
    rid = bench.submit(hold=True)
    bench.run(bench.store.edit_access("batch", "none"))
    bench.run(qalter(bench, rid, limits="cpu_request=10"))
    refused(bench, qalter(bench, rid, limits="cpu_request=21"))


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["cpu_request=6 0", "cpu_request=x", "=", "cpu_request=1.2.3", "nice_process=0x"])
def test_damaged_limits_stop_no_script(bench, text):
    bench.connection.hset("jcq:queue:batch", "limits", text)
    bench.submit(limits="cpu_request=5 nice_process=3")
    bench.run(bench.store.set_queue("batch", "run_limit", 3, NOW_S))
    with pytest.raises(RecordDamaged, match="queue batch"):
        text_of(bench)
    bench.connection.hset("jcq:queue:batch", "limits", "")

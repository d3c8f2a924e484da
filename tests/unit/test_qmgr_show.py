"""What qmgr's show commands print, and the block that describes a queue."""

import types

import pytest

from jcq.model import lifecycle
from jcq.model.queue import Queue
from jcq.nqsdaemon.queue_block import extended_block, queue_block, state_words
from jcq.nqsdaemon.verbs import qmgr
from support.qmgr_work import Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


# --- what is shown ---------------------------------------------------------------------------


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_show_queue_is_the_manuals_block_in_order_of_priority(manager):
    manager.ok("create batch_queue urgent priority=20")
    assert squeezed(manager.ok("show queue")) == [
        "urgent@testsite; type=BATCH; [DISABLED, STOPPED]; pri=20",
        "0 exit; 0 run; 0 stage; 0 queued; 0 wait; 0 hold; 0 arrive;",
        "batch@testsite; type=BATCH; [ENABLED, INACTIVE]; pri=10",
        "0 exit; 0 run; 0 stage; 0 queued; 0 wait; 0 hold; 0 arrive;",
        "guilb_def@testsite; type=PIPE; [ENABLED, INACTIVE]; pri=10",
        "0 depart; 0 route; 0 queued; 0 wait; 0 hold; 0 arrive;",
    ]
    assert squeezed(manager.ok("show queue guilb_def"))[0].startswith("guilb_def@testsite;")


def test_show_long_queue_adds_limits_destinations_and_attributes(manager):
    assert squeezed(manager.ok("show long queue batch"))[2:] == [
        "Run_limit = 2;",
        "Unrestricted access",
        "Restart = RESTART",
        "Nqsbg = OFF",
    ]
    assert squeezed(manager.ok("show long queue guilb_def"))[2:] == [
        "Queue server: built in",
        "Unrestricted access",
        "Destset = {batch@testsite}",
    ]


def test_show_all_has_everything(manager):
    text = manager.ok("show all")
    for part in ("show parameters", "show managers", "show long queue"):
        assert manager.ok(part) in text


@pytest.mark.parametrize(
    ("enabled", "started", "running", "words"),
    [
        (True, True, 0, ("ENABLED", "INACTIVE")),
        (True, True, 1, ("ENABLED", "RUNNING")),
        (True, False, 1, ("ENABLED", "STOPPING")),
        (False, False, 0, ("DISABLED", "STOPPED")),
    ],
)
def test_the_state_words_of_a_queue(enabled, started, running, words):
    queue = Queue("q", enabled=enabled, started=started, counts={lifecycle.RUNNING: running})
    assert state_words(queue) == words


def test_every_state_is_counted_once():
    counts = {state: number for number, state in enumerate(lifecycle.STATES, 1)}
    counts.pop(lifecycle.DONE)
    batch = squeezed(queue_block(Queue("q", counts=counts, pipeonly=True), "s"))
    assert batch == [
        "q@s; type=BATCH; [DISABLED, STOPPING]; pri=0; PIPEONLY",
        "8 exit; 7 run; 0 stage; 4 queued; 2 wait; 3 hold; 1 arrive;",
    ]
    pipe = squeezed(extended_block(Queue("q", "PIPE", counts=counts), "s"))
    assert pipe[1] == "6 depart; 5 route; 4 queued; 2 wait; 3 hold; 1 arrive;"


def test_no_queue_at_all_is_said(manager):
    manager.ok("set no_default batch_request queue")
    manager.ok("delete dest=batch guilb_def")
    for queue in ("batch", "guilb_def"):
        manager.ok(f"disable queue {queue}")
        manager.ok(f"delete queue {queue}")
    assert manager.ok("show queue") == "No queues.\n"


def test_every_command_has_an_action():
    from jcq.model.qmgr_grammar import FORMS

    verbs = {form.verb for form in FORMS} - {"help", "exit"}
    assert verbs == set(qmgr._ACTIONS) | set(qmgr._SHOWS)
    assert all(isinstance(action, types.FunctionType) for action in qmgr._ACTIONS.values())


def test_show_limits_supported_is_what_qlimit_says(manager):
    assert manager.ok("sho li") == manager.call("qlimit").out


def test_show_lost_found_says_what_is_known_and_where_it_is(manager):
    assert manager.ok("show lost_found") == "No damaged requests.\n"
    work = manager
    work.submit(7, name="job\n7")
    script = f"{work.desk.site.requests}/200-7"
    with open(script, "w", encoding="ascii"):
        pass
    output = f"{work.desk.site.output}/200-7.a1.e3.out"
    with open(output, "w", encoding="ascii"):
        pass
    work.store.run(work.store.lose("200-7", "the checksum of its record is wrong", work.now()))
    work.clock_s += 1
    work.store.run(work.store.lose("200-9\udcff", "it has no record", work.now(), in_any_case=True))
    assert manager.ok("sho los").splitlines() == [
        "7.testsite: found 2027-01-15 08:00:00 +0000",
        "  Reason = the checksum of its record is wrong",
        "  Request = job?7 of smith, as far as its record says",
        f"  Script = {script}",
        f"  Output = {output}",
        "200-9?: found 2027-01-15 08:00:01 +0000",
        "  Reason = it has no record",
        "  Script = NONE",
    ]

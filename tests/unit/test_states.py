"""cjcpw's table, every cell: written down a second time, by event and state, and compared."""

import pytest

from jcq.cluster import states
from jcq.cluster.cjcpw import Supervisor

STAY = "-"

#: event: one cell for STARTING, UP, REVIVING, PAUSING, PAUSED, RESUMING, STOPPING, ENDED.
EXPECTED = {
    "ready": (
        "start_next > starting",
        STAY,
        "revived > up",
        STAY,
        STAY,
        "start_next > resuming",
        STAY,
        STAY,
    ),
    "all ready": (
        "announce > up",
        STAY,
        STAY,
        STAY,
        STAY,
        "announce > up",
        STAY,
        STAY,
    ),
    "gone": (
        "fail > ended",
        "fail > ended",
        "fail > ended",
        "stop_next > pausing",
        STAY,
        "fall_back > paused",
        "stop_next > stopping",
        STAY,
    ),
    "all gone": (
        "fail > ended",
        "fail > ended",
        "fail > ended",
        "rest > paused",
        STAY,
        "fall_back > paused",
        "end > ended",
        STAY,
    ),
    "database full": (
        "fail > ended",
        "revive > reviving",
        "revive_later > reviving",
        "stop_next > pausing",
        STAY,
        "fall_back > paused",
        "stop_next > stopping",
        STAY,
    ),
    "time to revive": (STAY, STAY, "revive > reviving", *[STAY] * 5),
    "start late": (
        "fail_late > ended",
        STAY,
        "fail_late > ended",
        STAY,
        STAY,
        "fall_back_late > paused",
        STAY,
        STAY,
    ),
    "stop late": (
        STAY,
        STAY,
        STAY,
        "rest_by_force > paused",
        STAY,
        STAY,
        "end_by_force > ended",
        STAY,
    ),
    "lost": (*["fence > ended"] * 7, STAY),
    "hung": (STAY, "fail_hung > ended", *[STAY] * 6),
    "stop": (
        "begin_stop > stopping",
        "begin_stop > stopping",
        "begin_stop > stopping",
        "agree > stopping",
        "end_resting > ended",
        "begin_stop > stopping",
        "agree > stopping",
        STAY,
    ),
    "pause": (
        "begin_pause > pausing",
        "begin_pause > pausing",
        "begin_pause > pausing",
        "wait_along > pausing",
        "agree > paused",
        "begin_pause > pausing",
        "refuse > stopping",
        STAY,
    ),
    "resume": (
        "wait_along > starting",
        "agree > up",
        "agree > reviving",
        "refuse > pausing",
        "begin_resume > resuming",
        "wait_along > resuming",
        "refuse > stopping",
        STAY,
    ),
    "state": (
        "tell > starting",
        "tell > up",
        "tell > reviving",
        "tell > pausing",
        "tell > paused",
        "tell > resuming",
        "tell > stopping",
        STAY,
    ),
}

CELLS = [
    (state, event, cell) for event, row in EXPECTED.items() for state, cell in zip(states.STATES, row, strict=True)
]


def test_the_table_has_every_cell_and_no_other():
    assert set(states.TABLE) == set(states.STATES)
    for state in states.STATES:
        assert set(states.TABLE[state]) == set(states.EVENTS), state
    assert {(state, event) for state, event, _ in CELLS} == {
        (state, event) for state in states.STATES for event in states.EVENTS
    }


@pytest.mark.parametrize(("state", "event", "cell"), CELLS)
def test_cell(state, event, cell):
    action, target = states.TABLE[state][event]
    if cell == STAY:
        assert (action, target) == (states.NOTHING, state)
    else:
        assert f"{action} > {target}" == cell


def test_every_action_is_a_method_and_every_method_an_action():
    named = {action for row in states.TABLE.values() for action, _ in row.values()} - {states.NOTHING}
    methods = {name.removeprefix("do_") for name in dir(Supervisor) if name.startswith("do_")}
    # Starting is the action before the first event.
    assert methods - {"start_first"} == named


def test_a_stop_is_accepted_in_every_state_that_lasts():
    for state in set(states.STATES) - {states.ENDED}:
        assert states.TABLE[state][states.ASK_STOP][1] in (states.STOPPING, states.ENDED)


def test_a_daemons_death_is_never_passed_over_while_daemons_should_live():
    for state in (states.STARTING, states.UP, states.REVIVING, states.RESUMING):
        for event in (states.GONE, states.ALL_GONE):
            assert states.TABLE[state][event][0] in ("fail", "fall_back")

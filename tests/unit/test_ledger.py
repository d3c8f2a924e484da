"""The checker of ledgers finds each kind of fault in ledgers that were made by hand, and nothing in a good one."""

import pytest

from support.ledger import Run, Submitted, check, parse

ONE_NODE = [Run(2, "a"), Run(3, "a"), Run(5, "a")]
TWO_NODES = [Run(2, "a"), Run(3, "b")]


def shown(outcome="exited", exit_code=0, state="DONE", name="1.s"):
    return {"id": name, "state": state, "outcome": outcome, "exit_code": exit_code, "signal": None}


def ledger(*attempts):
    """Text of (epoch, pid, start, [beats], end or None)."""
    lines = []
    for epoch, pid, start, beats, end in attempts:
        lines += [(start, f"1.s {epoch} {pid} start {start:.2f}\n")]
        lines += [(beat, f"1.s {epoch} {pid} alive {beat:.2f}\n") for beat in beats]
        lines += [(end, f"1.s {epoch} {pid} end {end:.2f}\n")] if end else []
    return "".join(text for _, text in sorted(lines, key=lambda pair: pair[0]))


def verdict(text, request, qstat=None, runs=ONE_NODE, **more):
    return check([request], parse(text), [shown()] if qstat is None else qstat, runs, **more)


def kinds(found):
    return [fault.kind for fault in found.faults]


WELL = ledger((2, 70, 1.0, [1.1], 1.2))
AGAIN = ledger((2, 70, 1.0, [1.1], None), (3, 80, 5.0, [5.1], 5.2))


def test_a_good_ledger_has_no_fault():
    assert kinds(verdict(WELL, Submitted("1.s", "RESTART", False))) == []
    assert kinds(verdict(AGAIN, Submitted("1.s", "RESTART"))) == []
    purged = [shown("purged", None)]
    assert kinds(verdict(ledger((2, 70, 1.0, [], None)), Submitted("1.s", "PURGE"), purged)) == []


@pytest.mark.parametrize(
    "qstat",
    [
        [],
        [shown(state="QUEUED", outcome=None)],
        [shown(state="RUNNING", outcome=None)],
        [shown("purged", None)],
        [shown("signalled", None)],
        [shown("deleted", None)],
        [shown("exited", 1)],
    ],
    ids=lambda qstat: "-".join(f"{request['state']} {request['outcome']}" for request in qstat) or "unknown",
)
def test_a_lost_request_is_found(qstat):
    assert kinds(verdict(WELL, Submitted("1.s", "RESTART"), qstat)) == ["lost"]


def test_an_end_that_only_qstat_knows_is_a_loss():
    assert kinds(verdict(ledger((2, 70, 1.0, [1.1], None)), Submitted("1.s", "RESTART"))) == ["lost"]
    assert kinds(verdict("", Submitted("1.s", "RESTART"))) == ["lost"]


@pytest.mark.parametrize(
    ("attribute", "restartable", "runs", "double"),
    [
        ("RESTART", True, ONE_NODE, False),
        ("RESTART", False, ONE_NODE, True),
        ("PURGE", True, ONE_NODE, True),
        ("STOP", True, ONE_NODE, False),
        ("STOP", False, ONE_NODE, True),
        ("MIGRATION_PURGE", True, ONE_NODE, False),
        ("MIGRATION_PURGE", True, TWO_NODES, True),
        ("MIGRATION_STOP", True, TWO_NODES, False),
        ("MIGRATION_STOP", False, TWO_NODES, True),
    ],
)
def test_a_second_start_is_a_double_where_the_table_forbids_it(attribute, restartable, runs, double):
    found = verdict(AGAIN, Submitted("1.s", attribute, restartable), runs=runs)
    assert kinds(found) == (["double"] if double else [])


def test_who_judges_is_the_next_run_that_came_up_not_the_one_that_started_it():
    # Interrupted on a, judged on b, and started on a again only afterwards.
    runs = [Run(2, "a"), Run(3, "b"), Run(5, "a")]
    later = ledger((2, 70, 1.0, [], None), (5, 80, 5.0, [], 5.2))
    assert kinds(verdict(later, Submitted("1.s", "MIGRATION_PURGE"), runs=runs)) == ["double"]
    assert kinds(verdict(later, Submitted("1.s", "MIGRATION_PURGE"))) == []


def test_two_starts_in_one_epoch_are_always_a_double():
    text = ledger((2, 70, 1.0, [1.1], None), (2, 71, 3.0, [3.1], 3.2))
    assert kinds(verdict(text, Submitted("1.s", "RESTART"))) == ["double"]


def test_an_attempt_that_lives_beside_a_later_one_is_an_overlap():
    text = ledger((2, 70, 1.0, [1.1, 1.2, 1.3], None), (3, 80, 1.15, [1.25], 1.4))
    found = verdict(text, Submitted("1.s", "RESTART"))
    assert kinds(found) == ["overlap"]
    assert "0.15 s" in str(found.faults[0])


def test_an_end_is_a_sign_of_life_too():
    text = ledger((2, 70, 1.0, [], 2.0), (3, 80, 1.5, [], 1.9))
    assert kinds(verdict(text, Submitted("1.s", "RESTART"))) == ["overlap"]


def test_the_short_life_of_a_thawed_attempt_is_counted_apart():
    text = ledger((2, 70, 1.0, [1.1, 9.0, 9.1, 9.2], None), (3, 80, 5.0, [5.1], 5.2))
    found = verdict(text, Submitted("1.s", "RESTART"), frozen={2})
    assert kinds(found) == []
    ((name, lived_s),) = found.thawed
    assert (name, round(lived_s, 2)) == ("1.s", 0.2)
    assert kinds(verdict(text, Submitted("1.s", "RESTART"))) == ["overlap"]


def test_a_thawed_attempt_that_lives_long_is_an_overlap():
    beats = [9.0 + number / 10 for number in range(12)]
    text = ledger((2, 70, 1.0, [1.1, *beats], None), (3, 80, 5.0, [5.1], 5.2))
    assert kinds(verdict(text, Submitted("1.s", "RESTART"), frozen={2})) == ["overlap"]


def test_requests_that_nobody_was_told_of_must_not_overlap_either():
    text = ledger((2, 70, 1.0, [1.1, 1.2, 1.3], None), (3, 80, 1.15, [1.25], 1.4))
    assert kinds(check([], parse(text), [], ONE_NODE)) == ["overlap"]


def test_a_line_that_was_cut_off_is_no_line():
    assert parse("1.s 2 70 start 1.00\n1.s 2 70 en") == parse("1.s 2 70 start 1.00\n")

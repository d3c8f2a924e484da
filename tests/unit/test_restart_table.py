"""The restart table, cell by cell, as the design's page has it; and nothing beside it."""

import pytest

from jcq.model import restart
from jcq.model.restart import KEEP_STOPPED, REMOVE, RERUN

#: (attribute, same node) -> decision for a restartable request.
CELLS = {
    ("RESTART", True): RERUN,
    ("RESTART", False): RERUN,
    ("PURGE", True): REMOVE,
    ("PURGE", False): REMOVE,
    ("STOP", True): KEEP_STOPPED,
    ("STOP", False): KEEP_STOPPED,
    ("MIGRATION_PURGE", True): RERUN,
    ("MIGRATION_PURGE", False): REMOVE,
    ("MIGRATION_STOP", True): RERUN,
    ("MIGRATION_STOP", False): KEEP_STOPPED,
}


def test_the_attributes_are_these():
    assert sorted(restart.ATTRIBUTES) == sorted({attribute for attribute, _ in CELLS})


@pytest.mark.parametrize(("attribute", "same_node"), CELLS)
def test_a_restartable_request(attribute, same_node):
    assert restart.judge(attribute, True, same_node) == CELLS[attribute, same_node]


@pytest.mark.parametrize(("attribute", "same_node"), CELLS)
def test_one_that_is_not_restartable_is_purged_in_every_case(attribute, same_node):
    assert restart.judge(attribute, False, same_node) == REMOVE


@pytest.mark.parametrize("attribute", ["restart", "MIGRATION", ""])
def test_an_unknown_attribute_is_judged_by_nobody(attribute):
    with pytest.raises(KeyError):
        restart.judge(attribute, True, True)

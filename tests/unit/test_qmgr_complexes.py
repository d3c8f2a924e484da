"""qmgr's user limits and complexes, as they are set and shown."""

import pytest

from support.qmgr_work import COMPLETE, Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


def test_a_user_limit_is_created_set_shown_and_unset(manager):
    assert manager.ok("create batch_queue night run_limit=4 user_limit=2") == COMPLETE
    assert manager.queue("night").user_limit == 2
    assert "Run_limit = 4;  User_limit = 2;" in manager.ok("show long queue night")
    assert manager.ok("set user_limit = (3) night") == COMPLETE
    assert manager.queue("night").user_limit == 3
    assert manager.ok("set user_limit = 0 night") == COMPLETE
    assert "User_limit" not in manager.ok("show long queue night")
    manager.refused("set user_limit = 2 guilb_def", "TCML_WROQUETYP", "pipe queue guilb_def has no user_limit")


def test_a_complex_is_created_changed_shown_and_deleted(manager):
    manager.ok("create batch_queue night")
    assert manager.ok("show complex", uid=1001) == "No complexes.\n"
    assert (
        manager.ok("create complex = (batch, night) both") == COMPLETE + "Note: its run_limit is 1 until it is set.\n"
    )
    assert manager.ok("set complex run_limit = (3) both") == COMPLETE
    shown = " ".join(manager.ok("show complex").split())
    assert shown == "both@testsite; Run_limit = 3; 0 run; Queues = {batch, night}"
    assert manager.ok("remove queues = night both") == COMPLETE
    assert manager.ok("add queues = (night) both") == COMPLETE
    for line, code in (
        ("create complex = batch both", "TCML_ALREADEXI"),
        ("add queues = batch both", "TCML_ALREADCOM"),
        ("add queues = guilb_def both", "TCML_WROQUETYP"),
        ("remove queues = guilb_def both", "TCML_NOTMEMCOM"),
        ("add queues = nosuch both", "TCML_NOSUCHQUE"),
        ("delete complex nosuch", "TCML_NOSUCHCOM"),
        ("delete queue night", "in a complex"),
    ):
        manager.refused(line, code)
    assert manager.ok("delete complex both") == COMPLETE
    assert manager.ok("delete queue night") == COMPLETE

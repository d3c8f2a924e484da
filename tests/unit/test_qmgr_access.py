"""qmgr's access lists, and what a user is told who has none."""

import pytest

from jcq.nqsdaemon.qmgr import access
from support.deskwork import NOW_S
from support.qmgr_work import COMPLETE, Manager

IDS = {"alice": 1001, "bob": 1002, "staff": 50}


class Entry:
    def __init__(self, name):
        self.pw_uid = self.gr_gid = IDS[name]


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setattr(access.pwd, "getpwnam", Entry)
    monkeypatch.setattr(access.grp, "getgrnam", Entry)
    return Manager(tmp_path)


def shown(manager):
    return [line.strip() for line in manager.ok("show long queue batch").splitlines() if "ccess" in line]


def test_a_list_is_made_shown_and_taken_back(manager):
    assert shown(manager) == ["Unrestricted access"]
    manager.refused("add users = alice batch", "TCML_UNRESTR", "set no_access first")
    assert manager.ok("set no_access batch") == COMPLETE
    assert shown(manager) == ["No access"]
    assert manager.ok("add users = (alice, 77) batch") == COMPLETE
    assert manager.ok("add groups = staff batch") == COMPLETE
    assert shown(manager) == ["Restricted access; Users = {alice, 77}; Groups = {staff}"]
    manager.refused("add users = (bob, alice) batch", "TCML_ALREADACC", "alice")
    manager.refused("add users = nobody_there batch", "TCML_NOSUCHACC", "nobody_there")
    manager.refused("add groups = nobody_there batch", "TCML_NOSUCHGRP", "nobody_there")
    manager.refused("delete users = bob batch", "TCML_NOACCNOW", "bob")
    IDS.pop("staff")
    assert manager.ok("delete groups = staff batch") == COMPLETE
    IDS["staff"] = 50
    assert shown(manager) == ["Restricted access; Users = {alice, 77}"]
    assert manager.ok("set unrestricted_access batch") == COMPLETE
    assert shown(manager) == ["Unrestricted access"]
    manager.refused("set no_access nosuch", "TCML_NOSUCHQUE")


def test_a_whole_queue_moves_as_far_as_its_owners_have_access(manager):
    manager.ok("create batch_queue night")
    manager.ok("enable queue night")
    manager.ok("set no_access night")
    manager.ok("add users = alice night")
    for seq, uid in ((1, 1001), (2, 1002), (3, 1001)):
        manager.submit(seq, uid=uid, due_s=NOW_S + 60)
    out = manager.ok("move queue batch night")
    assert "Note: 2 requests of queue batch moved to night.\n" in out
    assert "Note: 1 request stayed, the access list of night does not name the owner.\n" in out
    assert [manager.request(seq).queue for seq in (1, 2, 3)] == ["night", "batch", "night"]
    manager.refused("move request = 2 night", "queue night accepts requests of users and groups in its access list")

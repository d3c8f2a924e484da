"""What nqsdaemon does with damage at its start and in idle moments, without processes."""

import logging
import os

import pytest

from jcq.errors import DatabaseUnusable
from jcq.jcdbs import keys, server
from jcq.jcdbs.errors import RecordDamaged
from jcq.jcdbs.store import Store
from jcq.nqsdaemon.audit import Audit
from jcq.nqsdaemon.recovery import recover
from support.deskwork import Work


@pytest.fixture
def work(tmp_path):
    made = Work(tmp_path)
    made.register_worker()
    return made


def start_again(work, epoch=2):
    """As nqsdaemon does; returns its counts."""
    work.store = work.desk.store = Store(work.connection, epoch)
    return recover(work.desk, "node1")


def write_script(work, *seqs):
    for seq in seqs:
        with open(os.path.join(work.desk.site.requests, f"200-{seq}"), "w", encoding="ascii"):
            pass


def scripts(work):
    return sorted(os.listdir(work.desk.site.requests))


def lost(work):
    return {rid: reason for rid, _, reason, _ in work.store.run(work.store.lost_found())}


def audit(work):
    walk = Audit(work.desk)
    while not walk.done:
        walk.step()
    return walk


def test_interrupted_ones_are_verified_and_the_good_are_judged(work):
    for seq in (1, 2):
        work.submit(seq)
    work.claim(2)
    work.connection.hset(keys.request("200-1"), "uid", "0")
    assert start_again(work) == {"lost": 1, "rerun": 1}
    assert lost(work) == {"200-1": "the checksum of its record is wrong"}
    assert work.request(2).reason == (
        "interrupted on node node1 when its site stopped, and is run again: queue restart=RESTART, request restartable"
    )


def test_what_was_on_its_way_back_is_verified_too(work):
    work.submit(1)
    (claimed,) = work.claim()
    claimed.outcome = "exited"
    work.store.run(work.store.finish(claimed, "w", 3600, work.now()))
    work.connection.hset(keys.request("200-1"), "workdir", "/etc")
    assert start_again(work) == {"lost": 1}


def test_a_running_one_without_a_record_is_lost_and_its_script_kept(work):
    work.submit(1)
    work.claim()
    write_script(work, 1)
    work.connection.delete(keys.request("200-1"))
    assert start_again(work) == {"lost": 1}
    assert lost(work) == {"200-1": "it has no record"}
    assert scripts(work) == ["200-1"]


def test_scripts_that_were_never_accepted_are_removed_and_their_numbers_come_again(work):
    work.submit(3)
    write_script(work, 3, 4)
    start_again(work)
    assert scripts(work) == ["200-3"]
    assert work.desk.seq == 3


def test_after_going_back_to_an_older_copy_they_are_kept(work):
    work.submit(3)
    write_script(work, 3, 4)
    directory = server.epoch_directory(work.desk.site, 5)
    os.makedirs(directory)
    with open(os.path.join(directory, server.RESTORED), "w", encoding="ascii") as file:
        file.write("2\n")
    start_again(work, 5)
    assert scripts(work) == ["200-3", "200-4"]
    assert lost(work) == {"200-4": "submitted after epoch 2, from which the site was restored; its record is gone"}
    assert work.desk.seq == 4
    start_again(work, 6)
    assert scripts(work) == ["200-3", "200-4"]


def test_a_number_that_went_back_is_not_given_out_again(work):
    for seq in (1, 2, 9):
        work.submit(seq)
    write_script(work, 1, 2, 9)
    work.connection.hset(keys.SITE, "seq", 1)
    start_again(work)
    assert work.desk.seq == 9


def test_an_epoch_that_is_said_to_be_over_is_damage(work):
    work.connection.set(keys.EPOCH, 91)
    with pytest.raises(DatabaseUnusable, match="contradicts itself") as caught:
        start_again(work)
    assert caught.value.exit_code == 5


def test_so_is_a_queue_that_cannot_be_read(work):
    work.connection.hset(keys.queue("batch"), "run_limit", "x")
    with pytest.raises(RecordDamaged):
        start_again(work)


def test_the_audit_finds_what_has_no_record_and_what_stands_nowhere_and_says_so_once(work, caplog):
    for seq in range(1, 8):
        work.submit(seq)
    work.connection.delete(keys.request("200-3"))
    work.connection.zrem(keys.members("batch", "QUEUED"), "200-5")
    with caplog.at_level(logging.ERROR):
        walk = audit(work)
        walk.tell()
    assert lost(work) == {"200-3": "it has no record", "200-5": "it stands in no list of the site"}
    assert [record.getMessage() for record in caplog.records] == [
        "request 200-3 is damaged: it has no record; qmgr show lost_found",
        "request 200-5 is damaged: it stands in no list of the site; qmgr show lost_found",
    ]


def test_the_audit_walks_over_more_than_one_step(work):
    for seq in range(1, 700):
        work.submit(seq)
    work.connection.delete(keys.request("200-650"))
    audit(work)
    assert list(lost(work)) == ["200-650"]


def test_what_others_have_found_is_told_too(work, caplog):
    work.submit(1)
    walk = audit(work)
    work.store.run(work.store.lose("200-1", "why", work.now()))
    with caplog.at_level(logging.ERROR):
        walk.tell()
    assert [record.getMessage() for record in caplog.records] == ["request 200-1 is damaged: why; qmgr show lost_found"]

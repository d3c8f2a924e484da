"""The heartbeat's block, and how an observer sees that it moves."""

import os
import threading

import pytest

from jcq.cluster import heartbeat
from jcq.cluster.heartbeat import Beat
from jcq.cluster.locks import OFD_NAME
from jcq.site import Site

BEAT = Beat("0123456789abcdef", 7, 20.0)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "database").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


@pytest.fixture
def fd(site):
    opened = os.open(os.path.join(site.database, OFD_NAME), os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_a_block_is_one_sector_and_says_all():
    block = BEAT.encode()
    assert len(block) == 512
    assert heartbeat.decode(block) == BEAT


@pytest.mark.parametrize("at", [0, 12, 30, 60])
def test_a_damaged_block_is_none(at):
    block = bytearray(BEAT.encode())
    block[at] ^= 1
    assert heartbeat.decode(bytes(block)) is None


def test_before_the_first_there_is_none(site):
    assert heartbeat.read(site) is None


def test_an_empty_file_holds_none(site, fd):
    assert heartbeat.read(site) is None


def test_the_last_one_is_read(site, fd):
    heartbeat.write(fd, BEAT)
    heartbeat.write(fd, Beat(BEAT.run, 8, 20.0))
    assert heartbeat.read(site).counter == 8
    assert os.fstat(fd).st_size == 512


def test_one_that_stands_still_does_not_move(site, fd):
    heartbeat.write(fd, BEAT)
    assert not heartbeat.moves(site, 0.3)


def test_a_new_one_moves(site, fd):
    heartbeat.write(fd, BEAT)
    later = threading.Timer(0.15, heartbeat.write, (fd, Beat(BEAT.run, 8, 20.0)))
    later.start()
    assert heartbeat.moves(site, 10.0)
    later.join()


def test_who_is_silent_for_its_limit_and_four_heartbeats_has_ended_itself():
    assert BEAT.watch_s == 20.0 + 4 * 2.0

"""The site's locks: exclusive, inherited, visible, and free when the last holder is gone."""

import os
import signal

import pytest

from jcq.cluster import locks
from jcq.errors import DatabaseUnusable
from jcq.site import Site


@pytest.fixture
def site(tmp_path):
    (tmp_path / "database").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


@pytest.fixture
def held(site):
    taken = locks.SiteLocks.take(site)
    yield taken
    taken.release()


def test_the_second_one_does_not_get_them(site, held):
    assert held is not None
    assert locks.SiteLocks.take(site) is None
    assert locks.is_held(site)


def test_released_they_can_be_taken_again(site):
    locks.SiteLocks.take(site).release()
    assert not locks.is_held(site)
    again = locks.SiteLocks.take(site)
    assert again is not None
    again.release()


def test_a_refused_take_leaves_no_descriptor_open(site, held):
    before = os.listdir("/proc/self/fd")
    assert locks.SiteLocks.take(site) is None
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("name", [locks.FLOCK_NAME, locks.OFD_NAME])
def test_either_lock_alone_keeps_others_out(site, name):
    held = locks.SiteLocks.take(site)
    kept = held.fds[(locks.FLOCK_NAME, locks.OFD_NAME).index(name)]
    (other,) = set(held.fds) - {kept}
    os.close(other)
    try:
        assert locks.SiteLocks.take(site) is None
    finally:
        os.close(kept)


def test_a_child_that_inherited_them_goes_on_holding_them(site):
    held = locks.SiteLocks.take(site)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    held.release()
    try:
        assert locks.is_held(site)
        assert locks.holders(site) == [child]
        assert locks.SiteLocks.take(site) is None
    finally:
        os.close(write)
        os.waitpid(child, 0)
    assert not locks.is_held(site)
    assert locks.holders(site) == []


def test_who_merely_has_a_lock_file_open_holds_nothing(site, held):
    with open(site.path("database", locks.FLOCK_NAME), "rb"):
        assert locks.holders(site) == [os.getpid()]
        held.release()
        assert locks.holders(site) == []


def test_asking_is_not_in_the_way_of_a_start(site):
    (site_file := site.path("database", locks.OFD_NAME)) and open(site_file, "wb").close()
    assert not locks.is_held(site)
    held = locks.SiteLocks.take(site)
    assert held is not None
    held.release()


def test_a_database_without_a_directory_is_said(tmp_path):
    with pytest.raises(DatabaseUnusable, match="locks cannot be taken"):
        locks.SiteLocks.take(Site(str(tmp_path), str(tmp_path / "none"), name="testsite"))


def test_a_take_over_holds_the_third_lock_until_the_two_come_free(site, held):
    taken = locks.SiteLocks.take_over(site, "a1")
    assert not taken.complete
    assert not taken.try_to_complete()
    held.release()
    assert taken.try_to_complete()
    assert locks.SiteLocks.take(site) is None
    taken.release()


def test_of_two_take_overs_one_succeeds(site, held):
    first = locks.SiteLocks.take_over(site, "a1")
    assert locks.SiteLocks.take_over(site, "a1") is None
    first.release()


def test_who_finds_the_two_free_but_not_the_third_gets_nothing(site, held):
    taken = locks.SiteLocks.take_over(site, "a1")
    held.release()
    assert locks.SiteLocks.take(site, ["b2", "a1"]) is None
    assert taken.try_to_complete()
    taken.release()
    again = locks.SiteLocks.take(site, ["b2", "a1"])
    assert again is not None
    locks.forget_take_overs(site)
    assert sorted(os.listdir(site.database)) == [locks.FLOCK_NAME, locks.OFD_NAME]
    again.release()

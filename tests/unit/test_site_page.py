"""The page that a site's processes share, and what the fence reads from it."""

import os
import threading

import pytest

from jcq.errors import Fenced
from jcq.site_page import Fence, SitePage, now_ns


@pytest.fixture
def page():
    made = SitePage.create(limit_s=10)
    yield made
    made.close()


def aged(page, seconds):
    page.beat_ns = now_ns() - int(seconds * 1e9)
    return Fence(page)


def test_what_one_process_writes_another_one_reads(page):
    other = SitePage.open(os.dup(page.fd))
    page.free_bytes = 123
    assert other.free_bytes == 123
    assert not os.get_inheritable(other.fd)
    other.close()


def test_with_a_young_heartbeat_everything_may_be_done(page):
    fence = aged(page, 0)
    fence.check()
    fence.wait_young()
    assert fence.young()
    assert 9 < fence.remaining_s() <= 10


def test_with_one_older_than_half_the_limit_nothing_is_confirmed(page):
    fence = aged(page, 6)
    fence.check()
    assert not fence.young()


def test_beyond_the_limit_the_process_ends(page):
    fence = aged(page, 11)
    with pytest.raises(Fenced, match="no heartbeat was written for 11 s"):
        fence.check()
    with pytest.raises(Fenced):
        fence.wait_young()
    assert fence.remaining_s() < 0


def test_another_owner_ends_it_at_once(page):
    page.lost = 1
    with pytest.raises(Fenced, match="another owner"):
        Fence(page).check()
    assert not Fence(page).young()


def test_who_waits_goes_on_with_the_next_heartbeat(page):
    fence = aged(page, 6)
    later = threading.Timer(0.1, lambda: setattr(page, "beat_ns", now_ns()))
    later.start()
    fence.wait_young()
    later.join()
    assert fence.young()


def test_a_fence_ends_with_6():
    assert Fenced(reason="x").exit_code == 6

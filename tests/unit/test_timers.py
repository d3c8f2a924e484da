"""Timers of an event loop."""

from jcq.cluster.timers import Timers


def test_without_any_the_loop_may_wait_for_ever():
    assert Timers().timeout_s() is None


def test_what_has_come_is_called_once():
    called = []
    timers = Timers()
    timers.after("a", 0, lambda: called.append("a"))
    timers.after("b", 60, lambda: called.append("b"))
    timers.run()
    timers.run()
    assert called == ["a"]
    assert 59 < timers.timeout_s() <= 60


def test_what_comes_again_is_set_again():
    called = []
    timers = Timers()
    timers.every("a", 0, lambda: called.append("a"))
    timers.run()
    timers.run()
    assert called == ["a", "a"]


def test_a_new_one_replaces_the_old_one_of_its_name():
    called = []
    timers = Timers()
    timers.after("a", 0, lambda: called.append("old"))
    timers.after("a", 0, lambda: called.append("new"))
    timers.run()
    assert called == ["new"]


def test_one_that_another_one_cancels_is_not_called():
    called = []
    timers = Timers()
    timers.after("a", 0, lambda: timers.cancel("b"))
    timers.after("b", 0, lambda: called.append("b"))
    timers.run()
    assert called == []
    assert timers.timeout_s() is None


def test_one_may_set_itself_again():
    called = []
    timers = Timers()

    def again():
        called.append("a")
        timers.after("a", 60, again)

    timers.after("a", 0, again)
    timers.run()
    assert called == ["a"]
    assert timers.timeout_s() > 59

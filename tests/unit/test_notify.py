"""The variables of the service manager: taken away, and believed only where they make sense."""

import os

import pytest

from jcq.cluster import states
from jcq.cluster.notify import Notifier
from jcq.config import SiteConf
from support.service_manager import ServiceManager


@pytest.mark.parametrize(
    ("variables", "watchdog_s"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "3000000"}, 0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000"}, 3),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "x"}, 0),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "9" * 400}, 0),
        ({"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "3000000"}, 0),
    ],
)
def test_take(variables, watchdog_s):
    environ = {"PATH": "/bin", **variables}
    assert Notifier.take(environ).watchdog_s == watchdog_s
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "address", ["", "@", "relative", "@nobody-listens-here", "/none/at/all", "/" + "x" * 300, "/a\0b"]
)
def test_a_manager_that_is_not_there_changes_nothing(address):
    notifier = Notifier(address)
    notifier.acquiring("s")
    notifier.tick()
    notifier.state(states.UP, "s", 1, SiteConf())


def test_each_state_is_told_once_and_ready_only_once():
    with ServiceManager() as manager:
        notifier = Notifier(manager.address)
        for state in (states.STARTING, states.UP, states.UP, states.PAUSING, states.PAUSED, states.RESUMING, states.UP):
            notifier.state(state, "s", 4, SiteConf())
        notifier.state(states.ENDED, "s", 4, SiteConf(), failure=ValueError("two\nlines"))
        heard = [manager.hear(5) for _ in range(7)]
        assert manager.hear(0.01) is None
    assert ["READY" in message for message in heard] == [False, True, *[False] * 5]
    assert heard[-1] == {"STATUS": "two lines", "STOPPING": "1"}

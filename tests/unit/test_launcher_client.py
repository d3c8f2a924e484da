"""The worker's end of its talk with the launcher: orders that its socket has no room for are sent later."""

import socket

import pytest

from worker import messages
from worker.errors import LauncherFailed
from worker.launcher_client import Launcher

#: Several times what a socket's buffer holds.
ORDERS = 3000


@pytest.fixture
def ends():
    """(launcher, the socket at which a slow one hears)."""
    launcher = Launcher(-1)
    launcher._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    launcher._sock.setblocking(False)
    theirs.setblocking(False)
    yield launcher, theirs
    theirs.close()
    launcher.close()


def test_every_order_arrives_once(ends):
    launcher, theirs = ends
    for _ in range(ORDERS):
        launcher.request_shepherd()
    heard = 0
    while heard < ORDERS:
        try:
            assert messages.receive(theirs) == ("new",)
            heard += 1
        except BlockingIOError:
            # It has worked off what it knew, and says so.
            messages.send(theirs, ("refused", "no memory"))
            assert launcher.read() == [("refused", "no memory")]
    launcher.read()
    with pytest.raises(BlockingIOError):
        messages.receive(theirs)


def test_a_launcher_that_has_gone(ends):
    launcher, theirs = ends
    theirs.close()
    with pytest.raises(LauncherFailed):
        launcher.request_shepherd()

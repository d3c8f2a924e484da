"""Messages between worker and shepherds: whole, or refused by name."""

import os

import pytest

from worker import messages
from worker.errors import MessageTooLong


@pytest.fixture
def pair():
    ours, theirs = messages.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "message", [("quit",), ("run", {"env": {"A": "x" * 100_000}, "groups": [1, 2], "odd": "\udcff"})]
)
def test_message_arrives_as_it_was(pair, message):
    messages.send(pair[0], message)
    messages.send(pair[0], ("next",))
    assert [messages.receive(pair[1]), messages.receive(pair[1])] == [message, ("next",)]


def test_too_long(pair):
    with pytest.raises(MessageTooLong):
        messages.send(pair[0], ("run", "x" * 10_000_000))


def test_end(pair):
    pair[0].close()
    assert messages.receive(pair[1]) is None
    assert messages.receive_with_fd(pair[1]) == (None, -1)


def test_end_with_messages_unread(pair):
    messages.send(pair[1], ("unread",))
    pair[0].close()
    assert messages.receive(pair[1]) is None


def test_nothing_there(pair):
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        messages.receive(pair[1])
    with pytest.raises(BlockingIOError):
        messages.receive_with_fd(pair[1])


def test_descriptor_arrives_closed_for_children(pair):
    reader, writer = os.pipe()
    messages.send_with_fd(pair[0], ("shepherd", 5), writer)
    os.close(writer)
    message, fd = messages.receive_with_fd(pair[1])
    assert (message, os.get_inheritable(fd)) == (("shepherd", 5), False)
    os.write(fd, b"x")
    assert os.read(reader, 2) == b"x"
    os.close(fd)
    os.close(reader)


def test_message_without_descriptor(pair):
    messages.send(pair[0], ("lost", 5, 9))
    assert messages.receive_with_fd(pair[1]) == (("lost", 5, 9), -1)

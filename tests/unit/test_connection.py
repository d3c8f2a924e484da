"""A client's connection: parts of an answer, descriptors that go with them, and that each is closed."""

import array
import os
import socket

import pytest

from jcq.nqsdaemon.connection import Connection


@pytest.fixture
def pair():
    """(the Connection, the client's end)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    with ours, theirs:
        yield Connection(ours), theirs


@pytest.fixture
def file(tmp_path):
    """A path with text in it."""
    path = tmp_path / "file"
    path.write_text("text")
    return path


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_parts_go_out_in_their_order(pair):
    connection, client = pair
    connection.say(b"one ")
    connection.say(b"two ")
    assert connection.flush()
    assert not connection.finished
    connection.answer(b"three")
    assert connection.flush()
    assert connection.finished
    assert client.recv(100) == b"one two three"


def test_a_descriptor_is_passed_and_closed(pair, file):
    connection, client = pair
    fd = os.open(file, os.O_RDONLY)
    connection.say(b"f", fd)
    assert connection.flush()
    assert not is_open(fd)
    connection.answer(b"x")
    connection.flush()
    data, ((_, kind, content),), _, _ = client.recvmsg(100, socket.CMSG_SPACE(4))
    assert (data[:1], kind) == (b"f", socket.SCM_RIGHTS)
    (passed,) = array.array("i", content[:4])
    assert os.read(passed, 100) == b"text"
    os.close(passed)


def test_a_descriptor_that_cannot_be_sent_is_closed_with_the_connection(pair, file):
    connection, client = pair
    fd = os.open(file, os.O_RDONLY)
    connection.say(b"x" * (8 << 20))
    connection.say(b"f", fd)
    assert not connection.flush()
    assert is_open(fd)
    client.close()
    with pytest.raises(ConnectionError):
        connection.flush()
    connection.close()
    assert not is_open(fd)
    connection.close()


def test_a_deaf_client_gets_the_rest_when_it_listens_again(pair):
    connection, client = pair
    data = os.urandom(3 << 20)
    connection.say(data[: 2 << 20])
    connection.answer(data[2 << 20 :])
    received = b""
    while not connection.flush():
        received += client.recv(1 << 20)
    while len(received) < len(data):
        received += client.recv(1 << 20)
    assert received == data

"""The nqs port: which address a site has, that nobody else can bind it, and that callers keep no daemon busy."""

import contextlib
import errno
import logging
import os
import selectors
import socket

import pytest

from jcq import nqs_port
from jcq.config import DaemonConf
from jcq.errors import PortAddressAway, PortTaken
from jcq.identity import SiteIdentity
from jcq.nqsdaemon.port import Doorkeeper
from jcq.site import host_name, lib
from support.harness import free_address

CLUSTER = SiteIdentity("testsite", 200, "127.0.5.9", 0, "root")
LOCAL = SiteIdentity("anything", 1, "", 0, "root")
NAMES = ("127.0.5.9 testsite.example testsite", f"127.0.5.1 {host_name()}.example {host_name()}")


@pytest.fixture
def root(tmp_path):
    """A root whose resolv.def knows the site and this machine."""
    os.makedirs(lib(str(tmp_path), "rc"))
    with open(lib(str(tmp_path), "rc", "resolv.def"), "w", encoding="ascii") as file:
        file.write("\n".join(NAMES) + "\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("identity", "settings", "expected"),
    [
        (CLUSTER, {}, "127.0.5.9"),
        (CLUSTER, {"local_daemon": "SITE"}, "127.0.5.9"),
        (CLUSTER, {"ipaddress": "127.0.5.7"}, "127.0.5.7"),
        (LOCAL, {}, "0.0.0.0"),
        (LOCAL, {"local_daemon": "SITE"}, "127.0.5.1"),
        (LOCAL, {"local_daemon": "OFF"}, "127.0.5.1"),
        (LOCAL, {"ipaddress": "127.0.5.7"}, "127.0.5.7"),
        (LOCAL, {"ipaddress": "127.0.5.7", "local_daemon": "SITE"}, "127.0.5.7"),
    ],
)
def test_the_address_of_a_site(root, identity, settings, expected):
    assert nqs_port.listen_address(identity, DaemonConf(**settings), root) == expected


def test_without_the_resolver_a_site_has_the_address_it_was_made_with(tmp_path, monkeypatch):
    monkeypatch.setattr(nqs_port, "host_name", lambda: "nosuch.invalid")
    unknown = SiteIdentity("nosuch.invalid", 200, "127.0.5.9", 0, "root")
    assert nqs_port.listen_address(unknown, DaemonConf(), str(tmp_path)) == "127.0.5.9"
    assert nqs_port.listen_address(LOCAL, DaemonConf(local_daemon="SITE"), str(tmp_path)) == "127.0.0.1"


# --- binding ---------------------------------------------------------------------------------


@pytest.fixture
def address():
    """A loopback address that nothing else of these tests uses."""
    return free_address()


PORT = 46071


def rival(address, reuse):
    """The number of the error with which another process's bind fails, or 0."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            sock.bind((address, PORT))
        except OSError as error:
            return error.errno
    return 0


def nobody_else(address):
    return [rival(address, reuse) for reuse in (0, 1)] == [errno.EADDRINUSE] * 2


def leave_closed_connection(address, root):
    """As a site that has just ended: what it closed is still known to the system, for a minute."""
    with nqs_port.bind(address, PORT, root) as sock:
        nqs_port.listen(sock)
        with socket.create_connection((address, PORT)) as client:
            sock.accept()[0].close()
            assert client.recv(1) == b""
    assert rival(address, 0) == errno.EADDRINUSE


@pytest.mark.parametrize("before", ["nothing", "a site that has just ended"])
def test_a_bound_port_is_nobody_elses_at_any_time(address, root, before):
    if before != "nothing":
        leave_closed_connection(address, root)
    with nqs_port.bind(address, PORT, root) as sock:
        assert nobody_else(address)
        nqs_port.listen(sock)
        assert nobody_else(address)
        socket.create_connection((address, PORT)).close()
        nqs_port.stop_listening(sock)
        assert nobody_else(address)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, PORT))
        nqs_port.listen(sock)
        assert nobody_else(address)
        with pytest.raises(PortTaken, match=rf"port {PORT} of {address} is taken by .*\[{os.getpid()}\]"):
            nqs_port.bind(address, PORT, root)
    assert not rival(address, 1)


def test_an_address_of_another_node(root):
    with pytest.raises(PortAddressAway, match=r"192\.0\.2\.1 is not on this node"):
        nqs_port.bind("192.0.2.1", PORT, root)


def test_there_is_no_keeper_where_none_was_started(address, root):
    assert nqs_port.connect_keeper(root, address, PORT) is None
    assert nqs_port.take_over(root, address, PORT) is None


# --- turning away ----------------------------------------------------------------------------


class Loop:
    """As much of nqsdaemon's loop as a doorkeeper needs, with a clock of its own."""

    def __init__(self, address, root):
        self.address = address
        self.now_s = 1000.0
        self.lines = []
        log = logging.Logger("port")
        log.addHandler(logging.Handler())
        log.handlers[0].emit = lambda record: self.lines.append(record.getMessage())
        self.selector = selectors.DefaultSelector()
        self.port = nqs_port.bind(address, PORT, root)
        nqs_port.listen(self.port)
        self.doorkeeper = Doorkeeper(self.port, self.selector, log, now=lambda: self.now_s)

    def turn(self):
        for key, events in self.selector.select(0):
            key.data(events)
        self.doorkeeper.keep_time()

    def connect(self):
        sock = socket.create_connection((self.address, PORT))
        sock.settimeout(5)
        return sock


@pytest.fixture
def loop(address, root):
    made = Loop(address, root)
    yield made
    made.doorkeeper.close()
    made.selector.close()


def test_a_connection_is_closed_politely(loop):
    with loop.connect() as client:
        client.send(b"anybody there?\n" * 100)
        loop.turn()
        assert client.recv(1) == b""
    line = "nqs port: connections closed: 1, the last from 127.0.0.1; there is no transfer between sites yet"
    assert loop.lines == [line]


def test_a_flood_neither_keeps_the_loop_busy_nor_fills_the_log(loop):
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            clients = [stack.enter_context(loop.connect()) for _ in range(20)]
            for _ in range(3):
                loop.turn()
        # As many as are let in within a second; then nothing wakes the loop before the next one.
        assert loop.selector.select(0) == []
        assert 0 < loop.doorkeeper.patience_s() <= 1
        loop.now_s += 1.1
        loop.turn()
        assert loop.doorkeeper.patience_s() == float("inf")
        for _ in range(5):
            loop.turn()
        assert clients[-1].recv(1) == b""
    assert len(loop.lines) == 1
    loop.now_s += 61
    with loop.connect():
        loop.turn()
    assert [line.split(",")[0] for line in loop.lines] == [
        "nqs port: connections closed: 1",
        "nqs port: connections closed: 100",
    ]


def test_without_descriptors_the_loop_waits(loop, monkeypatch):
    class Full:
        def __getattr__(self, name):
            return getattr(loop.port, name)

        def accept(self):
            raise OSError(errno.EMFILE, "Too many open files")

    full = Full()
    loop.doorkeeper._listener = full
    with loop.connect() as client:
        loop.turn()
        assert loop.selector.get_map() == {}
        assert loop.lines == ["nqs port: [Errno 24] Too many open files"]
        loop.doorkeeper._listener = loop.port
        loop.now_s += 1.1
        loop.turn()
        loop.turn()
        assert client.recv(1) == b""


def test_without_a_port_there_is_nothing_to_do():
    with selectors.DefaultSelector() as selector:
        doorkeeper = Doorkeeper(None, selector, logging.getLogger("port"))
        doorkeeper.keep_time()
        assert doorkeeper.patience_s() == float("inf")
        doorkeeper.close()

"""The control socket of cjcpw: one word, one answer, and no harm from anything else."""

import os
import selectors
import socket
import threading

import pytest

from jcq.cluster import control
from jcq.site import Site


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, text, *values):
        self.lines.append(text % values)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "run").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


@pytest.fixture
def desk(site):
    """(site, questions asked, log), with a thread that serves them."""
    served = Served(site, os.getuid())
    yield served
    served.close()


class Served:
    """`control.Askers` in a loop of its own; each question is answered with 0 and its word."""

    def __init__(self, site, owner_uid):
        self.site = site
        self.log = Log()
        self.questions = []
        self._selector = selectors.DefaultSelector()
        self._askers = control.Askers(site, owner_uid, self._selector, self._asked, self.log)
        self._stop, self._stopped = os.pipe()
        self._selector.register(self._stop, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _asked(self, word, asker):
        self.questions.append((word, asker.uid, asker.pid))
        asker.answer(0, f"did {word}")

    def _loop(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def close(self):
        os.write(self._stopped, b"x")
        self._thread.join(10)
        self._askers.close()
        self._selector.close()
        os.close(self._stop)
        os.close(self._stopped)


def ask(site, word):
    client = control.connect(site)
    try:
        return client.ask(word, 10)
    finally:
        client.close()


@pytest.mark.parametrize("word", [control.STOP, control.PAUSE, control.RESUME])
def test_a_word_is_answered_and_the_asker_is_known(desk, word):
    assert ask(desk.site, word) == (0, f"did {word}")
    assert desk.questions == [(word, os.getuid(), os.getpid())]


def test_the_client_knows_who_listens(desk):
    client = control.connect(desk.site)
    assert client.pid == os.getpid()
    client.close()


@pytest.mark.parametrize("said", [b"", b"\n", b"halt\n", b"STOP\n", b"stop", b"\xff\xfe\n", b"x" * 5000, b"\0" * 32])
def test_anything_else_is_refused_and_the_next_one_is_served(desk, said):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(desk.site.control_socket)
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            answer = client.recv(200)
        except ConnectionResetError:
            pass
    assert answer.startswith(b"2 ") or answer == b"" or said == b"stop"
    assert ask(desk.site, "pause") == (0, "did pause")
    assert [word for word, _, _ in desk.questions if word != "stop"] == ["pause"]


def test_the_silent_do_not_keep_others_waiting(desk):
    silent = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    for client in silent:
        client.connect(desk.site.control_socket)
    assert ask(desk.site, "stop") == (0, "did stop")
    for client in silent:
        client.close()


def test_only_root_and_the_owner_may_ask(site, monkeypatch):
    assert control.may_ask(0, 1000)
    assert control.may_ask(1000, 1000)
    assert not control.may_ask(1001, 1000)
    monkeypatch.setattr(control, "may_ask", lambda uid, owner_uid: False)
    served = Served(site, 12345)
    assert ask(site, "stop") is None
    served.close()
    assert served.questions == []
    assert "refused" in served.log.lines[0]


def test_the_socket_is_private_and_replaces_a_stale_one(site):
    with open(site.control_socket, "w", encoding="ascii"):
        pass
    served = Served(site, os.getuid())
    assert os.stat(site.control_socket).st_mode & 0o777 == 0o600
    served.close()
    assert not os.path.exists(site.control_socket)
    assert control.connect(site) is None


def test_a_dead_cjcpws_socket_is_nobody(site):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(site.control_socket)
    assert control.connect(site) is None

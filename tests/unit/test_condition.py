"""`cjcls --state`: the word for a site, by what its cjcpw says or does not say."""

import os
import selectors
import threading
from types import SimpleNamespace

import pytest

from jcq.cluster import condition, control, owner, record, states
from jcq.cluster.errors import SiteNotFound
from jcq.site import Site

NAME = "testsite"


class Cjcpw:
    """The control socket of a cjcpw that answers with a state, hangs up, or says nothing."""

    def __init__(self, site, answer):
        self._selector = selectors.DefaultSelector()
        self._askers = control.Askers(site, os.getuid(), self._selector, self._asked, None)
        self._answer, self._held = answer, []
        self._stop, self._stopped = os.pipe()
        self._selector.register(self._stop, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _asked(self, word, asker):
        assert word == control.STATE
        if self._answer == "hang up":
            asker.connection.close()
        elif self._answer:
            asker.answer(0, self._answer)
        else:
            self._held.append(asker)

    def _loop(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def close(self):
        os.write(self._stopped, b".")
        self._thread.join()
        for asker in self._held:
            asker.connection.close()
        self._askers.close()
        self._selector.close()
        os.close(self._stop)
        os.close(self._stopped)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site with its directories, which the name leads to; nothing of it runs."""
    for name in ("run", "database"):
        (tmp_path / name).mkdir()
    made = Site(str(tmp_path), str(tmp_path), name=NAME)
    monkeypatch.setattr(condition.links, "find", lambda name, root: SimpleNamespace(site=made))
    monkeypatch.setattr(condition.sweep, "leftovers", lambda *_, **__: [])
    return made


@pytest.fixture
def serve(site):
    """A function that has a cjcpw answer with this."""
    made = []
    yield lambda answer: made.append(Cjcpw(site, answer))
    for cjcpw in made:
        cjcpw.close()


def alive(monkeypatch, *names):
    """Have the record of daemons name living processes."""
    monkeypatch.setattr(record.DaemonRecord, "alive", lambda self, root: dict.fromkeys(names, 1))


def word(site):
    return condition.condition(NAME, site.root)


@pytest.mark.parametrize("state", states.STATES)
def test_what_cjcpw_says_is_the_word(site, serve, state):
    serve(state)
    expected = {
        states.UP: "up",
        states.REVIVING: "up",
        states.STARTING: "starting",
        states.STOPPING: "stopping",
        states.ENDED: "stopping",
    }
    assert word(site) == expected.get(state, "maintenance")


def test_a_cjcpw_that_says_nothing_is_silent(site, serve, monkeypatch):
    monkeypatch.setattr(condition, "_ANSWER_LIMIT_S", 0.1)
    alive(monkeypatch, record.CJCPW)
    serve("")
    assert word(site) == "silent"


@pytest.mark.parametrize("name", [record.CJCPW, record.TOP])
def test_one_that_hangs_up_is_ending_and_one_without_a_socket_begins(site, serve, monkeypatch, name):
    alive(monkeypatch, name)
    assert word(site) == "starting"
    serve("hang up")
    assert word(site) == "stopping"


def test_without_cjcpw_it_is_stopped_or_has_left_something(site, serve, monkeypatch):
    assert word(site) == "stopped"
    serve("hang up")
    assert word(site) == "stopped"
    monkeypatch.setattr(condition.sweep, "leftovers", lambda *_, **__: ["one"])
    assert word(site) == "leftover"


def test_without_its_disk_it_is_stopped(site, tmp_path):
    (tmp_path / "database").rmdir()
    assert word(site) == "stopped"


def test_another_nodes_run_is_elsewhere_and_never_asked(site, serve):
    serve("up")
    owner.OwnerRecord(owner.RUNNING, NAME, "other", "other", "another boot", 1, 1, 1, 7, "valkey 9", "", "r").write(
        site
    )
    assert word(site) == "elsewhere"


def test_a_name_that_nobody_knows_is_unknown(monkeypatch):
    def find(name, root):
        raise SiteNotFound(site=name)

    for found in (find, lambda name, root: None):
        monkeypatch.setattr(condition.links, "find", found)
        assert condition.condition(NAME, "/nowhere") == "unknown"


def test_only_a_healthy_site_has_0():
    words = {name: value for name, value in vars(condition).items() if name.isupper() and isinstance(value, str)}
    assert {value for value in words.values() if condition.EXIT_CODES.get(value, 1) == 0} == {"up", "maintenance"}

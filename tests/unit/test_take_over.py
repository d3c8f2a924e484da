"""Who may take a site over from another node: locks, file systems that prove nothing, heartbeats, force."""

import logging
import os
import threading

import pytest

from jcq.cluster import acquire, file_system, heartbeat, locks, owner
from jcq.cluster.errors import AlreadyRunning, OwnedElsewhere, OwnerNotNamed
from jcq.cluster.file_system import FileSystem
from jcq.cluster.heartbeat import Beat
from jcq.config import DaemonConf
from jcq.node import boot_id, pid_namespace
from jcq.site import Site

#: Short, so that watching takes a second.
LIMIT_S = 1.0
THEIRS = "0123456789abcdef"
TRUSTED, DISTRUSTED = FileSystem("ext4", frozenset()), FileSystem("cifs", frozenset())


@pytest.fixture
def site(tmp_path):
    for name in ("database", "run", "requests", "output", "log"):
        (tmp_path / "nqs" / name).mkdir(parents=True)
    (tmp_path / "root").mkdir()
    return Site(str(tmp_path / "root"), str(tmp_path / "nqs"), name="testsite")


@pytest.fixture
def disk(monkeypatch):
    """Says on which file system the site is."""

    def put(kind):
        monkeypatch.setattr(file_system, "of", lambda _path: kind)

    put(TRUSTED)
    return put


@pytest.fixture
def theirs(site, disk):
    """The record and the last heartbeat of another node's owner, whose locks nobody holds."""
    record = owner.OwnerRecord(
        state=owner.RUNNING, site="testsite", node="b", host="hostb", boot="other", pid=4711, epoch=7, run=THEIRS
    )
    record.write(site)
    fd = os.open(os.path.join(site.database, locks.OFD_NAME), os.O_RDWR | os.O_CREAT)
    heartbeat.write(fd, Beat(THEIRS, 1, LIMIT_S))
    yield fd
    os.close(fd)


@pytest.fixture
def held(site, theirs):
    taken = locks.SiteLocks.take(site)
    yield taken
    taken.release()


@pytest.fixture
def beating(site, theirs):
    """Their heartbeat goes on."""
    stop = threading.Event()

    def beat():
        counter = 1
        while not stop.wait(LIMIT_S / 10):
            counter += 1
            heartbeat.write(theirs, Beat(THEIRS, counter, LIMIT_S))

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    stop.set()
    thread.join()


class Log(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
        self.logger = logging.Logger("test")
        self.logger.addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())


def take(site, **options):
    """Acquire; returns what was logged. The locks are given back."""
    log = Log()
    ownership = acquire.acquire(site, site.root, DaemonConf(), log.logger, **options)
    assert owner.read(site).run == ownership.run
    assert owner.read(site).epoch == 7
    ownership.locks.release()
    return log.lines


def test_free_locks_that_are_trusted_prove_the_owner_dead(site, theirs):
    assert take(site) == []


def test_free_locks_that_prove_nothing_need_a_heartbeat_that_stands_still(site, theirs, disk):
    disk(DISTRUSTED)
    said = take(site)
    assert "cifs" in said[0]
    assert "watching the heartbeat of hostb for 1.4 s" in said[1]


def test_where_locks_prove_nothing_an_owner_that_beats_stays(site, beating, disk):
    disk(DISTRUSTED)
    with pytest.raises(OwnedElsewhere, match="hostb, cjcpw 4711, epoch 7"):
        take(site)
    assert owner.read(site).run == THEIRS
    again = locks.SiteLocks.take(site)
    assert again is not None
    again.release()


def test_locks_that_another_node_holds_refuse_at_once(site, held):
    with pytest.raises(OwnedElsewhere, match="hostb"):
        take(site)


def test_a_dead_nodes_lease_is_waited_for(site, held, monkeypatch, disk):
    disk(FileSystem("nfs4", frozenset()))
    later = threading.Timer(0.3, held.release)
    later.start()
    assert "waiting up to 120 s for the locks of hostb" in take(site)[0]
    later.join()


def test_a_living_nodes_lease_is_not_waited_for(site, held, beating, disk):
    disk(FileSystem("nfs4", frozenset()))
    with pytest.raises(OwnedElsewhere):
        take(site)


def test_force_needs_the_owners_name(site, held):
    with pytest.raises(OwnerNotNamed, match="names hostb, not hostc"):
        take(site, force="hostc")


def test_force_leaves_an_owner_that_beats_alone(site, held, beating):
    with pytest.raises(OwnedElsewhere):
        take(site, force="hostb")
    assert owner.read(site).run == THEIRS


def test_who_has_taken_a_site_over_by_force_keeps_everyone_else_out(site, held):
    log = Log()
    mine = acquire.acquire(site, site.root, DaemonConf(), log.logger, force="HOSTB")
    assert "taken over by force from hostb, cjcpw 4711" in log.lines[0]
    assert not mine.locks.complete
    assert owner.read(site).forced == THEIRS
    held.release()
    # The two locks are free now, the third is not: nor for one that has read the old record.
    assert locks.SiteLocks.take(site, [THEIRS]) is None
    with pytest.raises(AlreadyRunning):
        take(site)
    assert mine.locks.try_to_complete()
    mine.release()
    assert owner.read(site).state == owner.RELEASED
    assert owner.read(site).forced == ""


def test_a_second_force_from_the_same_owner_is_refused(site, held):
    first = locks.SiteLocks.take_over(site, THEIRS)
    with pytest.raises(OwnedElsewhere):
        take(site, force="hostb")
    first.release()


def test_a_run_of_this_node_is_running_already(site, held):
    record = owner.read(site)
    owner.OwnerRecord(**{**vars(record), "boot": boot_id(site.root), "pid_ns": pid_namespace()}).write(site)
    with pytest.raises(AlreadyRunning):
        take(site)

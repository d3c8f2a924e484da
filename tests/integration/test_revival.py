"""A Store outlives its server: the real server is killed and started again on the same data, and nothing is lost."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from types import SimpleNamespace

import pytest

from jcq.config import DaemonConf
from jcq.jcdbs import keys, server
from jcq.jcdbs.errors import DatabaseLost, OutcomeUnknown
from jcq.jcdbs.revival import BARE_BYTES, Revival, Room
from jcq.jcdbs.sending import connect
from jcq.model.lifecycle import QUEUED
from jcq.nqsdaemon.daemon import subscribed
from jcq.site import Site
from jcq.site_page import Fence, SitePage
from support import backends
from support.store_bench import ALICE, NOW_S, StoreBench
from support.waiting import wait_until

EPOCH = backends.EPOCH


class Stop:
    """The StopSignal of a daemon."""

    def __init__(self):
        self.requested = False
        self._ours, self._theirs = socket.socketpair()

    def fileno(self):
        return self._ours.fileno()

    def drain(self):
        self._ours.recv(100)

    def now(self):
        self.requested = True
        self._theirs.send(b"x")

    def close(self):
        self._ours.close()
        self._theirs.close()


class Served:
    """A server on a directory, a Store that is revived, and the page of the site."""

    def __init__(self, directory):
        self.site = Site("/", os.path.join(directory, "nqs"), name="testsite")
        os.makedirs(server.epoch_directory(self.site, EPOCH))
        server.write_conf(self.site, EPOCH)
        self.path, _ = server.binary(DaemonConf())
        self.process = None
        self.start()
        self.page = SitePage.create(1000.0)
        self.page.free_bytes = 1 << 30
        self.stop = Stop()
        self.bench = StoreBench(lambda: connect(server.socket_of(self.site, EPOCH)))
        self.store = self.bench.store
        self.waits = []
        log = logging.Logger("test")
        self.store.revive = Revival(
            self.site, EPOCH, Room(self.page), Fence(self.page), self.stop, log, lambda: self.waits.pop(0)()
        )

    def start(self):
        self.process = subprocess.Popen(
            server.argv(self.site, EPOCH, self.path),
            executable=self.path,
            cwd=server.epoch_directory(self.site, EPOCH),
        )
        wait_until(lambda: server.ping(self.site, EPOCH) == "up", 20, lambda: server.ping(self.site, EPOCH))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.bench.connection.close()
        self.bench.connection.connection_pool.disconnect()
        self.kill()
        self.stop.close()
        self.page.close()


@pytest.fixture
def served():
    directory = tempfile.mkdtemp(prefix="jcq-revival-")
    made = Served(directory)
    yield made
    made.close()
    shutil.rmtree(directory)


def test_what_was_acknowledged_is_there_and_what_was_asked_is_answered(served):
    rid = served.bench.submit(token="one")
    served.kill()
    # Its first wait sees no server yet, the second one starts it.
    served.waits += [lambda: None, served.start]
    request = served.bench.new()
    submit = served.store.submit(request, NOW_S, token="two")
    hold = served.store.hold(rid, "why", ALICE, NOW_S)
    results = served.store.run_many([submit, hold, served.store.request(rid)])
    assert results[0] == ("batch", QUEUED)
    assert isinstance(results[1], OutcomeUnknown)
    assert results[2].rid == rid
    assert served.waits == []
    assert served.bench.state(request.rid) == QUEUED


def test_a_subscription_is_lost_and_can_be_had_again(served):
    pubsub = subscribed(served.store)
    served.kill()
    with pytest.raises(Exception, match="onnect"):
        pubsub.get_message(timeout=5)
    with contextlib.suppress(OSError):
        pubsub.close()
    served.waits.append(served.start)
    pubsub = served.store.lasting(lambda: subscribed(served.store))
    served.bench.connection.publish(keys.CHANNEL_DONE, "200-1")
    message = wait_until(lambda: pubsub.get_message(timeout=0.1), 10, lambda: "nothing was heard")
    assert message["data"] == b"200-1"
    pubsub.close()


def test_what_changes_something_waits_for_room_and_what_reads_does_not(served):
    rid = served.bench.submit()
    served.page.short, served.page.free_bytes = 1, BARE_BYTES - 1
    served.kill()
    served.waits.append(served.start)
    assert served.store.run(served.store.request(rid)).rid == rid
    served.kill()
    seen = []

    def make_room():
        seen.append(True)
        served.page.free_bytes = BARE_BYTES

    served.waits += [served.start, make_room]
    served.store.run(served.store.due(NOW_S))
    assert seen == [True]


def test_a_daemon_that_is_to_stop_waits_no_longer(served):
    served.kill()
    served.waits.append(served.stop.now)
    with pytest.raises(DatabaseLost, match="told to stop"):
        served.store.run(served.store.site())
    served.start()


def test_nobody_waits_for_a_server_that_nobody_starts(served, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("jcq.jcdbs.revival.time.monotonic", lambda: clock.now)
    served.kill()

    def later():
        clock.now += 10

    served.waits += [later, later, later]
    with pytest.raises(DatabaseLost, match="nobody started it again"):
        served.store.run(served.store.site())
    assert served.waits == [later]
    served.waits.clear()
    served.start()


def test_a_full_disk_is_waited_for_without_end(served, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("jcq.jcdbs.revival.time.monotonic", lambda: clock.now)
    served.page.short = 1
    served.kill()

    def later():
        clock.now += 1000

    served.waits += [later, later, served.start]
    assert served.store.run(served.store.site()).name == "testsite"

"""A site's own database, for tests of what no command shows: rq's keys, and that no request is a ghost."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from jcq.config import DaemonConf
from jcq.jcdbs import keys, server
from jcq.jcdbs.sending import connect
from jcq.jcdbs.store import Store
from jcq.model.lifecycle import QUEUED, RUNNING
from jcq.model.queue import PIPE
from jcq.model.request import Request
from jcq.site import Site
from support.store_bench import StoreBench
from support.waiting import wait_until

_START_LIMIT_S = 20


def connection(site):
    """A connection to the database of a running `SiteHarness`."""
    return connect(os.path.join(site.directory, "database", ".jcdbs.sock"))


@contextlib.contextmanager
def at_rest(site):
    """The database of a stopped `SiteHarness`: a server on a copy of its newest epoch.

    Yields:
        A connection.
    """
    database = os.path.join(site.directory, "database")
    newest = max(int(name[1:]) for name in os.listdir(database) if name[1:].isdigit() and name[0] == "e")
    scratch = tempfile.mkdtemp(prefix="jcq-rest-")
    copy = Site("/", scratch, name=site.name)
    os.mkdir(copy.database)
    shutil.copytree(os.path.join(database, f"e{newest}"), server.epoch_directory(copy, newest))
    server.write_conf(copy, newest)
    path, _ = server.binary(DaemonConf())
    process = subprocess.Popen(
        server.argv(copy, newest, path), executable=path, cwd=server.epoch_directory(copy, newest)
    )
    try:
        wait_until(lambda: server.ping(copy, newest) == "up", _START_LIMIT_S, lambda: server.ping(copy, newest))
        yield connect(server.socket_of(copy, newest))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(scratch)


class _Running(StoreBench):
    """The rules of `StoreBench.check`, on a database that is there already."""

    def __init__(self, found):
        self.connection = found
        self.store = Store(found, int(found.get(keys.EPOCH)))


def check(found):
    """No ghost: each request in one state and one place, rq's lists and registries say the same.

    Args:
        found: a connection; nothing may be on its way while this looks.
    """
    bench = _Running(found)
    bench.check()
    workers = found.smembers("rq:workers")
    assert len(workers) == 1, workers
    (worker,) = workers
    running, listed = set(), set()
    for queue in bench.run(bench.store.queues()):
        if queue.type == PIPE:
            continue
        here = {request.rid: request for request in _requests(found) if request.queue == queue.name}
        pairs = {f"{r.rid}:{r.token}" for r in here.values() if r.state == RUNNING}
        assert {pair.decode() for pair in found.zrange(f"rq:wip:{queue.name}", 0, -1)} == pairs, queue.name
        assert found.exists(f"rq:intermediate:{queue.name}", f"rq:queue:{queue.name}:intermediate") == 0
        running |= pairs
        listed |= {rid.decode() for rid in found.lrange(f"rq:queue:{queue.name}", 0, -1)}
        for request in here.values():
            status = {RUNNING: b"started", QUEUED: b"queued" if request.promoted else None}.get(request.state)
            if request.state in (RUNNING, QUEUED):
                assert found.hget(f"rq:job:{request.rid}", "status") == status, (request.rid, request.state)
    assert {pair.decode() for pair in found.smembers(worker.decode() + ":executions")} == running
    executions = {key.decode().removeprefix("rq:execution:") for key in found.scan_iter(match="rq:execution:*")}
    assert executions == running
    assert listed == {request.rid for request in _requests(found) if request.state == QUEUED and request.promoted}


def _requests(found):
    for key in found.scan_iter(match="jcq:request:*", count=1000):
        yield Request.from_hash(found.hgetall(key))

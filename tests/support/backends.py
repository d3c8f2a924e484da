"""Servers for the Store's suite: fakeredis with Lua, the embedded server, Debian's redis-server.

All speak the same protocol to the same Store; only what they promise together may be relied on.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from jcq.config import DaemonConf
from jcq.identity import SiteIdentity
from jcq.jcdbs import server
from jcq.jcdbs.sending import connect
from jcq.jcdbs.store import Store
from jcq.site import Site
from support.waiting import wait_until

IDENTITY = SiteIdentity(name="testsite", machine_id=200, address="127.0.0.50", uid=4711, manager="maker")
EPOCH = 1
NAMES = ("fakeredis", "embedded", "redis-server")


def available():
    """The backends that this machine has."""
    return [name for name in NAMES if name != "redis-server" or shutil.which("redis-server")]


@contextlib.contextmanager
def serve(name):
    """Run one backend.

    Yields:
        A function that gives a new connection to it.
    """
    if name == "fakeredis":
        import fakeredis

        fake = fakeredis.FakeServer(server_type="valkey", version=(8,))
        yield lambda: fakeredis.FakeRedis(server=fake, protocol=2, encoding_errors="surrogateescape")
        return
    conf = DaemonConf(jcdbs_server=shutil.which("redis-server") if name == "redis-server" else "")
    path, _ = server.binary(conf)
    directory = tempfile.mkdtemp(prefix="jcq-db-")
    site = Site("/", os.path.join(directory, "nqs"), name="testsite")
    os.makedirs(server.epoch_directory(site, EPOCH))
    server.write_conf(site, EPOCH)
    argv = server.argv(site, EPOCH, path)
    process = subprocess.Popen(argv, executable=path, cwd=server.epoch_directory(site, EPOCH))
    try:
        wait_until(lambda: server.ping(site, EPOCH) == "up", 20, lambda: server.ping(site, EPOCH))
        yield lambda: connect(server.socket_of(site, EPOCH))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(directory)


def clear(connection):
    """Empty the database without FLUSHALL, which jcdbs does not have."""
    for key in connection.scan_iter(count=1000):
        connection.unlink(key)


def new_site(connection, run_limit=2):
    """An empty database becomes a site with its default queues, in its first epoch.

    Returns:
        Its `Store`.
    """
    store = Store(connection, EPOCH)
    server.create_database(store, IDENTITY, run_limit)
    return store


def all_data(connection):
    """{key: its content}, to compare before and after what must change nothing."""
    found = {}
    for key in sorted(connection.scan_iter(count=1000)):
        kind = connection.type(key)
        if kind == b"hash":
            found[key] = connection.hgetall(key)
        elif kind == b"zset":
            found[key] = connection.zrange(key, 0, -1, withscores=True)
        elif kind == b"set":
            found[key] = connection.smembers(key)
        elif kind == b"list":
            found[key] = connection.lrange(key, 0, -1)
        elif kind == b"stream":
            found[key] = connection.xrange(key)
        elif kind == b"string":
            found[key] = connection.get(key)
    return found

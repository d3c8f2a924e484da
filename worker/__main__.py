"""worker: runs the requests of a site on this node, started by cjcpw."""

import os
import sys
import time

import redis
import setproctitle

from jcq import crash_points
from jcq.config import read_daemon_conf, read_site_conf
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
from jcq.journal import open_log
from jcq.node import boot_id, node_id
from jcq.process import become_subreaper, kill_descendants
from jcq.site import Site
from jcq.site_group import site_gid
from jcq.site_page import Fence, SitePage, now_ns
from worker.containment import Containment
from worker.dispatcher import Dispatcher, batch_queues
from worker.launcher_client import Launcher
from worker.presence import Presence
from worker.template import job_template

_TURN_LIMIT_S = 15.0
_KILL_LIMIT_S = 10.0


def main(argv=None):
    """Register, announce readiness, run requests until SIGTERM; nothing below it outlives it.

    Returns:
        0 after SIGTERM; 6 where another run owns the site; 1 where the database or the launcher was lost.
    """
    options = daemon_options("worker").parse_args(argv)
    keep_locks_from_children(options.lock_fds)
    become_subreaper()
    site = Site(options.root, options.site)
    log = containment = None
    try:
        conf, _ = read_daemon_conf(options.root, site.directory)
        log = open_log(site, "worker", conf.syslog)
        identity = read_identity(site)
        site.name, site.local = identity.name, not identity.address
        setproctitle.setproctitle(f"NQS worker {identity.name}")
        containment = Containment(site, log)
        return _work(options, site, conf, log, containment, site_gid(site.directory, boot_id(site.root)))
    except (JcqError, redis.RedisError, OSError) as error:
        if log is not None:
            log.error("worker ends: %s", error)
        last_words(f"worker: {error}")
        return getattr(error, "exit_code", 1)
    finally:
        left = kill_descendants(_KILL_LIMIT_S)
        if left and log is not None:
            log.error("processes that survived SIGKILL: %s", left)
        if containment is not None:
            containment.leave()


def _work(options, site, conf, log, containment, job_gid):
    crash_points.arm(options.root)
    files_limit = raise_descriptor_limit()
    site_conf, warnings = read_site_conf(site.directory)
    for line in warnings:
        log.warning("%s", line)
    store = server.open_store(site, options.epoch)
    page = SitePage.open(options.page_fd)
    launcher = Launcher(page.fd)
    launcher.start()
    containment.take(launcher.pid)
    stop = StopSignal()
    name = f"{site.name}-e{options.epoch}-{os.getpid()}"
    dispatcher: Dispatcher
    presence = Presence(batch_queues(store), store.connection, name, lambda rid: dispatcher.send_signal(rid, 9))
    presence.appear()
    node = node_id(options.root, conf.node_id)
    fence, room = Fence(page), Room(page)
    dispatcher = Dispatcher(site, store, presence, launcher, conf, node, files_limit, stop, fence, log, job_gid, room)
    try:
        dispatcher.prepare()
        template = job_template(store.connection, conf.retention_s)
        store.run(store.register_worker(name, template, time.time()))
        store.revive = Revival(site, options.epoch, room, fence, stop, log, dispatcher.suspender.run_once)
        log.info("worker %s is ready", name)
        crash_points.reach("worker ready")
        announce_ready(options.ready_fd)
        while not stop.requested:
            dispatcher.run_once(page.turn_limit_s(_TURN_LIMIT_S))
            page.worker_ns = now_ns()
        dispatcher.stop_all(site_conf.forcekill_time_s)
        presence.disappear()
    finally:
        dispatcher.say_background("are killed")
        launcher.close()
    log.info("worker %s ends on request", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

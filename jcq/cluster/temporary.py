"""jcdbs without its site: for as long as somebody makes a site, or changes one that is stopped."""

import os
import select
import signal
import time
from contextlib import contextmanager

from jcq.cluster.daemons import JCDBS, start
from jcq.cluster.errors import StartTimeout
from jcq.errors import DatabaseUnusable
from jcq.jcdbs import server
from jcq.process import wait_gone
from jcq.site_page import SitePage

_PING_EVERY_MS = 10


@contextmanager
def site_page(limits):
    """The page that a daemon is given; nobody writes it."""
    page = SitePage.create(limits.fence_timeout_s)
    try:
        yield page
    finally:
        page.close()


@contextmanager
def temporary_jcdbs(launch, limits):
    """jcdbs for as long as the block lasts: stopped in order behind it, killed where it failed.

    Args:
        launch: the `Launch`; its locks are held.
        limits: `SiteConf`.
    Raises:
        DatabaseUnusable: it ended at once. StartTimeout: it was not ready, or did not end, in time.
    """
    daemon = start(JCDBS, launch)
    pidfd = os.pidfd_open(daemon.pid)
    try:
        _wait_ready(launch, pidfd, limits.boot_timeout_s)
        yield daemon
        if not _has_ended(pidfd):
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        if wait_gone([pidfd], limits.stop_timeout_s):
            raise StartTimeout(site=launch.site.name, limit_s=f"{limits.stop_timeout_s:g}", what="its end")
    finally:
        if not _has_ended(pidfd):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
        _unlink(server.socket_of(launch.site, launch.epoch))


def _wait_ready(launch, pidfd, limit_s):
    deadline_s = time.monotonic() + limit_s
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    while server.ping(launch.site, launch.epoch) != "up":
        if poll.poll(_PING_EVERY_MS):
            raise DatabaseUnusable(site=launch.site.name, reason="the temporary daemon ended at once")
        if time.monotonic() > deadline_s:
            raise StartTimeout(site=launch.site.name, limit_s=f"{limit_s:g}", what=JCDBS)


def _has_ended(pidfd):
    return bool(select.select([pidfd], [], [], 0)[0])


def _unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        return

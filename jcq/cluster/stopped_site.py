"""A stopped site's database, held and open for somebody who changes it without the site's daemons: spoolconv.

It is owned as cjcpw owns it: both locks, the owner record, an epoch of its own, a heartbeat. Where the holder is
killed, its jcdbs ends with it, and the next start takes over as it does from a cjcpw that was killed.
"""

import logging
import os
from contextlib import ExitStack, contextmanager

from jcq.cluster import epoch, record
from jcq.cluster.acquire import acquire
from jcq.cluster.heart import Heart
from jcq.cluster.temporary import site_page, temporary_jcdbs
from jcq.durable import write_durably
from jcq.errors import DatabaseUnusable
from jcq.jcdbs import server
from jcq.site_page import Fence


@contextmanager
def open_database(site, root, conf, limits, log, unchanged=False):
    """Own a stopped site and run its jcdbs for as long as the block lasts.

    Args:
        site: the `jcq.site.Site`.
        root: see `jcq.site.root_directory`.
        conf: `DaemonConf`.
        limits: `SiteConf`.
        log: logger.
        unchanged: leave the site as it was found: the block only reads.
    Yields:
        (`Store`, function that raises Fenced where the site is another owner's by now).
    Raises:
        JcqError: as `acquire`, `Ownership.next_epoch` and `temporary_jcdbs`.
    """
    path = os.path.join(site.database, ".owner")
    before = _read(site, path)
    ownership = acquire(site, root, conf, log)
    with ExitStack() as last_acts:
        leave = _put_back if unchanged else _release
        last_acts.callback(leave, ownership, ownership.epoch, path, before)
        number = ownership.next_epoch(limits.boot_timeout_s)
        page = last_acts.enter_context(site_page(limits))
        # Not the log of the caller, whose file the heart would take over.
        heart = Heart(site, page, ownership.run, ownership.locks.beat_fd, logging.getLogger("jcq.heart"))
        heart.start()
        last_acts.callback(heart.close)
        last_acts.enter_context(temporary_jcdbs(ownership.launch(page.fd), limits))
        store = server.open_store(site, number)
        last_acts.callback(store.connection.close)
        store.run(store.open_epoch())
        yield store, Fence(page).wait_young


def _release(ownership, *_):
    ownership.release()


def _put_back(ownership, found, path, before):
    """Nobody has written into the copy of the data: what it was made of is as good as it was."""
    if ownership.epoch != found:
        epoch.discard(ownership.site, ownership.epoch)
    write_durably(path, before, 0o644)
    record.remove(ownership.site)
    ownership.locks.release()


def _read(site, path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DatabaseUnusable(site=site.name, reason=f"{path}: {error.strerror}") from None

"""Making a site: the checks, the directories, the database with its queues; all of it or nothing.

Manual 2.3.5 (cjcmksite), 2.6.1 (link names), 2.6.3 (permissions); the list of refusals is our own.
"""

import fcntl
import os
import pwd
import shutil
from contextlib import ExitStack, contextmanager

from jcq.cluster import epoch, links, owner
from jcq.cluster.daemons import Launch
from jcq.cluster.errors import NamesTaken, OwnName, PathTaken
from jcq.cluster.locks import SiteLocks
from jcq.cluster.site_checks import (
    check_database_path,
    check_local_site,
    check_machine_id,
    check_name,
    check_overlap,
    check_passable,
)
from jcq.cluster.temporary import site_page, temporary_jcdbs
from jcq.conf_files import conf_path
from jcq.config import read_daemon_conf, read_site_conf
from jcq.errors import DatabaseUnusable
from jcq.identity import SiteIdentity
from jcq.jcdbs import server
from jcq.site import Site, hex_name, host_name, local_site, resolve, spool

#: Directory of the site -> its mode, whatever the umask.
DIRECTORIES = {"database": 0o700, "run": 0o711, "requests": 0o711, "output": 0o711, "log": 0o750}
CONF_FILES = ("daemon.conf", "site.conf")


def make_cluster_site(name, machine_id, database_path, root, say, looks_old):
    """cjcmksite.

    A `nqs` that is an old spool stays as it is, and the site's files come beside its own.

    Args:
        name: SITE, a host name that resolves forward and back.
        machine_id: 1 to 2147483647.
        database_path: an existing directory, in which `nqs` is made.
        root: see `jcq.site.root_directory`.
        say: called with each line of progress.
        looks_old: what speaks for an old spool in a directory, see `jcq.spoolconv.layouts.looks_old`.
    Returns:
        The new site's `SiteIdentity`.
    Raises:
        SiteRefused, NameNotResolved, UsageError: a check failed, nothing was made.
        DatabaseUnusable, StartTimeout: the database could not be made; what was made is gone again.
    """
    check_name(name)
    if name.lower() in (host_name().lower(), "localhost"):
        raise OwnName(site=name)
    _, address = resolve(name, root)
    path = os.path.abspath(database_path)
    site = Site(root, os.path.join(path, "nqs"), name=name, address=address)
    link = spool(root, hex_name(address))
    links.make_spool(spool(root))
    with _one_at_a_time(root):
        check_machine_id(machine_id, root)
        check_database_path(path)
        check_passable(path)
        check_overlap(path, root, link)
        beside = os.path.lexists(site.directory)
        if beside:
            _check_old_spool(site, looks_old)
        links.check_address(name, address)
        linked = links.check_link(link, site.directory, replace_dangling=False)
        check_local_site(root)
        identity = SiteIdentity(name, machine_id, address, os.geteuid(), _login_name())
        with ExitStack() as undo:
            say("Phase 1: Make NQS spool directories.")
            if not beside:
                _make_top(site.directory, undo)
            _make_directories(site, undo)
            say("Phase 2: Make the link to the site database.")
            if not linked:
                links.make_link(link, site.directory)
                undo.callback(os.unlink, link)
            _make_database(site, identity, root, say, first_phase=3)
            undo.pop_all()
    say("cjcmksite Complete")
    say("(stop temporary daemon)")
    return identity


def make_local_site(machine_id, root, say):
    """`jcq install --machine-id`: the site whose name is the host's and whose place is `/usr/spool/nqs`.

    Args, returns, raises: as `make_cluster_site`; where it exists already is the caller's to know.
    """
    site = local_site(root)
    links.make_spool(site.directory)
    with _one_at_a_time(root):
        check_machine_id(machine_id, root)
        check_database_path(site.directory)
        if os.path.lexists(site.database):
            raise PathTaken(path=site.database)
        identity = SiteIdentity(site.name, machine_id, "", os.geteuid(), _login_name())
        with ExitStack() as undo:
            say("Phase 1: Make NQS spool directories.")
            _make_directories(site, undo)
            _make_database(site, identity, root, say, first_phase=2)
            undo.pop_all()
    return identity


@contextmanager
def _one_at_a_time(root):
    """Two sites made at once could take the same machine id."""
    fd = os.open(spool(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _check_old_spool(site, looks_old):
    """Refuse a directory that is there, unless it is an old spool that leaves the site's names free."""
    plain = os.path.isdir(site.directory) and not os.path.islink(site.directory)
    if not plain or os.path.lexists(site.path("database", "site")) or not looks_old(site.directory):
        raise PathTaken(path=site.directory)
    taken = sorted(name for name in DIRECTORIES if os.path.lexists(site.path(name)))
    if taken:
        raise NamesTaken(path=site.directory, names=", ".join(taken))
    check_database_path(site.directory)
    check_passable(site.directory)


def _make_top(directory, undo):
    os.mkdir(directory)
    undo.callback(shutil.rmtree, directory, ignore_errors=True)
    os.chmod(directory, 0o755)


def _make_directories(site, undo):
    for name, mode in DIRECTORIES.items():
        path = site.path(name)
        os.mkdir(path, 0o700)
        undo.callback(shutil.rmtree, path, ignore_errors=True)
        os.chmod(path, mode)
    for name in CONF_FILES:
        path = site.path(name)
        if os.path.lexists(path):
            continue
        undo.callback(_unlink, path)
        shutil.copyfile(conf_path(name), path)
        os.chmod(path, 0o644)


def _make_database(site, identity, root, say, first_phase):
    conf, _ = read_daemon_conf(root, site.directory)
    limits, _ = read_site_conf(site.directory)
    say(f"Phase {first_phase}: Start a temporary daemon for the site database.")
    path, version = server.binary(conf)
    locks = SiteLocks.take(site)
    if locks is None:
        raise DatabaseUnusable(site=site.name, reason="somebody holds its locks")
    try:
        number = epoch.create_first(site)
        with site_page(limits) as page, temporary_jcdbs(Launch(site, number, path, locks.fds, page.fd), limits):
            say(f"Phase {first_phase + 1}: Make the site database and its queues.")
            run_limit = len(os.sched_getaffinity(0))
            server.create_database(server.open_store(site, number), identity, run_limit)
        identity.write(site)
        owner.here(
            root, conf, site=site.name, state=owner.RELEASED, epoch=number, server=version, pid=os.getpid()
        ).write(site)
    finally:
        locks.release()


def _unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _login_name():
    """The first manager: the login name of this user, or the uid where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())

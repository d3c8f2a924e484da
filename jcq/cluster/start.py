"""Starting a site with `cjcpw SITE DBPATH`: the checks before the first daemon, then the supervisor.

Manual 2.1.4, 2.3.7; what is checked is design section 9's list. DBPATH is never created: a missing
one means that the disk is not there.
"""

import os
import pwd
from contextlib import ExitStack

from jcq import crash_points
from jcq.cluster import links, output_spool, states
from jcq.cluster.acquire import acquire
from jcq.cluster.cjcpw import Supervisor
from jcq.cluster.detach import run_detached
from jcq.cluster.errors import OutputSpoolUnusable, WrongRoot, WrongSite
from jcq.cluster.notify import Notifier
from jcq.cluster.site_checks import check_local_site
from jcq.cluster.space import FULL, Reserve
from jcq.config import read_daemon_conf, read_site_conf
from jcq.errors import DatabaseUnusable, NotPermitted
from jcq.identity import read_identity
from jcq.journal import open_log
from jcq.node import node_id
from jcq.process import become_subreaper, set_comm
from jcq.site import Site, hex_name, host_name, local_site, resolve, short_name, spool


def open_site(name, database_path, root):
    """Find the site in DBPATH and check that it is the one that is meant.

    Args:
        name: SITE of the command line.
        database_path: DBPATH of the command line.
        root: see `jcq.site.root_directory`.
    Returns:
        (`Site`, `SiteIdentity`, path of its link or an empty one for the local site).
    Raises:
        DatabaseUnusable: DBPATH, or the site in it, is missing or damaged.
        NotPermitted: the caller is neither root nor who made the site.
        WrongSite, WrongRoot, NameNotResolved: it is another site, or the name means nothing.
    """
    directory = os.path.join(os.path.abspath(database_path), "nqs")
    site = Site(root, directory, name=name)
    if not os.path.isdir(directory):
        raise DatabaseUnusable(site=name, reason=f"{directory} is missing; mount its disk, or make it with cjcmksite")
    identity = _identity(site)
    _check_user(site, identity)
    if not identity.address:
        return _local(name, site, identity, root), identity, ""
    canonical, address = resolve(name, root)
    if identity.name.lower() not in (canonical.lower(), short_name(canonical).lower()):
        raise WrongSite(site=name, path=directory, found=identity.name)
    site.name, site.address = identity.name, address
    return site, identity, spool(root, hex_name(address))


def start(name, database_path, root, monitored, ignore_maintenance=False, warn=None, force="", source=None):
    """Run cjcpw.

    With `-c` a process takes its place that nobody waits for: it does all that cjcpw does, so that heartbeat,
    fence and the end of every straggler are the same. The manual says of `-c` that cjcpw does not stay
    (2.1.4), and that nqsdaemon's parent is process 1: that is this process.

    Args:
        name, database_path, root: as for `open_site`.
        monitored: stay and watch; False for `-c`.
        ignore_maintenance: start the daemons in spite of maintenance=ON (nqsstart was asked to).
        warn: called with each warning line about the configuration.
        force: host of a frozen owner that is to be replaced.
        source: number of the epoch to start from; None: the newest.
    Returns:
        None after a clean stop, or with `-c` when the site is up.
    Raises:
        JcqError: why it did not start, or how it ended; its `exit_code` is cjcpw's.
    """
    notifier = Notifier.take(os.environ)

    def begin(announce=None):
        _start(name, database_path, root, ignore_maintenance, warn, force, source, announce, notifier)

    if monitored:
        begin()
    else:
        run_detached(begin, notifier.main_pid)


def _start(name, database_path, root, ignore_maintenance, warn, force, source, announce, notifier):
    log = open_log(None, "cjcpw")
    mode = "cjcpw" if announce is None else "cjcpw -c"
    node = host_name()
    with ExitStack() as last_acts:
        try:
            site, identity, link = open_site(name, database_path, root)
            conf, warnings = read_daemon_conf(root, site.directory)
            limits, more = read_site_conf(site.directory)
            node = node_id(root, conf.node_id)
            if link:
                check_local_site(root)
                _prepare_link(site, link)
            become_owner(identity)
            log = open_log(site, "cjcpw", conf.syslog)
            if not os.access(site.log, os.W_OK | os.X_OK):
                more = [*more, f"{site.log} cannot be written, so nothing is logged there; make it writable"]
            for line in (*warnings, *more):
                log.warning("%s", line)
                if warn:
                    warn(line)
            maintenance = conf.maintenance and not ignore_maintenance
            output_spool.check(site, conf.output_spool)
            notifier.acquiring(site.name)
            ownership = _acquire(site, root, conf, log, announce is None, force, source)
            _place_output(ownership, conf.output_spool, log)
            _run(ownership, identity, limits, log, maintenance, announce, notifier, last_acts)
        except Exception as error:
            code = getattr(error, "exit_code", 1)
            log.error("site %s: %s ends on node %s, asked by uid %d: %s; exit code %d",
                      name, mode, node, os.getuid(), error, code)  # fmt: skip
            raise
        log.info("site %s: %s ends on node %s: stopped on request; exit code 0", name, mode, node)


def _acquire(site, root, conf, log, monitored, force, source):
    crash_points.arm(root)
    _entitle(site, monitored)
    become_subreaper()
    os.umask(0o077)
    # A resident process keeps no directory busy.
    os.chdir("/")
    arguments = (site, root, conf, log, monitored, force, source)
    try:
        try:
            return acquire(*arguments)
        except OSError as error:
            # What the reserve is for: a site starts on a full disk, so that what has ended can be recorded.
            if error.errno not in FULL or not Reserve(site).free():
                raise
            return acquire(*arguments)
    except OSError as error:
        # A full or read-only disk: failing over does not mend it.
        raise DatabaseUnusable(site=site.name, reason=str(error)) from error


def _place_output(ownership, directory, log):
    try:
        output_spool.place(ownership.site, directory, log)
    except OSError as error:
        ownership.release()
        path = directory or ownership.site.output
        raise OutputSpoolUnusable(path=path, reason=f"{error.filename or path}: {error.strerror}") from error


def _run(ownership, identity, limits, log, maintenance, announce, notifier, last_acts):
    if maintenance and announce is not None:
        # Nothing to start, and nobody who stays.
        log.info("site %s: maintenance=ON, cjcpw -c starts nothing", ownership.site.name)
        ownership.release()
        notifier.state(states.PAUSED, ownership.site.name, 0, limits)
        announce()
        return
    supervisor = Supervisor(ownership, identity.uid, limits, log, maintenance, announce, notifier)
    last_acts.callback(supervisor.close)
    supervisor.run()
    if supervisor.failure is not None:
        raise supervisor.failure


def _entitle(site, monitored):
    """What ps shows: after `-c` this is the nqsdaemon on top."""
    set_comm("cjcpw" if monitored else "nqsdaemon")
    if not monitored:
        os.environ["SPT_NOENV"] = "1"
        import setproctitle

        setproctitle.setproctitle(f"NQS nqsdaemon {site.name}")


def _identity(site):
    try:
        return read_identity(site)
    except PermissionError:
        raise _not_permitted(site, os.stat(site.database).st_uid) from None


def _check_user(site, identity):
    """Root becomes the uid that a file of the site names, so the directory's owner must be the same."""
    if os.geteuid() not in (0, identity.uid):
        raise _not_permitted(site, identity.uid)
    found = os.stat(site.database).st_uid
    if os.geteuid() == 0 and found != identity.uid:
        claim = f"it says that uid {identity.uid} made it, but {site.database} is uid {found}'s"
        reason = f"{claim}; find out which is right, and chown what is wrong"
        raise DatabaseUnusable(site=site.name, reason=reason)


def _not_permitted(site, owner_uid):
    rule = f"only root and uid {owner_uid}, which made it, may"
    return NotPermitted(who=f"uid {os.geteuid()}", what=f"start site {site.name}", rule=rule)


def _local(name, site, identity, root):
    """The local site: its name is the host's, its place is fixed."""
    place = local_site(root).directory
    if os.path.realpath(site.directory) != os.path.realpath(place):
        raise WrongRoot(path=site.directory, expected=os.path.dirname(place))
    if name.lower() not in (identity.name.lower(), host_name().lower(), "localhost"):
        raise WrongSite(site=name, path=site.directory, found=identity.name)
    site.name, site.local = identity.name, True
    return site


def _prepare_link(site, link):
    links.check_address(site.name, site.address)
    if not links.check_link(link, site.directory, replace_dangling=True):
        links.make_link(link, site.directory)


def become_owner(identity):
    """A site runs as the uid that made it, also when root starts it: else its files would become root's."""
    if os.geteuid() != 0 or identity.uid == 0:
        return
    try:
        user = pwd.getpwuid(identity.uid)
    except KeyError:
        raise NotPermitted(
            who="root", what=f"start site {identity.name}", rule=f"uid {identity.uid}, which made it, is unknown here"
        ) from None
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(identity.uid)

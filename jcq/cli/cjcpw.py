"""cjcpw: start, watch and stop a site."""

import os
import sys

import click

from jcq.cli.errors_to_lines import complain, run
from jcq.cluster import links, stop
from jcq.cluster.start import start
from jcq.errors import DatabaseUnusable, UsageError
from jcq.journal import ApartHandler, open_log
from jcq.site import root_directory

_EXIT_CODES = """\b
Exit codes:
  0  stopped on request; with -c: the site is up
  1  a daemon died, or the site could not be started; -stop: something survived
  2  usage
  3  the database is owned by another node
  4  the site is already running on this node
  5  the database is missing, damaged, unreadable for this server, or its disk has no space to start
  6  ended itself: another node owns the site, or no heartbeat reached its disk in time
  7  not ready within BOOT_TIMEOUT of site.conf
"""


@click.command("cjcpw", context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
@click.option("-c", "detached", is_flag=True, help="Start the site and end; an nqsdaemon on top watches it.")
@click.option("--force", metavar="HOST", default="", help="Take over from HOST, whose run is frozen and fenced.")
@click.option("--from-epoch", "source", metavar="N", type=click.IntRange(1), help="Start from the copy in database/eN.")
@click.option("-stop", "stopping", is_flag=True, help="Stop SITE on this node; end when its last process is gone.")
@click.argument("site")
@click.argument("database_path", metavar="[DBPATH]", required=False)
@click.pass_obj
def cjcpw(root, detached, force, source, stopping, site, database_path):
    """Start SITE, whose database is in DBPATH, and watch it until it is stopped.

    cjcpw stays in the foreground. If a daemon dies it kills the others and every job, and ends with 1,
    so that the cluster software can move the site. SIGTERM and SIGINT stop the site cleanly.

    While another node owns the database, or may own it, cjcpw ends with 3 and names that owner. If that
    node is frozen and still holds the locks, fence it first, and then name its host with --force.

    Each start works on a copy of the data of the one before. Where the newest is damaged, cjcpw ends with 5
    and says which older copies there are; --from-epoch goes back to one. What was submitted or ended since
    then is not in it.
    """
    root = root_directory(os.environ, root)
    if stopping:
        if database_path is not None or detached or force or source is not None:
            raise UsageError(reason="-stop takes SITE only; see cjcpw --help")
        stop_site(site, root)
    elif database_path is None:
        raise UsageError(reason=f"DBPATH is missing: cjcpw {site} DBPATH; see cjcpw --help")
    else:
        try:
            start(site, database_path, root, monitored=not detached, warn=_warn, force=force, source=source)
        except DatabaseUnusable as error:
            raise _of_an_old_system(site, database_path) or error from None


def stop_site(name, root):
    """Stop a site by its name; nothing to do where this node has never seen it."""
    known = links.find(name, root)
    if known is not None:
        log = open_log(known.site if os.path.isdir(known.site.log) else None, "cjcpw")
        ApartHandler.put_into(log)
        stop.stop(known.site, root, log)


def _of_an_old_system(site, database_path):
    """What to say where there is no site, but a spool of an old system; None where there is neither."""
    if os.path.lexists(os.path.join(database_path, "nqs", "database", "site")):
        return None
    from jcq.spoolconv.layouts import looks_old

    for path in (database_path, os.path.join(database_path, "nqs")):
        found = looks_old(path)
        if found:
            reason = (
                f"{path} holds the spool of an old system ({found}) and no site; make the site with cjcmksite, then"
                f" convert the spool: NQS_SITE={site} spoolconv -c {path}"
            )
            return DatabaseUnusable(site=site, reason=reason)
    return None


def _warn(line):
    complain(f"cjcpw: warning: {line}", 0)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(cjcpw, root)


if __name__ == "__main__":
    sys.exit(main())

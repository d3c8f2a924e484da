"""nqsstart: start a site's daemons, under its cjcpw where one lives."""

import os
import sys

import click

from jcq.cli.errors_to_lines import complain, run
from jcq.cluster import links, stop
from jcq.cluster.errors import SiteNotFound
from jcq.cluster.start import start
from jcq.config import read_daemon_conf
from jcq.errors import UsageError
from jcq.journal import open_log
from jcq.site import host_name, lib, root_directory


@click.command("nqsstart", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--wanted", is_flag=True, help="Start nothing: 0 where the local site belongs to the machine's start.")
@click.argument("site", required=False)
@click.pass_obj
def nqsstart(root, wanted, site):
    """Start the daemons of SITE; without SITE, of the local site.

    A living cjcpw starts and watches them; without one this does what cjcpw -c does.
    """
    root = root_directory(os.environ, root)
    if wanted:
        return _is_wanted(site, root)
    known = links.find(site or "", root)
    if known is None:
        raise SiteNotFound(site=site or host_name())
    if not stop.resume(known.site, root, open_log(known.site if os.path.isdir(known.site.log) else None, "cjcpw")):
        start(known.name, known.database_path, root, monitored=False, ignore_maintenance=True, warn=_warn)
    return 0


def _is_wanted(site, root):
    """For whoever starts the machine: local_daemon=OFF means 1 (manual 2.3.6)."""
    if site:
        raise UsageError(reason="--wanted is about the local site and takes no SITE; see nqsstart --help")
    if read_daemon_conf(root)[0].local_daemon != "OFF":
        return 0
    click.echo(f"local_daemon=OFF in {lib(root, 'rc', 'daemon.conf')}: the local site does not start with the machine.")
    return 1


def _warn(line):
    complain(f"nqsstart: warning: {line}", 0)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(nqsstart, root)


if __name__ == "__main__":
    sys.exit(main())

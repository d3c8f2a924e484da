"""nqsstart: start a site's daemons, under its cjcpw where one lives."""

import os
import sys

import click

from jcq.cli.errors_to_lines import complain, run
from jcq.cluster import links, stop
from jcq.cluster.start import start
from jcq.config import read_daemon_conf
from jcq.errors import SiteNotFound, UsageError
from jcq.journal import open_log
from jcq.site import host_name, lib, root_directory


@click.command("nqsstart", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--boot", is_flag=True, help="The machine starts: the local site, unless local_daemon=OFF.")
@click.argument("site", required=False)
@click.pass_obj
def nqsstart(root, boot, site):
    """Start the daemons of SITE; without SITE, of the local site.

    A living cjcpw starts and watches them; without one this does what cjcpw -c does.
    """
    root = root_directory(os.environ, root)
    if boot and site:
        raise UsageError(reason="--boot is for the local site and takes no SITE; see nqsstart --help")
    if boot and read_daemon_conf(root)[0].local_daemon == "OFF":
        click.echo(f"local_daemon=OFF in {lib(root, 'rc', 'daemon.conf')}: the local site is not started.")
        return
    known = links.find(site or "", root)
    if known is None:
        raise SiteNotFound(site=site or host_name())
    if not stop.resume(known.site, root, open_log(known.site if os.path.isdir(known.site.log) else None, "cjcpw")):
        start(known.name, known.database_path, root, monitored=False, ignore_maintenance=True, warn=_warn)


def _warn(line):
    complain(f"nqsstart: warning: {line}", 0)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(nqsstart, root)


if __name__ == "__main__":
    sys.exit(main())

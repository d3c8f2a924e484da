"""nqsstart: start a site's daemons, under its cjcpw where one lives."""

import os
import sys

import click

from jcq.cli.errors_to_lines import complain, run
from jcq.cluster import links, stop
from jcq.cluster.start import start
from jcq.errors import SiteNotFound
from jcq.journal import open_log
from jcq.site import host_name, root_directory


@click.command("nqsstart", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("site", required=False)
@click.pass_obj
def nqsstart(root, site):
    """Start the daemons of SITE; without SITE, of the local site.

    A living cjcpw starts and watches them; without one this does what cjcpw -c does.
    """
    root = root_directory(os.environ, root)
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

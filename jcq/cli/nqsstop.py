"""nqsstop: stop a site's daemons; its cjcpw stays."""

import os
import sys

import click

from jcq.cli.errors_to_lines import run
from jcq.cluster import links, stop
from jcq.journal import open_log
from jcq.site import root_directory


@click.command("nqsstop", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("site", required=False)
@click.pass_obj
def nqsstop(root, site):
    """Stop the daemons of SITE; without SITE, of the local site.

    A living cjcpw stays, so that the cluster software sees no failure; nqsstart starts them again.
    """
    root = root_directory(os.environ, root)
    known = links.find(site or "", root)
    if known is not None and os.path.isdir(known.site.log):
        stop.pause(known.site, root, open_log(known.site, "cjcpw"))


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(nqsstop, root)


if __name__ == "__main__":
    sys.exit(main())

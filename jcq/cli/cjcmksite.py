"""cjcmksite: make a cluster site."""

import os
import signal
import sys

import click

from jcq.cli.errors_to_lines import run
from jcq.cluster.mksite import make_cluster_site
from jcq.site import root_directory
from jcq.spoolconv.layouts import looks_old


@click.command("cjcmksite", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("site")
@click.argument("machine_id", type=int)
@click.argument("database_path", metavar="DBPATH")
@click.pass_obj
def cjcmksite(root, site, machine_id, database_path):
    """Make SITE with MACHINE_ID (1 to 2147483647) in DBPATH, an existing directory on the shared disk.

    SITE is a host name that resolves forward and back; its address must be up on this node.
    """
    # So that SIGTERM takes back what was made, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    make_cluster_site(site, machine_id, database_path, root_directory(os.environ, root), click.echo, looks_old)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(cjcmksite, root)


if __name__ == "__main__":
    sys.exit(main())

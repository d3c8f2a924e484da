"""cjcls: list the sites of this node."""

import os
import sys

import click

from jcq.cli.errors_to_lines import run
from jcq.cluster.listing import table
from jcq.site import root_directory


@click.command("cjcls", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-a", "with_local", is_flag=True, help="Also the local site.")
@click.pass_obj
def cjcls(root, with_local):
    """List the cluster sites of this node.

    DAEMON-PID is that of nqsdaemon once the site is up here, else SHUT; CJCPW is ON while a cjcpw watches it.
    """
    click.echo(table(root_directory(os.environ, root), with_local), nl=False)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(cjcls, root)


if __name__ == "__main__":
    sys.exit(main())

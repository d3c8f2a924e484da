"""nqsportkpr: hold a site's port until its daemon takes it over."""

import os
import sys

import click

from jcq.cli.errors_to_lines import run
from jcq.cluster import portkpr
from jcq.site import root_directory


@click.command("nqsportkpr", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-stop", "stopping", is_flag=True, help="End the keeper of that port; 0 where none runs.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; by default port= of daemon.conf, 607.")
@click.argument("target", metavar="ADDRESS-or-SITE")
@click.pass_obj
def nqsportkpr(root, stopping, port, target):
    """Hold the nqs port of an address, or of a site, until its nqsdaemon takes it over.

    Returns at once, and the keeper stays: the first command of a package's start script, so that no other
    process can have the port before the site is up. A second call changes nothing and ends with 0.
    """
    root = root_directory(os.environ, root)
    wanted = portkpr.target(target, root, port)
    if stopping:
        portkpr.end(wanted, root)
    else:
        portkpr.keep(wanted, root)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(nqsportkpr, root)


if __name__ == "__main__":
    sys.exit(main())

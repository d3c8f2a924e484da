"""cjcls: list the sites of this node, or say in one word how one of them is."""

import os
import sys

import click

from jcq.cli.errors_to_lines import run
from jcq.cluster.condition import EXIT_CODES, condition
from jcq.cluster.listing import table
from jcq.errors import UsageError
from jcq.site import root_directory

_STATES = """\b
Words and exit codes of --state:
  0  up, maintenance: the site is healthy
  1  stopped, elsewhere (another node runs it), unknown (never seen here)
  2  usage
  3  starting, stopping
  4  silent (its cjcpw does not answer), leftover (no cjcpw, but processes of the site)
"""


@click.command("cjcls", context_settings={"help_option_names": ["-h", "--help"]}, epilog=_STATES)
@click.option("-a", "with_local", is_flag=True, help="Also the local site.")
@click.option("--state", "site", metavar="SITE", help="Only say in one word how SITE is on this node, for scripts.")
@click.pass_obj
def cjcls(root, with_local, site):
    """List the cluster sites of this node.

    DAEMON-PID is that of nqsdaemon once the site is up here, else SHUT; CJCPW is ON while a cjcpw watches it.
    """
    root = root_directory(os.environ, root)
    if site is None:
        click.echo(table(root, with_local), nl=False)
        return 0
    if with_local or not site:
        raise UsageError(reason="--state takes SITE and nothing else; see cjcls --help")
    word = condition(site, root)
    click.echo(word)
    return EXIT_CODES.get(word, 1)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(cjcls, root)


if __name__ == "__main__":
    sys.exit(main())

"""`jcq`: the commands that concern the installation itself."""

import sys
from importlib import metadata

import click

from jcq.cli.dump import dump
from jcq.cli.errors_to_lines import run
from jcq.cli.ha import ha
from jcq.cli.history import history
from jcq.cli.install import install
from jcq.cli.quickstart import quickstart


def _version():
    try:
        return metadata.version("jcq")
    except metadata.PackageNotFoundError:
        return "of a checkout that is not installed"


@click.group("jcq", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), message="%(prog)s %(version)s")
def jcq():
    """A batch queue that outlives its machine: lay its commands, see it at work, dump a site, write cluster files."""


jcq.add_command(dump)
jcq.add_command(ha)
jcq.add_command(history)
jcq.add_command(install)
jcq.add_command(quickstart)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(jcq, root)


if __name__ == "__main__":
    sys.exit(main())

"""`jcq install`: lay the commands, and make the local site."""

import os

import click

from jcq.cluster.install import ensure_local_site, lay
from jcq.site import root_directory


@click.command("install")
@click.option("--prefix", metavar="DIR", help="Where to lay them; by default the root: JCQ_ROOT, or / for root.")
@click.option("--machine-id", type=int, metavar="N", help="Also make the local site, with this machine id.")
def install(prefix, machine_id):
    """Lay the commands at the manual's paths below DIR, and common configuration files where there are none.

    The commands carry DIR as their root. Doing it again is harmless.
    """
    root = os.path.abspath(prefix) if prefix else root_directory(os.environ)
    if machine_id is not None:
        made = ensure_local_site(machine_id, root, click.echo)
        click.echo("The local site is made." if made else "The local site is there already.")
    for path in lay(root):
        click.echo(path)

"""`jcq install`: lay the commands and make the local site, or take the commands away again."""

import os

import click

from jcq.cluster import install as laying
from jcq.errors import UsageError
from jcq.site import root_directory


@click.command("install")
@click.option("--prefix", metavar="DIR", help="Where to lay them; by default the root: JCQ_ROOT, or / for root.")
@click.option("--machine-id", type=int, metavar="N", help="Also make the local site, with this machine id.")
@click.option("--uninstall", is_flag=True, help="Remove what was laid; sites and changed configuration stay.")
def install(prefix, machine_id, uninstall):
    """Lay the commands at the manual's paths below DIR, and common configuration files where there are none.

    The commands carry DIR as their root. Doing it again is harmless. Where a file of another origin stands at one
    of the paths, nothing is changed.
    """
    root = os.path.abspath(prefix) if prefix else root_directory(os.environ)
    if uninstall:
        if machine_id is not None:
            raise UsageError(reason="--uninstall removes no site, so it takes no --machine-id")
        _uninstall(root)
        return
    planned = laying.plan(root)
    if machine_id is not None:
        made = laying.ensure_local_site(machine_id, root, click.echo)
        click.echo("The local site is made." if made else "The local site is there already.")
    laying.lay(planned)
    for did, path, _, _ in planned:
        click.echo(f"{did:<9} {path}")


def _uninstall(root):
    found = laying.remove(root)
    for did, path, why in found:
        click.echo(f"{did:<9} {path}" + (f" ({why})" if why else ""))
    if not any(did == laying.REMOVED for did, _, _ in found):
        click.echo(f"Nothing of jcq is laid below {root}.")

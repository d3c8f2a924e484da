"""`jcq ha`: write the files with which a cluster manager runs a site."""

import os

import click

from jcq.cli.errors_to_lines import complain
from jcq.cluster.ha import FILES, render, values_for, write
from jcq.errors import UsageError
from jcq.site import root_directory

_OPTION_OF = {"ADDRESS": "--address", "DEVICE": "--device", "FSTYPE": "--fstype"}


@click.command("ha")
@click.argument("manager", metavar="MANAGER", type=click.Choice(sorted(FILES)))
@click.option("--site", required=True, metavar="SITE", help="Name of the cluster site.")
@click.option("--db", "database_path", required=True, metavar="PATH", help="Its database path; the disk may be away.")
@click.option("--address", metavar="A", help="Its address; by default that of its name.")
@click.option("--device", metavar="DEV", help="Device of the disk (pacemaker); by default what is mounted there.")
@click.option("--fstype", metavar="TYPE", help="Type of its file system (pacemaker); by default what is mounted there.")
@click.option("--output", metavar="DIR", help="Where to write the files; by default ./MANAGER-SITE.")
def ha(manager, site, database_path, address, device, fstype, output):
    """Write the files with which MANAGER runs SITE, and say where they are.

    Each set has a README.md with the steps. Files that are there and differ are not touched.
    """
    values, warnings = values_for(site, database_path, address, root_directory(os.environ))
    for place, given in (("DEVICE", device), ("FSTYPE", fstype)):
        if given is not None:
            if not given or not given.isascii() or not given.isprintable() or set(given) & set(" \"'\\$`@"):
                raise UsageError(reason=f"{_OPTION_OF[place]} {given!r} cannot be written into every manager's files")
            values[place] = given
    texts, missing = render(manager, values)
    if missing:
        places = ", ".join(f"@{place}@ ({_OPTION_OF[place]})" for place in missing)
        warnings.append(f"not known here, so put them in by hand or give the options: {places}")
    paths = write(os.path.abspath(output if output is not None else f"{manager}-{site}"), texts)
    for line in warnings:
        complain(f"jcq ha: warning: {line}", 0)
    for path in paths:
        click.echo(path)

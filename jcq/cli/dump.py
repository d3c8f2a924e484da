"""`jcq dump`: write a site's configuration and requests into a directory, for spoolconv."""

import os
import signal

import click

from jcq.cli.errors_to_lines import complain
from jcq.cluster.dump import dump as dump_site
from jcq.errors import UsageError
from jcq.site import locate, root_directory


@click.command("dump")
@click.argument("directory", metavar="DIR")
@click.pass_obj
def dump(root, directory):
    """Write the site's configuration and its requests into DIR, which must not exist or be empty.

    All that is to run is in it, scripts and environments too, so its managers may do it, and DIR is closed to others.
    Requests that have ended are not. The site is named by NQS_SITE; unset, it is the local site. It runs on; or it
    is stopped, and its user may do it. `spoolconv` makes a site of DIR.
    """
    if not directory:
        raise UsageError(reason="DIR is empty; name a directory")
    root = root_directory(os.environ, root)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        # Nothing half written is left behind, as after Ctrl-C.
        signal.signal(signum, signal.default_int_handler)
    os.umask(0o077)
    counts, troubles = dump_site(locate(os.environ.get("NQS_SITE"), root), directory, root)
    click.echo(", ".join(f"{stem}: {count}" for stem, count in counts.items()))
    for line in troubles:
        complain(f"jcq: {line}", 1)
    return 1 if troubles else 0

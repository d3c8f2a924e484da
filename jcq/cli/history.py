"""`jcq history`: what became of requests of an old system."""

import json
import os
from datetime import datetime

import click

from jcq import client
from jcq.cli.errors_to_lines import complain

_COLUMNS = "{:<16} {:<20} {:<9} {:<12} {:<20} {}"


@click.command("history")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.argument("old_ids", metavar="[OLD_ID ...]", nargs=-1)
@click.pass_obj
def history(root, as_json, old_ids):
    """Show which requests spoolconv made of those of an old system, and what has become of them.

    Without OLD_ID all of them; the number of an array means each of its tasks. A request that has ended and is not
    retained any more is FORGOTTEN. The site is named by NQS_SITE; unset, it is the local site.
    """
    code, out, err = client.call("history", client.locate(root), list(old_ids))
    if as_json:
        click.echo(out, nl=False)
    elif out:
        click.echo(_COLUMNS.format("OLD ID", "REQUEST ID", "STATE", "USER", "CONVERTED", "FROM"))
        for line in out.splitlines():
            click.echo(_shown(json.loads(line)))
    for line in err.splitlines():
        complain(f"jcq {line}", code)
    return code


def _shown(row):
    when = datetime.fromtimestamp(row["converted_s"]).strftime("%Y-%m-%d %H:%M") if row["converted_s"] else "-"
    place = os.path.join(row["spool"] or "", row["where"] or "")
    text = _COLUMNS.format(row["old_id"], row["id"], row["state"] or "FORGOTTEN", row["user"] or "-", when, place)
    return "".join(character if character.isprintable() else "?" for character in text)

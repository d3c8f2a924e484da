"""Grid Engine's text objects: a few lines of comment, then a key and its value on each line.

Values may differ by host or host group: `2,[oldhost=3],[@grp=8]`. NONE, UNDEFINED and INFINITY are words.
"""

import os
import re

#: Stands for all hosts, as in the packed form.
EVERYWHERE = "@/"
NOTHING = frozenset({"NONE", "none", "UNDEFINED", ""})
#: `[host=value]`, the value may hold brackets of its own only where they are closed.
_OVERRIDE = re.compile(r",?\s*\[([^\]=\s]{1,255})=([^\]]{0,100000})\]")


def pairs(data):
    """-> {key: value} of a text object; lines of comment are passed over, a key that comes again counts last."""
    found = {}
    for line in lines(data):
        words = line.split(None, 1)
        found[words[0]] = words[1].strip() if len(words) > 1 else ""
    return found


def lines(data):
    """-> the lines of a text object that say something."""
    text = os.fsdecode(data).replace("\0", "")
    return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]


def by_host(value):
    """-> {host, @group or EVERYWHERE: value}."""
    found = {}
    for host, own in _OVERRIDE.findall(value):
        found[host] = own.strip()
    return {EVERYWHERE: _OVERRIDE.sub("", value).strip()} | found


def words(value):
    """-> the words of a list, whether blanks or commas stand between them; none for NONE."""
    return [word for word in re.split(r"[\s,]+", value) if word not in NOTHING]

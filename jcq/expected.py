"""Whether a site should be running, and where: `expected`, one line in its directory that everybody may read.

The owner record says who has the site, but stands where users cannot look, and a failure releases it, too. This says
what is wanted: a site that was stopped on purpose is `stopped`, one that failed or crashed is to be `running`. Nothing
hangs on it but how long a command waits (`jcq.patience`).
"""

from jcq.durable import write_durably
from jcq.site import host_name

RUNNING = "running"
STOPPED = "stopped"


def say(site, word):
    """Write it; where the disk takes no line, commands wait a little too long, or not at all.

    Args:
        site: the `jcq.site.Site`.
        word: `RUNNING` or `STOPPED`.
    """
    try:
        write_durably(site.expected, f"{word} {host_name()}\n".encode(errors="surrogateescape"), 0o644)
    except OSError:
        return


def read(site):
    """-> (the word, the host that wrote it); empty where there is none to be read."""
    try:
        with open(site.expected, encoding="utf-8", errors="replace") as file:
            word, _, host = file.read(1024).strip().partition(" ")
    except OSError:
        return "", ""
    return word, host

"""Whether a site should be running, and where: `expected`, one line that the users' commands read.

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

"""How a daemon's end becomes the error that cjcpw ends with, and so its exit code."""

import os

from jcq.cluster import epoch as epochs
from jcq.cluster.daemons import JCDBS
from jcq.cluster.errors import DaemonDied
from jcq.errors import DatabaseUnusable
from jcq.jcdbs import server
from jcq.jcdbs.errors import StaleEpoch

#: Exit codes of daemons that cjcpw passes on: failing over does not help, or the site is lost already.
_PASSED_ON = (DatabaseUnusable.exit_code, StaleEpoch.exit_code)
_WORDS_MAX = 200


def verdict(site, epoch, name, pid, status, while_starting):
    """Judge the end of a daemon that should live.

    Args:
        site: the `jcq.site.Site`.
        epoch: the run's number.
        name, pid: the daemon.
        status: its wait status.
        while_starting: before the site was up; its last words are then part of the message, since nobody
            knows yet where to look.
    Returns:
        A `JcqError` with cjcpw's exit code: 5 where jcdbs could not load the data, else 1 or the daemon's own.
    """
    how = describe(status)
    if name == JCDBS and while_starting:
        words = _last_words(os.path.join(server.epoch_directory(site, epoch), "jcdbs.log"))
        return DatabaseUnusable(site=site.name, reason=f"jcdbs {how}{words}; {_advice(site, epoch)}")
    words = _last_words(site.path("log", f"{name}.err")) if while_starting else ""
    code = os.waitstatus_to_exitcode(status)
    if while_starting and code == DatabaseUnusable.exit_code:
        words += f"; {_advice(site, epoch)}"
    failure = DaemonDied(what=f"{name}[{pid}]", site=site.name, how=how + words)
    if code in _PASSED_ON:
        failure.exit_code = code
    return failure


def _advice(site, number):
    """Its data came from the epoch before."""
    return epochs.restore_advice(site, max((old for old in epochs.existing(site) if old < number), default=0))


def describe(status):
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _last_words(path):
    """`: <last line of the file>`, or nothing."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    words = [line.strip() for line in lines if line.strip()]
    return f": {words[-1][:_WORDS_MAX]}" if words else ""

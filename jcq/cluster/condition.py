"""In what condition a site is on this node, in one word: what the agents of cluster software decide by.

A healthy site is one whose cjcpw lives: with its daemons up, or in maintenance, where cjcpw is alone (manual
2.5.5). Only cjcpw itself knows which, so it is asked; its answer also shows that it is not stuck.
"""

import os
import time

from jcq.cluster import control, links, owner, record, states, sweep
from jcq.cluster.errors import SiteNotFound

UP = "up"
MAINTENANCE = "maintenance"
STARTING = "starting"
STOPPING = "stopping"
#: A cjcpw lives and does not answer.
SILENT = "silent"
#: No cjcpw, but processes of the site: it was killed. The next start, or `-stop`, ends them.
LEFTOVER = "leftover"
#: Another node runs it.
ELSEWHERE = "elsewhere"
STOPPED = "stopped"
#: This node has never seen such a site; its disk may never have been here.
UNKNOWN = "unknown"

#: What cjcpw says of itself -> the word.
_WORDS = {
    states.STARTING: STARTING,
    states.UP: UP,
    states.REVIVING: UP,
    states.PAUSING: MAINTENANCE,
    states.PAUSED: MAINTENANCE,
    states.RESUMING: MAINTENANCE,
    states.STOPPING: STOPPING,
    states.ENDED: STOPPING,
}
#: Exit codes of `cjcls --state`: 0 healthy, 3 on its way up or down, 4 neither; all others are 1.
EXIT_CODES = {UP: 0, MAINTENANCE: 0, STARTING: 3, STOPPING: 3, SILENT: 4, LEFTOVER: 4}
_ANSWER_LIMIT_S = 10.0


def condition(name, root):
    """The word for a site on this node; nothing is changed.

    Args:
        name: see `jcq.cluster.links.find`.
        root: see `jcq.site.root_directory`.
    Returns:
        One of the words above.
    Raises:
        NotPermitted: the caller is neither root nor who made the site.
    """
    try:
        known = links.find(name, root)
    except SiteNotFound:
        known = None
    if known is None:
        return UNKNOWN
    site = known.site
    if not os.path.isdir(site.database):
        return LEFTOVER if sweep.leftovers(site, root) else STOPPED
    now = owner.read(site)
    if now.state == owner.RUNNING and not now.on_this_node(root):
        return LEFTOVER if sweep.leftovers(site, root, with_holders=False) else ELSEWHERE
    return _ask(site, root) or (LEFTOVER if sweep.leftovers(site, root) else STOPPED)


def _ask(site, root):
    """What cjcpw says; an empty string where there is none."""
    before = time.monotonic()
    client = control.connect(site)
    answer = None
    if client is not None:
        try:
            answer = client.ask(control.STATE, _ANSWER_LIMIT_S)
        finally:
            client.close()
    if answer and answer[1] in _WORDS:
        return _WORDS[answer[1]]
    alive = record.read(site).alive(root)
    if record.CJCPW not in alive and record.TOP not in alive:
        return ""
    if client is None:
        # One that has just begun has no socket yet.
        return STARTING
    # One that ends hangs up at once.
    return SILENT if time.monotonic() - before >= _ANSWER_LIMIT_S else STOPPING

"""What becomes of a request that was interrupted: the restart table, a pure function.

RESTART and PURGE are the manual's (2.5.4). STOP and MIGRATION_* are named there but explained in a
guide that is not public; their meaning here is jcq's own reading of the names: STOP keeps the
request and leaves the queue stopped, MIGRATION_x is RESTART on the same node and x on another.
"""

RESTART = "RESTART"
PURGE = "PURGE"
STOP = "STOP"
MIGRATION_PURGE = "MIGRATION_PURGE"
MIGRATION_STOP = "MIGRATION_STOP"

#: Values of a queue's restart attribute; new queues are RESTART.
ATTRIBUTES = (RESTART, PURGE, STOP, MIGRATION_PURGE, MIGRATION_STOP)

#: Decisions.
RERUN = "rerun"
REMOVE = "remove"
KEEP_STOPPED = "keep and stop the queue"

#: attribute -> (decision on the same node, decision on another node), for restartable requests.
_TABLE = {
    RESTART: (RERUN, RERUN),
    PURGE: (REMOVE, REMOVE),
    STOP: (KEEP_STOPPED, KEEP_STOPPED),
    MIGRATION_PURGE: (RERUN, REMOVE),
    MIGRATION_STOP: (RERUN, KEEP_STOPPED),
}


def judge(attribute, restartable, same_node):
    """Decide about one interrupted request.

    Args:
        attribute: the queue's restart attribute, one of `ATTRIBUTES`.
        restartable: False for `qsub -nr`, which is purged in every case (manual 2.5.4, case 2).
        same_node: whether the site starts on the node where the request ran.
    Returns:
        `RERUN`, `REMOVE` or `KEEP_STOPPED`.
    """
    if not restartable:
        return REMOVE
    same, other = _TABLE[attribute]
    return same if same_node else other

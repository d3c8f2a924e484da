"""What the start of a site does before any worker runs: begin the epoch, judge what the last run left, tidy the spool.

Requests that had ended and are on their way back are left EXITING: the worker adopts and delivers
them, they are never rerun. Sources: manual 2.5.4, design sections 5 and 9.
"""

from dataclasses import replace

from jcq import exit_record
from jcq.model import lifecycle, restart

_CHUNK = 500

_ORDERS = {restart.RERUN: "rerun", restart.REMOVE: "remove", restart.KEEP_STOPPED: "keep"}


def recover(desk, node):
    """Bring the database in line with what really happened.

    Args:
        desk: the `Desk`; its store has the new epoch.
        node: this node's id.
    Returns:
        {decision: how many requests}.
    Raises:
        JcqError: the database refused; the site must not start.
    """
    store = desk.store
    store.run(store.open_epoch())
    counts = {}
    for queue in store.run(store.queues()):
        for state in (lifecycle.RUNNING, lifecycle.ROUTING, lifecycle.DEPARTING):
            rids = store.run(store.members(queue.name, state))
            for request in _in_chunks(store, rids):
                decision, reason, ended = decide(desk.site, queue, request, node)
                store.run(store.recover(request.rid, decision, reason, desk.now(), ended, desk.conf.retention_s))
                desk.log.info("recover %s: %s (%s)", request.id, decision, reason)
                counts[decision] = counts.get(decision, 0) + 1
    orphans = _orphans(desk)
    desk.spool.forget(orphans)
    if orphans:
        desk.log.info("removed files of %d requests that were never accepted: %s", len(orphans), orphans[:10])
    return counts


def decide(site, queue, request, node):
    """What to do with one request that an older run left unfinished.

    Args:
        site: where its exit record would be.
        queue: the `Queue` it is in.
        request: RUNNING, ROUTING or DEPARTING.
        node: this node's id.
    Returns:
        (decision of recover.lua, reason, the request with its outcome if its exit record says so or None).
    """
    if request.state != lifecycle.RUNNING:
        return "redo", "the site stopped while it was on its way", None
    record = exit_record.read(exit_record.run_file(site.output, request, "exit"))
    if record is not None:
        return "recorded", "it had ended before the site stopped", ended_as(request, record)
    judged = restart.judge(queue.restart, request.restartable, request.node == node)
    where = "this node" if request.node == node else f"node {request.node}"
    flag = "restartable" if request.restartable else "not restartable"
    return _ORDERS[judged], f"interrupted on {where}; queue restart={queue.restart}, request {flag}", None


def ended_as(request, record):
    """The request with the outcome that a record tells."""
    outcome = lifecycle.SIGNALLED if record["signal"] else lifecycle.EXITED
    known = ("exit_code", "signal", "started_s", "ended_s", "cpu_s", "maxrss_kb")
    return replace(request, outcome=outcome, **{name: record[name] for name in known})


def _in_chunks(store, rids):
    for start in range(0, len(rids), _CHUNK):
        for request in store.run(store.requests(rids[start : start + _CHUNK])):
            if request is not None:
                yield request


def _orphans(desk):
    """Requests whose script was written but whose submission was not: nobody was told their number."""
    orphans = []
    rids = [rid for rid in desk.spool.rids() if rid.replace("-", "").isdigit()]
    for start in range(0, len(rids), _CHUNK):
        chunk = rids[start : start + _CHUNK]
        known = desk.store.run(desk.store.exist(chunk))
        orphans += [rid for rid, found in zip(chunk, known, strict=True) if not found]
    return orphans

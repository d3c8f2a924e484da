"""What the start of a site does before any worker runs: begin the epoch, judge what the last run left, tidy the spool.

Requests that had ended and are on their way back are left EXITING: the worker adopts and delivers
them, they are never rerun. A request whose record is damaged is judged by nobody: it goes into the
lost-and-found. Sources: manual 2.5.4, design sections 5 and 9, ha-facts.md section 4.
"""

import os
import re
from dataclasses import replace

from jcq import exit_record
from jcq.crash_points import reach
from jcq.errors import DatabaseUnusable, JcqError
from jcq.jcdbs import keys, server
from jcq.jcdbs.errors import NoSuchQueue, StaleEpoch
from jcq.model import lifecycle, restart

_CHUNK = 250
_CHUNKS_AT_ONCE = 40
_JUDGED_AT_ONCE = 20
_INTERRUPTED = (lifecycle.RUNNING, lifecycle.ROUTING, lifecycle.DEPARTING)
_RID = re.compile(r"\d+-(\d{1,15})")

_ORDERS = {restart.RERUN: "rerun", restart.REMOVE: "remove", restart.KEEP_STOPPED: "keep"}
#: The words of the manual (2.5.4), which the owner of a purged request reads in its output.
_VERDICTS = {restart.RERUN: "run again", restart.REMOVE: "purged", restart.KEEP_STOPPED: "kept, its queue stopped"}


def recover(desk, node):
    """Bring the database in line with what really happened.

    Args:
        desk: the `Desk`; its store has the new epoch. Its `seq` is set.
        node: this node's id.
    Returns:
        {decision: how many requests}.
    Raises:
        JcqError: the database refused, or is damaged; the site must not start.
    """
    store = desk.store
    counts = {}
    queues = _open(desk)
    reach("recover begin")
    for queue in queues:
        for state in (*_INTERRUPTED, lifecycle.EXITING):
            trusted = list(_verified(desk, queue, state, counts))
            if state == lifecycle.EXITING:
                continue
            for start in range(0, len(trusted), _JUDGED_AT_ONCE):
                _judge(desk, queue, trusted[start : start + _JUDGED_AT_ONCE], node, counts)
    _forget_conversion(desk)
    kept = _tidy_spool(desk)
    # The files of requests count too: a number that a damaged record makes too small would replace a script.
    numbers = [int(found[1]) for found in map(_RID.fullmatch, kept) if found]
    desk.seq = max([store.run(store.site()).seq, *numbers])
    reach("recover end")
    return counts


def _judge(desk, queue, requests, node, counts):
    """Decide about some requests; the decisions share one write to the disk."""
    store = desk.store
    judged = [(request, *decide(desk.site, queue, request, node)) for request in requests]
    ops = [store.recover(r.rid, decision, why, desk.now(), ended, desk.conf.retention_s)
           for r, decision, why, ended in judged]  # fmt: skip
    for result, (request, decision, reason, _) in zip(store.run_many(ops), judged, strict=True):
        if isinstance(result, JcqError):
            raise result
        desk.log.info("recover %s: %s (%s)%s", request.id, decision, reason, _kept_output(desk.site, request))
        counts[decision] = counts.get(decision, 0) + 1
        reach("recover request")


def _open(desk):
    """Begin the epoch; returns the queues."""
    store = desk.store
    try:
        store.run(store.open_epoch())
        store.run(store.site())
        return store.run(store.queues())
    except (NoSuchQueue, StaleEpoch) as error:
        # No other run can have opened this epoch's own copy of the data.
        reason = f"its data contradicts itself: {error}"
        raise DatabaseUnusable(site=desk.identity.name, reason=reason) from None


def _verified(desk, queue, state, counts):
    """The requests of a queue in a state whose records can be trusted; the others are lost."""
    store = desk.store
    rids = store.run(store.members(queue.name, state))
    found_in = keys.members(queue.name, state)
    for start in range(0, len(rids), _CHUNK):
        chunk = rids[start : start + _CHUNK]
        lost = store.run(store.check(chunk, desk.now(), found_in, queue.name, state))
        if lost:
            desk.log.error("%d requests %s in queue %s are damaged; qmgr show lost_found", lost, state, queue.name)
            counts["lost"] = counts.get("lost", 0) + lost
        for request in store.run(store.requests(chunk)):
            if request is None:
                continue
            flaw = request.flaw()
            if flaw:
                store.run(store.lose(request.rid, flaw, desk.now()))
                desk.log.error("request %s, %s, is damaged: %s; qmgr show lost_found", request.rid, state, flaw)
                counts["lost"] = counts.get("lost", 0) + 1
            else:
                yield request


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
    if request.requeue:
        return "rerun", "qrerun had ended it, to run again", None
    record = exit_record.read(exit_record.run_file(site.output, request, "exit"))
    if record is not None:
        return "recorded", "it had ended before the site stopped", ended_as(request, record)
    judged = restart.judge(queue.restart, request.restartable, request.node == node)
    flag = "restartable" if request.restartable else "not restartable"
    reason = (
        f"interrupted on node {request.node} when its site stopped, and is {_VERDICTS[judged]}:"
        f" queue restart={queue.restart}, request {flag}"
    )
    return _ORDERS[judged], reason, None


def ended_as(request, record):
    """The request with the outcome that a record tells."""
    outcome = lifecycle.SIGNALLED if record["signal"] else lifecycle.EXITED
    known = ("exit_code", "signal", "started_s", "ended_s", "cpu_s", "maxrss_kb")
    return replace(request, outcome=outcome, **{name: record[name] for name in known})


def _kept_output(site, request):
    """Where an attempt left its output, which the next one does not touch; as the end of a log line."""
    files = [exit_record.run_file(site.output, request, ending) for ending in ("out", "err")]
    found = [path for path in files if os.path.lexists(path)]
    return f"; its output so far: {', '.join(found)}" if found else ""


def _forget_conversion(desk):
    """What a conversion of an old spool has staged and not completed is part of nothing; its files are orphans then."""
    store = desk.store
    if store.run(store.importing()):
        while store.run(store.import_clear()):
            pass
        desk.log.info("forgot what a conversion of an old spool had prepared and not completed")


def _tidy_spool(desk):
    """Remove the files of requests whose script was written and whose submission was not: nobody was told their number.

    After the site was taken back to an older copy, nobody can tell these from what was accepted since
    then: they are kept in the lost-and-found.

    Returns:
        The requests whose files are left.
    """
    rids = [rid for rid in desk.spool.rids() if _RID.fullmatch(rid)]
    orphans = _orphans(desk, rids)
    if not orphans:
        return rids
    source = _restored_from(desk)
    if source:
        reason = f"submitted after epoch {source}, from which the site was restored; its record is gone"
        for rid in orphans:
            desk.store.run(desk.store.lose(rid, reason, desk.now(), in_any_case=True))
        desk.log.warning("%d requests have no record: %s; qmgr show lost_found", len(orphans), reason)
        return rids
    desk.spool.forget(orphans)
    desk.log.info("removed files of %d requests that were never accepted: %s", len(orphans), orphans[:10])
    return sorted(set(rids) - set(orphans))


def _orphans(desk, rids):
    """Those of the requests of which the database knows nothing."""
    chunks = [rids[start : start + _CHUNK] for start in range(0, len(rids), _CHUNK)]
    known = []
    for start in range(0, len(chunks), _CHUNKS_AT_ONCE):
        ops = [desk.store.known(chunk) for chunk in chunks[start : start + _CHUNKS_AT_ONCE]]
        for result in desk.store.run_many(ops):
            if isinstance(result, JcqError):
                raise result
            known += result
    return [rid for rid, found in zip(rids, known, strict=True) if not found]


def _restored_from(desk):
    """The older epoch that this one was made from by `--from-epoch`, as text; empty where it was not."""
    directory = server.epoch_directory(desk.site, desk.store.epoch)
    try:
        with open(os.path.join(directory, server.RESTORED), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""

"""qmgr's show commands: the data, without the frame of a reply.

`show long queue` is what `qstat -x` shows. The words of `show parameters` are a recollection of the
original (nqs-facts.md section 4, MEM-lo); what jcq does not have is not shown.
"""

import os
from datetime import datetime

from jcq.nqsdaemon.limit_lines import limit_lines
from jcq.nqsdaemon.qmgr.complexes import show_complexes
from jcq.nqsdaemon.queue_block import extended_block, queue_block
from jcq.nqsdaemon.request_lines import owner, readers_zone, shown

_NONE = "NONE"


def show_queue(values, call, desk):
    """One queue, or all in order of dispatch. Raises NoSuchQueue."""
    return (yield from _queues(values, desk, queue_block))


def show_long_queue(values, call, desk):
    """As `show_queue`, with limits, destinations and attributes."""
    return (yield from _queues(values, desk, extended_block))


def _queues(values, desk, block):
    if "queue" in values:
        found = [(yield desk.store.queue(values["queue"]))]
    else:
        found = yield desk.store.queues()
    return "".join(block(queue, desk.identity.name) for queue in found) or "No queues.\n"


def show_limits_supported(values, call, desk):
    """What qlimit shows."""
    yield from ()
    return limit_lines()


def show_lost_found(values, call, desk):
    """The damaged requests: id as far as known, when it was found, why, and what is left of it."""
    lines = []
    for rid, found_s, reason, request in (yield desk.store.lost_found()):
        known = shown(request.id) if request.seq and request.site else shown(rid)
        when = datetime.fromtimestamp(found_s, readers_zone(call.tz)).strftime("%Y-%m-%d %H:%M:%S %z")
        lines += [f"{known}: found {when}", f"  Reason = {shown(reason)}"]
        if request.user or request.name:
            lines.append(f"  Request = {shown(request.name)} of {owner(request)}, as far as its record says")
        script = os.path.join(desk.site.requests, rid)
        lines.append(f"  Script = {shown(script) if os.path.exists(script) else _NONE}")
        for name in sorted(_names(desk.site.output)):
            if name.startswith(f"{rid}."):
                lines.append(f"  Output = {shown(os.path.join(desk.site.output, name))}")
    return "".join(f"{line}\n" for line in lines) or "No damaged requests.\n"


def _names(directory):
    try:
        return os.listdir(directory)
    except OSError:
        return []


def show_managers(values, call, desk):
    """The managers and operators, as `name:m` and `name:o`, which `set managers` reads back."""
    found = yield desk.store.managers()
    found = {**found, **dict.fromkeys(always_managers(desk.identity), "m")}
    return "".join(f"{name}:{role}\n" for name, role in sorted(found.items()))


def always_managers(identity):
    """Login names whose right cannot be taken away: root, and the account that made the site."""
    return sorted({"root", identity.manager})


def show_parameters(values, call, desk):
    """The site's parameters, one per line."""
    site = yield desk.store.site()
    rows = (
        ("Site", f"{site.name}, machine id {site.machine_id}"),
        ("Default batch_request priority", site.default_priority),
        ("Default batch_request queue", site.default_queue or _NONE),
        ("Default destination_retry time", f"{site.retry_time_s / 3600:g} hours"),
        ("Default destination_retry wait", f"{site.retry_wait_s / 60:g} minutes"),
        ("Global run_limit", site.run_limit or _NONE),
        ("Lifetime", f"{site.lifetime_s / 3600:g} hours"),
        ("Mail account", site.mail_account or "nqs"),
        ("Next available sequence number", desk.seq + 1),
        ("Retention of ended requests", f"{(site.retention_s or desk.conf.retention_s) / 3600:g} hours"),
        ("Batch request shell choice strategy", _strategy(site.shell_strategy)),
    )
    return "".join(f"  {name} = {value}\n" for name, value in rows)


def _strategy(value):
    return f"FIXED: {value}" if value.startswith("/") else value


def show_all(values, call, desk):
    """Parameters, managers, all queues at length, and complexes."""
    parts = []
    for title, part in (
        ("Parameters", show_parameters),
        ("Managers", show_managers),
        ("Queues", show_long_queue),
        ("Complexes", show_complexes),
    ):
        parts.append(f"{title}:\n" + (yield from part({}, call, desk)))
    return "\n".join(parts)

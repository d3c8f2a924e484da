"""The verb spoolconv: the steps of a conversion of an old spool into this site, each a message of its own.

Root and the uid that made the site may, for what is staged runs as whom it names. One message stages some hundred
requests, so that others are served in between; only the last step takes longer, some 20 microseconds for a request.
"""

import json
import os
from dataclasses import asdict

from jcq.errors import JcqError, NotPermitted, UsageError
from jcq.nqsdaemon.call import Reply

#: Requests in one message.
ROWS_MAX = 1000


def handle(call, desk):
    """Do one step: `call.args[0]` with the arguments in `call.script`, a JSON array.

    Returns (as a generator):
        Reply: its result as JSON.
    """
    if call.uid not in (0, desk.identity.uid):
        rule = f"only root and uid {desk.identity.uid}, which made it, may"
        raise NotPermitted(who=call.who, what=f"convert an old spool into site {desk.identity.name}", rule=rule)
    try:
        step = _STEPS[call.args[0]]
        arguments = json.loads(call.script or b"[]")
        handler = step(desk, *arguments)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UsageError(reason=f"this is no step of a conversion ({error})") from None
    return Reply(out=json.dumps((yield from handler)))


def _facts(desk):
    results = yield [desk.store.site(), desk.store.queues(), desk.store.complexes(), desk.store.managers(),
                     desk.store.imports()]  # fmt: skip
    for result in results:
        if isinstance(result, JcqError):
            raise result
    record, queues, complexes, managers, imports = results
    return {
        "record": asdict(record),
        "uid": os.geteuid(),
        "as_root": desk.as_root,
        "queues": [asdict(queue) for queue in queues],
        "complexes": [asdict(one) for one in complexes],
        "managers": managers,
        "imports": list(imports),
    }


def _clear(desk):
    return (yield desk.store.import_clear())


def _reserve(desk, token, count):
    if not 0 < count <= ROWS_MAX:
        raise UsageError(reason=f"{count} numbers are not between 1 and {ROWS_MAX}")
    if desk.room.short:
        raise desk.disk_short("nothing is converted")
    first = desk.seq + 1
    # Taken before the wish is carried out: others submit meanwhile.
    desk.seq += count
    yield desk.store.import_reserve(token, first, count)
    return first


def _known(desk, origins):
    return (yield desk.store.by_origin(_few(origins)))


def _stage(desk, token, rows):
    if desk.room.short:
        raise desk.disk_short("nothing is converted")
    return (yield desk.store.import_stage(token, _few(rows), desk.now()))


def _part(desk, token, kind, name, words):
    return (yield desk.store.import_part(token, kind, name, words))


def _commit(desk, token, count, seq, about):
    desk.seq = max(desk.seq, seq)
    done = yield desk.store.import_all(token, count, seq, about, desk.now())
    desk.log.info("spoolconv: %d requests of an old spool are part of the site: %s", count, about)
    return done


def _requests(desk, rids):
    found = yield desk.store.requests(_few(rids))
    return [asdict(request) if request else None for request in found]


def _few(rows):
    if not isinstance(rows, list) or not 0 < len(rows) <= ROWS_MAX:
        raise UsageError(reason=f"a message of a conversion has 1 to {ROWS_MAX} rows")
    return rows


_STEPS: dict = {
    "clear": _clear,
    "commit": _commit,
    "facts": _facts,
    "known": _known,
    "part": _part,
    "requests": _requests,
    "reserve": _reserve,
    "stage": _stage,
}

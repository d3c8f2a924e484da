"""The verb history: what became of the ids of an old system that spoolconv has read, also when it has ended long ago.

One JSON object a request and line: `old_id`, `id`, `state` (null: it has ended and is not retained any more), `user`,
`spool` and `where` (where it was read), `converted_s`. What is queued is no secret in NQS, so everybody may look.
"""

import json

from jcq.nqsdaemon.call import Part, Reply

_CHUNK = 250


def handle(call, desk):
    """Show those of the old ids in `call.args`, or all.

    Returns (as a generator):
        Reply: code 1 where nothing was made of an id.
    """
    abouts = {token: _about(text) for token, text in (yield desk.store.imports()).items()}
    err = []
    if call.args:
        for old_id in call.args:
            rows = yield desk.store.by_old_id(old_id)
            if not rows:
                err.append(f"no request was made of {old_id!r} of an old system")
            for start in range(0, len(rows), _CHUNK):
                yield Part(out=(yield from _lines(rows[start : start + _CHUNK], abouts, desk)))
    else:
        start = 0
        while rows := (yield desk.store.old_ids(start, _CHUNK)):
            yield Part(out=(yield from _lines(rows, abouts, desk)))
            start += len(rows)
    return Reply(1 if err else 0, err="".join(f"history: {line}\n" for line in err))


def _lines(rows, abouts, desk):
    found = yield desk.store.requests([rid for _, rid, *_ in rows])
    lines = []
    for (old_id, rid, token, where), request in zip(rows, found, strict=True):
        about = abouts.get(token, {})
        row = {
            "old_id": old_id,
            "id": f"{rid.rpartition('-')[2]}.{desk.identity.name}",
            "state": request.state if request else None,
            "user": request.user if request else None,
            "spool": about.get("spool"),
            "where": where,
            "converted_s": about.get("time_s"),
        }
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def _about(text):
    """What is kept of a conversion."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

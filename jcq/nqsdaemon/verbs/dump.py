"""The verb dump: parts of a dump of the site, for its managers only: everyone's scripts and environments are in it.

Each call is answered with one part, so that others are served between them: `configuration`, `live` (the requests
that have not ended, one id a line), `requests RID...` (their lines; what cannot be dumped is a line on standard
error), `file NAME` (bytes).
"""

from jcq.errors import NotPermitted, UsageError
from jcq.jcdbs import dump
from jcq.nqsdaemon.call import Reply


def handle(call, desk):
    """Answer one part.

    Returns (as a generator):
        Reply: its text, with surrogates for bytes that are none; code 1 where a request could not be dumped.
    Raises:
        NotPermitted, NotServed, RecordDamaged. UsageError: it is no part of a dump.
    """
    if (yield from desk.role(call)) != "m":
        rule = "its managers, root and the user who made it may"
        raise NotPermitted(who=call.who, what=f"dump site {desk.identity.name}", rule=rule)
    part, *words = call.args or [""]
    if part == "configuration" and not words:
        files = yield from dump.configuration(desk.store, desk.identity)
        # Neither a name nor lines hold a NUL.
        return Reply(out="\0".join([desk.identity.name, *(files[stem] for stem in dump.CONFIGURATION)]))
    if part == "live" and not words:
        rids = yield desk.store.live()
        return Reply(out="".join(f"{rid}\n" for rid in rids))
    if part == "requests" and 0 < len(words) <= dump.CHUNK:
        lines, troubles = yield from dump.requests(desk.store, desk.site, words)
        return Reply(1 if troubles else 0, out=lines, err=troubles)
    if part == "file" and len(words) == 1:
        data = yield from dump.file(desk.store, desk.site, words[0])
        return Reply(out=data.decode("utf-8", "surrogateescape"))
    raise UsageError(reason=f"{part!r} is no part of a dump; use jcq dump")

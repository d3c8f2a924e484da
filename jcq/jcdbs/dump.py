"""What a dump of a site consists of, read from its database and its spool, a part at a time.

Generators that yield Ops, for nqsdaemon's loop and for a site that is stopped: `drive` is for the latter.
"""

import grp
import os
import pwd
import stat

from jcq.errors import BadFrame, JcqError, NotServed
from jcq.frames import split
from jcq.model import lifecycle, neutral, neutral_lines
from jcq.model.request import ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX

#: Requests that are read at once.
CHUNK = 100
#: Files of what the site is configured with.
CONFIGURATION = ("settings", "managers", "queues", "complexes")


def configuration(store, identity):
    """-> {stem of a file: its text}, all of one moment.

    Args:
        store: the `Store`.
        identity: the `SiteIdentity`.
    Raises:
        RecordDamaged.
    """
    found = yield [store.site(), store.managers(), store.queues(), store.complexes()]
    for one in found:
        if isinstance(one, JcqError):
            raise one
    site, managers, queues, complexes = found
    # Root and the account that made a site are managers of every site that they make.
    fixed = {"root", identity.manager}
    lines = (
        neutral_lines.settings_lines(site),
        neutral_lines.managers_lines(managers, fixed),
        neutral_lines.queues_lines(sorted(queues, key=lambda queue: queue.name), _name_now),
        neutral_lines.complexes_lines(complexes),
    )
    return {stem: "".join(rows) for stem, rows in zip(CONFIGURATION, lines, strict=True)}


def requests(store, site, rids):
    """-> (lines of those requests that have not ended, lines about those that cannot be dumped).

    Args:
        store: the `Store`.
        site: the `Site`.
        rids: at most `CHUNK`.
    """
    found = yield store.requests(rids)
    lines, troubles = [], []
    for rid, request in zip(rids, found, strict=True):
        if request is None or request.state in (lifecycle.EXITING, lifecycle.DONE):
            continue
        try:
            flaw = request.flaw()
            if flaw:
                raise NotServed(reason=flaw)
            lines.append(_request(site, request))
        except (NotServed, UnicodeError, ValueError) as error:
            shown = request.id if request.seq and request.site else rid
            troubles.append(f"request {shown} is not in the dump: {error}\n")
    return "".join(lines), "".join(troubles)


def _request(site, request):
    script = _read(site, request.rid, request.uid, neutral.INLINE_BYTES_MAX, SCRIPT_BYTES_MAX)
    environment = None
    if request.has_environment:
        most = 2 * ENVIRONMENT_BYTES_MAX
        data = _read(site, f"{request.rid}.env", request.uid, neutral.INLINE_BYTES_MAX, most)
        environment = neutral_lines.environment_name(request.rid) if data is None else unpacked(data)
    return neutral_lines.request_line(request, script, environment)


def file(store, site, name):
    """-> the bytes of a file that a line names.

    Raises:
        NotServed: there is none.
    """
    rid, environment = neutral_lines.rid_of_file(name)
    (request,) = yield store.requests([rid])
    if request is None:
        raise NotServed(reason=f"there is no request {rid!r}")
    most = 2 * ENVIRONMENT_BYTES_MAX if environment else SCRIPT_BYTES_MAX
    data = _read(site, f"{rid}.env" if environment else rid, request.uid, most, most)
    return neutral_lines.packed(unpacked(data)) if environment else data


def unpacked(data):
    """{name: value}, bytes, of an environment file. Raises NotServed."""
    try:
        pairs = [pair.partition(b"=") for pair in split(data, neutral.VARIABLES_MAX)]
    except BadFrame as error:
        raise NotServed(reason=f"its environment file is damaged: {error.fields['reason']}") from None
    return {name: value for name, _, value in pairs}


def _read(site, name, uid, wanted_max, bytes_max):
    """The bytes of a request's file; None where they are more than `wanted_max`."""
    path = os.path.join(site.requests, name)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotServed(reason=f"{path}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != uid:
            raise NotServed(reason=f"{path} is not a plain file of uid {uid}")
        if found.st_size > bytes_max:
            raise NotServed(reason=f"{path} has {found.st_size} bytes, more than {bytes_max}")
        if found.st_size > wanted_max:
            return None
        data = b""
        while piece := os.read(fd, bytes_max + 1 - len(data)):
            data += piece
        return data
    except OSError as error:
        raise NotServed(reason=f"{path}: {error.strerror}") from None
    finally:
        os.close(fd)


def _name_now(kind, entry):
    """The name in `name:id` of an access list, where it still has this id; else the id."""
    name, _, number = entry.rpartition(":")
    try:
        now = pwd.getpwnam(name).pw_uid if kind == "users" else grp.getgrnam(name).gr_gid
    except KeyError:
        return number
    return name if str(now) == number else number


def drive(generator, store):
    """Run one of these generators with a `Store` of one's own; returns what it returns."""
    answer = None
    try:
        while True:
            wish = generator.send(answer)
            answer = store.run_many(wish) if isinstance(wish, list) else store.run(wish)
    except StopIteration as end:
        return end.value

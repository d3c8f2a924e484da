"""`jcq dump`: a site's configuration and requests as the neutral layout, from the running site or the stopped one.

A running site is asked through nqsdaemon, a hundred requests at a time. A stopped one is owned for as long as it takes,
and a temporary jcdbs reads a copy of its data, which is thrown away: nothing in the site changes.
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager

from jcq import client
from jcq.cluster import links, record
from jcq.cluster.errors import DumpFailed
from jcq.cluster.start import open_site
from jcq.cluster.stopped_site import open_database
from jcq.config import read_daemon_conf, read_site_conf
from jcq.durable import fsync_directory, write_all
from jcq.errors import JcqError, NotPermitted, SiteNotRunning
from jcq.jcdbs import dump as parts
from jcq.journal import open_log
from jcq.model import neutral

_FILES = "files"


def dump(there, path, root):
    """Dump a site.

    Args:
        there: the `Site`, see `jcq.site.locate`.
        path: the directory to be made; it must not exist, or be empty.
        root: see `jcq.site.root_directory`.
    Returns:
        ({stem of a file: number of its lines}, [line about a request that could not be dumped]).
    Raises:
        DumpFailed: it could not be written. NotPermitted, DatabaseUnusable, OwnedElsewhere, NoAnswer: the site could
        not be read. In every case nothing is left behind.
    """
    with _writing(path) as target:
        try:
            return _write(_Running(there), target)
        except SiteNotRunning:
            target.empty()
        with _stopped(there, root) as source:
            return _write(source, target)


def _write(source, target):
    counts = dict.fromkeys((kind.stem for kind in neutral.KINDS), 0)
    troubles, queues = [], set()
    rids = source.live()
    with target.open(neutral.BY_STEM["requests"].file) as fd:
        for start in range(0, len(rids), parts.CHUNK):
            lines, more = source.requests(rids[start : start + parts.CHUNK])
            write_all(fd, lines)
            troubles += more
            for line in lines.splitlines():
                found = json.loads(line)
                counts["requests"] += 1
                queues.add(found["queue"])
                for key in ("script_file", "environment_file"):
                    if key in found:
                        target.write(found[key], source.file(found[key]))
    # Behind the requests, so that no queue of theirs is missing because it was made meanwhile.
    name, *files = source.configuration()
    for stem, text in zip(parts.CONFIGURATION, files, strict=True):
        target.write(neutral.BY_STEM[stem].file, text)
        counts[stem] = text.count(b"\n")
    gone = queues - {json.loads(line)["name"] for line in files[parts.CONFIGURATION.index("queues")].splitlines()}
    if gone:
        raise DumpFailed(reason=f"queue {min(gone)} was deleted while the site was dumped; try again")
    marker = {
        "format": neutral.FORMAT,
        "version": neutral.VERSION,
        "site": name.decode(),
        "written_s": int(time.time()),
        "counts": counts,
    }
    target.write(neutral.MARKER, (json.dumps(marker, indent=2) + "\n").encode())
    return counts, troubles


# --- where it comes from ---------------------------------------------------------------------


class _Running:
    """A site whose nqsdaemon answers."""

    def __init__(self, there):
        self._there = there

    def _ask(self, *words):
        code, out, err = client.call_for_bytes("dump", self._there, words)
        text = err.decode("utf-8", "replace")
        if code and not text.startswith("request "):
            raise DumpFailed(reason=text.strip().removeprefix("dump: ") or "the site did not answer")
        return out, text.splitlines()

    def live(self):
        return self._ask("live")[0].decode().split()

    def requests(self, rids):
        return self._ask("requests", *rids)

    def configuration(self):
        return self._ask("configuration")[0].split(b"\0")

    def file(self, name):
        return self._ask("file", name)[0]


class _Stopped:
    """A site that is owned by this process, with a temporary jcdbs."""

    def __init__(self, store, site, identity):
        self._store, self._site, self._identity = store, site, identity

    def live(self):
        return self._store.run(self._store.live())

    def requests(self, rids):
        lines, troubles = parts.drive(parts.requests(self._store, self._site, rids), self._store)
        return lines.encode(), troubles.splitlines()

    def configuration(self):
        files = parts.drive(parts.configuration(self._store, self._identity), self._store)
        return [text.encode() for text in (self._identity.name, *(files[stem] for stem in parts.CONFIGURATION))]

    def file(self, name):
        return parts.drive(parts.file(self._store, self._site, name), self._store)


@contextmanager
def _stopped(there, root):
    """Own the site for as long as the block lasts. Raises as `dump`."""
    known = links.find("" if there.local else there.name, root)
    if known is None:
        raise SiteNotRunning(site=there.name or there.directory)
    site, identity, _ = open_site(known.name, known.database_path, root)
    if os.geteuid() != identity.uid:
        rule = f"only uid {identity.uid}, which made it, may; become that user, or start the site"
        raise NotPermitted(who=f"uid {os.geteuid()}", what=f"dump site {site.name} while it is stopped", rule=rule)
    alive = record.read(site).alive(root)
    if record.CJCPW in alive or record.TOP in alive:
        reason = f"site {site.name} is starting, stopping or in maintenance: it is held, but nqsdaemon does not answer"
        raise DumpFailed(reason=reason)
    conf, _ = read_daemon_conf(root, site.directory)
    limits, _ = read_site_conf(site.directory)
    with open_database(site, root, conf, limits, open_log(None, "jcq"), unchanged=True) as (store, _):
        yield _Stopped(store, site, identity)


# --- where it goes ---------------------------------------------------------------------------


class _Target:
    """The directory under its temporary name."""

    def __init__(self, path):
        self._path = path

    @contextmanager
    def open(self, name):
        """A descriptor of a new file, which is synced behind the block."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(os.path.join(self._path, name), flags, 0o600)
        try:
            yield fd
            os.fsync(fd)
        finally:
            os.close(fd)

    def write(self, name, data):
        """Write a file."""
        if name.startswith(f"{_FILES}/"):
            os.makedirs(os.path.join(self._path, _FILES), 0o700, exist_ok=True)
        with self.open(name) as fd:
            write_all(fd, data)

    def empty(self):
        """Remove what was written so far."""
        for name in os.listdir(self._path):
            path = os.path.join(self._path, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def finish(self, path):
        """Give it its name, all of it on disk. Raises OSError."""
        files = os.path.join(self._path, _FILES)
        for directory in (files, self._path):
            if os.path.isdir(directory):
                fsync_directory(directory)
        # A directory takes the place of an empty one, and of nothing else: rename(2).
        os.rename(self._path, path)
        fsync_directory(os.path.dirname(path))


@contextmanager
def _writing(path):
    """A `_Target` that becomes `path` behind the block, or goes without a trace."""
    path = os.path.abspath(path)
    try:
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path) or os.listdir(path)):
            raise DumpFailed(reason=f"{path} exists already; name a directory that does not exist, or is empty")
        temporary = tempfile.mkdtemp(prefix=f".{os.path.basename(path)[:100]}.", dir=os.path.dirname(path))
    except OSError as error:
        raise DumpFailed(reason=f"{error.filename or path}: {error.strerror}") from None
    target = _Target(temporary)
    try:
        yield target
        target.finish(path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, JcqError):
            raise DumpFailed(reason=f"{path} cannot be written: {error.strerror}") from None
        raise

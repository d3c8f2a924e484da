"""Where the parts of a Grid Engine cell are below the directory that is given, and how it was spooled.

`bootstrap` decides, not which directories exist: qmaster's own is there with Berkeley DB, too. Its paths are those of
the old machine; in a copy they are looked for from their end. Without a bootstrap, qmaster's directory itself may be
given, or that of the database.
"""

import os
from dataclasses import dataclass

from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.sge import text

CLASSIC, BERKELEYDB = "classic", "berkeleydb"
#: Where the cells' directories may be.
_ROOTS = (".", "gridengine", "lib/gridengine", "var/lib/gridengine", "sge", "opt/sge", "usr/share/gridengine")
_BDB_MAGIC = b"\x62\x31\x05\x00"
_BDB_MAGIC_AT = 12
_BOOTSTRAP_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Place:
    """A cell's directories, relative to the source."""

    method: str
    #: Of bootstrap; empty: there is none.
    bootstrap: str
    #: qmaster's spool, or that of the database; empty: not below the source.
    spool: str
    #: Directory of `accounting`; empty: unknown.
    common: str
    #: What bootstrap says where `spool` is.
    wanted: str = ""


def find(source):
    """-> `Place`, or None: there is no cell of Grid Engine."""
    for bootstrap in _bootstraps(source):
        place = _from_bootstrap(source, bootstrap)
        if place:
            return place
    for where in (".", "qmaster", "gridengine/qmaster", "spool/gridengine/qmaster", "var/spool/gridengine/qmaster"):
        if is_qmaster(source, where):
            return Place(CLASSIC, "", where, "")
    for where in (".", "spooldb", "gridengine/spooldb", "spool/gridengine/spooldb", "var/spool/gridengine/spooldb"):
        if is_database(source, where):
            return Place(BERKELEYDB, "", where, "")
    return None


def below(directory, name):
    """A path in a directory of the source."""
    return name if directory in ("", ".") else f"{directory}/{name}"


def is_qmaster(source, where):
    """Whether a directory is a classic spool of qmaster's: its cluster queues are text."""
    try:
        return source.is_directory(below(where, "cqueues")) and source.is_directory(below(where, "qinstances"))
    except Unreadable:
        return False


def is_database(source, where):
    """Whether a directory holds the two files of a Berkeley DB spool."""
    try:
        for name in ("sge", "sge_job"):
            if not source.is_file(below(where, name)):
                return False
        head = source.head(below(where, "sge"), _BDB_MAGIC_AT + len(_BDB_MAGIC))
    except Unreadable:
        return False
    return head[_BDB_MAGIC_AT:] in (_BDB_MAGIC, _BDB_MAGIC[::-1])


def _bootstraps(source):
    """Paths of bootstraps: that of the cell `default` first."""
    for root in (*_ROOTS, ".."):
        try:
            if root == "..":
                # The cell's or its common directory itself was given.
                names = [name for name in ("common/bootstrap", "bootstrap") if source.is_file(name)]
            elif source.is_directory(root):
                cells = sorted(source.names(root)[:1000], key=lambda cell: cell != "default")
                names = [below(root, f"{cell}/common/bootstrap") for cell in cells]
                names = [name for name in names if source.is_file(name)]
            else:
                names = []
        except Unreadable:
            continue
        yield from names


def _from_bootstrap(source, where):
    try:
        found = text.pairs(source.read(where, _BOOTSTRAP_BYTES_MAX).data)
    except Unreadable:
        return None
    method, params = found.get("spooling_method", ""), found.get("spooling_params", "")
    common = os.path.dirname(where) or "."
    if method == CLASSIC:
        wanted = params.rpartition(";")[2] or found.get("qmaster_spool_dir", "")
        return Place(CLASSIC, where, _located(source, wanted, is_qmaster), common, wanted)
    if method == BERKELEYDB:
        # A database on a server of its own is `host:path`.
        wanted = params.rpartition(":")[2]
        return Place(BERKELEYDB, where, _located(source, wanted, is_database), common, wanted)
    return None


def _located(source, path, fits):
    """Where a directory of the old machine is below the source: the longest end of its path that fits, or empty."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for first in range(len(parts) + 1):
        where = "/".join(parts[first:]) or "."
        if fits(source, where):
            return where
    return ""

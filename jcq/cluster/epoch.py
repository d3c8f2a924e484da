"""Epochs: every start of a site works on its own copy `database/e<N>/` of the data of the one before.

An old server that still lives somewhere writes where nobody reads any more. The base file, which
is never written again, is hard-linked; the incremental one is copied. Source: design section 9.
"""

import os
import re
import shutil

from jcq.durable import fsync_directory
from jcq.errors import DatabaseUnusable
from jcq.jcdbs.server import epoch_directory, socket_of

#: So many epochs are kept, the running one among them.
KEPT = 3
#: How often a copy is made again because the manifest changed under it.
_TRIES = 20
DATA = "appendonlydir"
_NAME = re.compile(r"e(\d+)")
#: `file appendonly.aof.2.base.rdb seq 2 type b`
_MANIFEST_LINE = re.compile(r"file (\S+) seq \d+ type ([bih])")


def existing(site):
    """Numbers of the epochs that are on the disk, ascending. Unfinished copies are none."""
    found = (_NAME.fullmatch(name) for name in os.listdir(site.database))
    return sorted(int(match[1]) for match in found if match)


def create_first(site):
    """Make the empty directory of a new site's first epoch; returns 1."""
    os.mkdir(epoch_directory(site, 1), 0o700)
    os.chmod(epoch_directory(site, 1), 0o700)
    fsync_directory(site.database)
    return 1


def advance(site, owner_epoch):
    """Make the next epoch from the newest one.

    Args:
        site: the `jcq.site.Site`, whose locks the caller holds.
        owner_epoch: epoch of the owner record; the new one is higher than it and than any on disk.
    Returns:
        The new epoch's number; its directory is on disk and holds a copy of the data.
    Raises:
        DatabaseUnusable: there is nothing to copy, or what there is is not whole.
    """
    epochs = existing(site)
    if not epochs:
        raise _unusable(site, f"{site.database} holds no epoch")
    new = 1 + max(owner_epoch, epochs[-1])
    temporary = epoch_directory(site, new) + ".tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        os.mkdir(temporary, 0o700)
        os.chmod(temporary, 0o700)
        _copy_data(site, epoch_directory(site, epochs[-1]), temporary)
        fsync_directory(temporary)
        os.rename(temporary, epoch_directory(site, new))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_directory(site.database)
    return new


def prune(site, kept=KEPT):
    """Remove all but the newest epochs, their sockets, and unfinished copies."""
    for epoch in existing(site)[:-kept]:
        shutil.rmtree(epoch_directory(site, epoch), ignore_errors=True)
        _remove(socket_of(site, epoch))
    for name in os.listdir(site.database):
        if re.fullmatch(r"e\d+\.tmp", name):
            shutil.rmtree(os.path.join(site.database, name), ignore_errors=True)


def discard(site, epoch):
    """Remove an epoch in which jcdbs never answered: nothing was acknowledged in it, and its source is still there.

    The server's last log is kept as `log/jcdbs.log`, so that a start that fails again and again fills no disk.
    """
    try:
        os.replace(os.path.join(epoch_directory(site, epoch), "jcdbs.log"), site.path("log", "jcdbs.log"))
    except FileNotFoundError:
        pass
    shutil.rmtree(epoch_directory(site, epoch), ignore_errors=True)
    _remove(socket_of(site, epoch))


def _copy_data(site, source, target):
    """Copy `appendonlydir`, again until its manifest was the same before and after."""
    old, new = os.path.join(source, DATA), os.path.join(target, DATA)
    for _ in range(_TRIES):
        shutil.rmtree(new, ignore_errors=True)
        os.mkdir(new, 0o700)
        name, before = _manifest(site, old)
        parts = _MANIFEST_LINE.findall(before.decode("utf-8", "replace"))
        try:
            for file, kind in parts:
                if kind != "h":
                    _copy_file(os.path.join(old, file), os.path.join(new, file), link=kind == "b")
        except FileNotFoundError as error:
            if _manifest(site, old)[1] == before:
                raise _unusable(site, f"{error.filename} is missing though the manifest names it") from None
            continue
        if not any(kind != "h" for _, kind in parts):
            raise _unusable(site, f"the manifest in {old} names no data")
        if _manifest(site, old)[1] != before:
            continue
        lines = [line for line in before.splitlines(keepends=True) if b" type h" not in line]
        _write_synced(os.path.join(new, name), b"".join(lines))
        fsync_directory(new)
        return
    raise _unusable(site, f"{old} changes all the time; another server writes it")


def _manifest(site, data):
    try:
        names = [name for name in os.listdir(data) if name.endswith(".manifest")]
    except FileNotFoundError:
        names = []
    if len(names) != 1:
        raise _unusable(site, f"{data} has no manifest, so its data is missing")
    with open(os.path.join(data, names[0]), "rb") as file:
        return names[0], file.read()


def _copy_file(source, target, link):
    if link:
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:
            # No hard links on this file system, or not to this file: a copy is as good, only slower.
            link = False
    if not link:
        shutil.copyfile(source, target)
        os.chmod(target, 0o600)
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path, 0o600)


def _remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _unusable(site, reason):
    return DatabaseUnusable(site=site.name or site.directory, reason=reason)

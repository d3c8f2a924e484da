"""Epochs: every start of a site works on its own copy `database/e<N>/` of the data of the one before.

An old server that still lives somewhere writes where nobody reads any more. The base file, which
is never written again, is hard-linked; the incremental one is copied, and made whole where its tail is
torn (`jcq.cluster.aof`). Source: design section 9.
"""

import fcntl
import os
import re
import shutil
import time

from jcq.cluster import aof
from jcq.cluster.errors import NoSuchEpoch
from jcq.crash_points import reach
from jcq.durable import fsync_directory
from jcq.errors import DatabaseUnusable
from jcq.jcdbs.server import RESTORED, epoch_directory, socket_of

#: So many epochs are kept, the running one among them, and the newest one that is older than this.
KEPT = 3
KEPT_AGE_S = 3600.0
#: Never more than this, however fast one start follows the other.
MOST = 8
#: linux/fs.h: share the blocks of a whole file.
_FICLONE = 0x40049409
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


def advance(site, owner_epoch, source=None, mend=None):
    """Make the next epoch from the newest one, or from an older one.

    Args:
        site: the `jcq.site.Site`, whose locks the caller holds.
        owner_epoch: epoch of the owner record; the new one is higher than it and than any on disk.
        source: number of the epoch to copy; None: the newest.
        mend: called with (directory of the copied data, that of the original, names of the incremental
            files in order), see `jcq.cluster.aof.mend`; raises `jcq.cluster.aof.Damaged`.
    Returns:
        The new epoch's number; its directory is on disk and holds a copy of the data.
    Raises:
        DatabaseUnusable: there is nothing to copy, or what there is is not whole.
        NoSuchEpoch: there is no epoch `source`.
    """
    if source is not None:
        check_source(site, source)
    epochs = existing(site)
    if not epochs:
        raise _unusable(site, f"{site.database} holds no epoch")
    old = epochs[-1] if source is None else source
    new = 1 + max(owner_epoch, epochs[-1])
    temporary = epoch_directory(site, new) + ".tmp"
    reach("epoch begin")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        os.mkdir(temporary, 0o700)
        os.chmod(temporary, 0o700)
        files = _copy_data(site, old, temporary)
        if mend is not None:
            _mend(site, old, temporary, files, mend)
        if source is not None:
            # The requests whose records are newer than the copy are no rubbish.
            _write_synced(os.path.join(temporary, RESTORED), f"{source}\n".encode())
        fsync_directory(temporary)
        reach("epoch copied")
        os.rename(temporary, epoch_directory(site, new))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_directory(site.database)
    reach("epoch renamed")
    bound(site)
    return new


def check_source(site, source):
    """Whether there is an epoch of this number to start from.

    Raises:
        NoSuchEpoch: there is none; it names those that there are.
    """
    epochs = existing(site)
    if source not in epochs:
        raise NoSuchEpoch(site=site.name, wanted=source, found=", ".join(map(str, epochs)) or "none")


def restore_advice(site, bad):
    """What to do where the data of epoch `bad` cannot be used, in words."""
    older = [str(number) for number in existing(site) if number < bad]
    path = os.path.dirname(site.directory)
    if not older:
        return f"failing over does not help, and {path} has no older copy; restore it from a backup"
    return (
        f"failing over does not help; to go back to an older copy: cjcpw --from-epoch {older[-1]} {site.name} {path}"
        f" (copies there: {', '.join(older)}); what was submitted or ended since then is not in it"
    )


def kept(ages, newest=KEPT):
    """Decide which epochs are kept.

    Args:
        ages: {epoch: seconds since something was made in its directory}.
        newest: how many of the last are kept in any case.
    Returns:
        The set of those: the last ones, and the newest one that is older than `KEPT_AGE_S`.
    """
    numbers = sorted(ages)
    old = [number for number in numbers if ages[number] > KEPT_AGE_S]
    return {*numbers[-newest:], *old[-1:]}


def prune(site, newest=KEPT):
    """Remove the epochs that `kept` does not name, their sockets, and unfinished copies.

    For a site that has been healthy for ten minutes (design section 9): before, somebody may want to go back.
    """
    now_s = time.time()
    ages = {number: now_s - os.stat(epoch_directory(site, number)).st_mtime for number in existing(site)}
    for number in sorted(set(ages) - kept(ages, newest)):
        # Half removed it would still look like an epoch.
        os.rename(epoch_directory(site, number), epoch_directory(site, number) + ".tmp")
        _remove(socket_of(site, number))
    for name in os.listdir(site.database):
        if re.fullmatch(r"e\d+\.tmp", name):
            shutil.rmtree(os.path.join(site.database, name), ignore_errors=True)


def bound(site):
    """Keep the disk from filling with copies where starts follow each other faster than `prune` comes."""
    if len(existing(site)) > MOST:
        prune(site, MOST - 1)


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


def _mend(site, old, temporary, files, mend):
    copy, original = os.path.join(temporary, DATA), os.path.join(epoch_directory(site, old), DATA)
    try:
        mend(copy, original, files)
    except aof.Damaged as error:
        raise _unusable(site, str(error), old) from None


def _copy_data(site, number, target):
    """Copy `appendonlydir`, again until its manifest was the same before and after; returns its incremental files."""
    old, new = os.path.join(epoch_directory(site, number), DATA), os.path.join(target, DATA)
    for _ in range(_TRIES):
        shutil.rmtree(new, ignore_errors=True)
        os.mkdir(new, 0o700)
        name, before = _manifest(site, number, old)
        parts = _MANIFEST_LINE.findall(before.decode("utf-8", "replace"))
        try:
            for file, kind in parts:
                if kind != "h":
                    _copy_file(os.path.join(old, file), os.path.join(new, file), link=kind == "b")
                    reach("epoch file")
        except FileNotFoundError as error:
            if _manifest(site, number, old)[1] == before:
                raise _unusable(site, f"{error.filename} is missing though the manifest names it", number) from None
            continue
        if not any(kind != "h" for _, kind in parts):
            raise _unusable(site, f"the manifest in {old} names no data", number)
        if _manifest(site, number, old)[1] != before:
            continue
        lines = [line for line in before.splitlines(keepends=True) if b" type h" not in line]
        _write_synced(os.path.join(new, name), b"".join(lines))
        fsync_directory(new)
        return [file for file, kind in parts if kind == "i"]
    raise _unusable(site, f"{old} changes all the time; another server writes it")


def _manifest(site, number, data):
    try:
        names = [name for name in os.listdir(data) if name.endswith(".manifest")]
    except FileNotFoundError:
        names = []
    if len(names) != 1:
        raise _unusable(site, f"{data} has no manifest, so its data is missing", number)
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
        if not _share_blocks(source, target):
            shutil.copyfile(source, target)
        os.chmod(target, 0o600)
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _share_blocks(source, target):
    """Copy in no time where the file system can (btrfs, xfs); False where it cannot."""
    with open(source, "rb") as old, open(target, "wb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            return False
    return True


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


def _unusable(site, reason, bad=0):
    """The error; with what to do, where the data of epoch `bad` is the reason."""
    if bad:
        reason = f"{reason}; {restore_advice(site, bad)}"
    return DatabaseUnusable(site=site.name or site.directory, reason=reason)

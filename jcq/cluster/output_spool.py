"""`output_spool=DIR`: a site's spooled output on another file system, so that jobs cannot fill the database's.

`<site>/output` is then a link to `DIR/<site name>`; whoever reads or writes output finds it there without
knowing. When the setting changes, a start moves what waits to be delivered to the new place first. For a
site that fails over, DIR must be on a disk that moves with it.
"""

import os
import shutil
import stat

from jcq.cluster.errors import OutputSpoolUnusable
from jcq.durable import fsync_directory

_MODE = 0o711
#: Names of the site's own directory on its way to become a link, and on its way back.
_OLD, _NEW = ".old", ".new"


def check(site, directory):
    """Before anything is changed: whether output can be spooled there.

    Args:
        site: the `jcq.site.Site`, with its name.
        directory: `output_spool=` of daemon.conf; empty: in the site itself.
    Raises:
        OutputSpoolUnusable: one line that says why not.
    """
    if not directory:
        return
    if not os.path.isabs(directory):
        raise _unusable(directory, "it is no absolute path")
    if not os.path.isdir(directory):
        raise _unusable(directory, "it is no directory; mount its disk, or create it")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise _unusable(directory, f"uid {os.geteuid()}, as which the site runs, cannot write there")
    mode = os.stat(directory).st_mode
    if mode & 0o002 and not mode & stat.S_ISVTX:
        raise _unusable(directory, "everybody may rename what is in it; chmod o-w it")
    place = os.path.join(directory, site.name)
    try:
        found = os.lstat(place)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise _unusable(directory, f"{place} is there already and is no directory of uid {os.geteuid()}")


def place(site, directory, log):
    """Have the site's output where the setting says, with all that is spooled.

    Args:
        site: the `jcq.site.Site`, whose locks the caller holds.
        directory: as for `check`, which has passed.
        log: a logger.
    Raises:
        OSError: nothing is lost; the next start goes on with it.
    """
    link = site.output
    before = os.readlink(link) if os.path.islink(link) else ""
    if directory:
        _place_there(link, os.path.join(directory, site.name), before, log)
    else:
        _place_here(link, before, log)


def _place_there(link, target, before, log):
    os.makedirs(target, _MODE, exist_ok=True)
    os.chmod(target, _MODE)
    if before != target:
        if not before and os.path.isdir(link):
            os.rename(link, link + _OLD)
        _point(link, target)
        log.info("output is spooled in %s", target)
        if before:
            _move_all(before, target, log)
    # Also what a start left that was interrupted here.
    for aside in (link + _OLD, link + _NEW):
        if os.path.isdir(aside):
            _move_all(aside, target, log)
            os.rmdir(aside)


def _place_here(link, before, log):
    if before:
        os.makedirs(link + _NEW, _MODE, exist_ok=True)
        os.chmod(link + _NEW, _MODE)
        _move_all(before, link + _NEW, log)
        os.unlink(link)
    if not os.path.isdir(link) and os.path.isdir(link + _NEW):
        os.rename(link + _NEW, link)
        fsync_directory(os.path.dirname(link))
        log.info("output is spooled in the site again")
    if os.path.isdir(link + _OLD):
        _move_all(link + _OLD, link, log)
        os.rmdir(link + _OLD)


def _point(link, target):
    """Make the link, or turn it, in one step."""
    temporary = f"{link}.tmp"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, link)
    fsync_directory(os.path.dirname(link))


def _move_all(source, target, log):
    """Move every file; a copy gets its own name when it is whole."""
    try:
        names = sorted(os.listdir(source))
    except OSError as error:
        log.warning("output that was spooled in %s is not there: %s", source, error.strerror)
        return
    for name in names:
        old, new = os.path.join(source, name), os.path.join(target, name)
        try:
            os.rename(old, new)
        except OSError:
            _copy(old, new)
            os.unlink(old)
    if names:
        fsync_directory(target)
        log.info("%d files of spooled output moved from %s", len(names), source)


def _copy(old, new):
    temporary = f"{new}.tmp"
    found = os.lstat(old)
    shutil.copyfile(old, temporary, follow_symlinks=False)
    os.chown(temporary, found.st_uid, found.st_gid, follow_symlinks=False)
    os.chmod(temporary, stat.S_IMODE(found.st_mode))
    fd = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, new)


def _unusable(directory, reason):
    return OutputSpoolUnusable(path=directory, reason=reason)

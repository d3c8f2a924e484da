"""Deliver spooled output: copy it with its owner's rights to where the owner wants it, else to HOME, else leave it.

A file goes under a temporary name into the wanted directory and is renamed over the destination, so that a symbolic
link planted there is replaced and never followed, and nobody sees half a file. On the file system of the spool the
temporary name is a hard link: gigabytes cost nothing, and no inode is made and freed for each file. Where the
destination is a character device or a FIFO, the output is written into it; where it is a directory, into a file in it,
as PBS does with `-o DIR`.
All this happens with the owner's effective ids; only the spooled file is opened with the site's.
"""

import contextlib
import errno
import os
import select
import stat
import time

from worker.file_copy import copy

#: Words of a note that says that the spooled copy is still needed.
KEPT = "stays on the site"
_SPOOL_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_STREAM_FLAGS = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_STREAM_BYTES = 65536
#: A FIFO or terminal that takes nothing for so long is given up.
_STREAM_PATIENCE_S = 10.0
_STREAM_ASK_S = 0.25


class GivenUp(Exception):
    """A delivery was stopped; nothing half done is left."""


class _Refused(Exception):
    """A spooled file that must not be delivered; the message says why."""


class _Spooled:
    """An open spooled file."""

    __slots__ = ("fd", "path", "size")

    def __init__(self, fd, size, path):
        self.fd = fd
        self.size = size
        self.path = path


def deliver(spec, owner, proceed):
    """Deliver the output files of one request.

    Args:
        spec: the deliver spec, see `worker.shepherd`.
        owner: `worker.owner.Owner` of the spec.
        proceed: called now and then; what it raises ends the delivery.
    Returns:
        Empty when every file is where it was wanted, else one line: what is where, and why.
    """
    notes, sources = [], []
    try:
        for spooled, wanted, name in spec["files"]:
            try:
                fd, size = _open_spooled(spooled, owner.uid)
            except _Refused as error:
                notes.append(f"{name} {KEPT}: {error}")
            else:
                sources.append((fd, size, spooled, wanted, name))
        try:
            owner.take()
        except OSError as error:
            return f"output {KEPT}: uid {owner.uid}, gid {owner.gid}: {error.strerror}"
        try:
            os.umask(spec["umask"])
            notes += [_deliver_file(*source, spec["home"], proceed) for source in sources]
        finally:
            owner.restore()
    finally:
        for fd, *_ in sources:
            os.close(fd)
    return "; ".join(filter(None, notes))


def _open_spooled(path, uid):
    """Open a spooled file, if it is what a shepherd made and nothing else.

    Returns:
        (descriptor, size in bytes).
    """
    try:
        fd = os.open(path, _SPOOL_FLAGS)
    except OSError as error:
        raise _Refused(f"{path}: {error.strerror}") from None
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == uid:
        return fd, found.st_size
    os.close(fd)
    raise _Refused(f"{path} is not a plain file of uid {uid}")


def _deliver_file(source, size, spooled, wanted, name, home, proceed):
    """Deliver one file with the rights that the process has now; returns the note about it."""
    reasons = []
    fallback = os.path.join(home, name) if home.startswith("/") else ""
    for place in dict.fromkeys((wanted, fallback)):
        if not place:
            continue
        try:
            _put(_Spooled(source, size, spooled), place, name, proceed)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
        else:
            return f"{'; '.join(reasons)}; delivered to {place}" if reasons else ""
    return f"{'; '.join(reasons)}; {KEPT} as {spooled}"


def _put(spooled, place, name, proceed, inside=False):
    directory, base = os.path.split(place)
    if not base:  # "DIR/"
        base, inside = name, True
    directory_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = _mode(base, directory_fd)
        if stat.S_ISDIR(mode) and not inside:
            _put(spooled, os.path.join(place, name), name, proceed, inside=True)
        elif mode == 0 or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            _replace(spooled, base, directory, directory_fd, proceed)
        elif stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
            _pour(spooled.fd, spooled.size, base, directory_fd, proceed)
        else:
            raise OSError(0, "neither a file nor a character device, FIFO or directory")
    finally:
        os.close(directory_fd)


def _mode(base, directory_fd):
    """The type and mode of what stands there, a link not followed; 0 for nothing."""
    try:
        return os.lstat(base, dir_fd=directory_fd).st_mode
    except FileNotFoundError:
        return 0


def _replace(spooled, base, directory, directory_fd, proceed):
    """Link or copy to a temporary name and rename it over the destination."""
    name = f".{os.path.basename(spooled.path)}"
    target = -1
    if not _link(spooled, directory, directory_fd, name):
        target, name = _open_new(name, directory_fd)
    try:
        if target >= 0:
            try:
                copy(spooled.fd, target, spooled.size, proceed)
            finally:
                os.close(target)
        proceed()
        os.rename(name, base, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory_fd)
        raise


def _link(spooled, directory, directory_fd, name):
    """Give the spooled file a second name in the directory; False where it must be copied.

    That is: on another file system, where the kernel refuses, where a new file would get a group or an access list
    from the directory, and for a file that an interrupted delivery has linked before (its owner may have it open).
    The spool is the site's own directory, so its path cannot be made to mean another file.
    """
    found = os.fstat(spooled.fd)
    if found.st_nlink != 1 or os.fstat(directory_fd).st_mode & stat.S_ISGID or _gives_access_list(directory):
        return False
    try:
        os.link(spooled.path, name, dst_dir_fd=directory_fd, follow_symlinks=False)
    except OSError:
        return False
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(spooled.fd, 0o666 & ~mask)
    return True


def _gives_access_list(directory):
    try:
        os.getxattr(directory, "system.posix_acl_default")
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.EOPNOTSUPP)
    return True


def _open_new(name, directory_fd):
    """Open a new file: of this name, so that a later delivery finds what a killed one left, or of one like it."""
    for candidate in (name, f"{name}.{os.urandom(4).hex()}"):
        try:
            try:
                return os.open(candidate, _NEW_FLAGS, 0o666, dir_fd=directory_fd), candidate
            except FileExistsError:
                os.unlink(candidate, dir_fd=directory_fd)
                return os.open(candidate, _NEW_FLAGS, 0o666, dir_fd=directory_fd), candidate
        except OSError as error:
            # Somebody else's file may stand there; every other cause meets the second name as well.
            failure = error
    raise failure


def _pour(source, size, base, directory_fd, proceed):
    """Write into a character device or a FIFO, as long as it takes something."""
    target = os.open(base, _STREAM_FLAGS, dir_fd=directory_fd)
    try:
        mode = os.fstat(target).st_mode
        if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
            raise OSError(0, "changed while it was opened")
        offset, patience_end = 0, time.monotonic() + _STREAM_PATIENCE_S
        while offset < size:
            data = os.pread(source, min(_STREAM_BYTES, size - offset), offset)
            if not data:
                break
            try:
                offset += os.write(target, data)
                patience_end = time.monotonic() + _STREAM_PATIENCE_S
            except BlockingIOError:
                if time.monotonic() > patience_end:
                    raise TimeoutError(0, f"took nothing for {_STREAM_PATIENCE_S:g} s") from None
                select.select([], [target], [], _STREAM_ASK_S)
            proceed()
    finally:
        os.close(target)

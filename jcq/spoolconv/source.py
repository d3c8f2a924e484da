"""An old spool on the disk: it is read, and never written.

Every file is opened relative to the spool's directory, without following a link on the way, without write access, and
where the system allows it without touching its access time. What is no regular file, is too large or changes while it
is read is an `Unreadable` with the reason, which a reader makes a `Skip` of.
"""

import errno
import heapq
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass

from jcq.spoolconv.errors import Unreadable

#: No file of a spool that is worth reading is greater than this; a sparse one of terabytes is not to be read.
FILE_BYTES_MAX = 64 * 1024 * 1024
#: So many names of a great directory are in memory at once.
NAMES_AT_ONCE = 10_000
_BLOCK_BYTES = 256 * 1024
_PARENTS_MAX = 8
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True)
class OldFile:
    """A file as it was read."""

    data: bytes
    status: os.stat_result


class Source:
    """The directory of an old spool.

    Args:
        path: the directory; a link to one is followed.
        hidden: paths in it that no listing shows: those of the site, where it stands beside the old files.
    Raises:
        Unreadable: it cannot be opened, or is none.
    """

    def __init__(self, path, hidden=()):
        self.path = path
        self._hidden = {_parts(where) for where in hidden}
        #: {the names on the way to a directory: its descriptor} of those used last: the next file is mostly there, too.
        self._parents = {}
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unreadable(path=path, reason=_why(error)) from None

    def close(self):
        """Close it; harmless when done twice."""
        for fd in (self._fd, *self._parents.values()):
            if fd >= 0:
                os.close(fd)
        self._fd, self._parents = -1, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def names(self, where="."):
        """The names in a directory, sorted.

        Args:
            where: a path relative to the spool.
        Raises:
            Unreadable: it is not there, no directory, or closed to the caller.
        """
        try:
            fd = self._open(where, os.O_DIRECTORY)
            try:
                return sorted(name for name in os.listdir(fd) if self._shows(where, name))
            finally:
                os.close(fd)
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None

    def _shows(self, where, name):
        return not self._hidden or (*_parts(where), name) not in self._hidden

    def scan(self, where="."):
        """Yield the names in a directory in no order, however many there are. Raises Unreadable as `names` does."""
        try:
            fd = self._open(where, os.O_DIRECTORY)
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        if self._shows(where, entry.name):
                            yield entry.name
            finally:
                os.close(fd)
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None

    def names_in_order(self, where=".", at_once=NAMES_AT_ONCE):
        """Yield the names in a directory sorted, without ever holding all of a great one: it is gone through again.

        Raises:
            Unreadable: as `names`.
        """
        last = ""
        while True:
            names = heapq.nsmallest(at_once, (name for name in self.scan(where) if name > last))
            yield from names
            if len(names) < at_once:
                return
            last = names[-1]

    def status(self, where):
        """-> os.stat_result of what `where` itself names, also a link, or None where nothing is there.

        Raises:
            Unreadable: it cannot be looked at.
        """
        try:
            names = _parts(where)
            if not names:
                return os.stat(self._fd)
            return os.stat(names[-1], dir_fd=self._directory(names[:-1]), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None

    def is_directory(self, where):
        """Whether there is a directory of this name; a link to one is none. Raises Unreadable."""
        found = self.status(where)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def is_file(self, where):
        """Whether there is a regular file of this name. Raises Unreadable."""
        found = self.status(where)
        return found is not None and stat.S_ISREG(found.st_mode)

    def read(self, where, bytes_max=FILE_BYTES_MAX):
        """-> `OldFile`.

        Raises:
            Unreadable: it is no regular file, too large, closed to the caller, or changed while it was read.
        """
        try:
            fd = self._open(where)
            try:
                return _read(fd, where, bytes_max)
            finally:
                os.close(fd)
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None

    def lines(self, where, line_bytes_max, bytes_max=FILE_BYTES_MAX):
        """A file line by line, in memory that does not grow with it.

        Args:
            line_bytes_max: of a line that is longer, only its number is given.
        Yields:
            (number from 1, bytes without the newline, or None where it is too long).
        Raises:
            Unreadable: as `read`; that it changed while it was read is said behind the last line.
        """
        try:
            fd = self._open(where)
            try:
                before = _regular(fd, where, bytes_max)
                # Not more than there was when it was opened: a file that grows as fast as it is read has no end.
                size = yield from _lines(fd, before.st_size, line_bytes_max)
                _unchanged(fd, where, before, size)
            finally:
                os.close(fd)
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None

    def head(self, where, count):
        """-> the first bytes of a regular file, however large it is. Raises Unreadable."""
        with self._opened(where) as fd:
            return os.pread(fd, count, 0)

    def copy(self, where, target):
        """Copy a regular file of any size, holes left out, to a path outside of the spool.

        Raises:
            Unreadable: it cannot be read, or changed meanwhile.
            OSError: the copy cannot be written.
        """
        with self._opened(where) as fd, open(target, "xb") as copy:
            before = os.fstat(fd)
            at = 0
            while at < before.st_size:
                try:
                    at = os.lseek(fd, at, os.SEEK_DATA)
                except OSError:
                    break
                part = os.pread(fd, 1 << 20, at)
                if not part:
                    break
                copy.seek(at)
                copy.write(part)
                at += len(part)
            copy.truncate(before.st_size)
            after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Unreadable(path=where, reason="it changed while it was read")

    @contextmanager
    def _opened(self, where):
        try:
            fd = self._open(where)
        except OSError as error:
            raise Unreadable(path=where, reason=_why(error)) from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Unreadable(path=where, reason="it is no regular file")
            yield fd
        finally:
            os.close(fd)

    def _open(self, where, flags=0):
        """A descriptor of `where`, each directory on the way opened for itself. Raises OSError, Unreadable."""
        names = _parts(where)
        return _step(names[-1], self._directory(names[:-1]), flags) if names else _step(".", self._fd, flags)

    def _directory(self, names):
        """A descriptor of a directory, which is the source's own and stays so. Raises OSError."""
        if not names:
            return self._fd
        if names in self._parents:
            return self._parents[names]
        fd = self._fd
        for name in names:
            last = fd
            try:
                fd = _step(name, last, os.O_DIRECTORY)
            finally:
                if last != self._fd:
                    os.close(last)
        while len(self._parents) >= _PARENTS_MAX:
            os.close(self._parents.pop(next(iter(self._parents))))
        self._parents[names] = fd
        return fd


def _parts(where):
    names = tuple(name for name in where.split("/") if name not in ("", "."))
    if ".." in names or "\0" in where:
        raise Unreadable(path=where, reason="it leads out of the spool")
    return names


def _step(name, parent, flags):
    try:
        return os.open(name, _READ | flags | os.O_NOATIME, dir_fd=parent)
    except PermissionError:
        # O_NOATIME is for the owner and root.
        return os.open(name, _READ | flags, dir_fd=parent)


def _read(fd, where, bytes_max):
    before = _regular(fd, where, bytes_max)
    data = _whole(fd, bytes_max + 1)
    _unchanged(fd, where, before, len(data))
    return OldFile(data, before)


def _regular(fd, where, bytes_max):
    """The status of an opened file that may be read."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(path=where, reason="it is no regular file")
    if found.st_size > bytes_max:
        raise Unreadable(path=where, reason=f"it has {found.st_size} bytes, more than {bytes_max}")
    return found


def _unchanged(fd, where, before, size):
    after = os.fstat(fd)
    if size != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unreadable(path=where, reason="it changed while it was read")


def _lines(fd, bytes_max, line_bytes_max):
    """Yields as `Source.lines`; returns how many bytes were read."""
    number, parts, held, size = 1, [], 0, 0
    while size < bytes_max:
        block = os.read(fd, min(_BLOCK_BYTES, bytes_max - size))
        if not block:
            break
        size += len(block)
        *whole, rest = block.split(b"\n")
        for piece in whole:
            held += len(piece)
            yield number, b"".join([*parts, piece]) if held <= line_bytes_max else None
            number, parts, held = number + 1, [], 0
        held += len(rest)
        # What is too long is not kept.
        parts = [*parts, rest] if held <= line_bytes_max else []
    if held:
        yield number, b"".join(parts) if held <= line_bytes_max else None
    return size


def _whole(fd, bytes_max):
    parts, size = [], 0
    while size < bytes_max:
        part = os.read(fd, min(1 << 20, bytes_max - size))
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _why(error):
    return "it is a symbolic link" if error.errno == errno.ELOOP else os.strerror(error.errno)

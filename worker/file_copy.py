"""Copy a spooled file of any size inside the kernel, holes left as holes."""

import errno
import os

from jcq.durable import write_all

#: Smaller ones are read and written at once.
_SMALL_BYTES = 65536
#: Between two looks at `proceed`.
_PART_BYTES = 32 * 1024 * 1024
#: copy_file_range does not serve this pair of file systems.
_NOT_SERVED = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}
)


def copy(source, target, size, proceed):
    """Copy the first `size` bytes of a file into an empty one.

    Args:
        source: descriptor of a regular file; one that shrinks meanwhile is copied as far as it goes.
        target: descriptor of an empty regular file.
        size: bytes.
        proceed: called after each part; what it raises ends the copy.
    Raises:
        OSError: the target takes no more.
    """
    if size <= _SMALL_BYTES:
        write_all(target, os.pread(source, size, 0))
        return
    start = 0
    while start < size:
        start, end = _next_data(source, start, size)
        while start < end:
            part = _copy_part(source, target, start, min(end - start, _PART_BYTES))
            if part == 0:
                return
            start += part
            proceed()
    os.ftruncate(target, size)


def _next_data(source, start, size):
    """The next range that holds data at or after `start`; (size, size) when only a hole is left."""
    try:
        begin = os.lseek(source, start, os.SEEK_DATA)
        return min(begin, size), min(os.lseek(source, begin, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size, size
        return start, size  # this file system does not tell


def _copy_part(source, target, start, count):
    """Copy up to `count` bytes at the offset `start` of both files; returns how many, 0 at the end of the source."""
    try:
        copied = os.copy_file_range(source, target, count, start, start)
        if copied:
            return copied
    except OSError as error:
        if error.errno not in _NOT_SERVED:
            raise
    os.lseek(target, start, os.SEEK_SET)
    return os.sendfile(target, source, start, count)

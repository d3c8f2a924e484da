"""Files that are on disk when a function returns. Imports `os` only: the launcher of jobs loads it."""

import os


def fsync_directory(path):
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(path):
    """Make everything durable that was written to the file system of `path`: cheaper than many single files.

    Raises:
        OSError: something could not be written.
    """
    # Here: the launcher of jobs loads this module, and needs none of it.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(fd)


def write_all(fd, data):
    """Write all of `data`; os.write alone may write less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_durably(path, data, mode):
    """Replace `path` by `data`: temporary file, fsync, rename, fsync of the directory.

    Args:
        path: the file.
        data: bytes.
        mode: permission bits, set whatever the umask.
    Raises:
        OSError: nothing has changed then.
    """
    temporary = f"{path}.tmp{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        write_all(fd, data)
        os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    fsync_directory(os.path.dirname(path))

"""Read the environment that `qsub -x` spooled beside the script: netstrings `K=V`."""

import os
import stat

from worker.errors import JobNotStarted

#: More than the submission may bring (jcq.model.request.ENVIRONMENT_BYTES_MAX) with all its netstring lengths.
_BYTES_MAX = 16 * 1024 * 1024


def read_environment(path):
    """Read an environment file with the rights that the process has now.

    Returns:
        {name: value}; names and values as the file system's encoding has them.
    Raises:
        JobNotStarted: it cannot be read, or is damaged.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _BYTES_MAX:
                raise JobNotStarted(reason=f"environment file {path} is no plain file of usual size")
            data = b""
            while part := os.read(fd, _BYTES_MAX):
                data += part
        finally:
            os.close(fd)
    except OSError as error:
        raise JobNotStarted(reason=f"environment file {path}: {error.strerror}") from None
    try:
        return parse_environment(data)
    except ValueError as error:
        raise JobNotStarted(reason=f"environment file {path} is damaged: {error}") from None


def parse_environment(data):
    """Turn netstrings `K=V` into {name: value}; of a name given twice the last one wins.

    Raises:
        ValueError: what is wrong, and at which byte.
    """
    found = {}
    start = 0
    while start < len(data):
        colon = data.find(b":", start, start + 10)
        digits = data[start:colon]
        if colon < 0 or not digits.isdigit():
            raise ValueError(f"no netstring at byte {start}")
        end = colon + 1 + int(digits)
        if data[end : end + 1] != b",":
            raise ValueError(f"netstring at byte {start} has no end")
        text = data[colon + 1 : end]
        name, equals, value = text.partition(b"=")
        if not name or not equals or b"\0" in text:
            raise ValueError(f"no NAME=VALUE at byte {start}")
        found[os.fsdecode(name)] = os.fsdecode(value)
        start = end + 1
    return found

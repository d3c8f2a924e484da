"""One conversion at a time into a site: what another has staged is not for this one to clear."""

import fcntl
import os
from contextlib import contextmanager

from jcq.jcdbs.errors import ImportTaken

_NAME = ".spoolconv.lock"


@contextmanager
def one_at_a_time(site):
    """Hold the lock for as long as the block lasts. Raises ImportTaken."""
    path = os.path.join(site.database, _NAME)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportTaken(detail=f"another spoolconv holds {path}") from None
        yield
    finally:
        os.close(fd)

"""The heartbeat on the shared disk: a checksummed block, written in place, that tells other nodes that an owner lives.

It stands in a lock file, which is never renamed. Observers compare its counter over their own
monotonic clock only; no two machines' clocks are ever compared. Sources: design section 9,
ha-facts.md section 3.
"""

import os
import select
import time
import zlib
from dataclasses import dataclass

from jcq.cluster.locks import OFD_NAME

#: A disk writes one sector whole or not at all.
_BLOCK_BYTES = 512
#: A heartbeat is written this often within the limit.
BEATS_PER_LIMIT = 10
#: An owner that wrote none of so many and was silent for its limit besides has ended itself.
_MISSED = 4
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Beat:
    """One heartbeat."""

    #: Name of the run, as in the owner record.
    run: str
    counter: int
    #: Without a heartbeat for so long its owner ends itself.
    limit_s: float

    def encode(self):
        """The block."""
        text = f"heartbeat run={self.run} counter={self.counter} limit_ms={round(self.limit_s * 1000)} "
        return f"{text}sum={zlib.crc32(text.encode()):08x}\n".encode().ljust(_BLOCK_BYTES, b"\0")

    @property
    def watch_s(self):
        """How long an observer has to see no heartbeat until the owner is known to have ended itself."""
        return self.limit_s + _MISSED * self.limit_s / BEATS_PER_LIMIT


def decode(block):
    """The `Beat` of a block, or None where it holds none."""
    text, mark, total = block.rstrip(b"\0\n").decode("ascii", "replace").rpartition("sum=")
    try:
        if not mark or int(total, 16) != zlib.crc32(text.encode()):
            return None
        found = dict(word.split("=", 1) for word in text.split()[1:])
        return Beat(found["run"], int(found["counter"]), int(found["limit_ms"]) / 1000)
    except (KeyError, ValueError):
        return None


def read(site):
    """The last heartbeat of a site, or None. Raises OSError where the disk cannot be read."""
    try:
        fd = os.open(os.path.join(site.database, OFD_NAME), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A page that this node has read before may be kept here while another node writes.
        os.posix_fadvise(fd, 0, _BLOCK_BYTES, os.POSIX_FADV_DONTNEED)
        return decode(os.pread(fd, _BLOCK_BYTES, 0))
    finally:
        os.close(fd)


def write(fd, beat):
    """Write a heartbeat in place and wait until it is on the disk. Raises OSError."""
    os.pwrite(fd, beat.encode(), 0)
    os.fdatasync(fd)


def moves(site, watch_s):
    """Whether the heartbeat of a site changes.

    Args:
        site: the `jcq.site.Site`.
        watch_s: seconds of this observer's clock to watch it; returns at once when it has moved.
    """
    first = read(site)
    deadline_s = time.monotonic() + watch_s
    while time.monotonic() < deadline_s:
        # Another node's write tells nobody here.
        select.select([], [], [], _LOOK_EVERY_S)
        if read(site) != first:
            return True
    return False

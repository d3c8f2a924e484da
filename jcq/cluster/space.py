"""Space on the site's disk: a reserve for what has to be recorded, and the marks at which the site becomes careful.

A disk that is full must not move the site: the other node would find it just as full. So a file of real
blocks is kept, and freed when nothing else is left; until there is space again nothing new is accepted or
started. The decisions are pure; `jcq.cluster.keeper` carries them out. Source: ha-facts.md section 4.
"""

import contextlib
import errno
import os
import re
from dataclasses import dataclass

NAME = ".reserve"
#: What the system says when there is no space, or no more for this user.
FULL = (errno.ENOSPC, errno.EDQUOT)

_MIB = 1024 * 1024
_RESERVE_MAX = 64 * _MIB
#: A site needs that many files at once: scripts, output, logs.
_FILES_LOW = 32
_LOOK_SLOW_S = 1.0
_LOOK_FAST_S = 0.05
_LOOK_SHORT_S = 0.25
_WORDS = re.compile(rb"No space left on device|Disk quota exceeded")
_WORDS_BYTES = 8192


@dataclass(frozen=True)
class Marks:
    """Limits in bytes for one file system."""

    #: Size of the reserve.
    reserve: int
    #: With less free than this nothing new begins.
    low: int
    #: With less free than this the reserve is freed.
    critical: int


@dataclass(frozen=True)
class Look:
    """What the disk has at one moment."""

    total: int
    free: int
    #: Free files; None where the file system does not count them.
    files: int | None
    #: Bytes of the reserve, 0 where there is none.
    reserve: int
    #: jcdbs has ended for want of space and has not answered again.
    database_ended: bool = False
    #: The reserve was freed and has not been made again, by an earlier run perhaps.
    spent: bool = False


@dataclass(frozen=True)
class Decision:
    """What follows from a look."""

    #: The site is short of space, or may not yet say that it is not.
    short: bool
    free_reserve: bool = False
    #: To be made; only when that succeeds the site is not short any more.
    make_reserve: bool = False


def marks(total):
    """The limits for a file system of `total` bytes: the reserve is the smaller of 64 MiB and an eighth."""
    reserve = min(_RESERVE_MAX, total // 8)
    low = max(min(_MIB, total // 16), reserve // 4)
    return Marks(reserve, low, low // 2)


def decide(short, look):
    """What to do about the space there is.

    Between the mark at which the site becomes short and the one at which it is so no more lies the reserve, and as
    much again as the low mark: it does not waver.

    Args:
        short: whether it is short now.
        look: a `Look`.
    Returns:
        `Decision`.
    """
    limits = marks(look.total)
    files_low = look.files is not None and look.files < _FILES_LOW
    # One that was made when the file system was smaller, or larger, does for a while.
    missing = limits.reserve if look.reserve < limits.reserve // 2 else 0
    enough = not files_low and not look.database_ended and look.free >= missing + 2 * limits.low
    if enough:
        return Decision(short or look.spent, make_reserve=True) if missing else Decision(False)
    if short or look.spent or files_low or look.database_ended or look.free < limits.low:
        return Decision(True, free_reserve=look.reserve > 0 and (look.database_ended or look.free < limits.critical))
    return Decision(False)


def pause_s(short, look, used_per_s):
    """How long until the next look, in seconds.

    Args:
        short: whether the site is short of space.
        look: the last `Look`.
        used_per_s: bytes that were taken in a second lately.
    """
    if short:
        return _LOOK_SHORT_S
    margin = look.free - marks(look.total).low
    if margin <= 0:
        return _LOOK_FAST_S
    left_s = margin / used_per_s if used_per_s > 0 else float("inf")
    # A quarter of the time that is left, since whoever writes may write faster yet.
    return min(_LOOK_SLOW_S, max(_LOOK_FAST_S, left_s / 4))


class Reserve:
    """The file of real blocks in the site's database directory.

    Args:
        site: the `jcq.site.Site`.
    """

    def __init__(self, site):
        self._directory = site.database
        self.path = os.path.join(site.database, NAME)
        self._temporary = f"{self.path}.tmp"

    def look(self, database_ended=False):
        """What the disk has now: a `Look`. Raises OSError."""
        found = os.statvfs(self._directory)
        files = found.f_favail if found.f_files else None
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        size = self.size()
        return Look(total, free, files, size, database_ended, not size and os.path.lexists(self.path))

    def size(self):
        """Its bytes; 0 where there is none."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        return min(found.st_size, found.st_blocks * 512)

    def free(self):
        """Give its blocks back; returns whether there were any. The empty file says that it is spent."""
        had = self.size() > 0
        if had:
            os.truncate(self.path, 0)
        try:
            # Of a run that was killed while it made one.
            os.unlink(self._temporary)
        except FileNotFoundError:
            return had
        return True

    def make(self, limits):
        """Make it anew, and see that there is room beside it, whatever the file system says of itself.

        A quota is not to be seen in what statvfs says.

        Args:
            limits: `Marks`.
        Raises:
            OSError: there is no reserve then.
        """
        self.free()
        fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            allocate(fd, limits.reserve + limits.low)
            os.ftruncate(fd, limits.reserve)
            os.fsync(fd)
            os.rename(self._temporary, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)
            raise
        finally:
            os.close(fd)

    def make_room(self):
        """Before a start: free the reserve where the disk is short; returns whether it is short. Raises OSError."""
        decision = decide(False, self.look())
        if decision.free_reserve or (decision.short and self.size()):
            self.free()
        return decision.short


def allocate(fd, size):
    """Give a new file so many real blocks: where the file system cannot promise them, by writing."""
    try:
        os.posix_fallocate(fd, 0, size)
        return
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    # Not zeros: some file systems keep none of those.
    block = os.urandom(min(size, _MIB))
    for offset in range(0, size, len(block)):
        os.pwrite(fd, block[: size - offset], offset)


def says_full(path):
    """Whether the last words of a log are about a full disk."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _WORDS_BYTES))
            return _WORDS.search(file.read()) is not None
    except OSError:
        return False

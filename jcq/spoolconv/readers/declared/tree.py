"""What lies in a spool, directory by directory, in a few lines each."""

import collections
import math
import stat
from dataclasses import dataclass, field

from jcq.spoolconv.errors import Unreadable

DIRECTORIES_MAX = 200
_ENTRIES_MAX = 200_000
_DEPTH_MAX = 12
_SAMPLES = 3


@dataclass
class Directory:
    """One directory."""

    where: str
    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    #: {bytes: how many files}.
    sizes: collections.Counter = field(default_factory=collections.Counter)
    #: Paths of a few files, of different sizes where there are such.
    samples: list = field(default_factory=list)
    #: Why it cannot be read.
    flaw: str = ""

    @property
    def step(self):
        """What all sizes are a multiple of."""
        return math.gcd(*self.sizes)

    def lines(self):
        """What is said of it."""
        if self.flaw:
            return [f"{shown(self.where)}: {self.flaw}"]
        words = [f"{self.files} files of {self.size} bytes"] if self.files else []
        words += [f"{self.directories} directories"] if self.directories else []
        words += [f"{self.others} links or special files"] if self.others else []
        lines = [f"{shown(self.where)}: {', '.join(words) or 'empty'}"]
        if self.files > 1:
            often = ", ".join(f"{count} of {size}" for size, count in self.sizes.most_common(4))
            lines.append(f"    most common sizes: {often}")
            if self.step >= 8:
                lines.append(f"    every size is a multiple of {self.step}")
        return lines


def walk(source):
    """Yield a `Directory` for each, the spool itself first; what lies too deep or is too much is left out."""
    todo, left, count = [("", 0)], _ENTRIES_MAX, 0
    while todo:
        where, depth = todo.pop(0)
        found = Directory(where or ".")
        try:
            names = source.names(where or ".")
        except Unreadable as error:
            found.flaw, names = error.fields["reason"], []
        count += 1
        if count > DIRECTORIES_MAX:
            return
        for name in names:
            left -= 1
            if left < 0:
                found.flaw = f"there are more than {_ENTRIES_MAX} files here and above"
                break
            path = f"{where}/{name}" if where else name
            if _enter(source, found, path) and depth < _DEPTH_MAX:
                todo.append((path, depth + 1))
        yield found


def _enter(source, found, path):
    """Count an entry; -> whether it is a directory."""
    try:
        status = source.status(path)
    except Unreadable:
        status = None
    if status is not None and stat.S_ISDIR(status.st_mode):
        found.directories += 1
        return True
    if status is None or not stat.S_ISREG(status.st_mode):
        found.others += 1
        return False
    if len(found.samples) < _SAMPLES or (status.st_size not in found.sizes and len(found.samples) < 2 * _SAMPLES):
        found.samples.append(path)
    found.files += 1
    found.size += status.st_size
    found.sizes[status.st_size] += 1
    return False


def shown(text):
    """A name on a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)

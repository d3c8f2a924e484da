"""Samples of old spools with their ground truth, unpacked such that their owners hold whoever runs the tests.

They were made with the real programs of Debian 12 (at 3.2.5, gridengine 8.1.9); the truth is what atq, at -c, qstat,
qconf and the submissions themselves said.
"""

import gzip
import hashlib
import json
import os
import stat
import tarfile

from jcq.spoolconv.source import OldFile, Source

SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "spools")


class OwnedSource(Source):
    """A source whose files belong to whom the test says."""

    def __init__(self, path, owners):
        """`owners` is {path relative to the source: (uid, gid)}; what it does not name keeps its owner."""
        super().__init__(path)
        self.owners = owners

    def status(self, where):
        found = super().status(where)
        return found and self._owned(where, found)

    def read(self, where, *more):
        file = super().read(where, *more)
        return OldFile(file.data, self._owned(where, file.status))

    def _owned(self, where, status):
        if where not in self.owners:
            return status
        values = list(status[:10])
        values[stat.ST_UID], values[stat.ST_GID] = self.owners[where]
        more = {name: getattr(status, name) for name in ("st_mtime", "st_mtime_ns", "st_atime_ns", "st_ctime_ns")}
        return os.stat_result(values, more)


def truth(name):
    """What the old system said of a sample."""
    with gzip.open(os.path.join(SAMPLES, f"{name}.truth.json.gz")) as file:
        return json.load(file)


def unpack(name, directory):
    """Unpack a sample into a directory of the tester's own -> `OwnedSource`."""
    owners = {}
    with tarfile.open(os.path.join(SAMPLES, f"{name}.tar.gz")) as archive:
        for member in archive:
            path = os.path.join(directory, member.name)
            owners[os.path.normpath(member.name)] = (member.uid, member.gid)
            if member.isdir():
                os.makedirs(path, exist_ok=True)
            elif member.isreg():
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(archive.extractfile(member).read())
                os.chmod(path, member.mode)
                os.utime(path, (member.mtime, member.mtime))
    return OwnedSource(directory, owners)


def unpack_as_it_was(name, directory):
    """Unpack a sample with its owners, modes and times, as root."""
    with tarfile.open(os.path.join(SAMPLES, f"{name}.tar.gz")) as archive:
        # Python 3.14's own filter would leave the owners out.
        archive.extraction_filter = lambda member, _path: member
        archive.extractall(directory, numeric_owner=True)


def fingerprint(directory):
    """{path below it: (mode, owner, group, size, times, contents' checksum or target)}, as root.

    Of what stat says the time of change alone is left out. Looking leaves no time behind, but for that of access of a
    link, which is left out too.
    """
    found = {}
    waiting = [""]
    while waiting:
        where = waiting.pop()
        path = os.path.join(directory, where)
        status = os.lstat(path)
        what = status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns
        if stat.S_ISLNK(status.st_mode):
            found[where] = (*what, os.readlink(path))
            continue
        what += (status.st_atime_ns,)
        if stat.S_ISREG(status.st_mode):
            with open(os.open(path, os.O_RDONLY | os.O_NOATIME), "rb") as file:
                what += (hashlib.file_digest(file, "sha256").hexdigest(),)
        elif stat.S_ISDIR(status.st_mode):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
            waiting += [os.path.join(where, name) for name in os.listdir(fd)]
            os.close(fd)
        found[where] = what
    return found


def mutated(data, chance):
    """Bytes with a few changes: some flipped, a cut, a length that is another, a part twice or gone.

    Args:
        data: bytes.
        chance: a `random.Random`.
    """
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not changed:
            break
        at, kind = chance.randrange(len(changed)), chance.randrange(6)
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at] = chance.randrange(256)
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            changed[at : at + 4] = chance.choice((0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000)).to_bytes(4, "big")
        elif kind == 4:
            del changed[at : at + chance.randint(1, 40)]
        else:
            changed[at:at] = changed[at : at + chance.randint(1, 400)]
    return bytes(changed)

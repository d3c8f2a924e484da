"""Whether the append-only file in a new epoch is whole: the server's own checker says where it breaks, this module why.

A power cut leaves a torn tail: half a transaction, zeros or garbage, and nothing whole behind it. That
was never acknowledged, so the copy is cut there. Where whole commands follow the break, the damage is in
the middle, and cutting would throw away what was acknowledged: that is never done. The base file needs
no look, it has a checksum, which the server verifies. Source: ha-facts.md section 4.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from functools import partial

from jcq.process import die_with_parent

#: So much that is no command at all may stand behind the last good transaction. Of half a transaction any length.
TAIL_BYTES_MAX = 65536
#: A bit that flips makes no such run of zeros; a block that was never written does.
_HOLE = b"\0" * 512
#: A chain of so many whole commands that the end of the file cuts off is no accident.
_CHAIN = 3

_ANALYZED = re.compile(rb"AOF analyzed: filename=.*, size=(\d+), ok_up_to=(\d+),")
_HEAD = {mark: re.compile(rb"\%c(\d{1,10})\r\n" % mark) for mark in b"*$"}
_PART_OF_HEAD = {mark: re.compile(rb"(\%c(\d{1,10}\r?)?)?\Z" % mark) for mark in b"*$"}

#: A command of one word: MULTI, EXEC.
_ALONE = re.compile(rb"\*1\r\n\$\d+\r\n(.*)\r\n")

_CUT = -1
_WRONG = -2


class Damaged(Exception):
    """The data is damaged in a way that must not be mended; the message says where and how."""


@dataclass(frozen=True)
class Break:
    """Where the whole transactions of a file end."""

    ok_bytes: int
    size: int


def find_break(server, file, limit_s):
    """Ask the server's checker about one incremental file; it changes nothing.

    Args:
        server: (path, version text) of `jcq.jcdbs.server.binary`.
        file: path of the file.
        limit_s: seconds it may take.
    Returns:
        A `Break`, or None where every transaction is whole.
    Raises:
        Damaged: the checker could not say anything.
        TimeoutError: it is not through.
    """
    path, version = server
    # The server is its own checker under this name.
    title = "valkey-check-aof" if version.startswith("valkey") else "redis-check-aof"
    try:
        answer = subprocess.run(
            [title, file],
            executable=path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(file) from None
    if answer.returncode == 0:
        return None
    found = _ANALYZED.search(answer.stdout)
    if not found:
        words = answer.stdout.decode("utf-8", "replace").split("\n")[-2:]
        raise Damaged(f"{title} ends with {answer.returncode}: {' '.join(words).strip() or 'without a word'}")
    return Break(ok_bytes=int(found[2]), size=int(found[1]))


def tear(rest):
    """Judge what stands behind the last whole transaction.

    Args:
        rest: bytes from there to the end of the file.
    Returns:
        Empty for a torn tail, else why it is none.
    """
    at, end = 0, 0
    while at < len(rest) and (end := command_end(rest, at)) >= 0:
        # The beginning of one transaction is all that may be whole here. A damaged EXEC is one word, too.
        alone = _ALONE.match(rest, at)
        if (at == 0) != bool(alone and alone[1].upper() == b"MULTI") or (at and alone):
            return f"{len(rest) - at} bytes of whole commands follow the damage"
        at = end
    if at == len(rest):
        return ""  # cut between two commands of a transaction
    chain = _next_chain(rest, at)
    if chain >= 0 and _HOLE not in rest[at:chain]:
        return f"{len(rest) - chain} bytes of whole commands follow the damage"
    if end == _WRONG and len(rest) - at > TAIL_BYTES_MAX:
        return f"{len(rest) - at} bytes at its end are no commands, more than a torn tail has"
    return ""


def _next_chain(rest, at):
    """Where whole commands begin again behind a break and go on to the end of the file; -1 where they do not."""
    known = set()
    found = rest.find(b"\r\n*", at)
    while found >= 0:
        start = place = found + 2
        count = 0
        while place < len(rest) and place not in known and (end := command_end(rest, place)) >= 0:
            known.add(place)
            place, count = end, count + 1
        if count and (place == len(rest) or (count >= _CHAIN and command_end(rest, place) == _CUT)):
            return start
        found = rest.find(b"\r\n*", found + 1)
    return -1


def command_end(data, at):
    """The offset behind the command that begins at `at`; negative where the data ends in it, or it is none."""
    count, at = _head(data, at, b"*")
    while at >= 0 and count:
        size, at = _head(data, at, b"$")
        if at < 0:
            return at
        at += size + 2
        if at > len(data):
            return _CUT
        if data[at - 2 : at] != b"\r\n":
            return _WRONG
        count -= 1
    return at


def _head(data, at, mark):
    """The number of a line such as `*3` or `$12`, and the offset behind it."""
    found = _HEAD[mark[0]].match(data, at)
    if found:
        return int(found[1]), found.end()
    return 0, _CUT if _PART_OF_HEAD[mark[0]].match(data, at) else _WRONG


def mend(server, copy, original, files, log, limit_s):
    """Make a copied epoch's incremental files whole, or refuse.

    Args:
        server: as for `find_break`.
        copy: directory of the copy.
        original: directory that it was copied from; nothing in it is touched.
        files: names of the incremental files in the manifest's order.
        log: logger; what is cut off is said there.
        limit_s: seconds that the check of one file may take.
    Raises:
        Damaged: it is not only a torn tail of the last file.
        TimeoutError: as `find_break`.
    """
    for file in files:
        path = os.path.join(copy, file)
        broken = find_break(server, path, limit_s)
        if broken is None:
            continue
        where = f"{os.path.join(original, file)} is damaged at byte {broken.ok_bytes} of {broken.size}"
        if file != files[-1]:
            raise Damaged(f"{where}, and {files[-1]} follows it")
        with open(path, "r+b") as incremental:
            incremental.seek(broken.ok_bytes)
            reason = tear(incremental.read())
            if reason:
                raise Damaged(f"{where}: {reason}")
            incremental.truncate(broken.ok_bytes)
            os.fsync(incremental.fileno())
        log.warning(
            "%s had a torn tail: the last %d of %d bytes are cut off in the new epoch's copy; the original is kept",
            os.path.join(original, file), broken.size - broken.ok_bytes, broken.size,
        )  # fmt: skip

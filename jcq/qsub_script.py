"""The script that qsub sends: read as far as it may be long, and deleted where -d says so; loaded by qsub only."""

import os

from jcq.asking import complain
from jcq.errors import UsageError

#: As jcq.model.request.SCRIPT_BYTES_MAX, which is too slow to import here; a test compares them.
SCRIPT_BYTES_MAX = 16 * 1024 * 1024


def read(operand):
    """(its bytes, the last part of its name or STDIN); bounded before anything is sent."""
    name = b"STDIN" if operand == "-" else os.path.basename(os.fsencode(operand))
    shown = "standard input" if operand == "-" else repr(operand)
    try:
        fd = 0 if operand == "-" else os.open(operand, os.O_RDONLY | os.O_CLOEXEC)
        try:
            script = _pieces(fd, shown)
        finally:
            if fd:
                os.close(fd)
    except OSError as error:
        raise UsageError(reason=f"cannot read the script from {shown}: {error.strerror}") from None
    if not script:
        raise UsageError(reason=f"the script from {shown} is empty; nothing was submitted")
    return script, name


def _pieces(fd, shown):
    pieces = []
    size = 0
    while piece := os.read(fd, 1 << 20):
        size += len(piece)
        if size > SCRIPT_BYTES_MAX:
            raise UsageError(reason=f"the script from {shown} is larger than {SCRIPT_BYTES_MAX >> 20} MiB")
        pieces.append(piece)
    return b"".join(pieces)


def may_export(script):
    """Whether the script could hold `-x` in a directive; the daemon, which reads directives, knows it for sure."""
    return b"-x" in script and (b"@$" in script or b"QSUB" in script)


class Deletion:
    """What -d asks for: the script's file is deleted when its request is accepted, see `jcq.asking`.

    Args:
        operand: the path, as given.
    Raises:
        UsageError: it is not one plain file, such as /dev/stdin; found before anything is read.
    """

    def __init__(self, operand):
        self._operand = operand
        if operand == "-":
            raise UsageError(reason="-d: a script from standard input is no file that can be deleted; leave out -d")
        try:
            self._before = _look(operand)
        except OSError as error:
            raise UsageError(reason=f"cannot read the script from {operand!r}: {error.strerror}") from None
        if self._before[0] & 0o170000 != 0o100000:
            raise UsageError(reason=f"-d deletes plain files only, and {operand!r} is none; leave out -d")
        self._done = False

    def __call__(self):
        """Delete it, once; what cannot be deleted is a warning, for the request was accepted."""
        if self._done:
            return
        self._done = True
        try:
            if _look(self._operand) == self._before:
                os.unlink(self._operand)
                return
            reason = "it was changed after it had been read"
        except OSError as error:
            reason = error.strerror or "it is gone"
        complain(f"qsub: warning: the script {self._operand!r} was not deleted: {reason}")


def _look(path):
    found = os.lstat(path)
    return found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

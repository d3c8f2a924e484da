"""qcat's side of its talk with nqsdaemon: it gets an open file, and prints it until the answer ends.

While the answer has not ended (-f) socket and file are looked at in turns: no file system tells of every file
that grows. What is printed at one look is bounded by the file's size then, so that one who writes without end
cannot keep the command from ending.

Where the site is started again meanwhile, the command asks again: the same file goes on where it was, another one, of
a new run of the request, is printed from its start. No file is open meanwhile: its disk may be about to move.
"""

import os
import select
import sys

from jcq import asking, client
from jcq.errors import AnswerLost, NoAnswer, NotServed
from jcq.frames import Decoder
from jcq.options import QCAT

#: Between two looks while a file is followed.
_POLL_MS = 200
_PIECE_BYTES = 1 << 20


class _ReaderGone(Exception):
    """Nobody reads standard output any more."""


def run(root=None):
    """Run the command with the arguments of this process; as `jcq.client.run`, which does all but the printing."""
    shown = _Shown()
    try:
        return client.run(QCAT, root, shown.read)
    finally:
        shown.close()


class _Shown:
    """What the command shows, over all times that it asks."""

    def __init__(self):
        self._file = None
        #: Name of the file that was shown last, which is of one run of the request, and how far.
        self._name, self._offset = "", 0

    def close(self):
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    def read(self, command, there, connection, write, asked, _accepted):
        """Read the answer and print the file that comes with it; returns the exit code."""
        try:
            return self._read(command, there, connection, write, asked)
        except _ReaderGone:
            return 0

    def _take(self, fd):
        """Go on with a file."""
        self._file = _Printed(fd)
        name = self._file.name()
        if name == self._name:
            self._file.offset = self._offset
        elif self._name:
            os.write(2, b"qcat: the request runs again; this is the output of its new run\n")
        self._name = name

    def _let_go(self):
        """The daemon has gone. What its jobs wrote in their last moment is printed, and its disk is not kept busy."""
        if self._file:
            select.select([], [], [], _POLL_MS / 1000)
            self._file.go_on()
            self._offset = self._file.offset
            self.close()

    def _read(self, command, there, connection, write, asked):
        decoder = Decoder(asking.ANSWER_BYTES_MAX)
        while True:
            if self._file and not _wait(connection, self._file):
                continue
            data, fd = _receive(connection, there, asked)
            if fd >= 0:
                self._take(fd)
            for part in decoder.feed(data):
                kind, text = part[:1], part[1:]
                if kind == b"x":
                    if self._file:
                        self._file.go_on()
                    return int(text)
                if kind in b"oe":
                    write(2 if kind == b"e" else 1, text, command)
            if not data:
                self._let_go()
                raise AnswerLost(site=there.name or there.directory, advice=asking.advice(asked))


def _receive(connection, there, asked):
    """(bytes, descriptor that came with them or -1)."""
    import _socket

    try:
        data, extra, _, _ = connection.recvmsg(1 << 18, _socket.CMSG_LEN(4), _socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        silent = f"it was silent for {asking.ANSWER_TIMEOUT_S} s; {asking.advice(asked)}"
        raise NoAnswer(site=there.name or there.directory, advice=silent) from None
    except ConnectionResetError:
        return b"", -1
    for level, kind, content in extra:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS) and len(content) >= 4:
            return data, int.from_bytes(content[:4], sys.byteorder)
    return data, -1


def _wait(connection, file):
    """Print what the file has, then wait a little; whether the daemon says something."""
    file.go_on()
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    # Only whether its reader has gone.
    poll.register(1, 0)
    ready = dict(poll.poll(_POLL_MS))
    if 1 in ready:
        raise _ReaderGone
    return bool(ready)


class _Printed:
    """An open file, and how far it has been printed."""

    def __init__(self, fd):
        self._fd = fd
        #: How far it has been printed.
        self.offset = 0

    def go_on(self):
        """Print what has been appended; from the start where the file was cut, as `tail -f` does."""
        size = os.fstat(self._fd).st_size
        if size < self.offset:
            self.offset = 0
        while self.offset < size:
            try:
                piece = os.pread(self._fd, min(_PIECE_BYTES, size - self.offset), self.offset)
            except OSError as error:
                raise NotServed(reason=f"the output cannot be read: {error.strerror}") from None
            if not piece:
                return
            self.offset += len(piece)
            _print(piece)

    def name(self):
        """The last part of its path, also where it was deleted."""
        return os.path.basename(os.readlink(f"/proc/self/fd/{self._fd}")).removesuffix(" (deleted)")

    def close(self):
        """Close the file."""
        os.close(self._fd)


def _print(piece):
    view = memoryview(piece)
    try:
        while view:
            view = view[os.write(1, view) :]
    except BrokenPipeError:
        raise _ReaderGone from None
    except OSError as error:
        raise NotServed(reason=f"cannot write to standard output: {error.strerror}") from None

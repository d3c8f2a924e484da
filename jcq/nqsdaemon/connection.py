"""One client of nqsdaemon: its identity by SO_PEERCRED, its one request, its answer. No thread, no blocking."""

import os
import pwd
import socket
import struct
import time
from collections import deque

from jcq.frames import Decoder

#: Outer limit of one request: a script of 16 MiB, an environment of 1 MiB, arguments of 2 MiB, their frames.
REQUEST_BYTES_MAX = 22 * 1024 * 1024
#: A client that neither sends nor reads is dropped after this time.
SILENCE_LIMIT_S = 30.0
_READ_BYTES = 256 * 1024


class Connection:
    """A client, from accept to the last byte of its answer.

    Args:
        sock: the accepted, non-blocking socket.
    """

    def __init__(self, sock):
        self.sock = sock
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid, self.uid, self.gid = struct.unpack("3i", credentials)
        self.task = None
        #: The client may be silent: its request is complete and being worked on.
        self.waiting = False
        self.deadline = time.monotonic() + SILENCE_LIMIT_S
        self._decoder = Decoder(REQUEST_BYTES_MAX)
        self.received = 0
        #: What is still to be sent: (bytes, descriptor that goes with the first of them or -1).
        self._answer = deque()
        #: The end of the answer is among what is to be sent, or has been.
        self.finished = False

    @property
    def user(self):
        """The caller's login name; empty for a uid without an account."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return ""

    def read(self):
        """Read what has come.

        Returns:
            (whole requests, whether the client has closed). Bytes behind the first request are ignored.
        Raises:
            BadFrame: garbage. OSError: the client is gone.
        """
        data = self.sock.recv(_READ_BYTES)
        if not data:
            return [], True
        self.deadline = time.monotonic() + SILENCE_LIMIT_S
        if self.waiting:
            return [], False
        self.received += len(data)
        return self._decoder.feed(data), False

    def say(self, data, fd=-1):
        """Queue a part of the answer; `flush` sends it, with the descriptor, which is this object's to close now."""
        self._answer.append((memoryview(data), fd))

    def answer(self, data):
        """Queue the answer, or its end; `flush` sends it."""
        self.say(data)
        self.finished = True
        self.waiting = False
        self.deadline = time.monotonic() + SILENCE_LIMIT_S

    def flush(self):
        """Send as much as the client takes. Returns True when all is out. Raises OSError when it is gone."""
        while self._answer:
            data, fd = self._answer[0]
            try:
                sent = self._send(data, fd)
            except BlockingIOError:
                return False
            self._answer.popleft()
            if fd >= 0:
                os.close(fd)
            if sent < len(data):
                self._answer.appendleft((data[sent:], -1))
            self.deadline = time.monotonic() + SILENCE_LIMIT_S
        return True

    def _send(self, data, fd):
        if fd < 0:
            return self.sock.send(data)
        return self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))])

    def close(self):
        """Close the socket and what was to be sent through it; twice is harmless."""
        self.sock.close()
        while self._answer:
            _, fd = self._answer.popleft()
            if fd >= 0:
                os.close(fd)

"""Whether jcdbs answers: a PING now and then on one connection, without ever waiting for it.

A server whose disk hangs lives and says nothing (ha-facts.md section 4).
"""

import os
import selectors
import socket
import time

from jcq.jcdbs.server import socket_of
from jcq.site import socket_path

_ANSWER_BYTES = 4096


class Pulse:
    """Asks one epoch's jcdbs.

    Args:
        site: the `jcq.site.Site`.
        epoch: its number.
        selector: where the connection is registered, with a function of the socket as its data.
    """

    def __init__(self, site, epoch, selector):
        self._site, self._epoch, self._selector = site, epoch, selector
        self._connection: socket.socket | None = None
        self._heard_s = time.monotonic()

    def silent_s(self):
        """For how many seconds nothing was heard."""
        return time.monotonic() - self._heard_s

    def ask(self):
        """Send a PING; a server that takes none is as silent as one that answers none."""
        try:
            connection = self._connection or self._connect()
            connection.send(b"PING\r\n")
        except OSError:
            self.close()

    def close(self):
        """Hang up."""
        if self._connection is not None:
            self._selector.unregister(self._connection)
            self._connection.close()
            self._connection = None

    def _connect(self):
        place, fd = socket_path(socket_of(self._site, self._epoch))
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            connection.connect(place)
        except OSError:
            connection.close()
            raise
        finally:
            if fd >= 0:
                os.close(fd)
        self._connection = connection
        self._selector.register(connection, selectors.EVENT_READ, self._hear)
        return connection

    def _hear(self, connection):
        try:
            answer = connection.recv(_ANSWER_BYTES)
        except OSError:
            answer = b""
        if answer:
            self._heard_s = time.monotonic()
        else:
            self.close()

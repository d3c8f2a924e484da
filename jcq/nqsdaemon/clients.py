"""The clients of nqsdaemon: everyone who is connected to its API socket, within limits.

Whose message is whole is handed on; refused, or dropped, is who says too much, nothing, or what is no message.
"""

import selectors
import socket
import time
from functools import partial

from jcq.errors import BadFrame
from jcq.nqsdaemon.call import Reply, encode_part, encode_reply
from jcq.nqsdaemon.connection import Connection

CONNECTIONS_MAX = 4096
CONNECTIONS_PER_UID_MAX = 2048
#: Bytes of requests that are not whole yet, over all clients.
UNREAD_BYTES_MAX = 256 * 1024 * 1024
_LARGE_BYTES = 1024 * 1024
_ACCEPTS_PER_TURN = 64


class Clients:
    """Those who are connected.

    Args:
        listener: the bound, listening, non-blocking API socket.
        selector: the loop's; what is to be called with the events stands in `data`.
        log: logger.
        begin: called with a `Connection` and its message, as soon as that is whole.
        gone: called with a Connection that was dropped.
    """

    def __init__(self, listener, selector, log, begin, gone):
        self._listener, self._selector, self._log = listener, selector, log
        self._begin, self._gone = begin, gone
        self._connected = set()
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def __contains__(self, client):
        return client in self._connected

    def close(self):
        """Stop listening and drop every client; each gets no answer, which its command says."""
        self._selector.unregister(self._listener)
        self._listener.close()
        for client in list(self._connected):
            self._drop(client)

    def _accept(self, _events):
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Out of descriptors: those who wait in the backlog are served when others have left.
                self._log.warning("accept: %s", error)
                return
            sock.setblocking(False)
            client = Connection(sock)
            same_uid = sum(1 for other in self._connected if other.uid == client.uid)
            if len(self._connected) >= CONNECTIONS_MAX or (client.uid and same_uid >= CONNECTIONS_PER_UID_MAX):
                self._refuse(client, "too many commands at once; try again later")
                continue
            self._connected.add(client)
            self._selector.register(sock, selectors.EVENT_READ, partial(self._serve, client))

    def _refuse(self, client, why):
        self._log.warning("refused a connection of uid %d pid %d: %s", client.uid, client.pid, why)
        client.answer(encode_reply(Reply(1, err=f"nqsdaemon: {why}\n")))
        try:
            client.flush()
        except OSError:
            self._log.info("uid %d pid %d had gone", client.uid, client.pid)
        client.close()

    def _serve(self, client, events):
        if client not in self._connected:
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._flush(client)
                return
            requests, closed = client.read()
        except BlockingIOError:
            return
        except BadFrame as error:
            self.give_up(client, str(error))
            return
        except OSError:
            self._drop(client)
            return
        if requests and client.task is None:
            self._begin(client, requests[0])
        elif closed:
            if client.received and not client.waiting:
                self._log.warning("refused uid %d pid %d: its message breaks off", client.uid, client.pid)
            self._drop(client)
        elif client.received > _LARGE_BYTES and self._unread() > UNREAD_BYTES_MAX:
            self.give_up(client, "too much is being submitted at once; try again later")

    def _unread(self):
        return sum(client.received for client in self._connected if not client.waiting)

    def give_up(self, client, why):
        """Refuse what a client wants, in words for it and for the log."""
        self._log.warning("refused uid %d pid %d: %s", client.uid, client.pid, why)
        self.send(client, Reply(1, err=f"nqsdaemon: {why}\n"))

    def say(self, client, part):
        """Send a `Part` of the answer; its descriptor is the connection's to close then."""
        client.say(encode_part(part), part.fd)
        part.fd = -1
        self._flush(client)

    def send(self, client, reply):
        """Send the answer, or its end."""
        client.answer(encode_reply(reply))
        self._flush(client)

    def _flush(self, client):
        try:
            sent = client.flush()
        except OSError:
            self._drop(client)
            return
        if sent and client.finished:
            self._drop(client)
            return
        events = selectors.EVENT_READ if sent else selectors.EVENT_WRITE
        if self._selector.get_key(client.sock).events != events:
            self._selector.modify(client.sock, events, partial(self._serve, client))

    def _drop(self, client):
        if client not in self._connected:
            return
        self._connected.discard(client)
        self._selector.unregister(client.sock)
        client.close()
        self._gone(client)

    def drop_silent(self):
        """Drop those who are connected and say nothing."""
        now = time.monotonic()
        for client in [c for c in self._connected if not c.waiting and c.deadline < now]:
            self._log.warning("dropped silent client uid %d pid %d", client.uid, client.pid)
            self._drop(client)


def listen(path, backlog=1024):
    """Bind the API socket: everyone may connect, who it is tells SO_PEERCRED.

    Args:
        path: its path, at most 107 bytes, or reached through a descriptor (`jcq.site.socket_path`).
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.bind(path)
    listener.listen(backlog)
    return listener

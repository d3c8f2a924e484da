"""Ports of test sites: a number for a site, somebody who has a port, and a rival who wants it all the time."""

import contextlib
import errno
import socket
import threading

#: Above those that only root may have; each site has an address of its own.
PORT = 46075


def give_port(site, port=PORT, **more):
    """Give a site a port in its own daemon.conf; `more` are other keys. Returns the port."""
    with open(f"{site.directory}/daemon.conf", "a", encoding="utf-8") as file:
        for key, value in {"port": port, **more}.items():
            file.write(f"{key}={value}\n")
    return port


def is_listening(address, port):
    """Whether somebody takes connections there, and closes them without a word, as nqsdaemon does."""
    try:
        with socket.create_connection((address, port), timeout=20) as client:
            return client.recv(1) == b""
    except ConnectionRefusedError:
        return False


def bind_error(address, port, reuse=0):
    """The number of the error with which a bind fails, or 0."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            sock.bind((address, port))
        except OSError as error:
            return error.errno
    return 0


def is_taken(address, port):
    """Whether nobody else can have a port, with SO_REUSEADDR or without."""
    return all(bind_error(address, port, reuse) == errno.EADDRINUSE for reuse in (0, 1))


@contextlib.contextmanager
def listening(address, port):
    """Somebody else, this very process, has the port while the block lasts."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen()
        yield


class Rival(threading.Thread):
    """Tries to bind a port all the time, by turns with SO_REUSEADDR and without."""

    def __init__(self, address, port):
        super().__init__(daemon=True)
        self._place = address, port
        self._end = threading.Event()
        self.tries = 0
        self.won = 0

    def run(self):
        """Until `close`."""
        while not self._end.is_set():
            self.won += not bind_error(*self._place, reuse=self.tries % 2)
            self.tries += 1

    def close(self):
        """End it."""
        self._end.set()
        self.join()

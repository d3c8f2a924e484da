"""A service manager as cjcpw sees it: a datagram socket that hears what sd_notify(3) says."""

import os
import socket
import time


class ServiceManager:
    """Listens until it is closed.

    Args:
        directory: where its socket is made; None: an abstract one.
    """

    def __init__(self, directory=None):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        #: What NOTIFY_SOCKET is set to.
        self.address = os.path.join(directory, "notify") if directory else f"@jcq-test-{os.getpid()}-{id(self)}"
        self._socket.bind("\0" + self.address[1:] if self.address[0] == "@" else self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def hear(self, limit_s):
        """The next message as {name: value}, or None where none comes within the limit."""
        self._socket.settimeout(limit_s)
        try:
            text = self._socket.recv(65536).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.split("\n"))

    def hear_until(self, name, value=None, limit_s=20.0):
        """Hear until a message has a field, or has it with this value; returns all that were heard."""
        deadline = time.monotonic() + limit_s
        heard = []
        while (left_s := deadline - time.monotonic()) > 0:
            message = self.hear(left_s)
            if message is None:
                break
            heard.append(message)
            if name in message and value in (None, message[name]):
                return heard
        raise AssertionError(f"no {name}={value} within {limit_s} s: {heard}")

    def hears_no_more(self, name, silent_s, limit_s=20.0):
        """Wait until no message with a field has come for `silent_s`; fails where they go on for `limit_s`."""
        deadline = last = time.monotonic()
        deadline += limit_s
        while time.monotonic() < deadline:
            message = self.hear(max(0.001, last + silent_s - time.monotonic()))
            if message is not None and name in message:
                last = time.monotonic()
            elif time.monotonic() >= last + silent_s:
                return
        raise AssertionError(f"{name} still comes after {limit_s} s")

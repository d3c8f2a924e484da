"""The control socket of cjcpw: one word in, one line `<code> <text>` out.

Words are `stop`, `pause`, `resume` and `state`. `stop` is answered at once, and the asker waits for cjcpw's
end; `state` is answered at once with cjcpw's state; the others are answered when it is done. Who asks is known
by SO_PEERCRED: root and the uid that made the site may. Manual 2.5.5 (nqsstart, nqsstop).
"""

import os
import selectors
import socket
import struct

from jcq.site import socket_path

STOP = "stop"
PAUSE = "pause"
RESUME = "resume"
STATE = "state"
#: Longest word and its newline; whoever sends more is cut off.
LINE_BYTES_MAX = 32
_ASKERS_MAX = 32


def listen(site):
    """Bind the control socket, 0600; a stale one of a dead cjcpw is replaced, so hold the site's locks.

    Returns:
        The listening, non-blocking socket.
    """
    path, fd = socket_path(site.control_socket)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        remove(site)
        before = os.umask(0o177)
        try:
            server.bind(path)
        finally:
            os.umask(before)
        server.listen(16)
    except BaseException:
        server.close()
        raise
    finally:
        if fd >= 0:
            os.close(fd)
    return server


def remove(site):
    """Remove the socket's name."""
    try:
        os.unlink(site.control_socket)
    except FileNotFoundError:
        pass


def peer(connection):
    """(pid, uid) of the process at the other end, from the kernel."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


def may_ask(uid, owner_uid):
    """Whether a uid may direct the site: root, and who made it."""
    return uid in (0, owner_uid)


class Asker:
    """Somebody who asked, and waits for the answer."""

    def __init__(self, connection):
        self.connection = connection
        self.heard = b""
        self.pid, self.uid = peer(connection)

    def __str__(self):
        return f"uid {self.uid}, pid {self.pid}"

    def answer(self, code, text):
        """Answer and hang up; nothing happens where the asker has gone."""
        try:
            self.connection.sendall(f"{code} {text}\n".encode())
        except OSError:
            pass
        self.connection.close()


class Askers:
    """cjcpw's side of the control socket.

    Args:
        site: the `jcq.site.Site`, whose locks the caller holds.
        owner_uid: the uid that made the site.
        selector: where the sockets are registered, with a function of the socket as their data.
        asked: called with (word, `Asker`) for each proper question.
        log: logger; refusals are said there.
    """

    def __init__(self, site, owner_uid, selector, asked, log):
        self._site = site
        self._owner_uid = owner_uid
        self._selector = selector
        self._asked = asked
        self._log = log
        self._hearing = {}
        self._listener = listen(site)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self, unlink=True):
        """Hang up on everyone, and remove the socket's name, unless its disk may hang or be another owner's."""
        if unlink:
            remove(self._site)
        self._selector.unregister(self._listener)
        self._listener.close()
        for connection in list(self._hearing):
            self._drop(connection).connection.close()

    def _accept(self, listener):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        asker = Asker(connection)
        if not may_ask(asker.uid, self._owner_uid) or len(self._hearing) >= _ASKERS_MAX:
            self._log.warning("site %s: refused: %s asks cjcpw", self._site.name, asker)
            connection.close()
            return
        self._hearing[connection] = asker
        self._selector.register(connection, selectors.EVENT_READ, self._hear)

    def _hear(self, connection):
        asker = self._hearing[connection]
        try:
            data = connection.recv(LINE_BYTES_MAX)
        except OSError:
            data = b""
        asker.heard += data
        if data and b"\n" not in asker.heard and len(asker.heard) < LINE_BYTES_MAX:
            return
        self._drop(connection)
        word = asker.heard.partition(b"\n")[0].decode("ascii", "replace")
        if word in (STOP, PAUSE, RESUME, STATE):
            self._asked(word, asker)
        else:
            asker.answer(2, "cjcpw knows stop, pause, resume and state")

    def _drop(self, connection):
        self._selector.unregister(connection)
        return self._hearing.pop(connection)


class Client:
    """A connection to a living cjcpw."""

    def __init__(self, connection, pid):
        self._connection = connection
        #: pid of cjcpw.
        self.pid = pid

    def ask(self, word, limit_s):
        """Send one word and wait for the answer.

        Args:
            word: `STOP`, `PAUSE`, `RESUME` or `STATE`.
            limit_s: seconds to wait.
        Returns:
            (code, text), or None where cjcpw ended or was silent.
        """
        try:
            self._connection.settimeout(limit_s)
            self._connection.sendall(word.encode() + b"\n")
            with self._connection.makefile("r", encoding="utf-8", errors="replace") as stream:
                line = stream.readline()
        except OSError:
            return None
        code, _, text = line.rstrip("\n").partition(" ")
        return (int(code), text) if code.isdigit() else None

    def close(self):
        """Hang up."""
        self._connection.close()


def connect(site):
    """Reach the site's cjcpw on this node.

    Returns:
        A `Client`, or None where none listens.
    Raises:
        PermissionError: this user may not.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    fd = -1
    try:
        path, fd = socket_path(site.control_socket)
        client.settimeout(5)
        client.connect(path)
    except PermissionError:
        client.close()
        raise
    except OSError:
        client.close()
        return None
    finally:
        if fd >= 0:
            os.close(fd)
    return Client(client, peer(client)[0])

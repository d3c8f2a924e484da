"""Messages between worker, launcher and slot shepherds: marshalled tuples on SOCK_SEQPACKET pairs.

Both ends are the same interpreter and the sockets reach no job, so `marshal` is safe and the quickest.
Built-in modules only: the launcher loads it.
"""

import _socket
import errno
import marshal
import os
import sys

from worker.errors import MessageTooLong

_FD_BYTES = 4
_WITH_FD_BYTES_MAX = 4096


def pair():
    """Two connected sockets; each message arrives whole or not at all."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)


def send(sock, message):
    """Send one tuple.

    Raises:
        MessageTooLong: more than the socket's buffer holds, about 200 kB with the kernel's defaults.
        OSError: the other end is gone, or, on a non-blocking socket, its buffer is full.
    """
    data = marshal.dumps(message)
    try:
        sock.send(data)
    except OSError as error:
        if error.errno == errno.EMSGSIZE:
            raise MessageTooLong(size=len(data)) from None
        raise


def receive(sock):
    """Receive one tuple of any size.

    Returns:
        The tuple, or None when the other end is gone.
    Raises:
        BlockingIOError: nothing there, on a non-blocking socket.
    """
    try:
        size = sock.recv_into(bytearray(1), 1, _socket.MSG_PEEK | _socket.MSG_TRUNC)
        data = sock.recv(size) if size else b""
    except ConnectionResetError:  # it went with messages of ours unread
        return None
    return marshal.loads(data) if data else None


def send_with_fd(sock, message, fd):
    """Send one small tuple and a descriptor, of which the receiver gets a duplicate."""
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(_FD_BYTES, sys.byteorder))]
    sock.sendmsg([marshal.dumps(message)], ancillary)


def receive_with_fd(sock):
    """Receive a tuple that may bring a descriptor.

    Returns:
        (tuple, descriptor or -1); (None, -1) when the other end is gone.
    Raises:
        BlockingIOError: nothing there, on a non-blocking socket.
    """
    try:
        data, ancillary, _, _ = sock.recvmsg(_WITH_FD_BYTES_MAX, _socket.CMSG_LEN(_FD_BYTES))
    except ConnectionResetError:
        return None, -1
    fd = int.from_bytes(ancillary[0][2], sys.byteorder) if ancillary else -1
    if fd >= 0:
        os.set_inheritable(fd, False)
    return (marshal.loads(data) if data else None), fd

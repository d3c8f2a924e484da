"""The nqs port of a site: which address and port it is, how it is bound, and how it comes from nqsportkpr.

Manual 2.3.6 (ipaddress, local_daemon), 3.1.3 (nqsportkpr); ha-facts.md section 2 (nqsportkpr, measured).

A port is bound without SO_REUSEADDR, so that nobody else can bind it, with that option or without,
whether it listens or not. nqsportkpr gives its bound socket to nqsdaemon over a Unix socket: between
the two the port is never free.
"""

import errno
import os
import socket
import struct

from jcq import port_holder
from jcq.errors import NameNotResolved, PortAddressAway, PortTaken
from jcq.site import hex_name, host_name, packed_address, resolve, socket_path, spool

EVERY_ADDRESS = "0.0.0.0"
LOOPBACK = "127.0.0.1"
#: Ports below are root's.
PRIVILEGED_BELOW = 1024

#: What is asked of nqsportkpr: the port, or its end; and what is said when the port has been taken.
TAKE = b"take"
STOP = b"stop"
TAKEN = b"taken"

_ANSWER_LIMIT_S = 5.0
_BACKLOG = 64
_PEER = struct.Struct("3i")


def listen_address(identity, conf, root):
    """The address on which a site waits for communication.

    `ipaddress=` says it. Without, a cluster site has its own address. The local site has the address
    of the host's name where it shares the machine (local_daemon=SITE or OFF), else every address: the
    manual wants local_daemon and addresses set for machines with several sites only (2.3.6), and
    refuses cluster sites beside a local site that was started without, because that one has the port of
    every address.

    Args:
        identity: `SiteIdentity`.
        conf: `DaemonConf` of the site.
        root: see `jcq.site.root_directory`.
    Returns:
        An IPv4 or IPv6 address; 0.0.0.0 is every address.
    """
    if conf.ipaddress:
        return conf.ipaddress
    if not identity.address and conf.local_daemon not in ("SITE", "OFF"):
        return EVERY_ADDRESS
    try:
        return resolve(identity.name if identity.address else host_name(), root)[1]
    except (NameNotResolved, UnicodeError):
        return identity.address or LOOPBACK


def bind(address, port, root):
    """Bind a port so that nobody else can; it does not listen yet.

    Connections that were closed a moment ago keep a port from being bound; with SO_REUSEADDR it can be
    bound all the same, since those connections had the option too (`listen` sees to that). The option
    is taken back at once: a socket that has it and does not listen is a hole (ha-facts.md section 2).

    Args:
        address: IPv4 or IPv6 address.
        port: 1 to 65535.
        root: see `jcq.site.root_directory`; where a keeper may be that has it.
    Returns:
        The socket.
    Raises:
        PortTaken, PortAddressAway: see there.
        PermissionError: this port needs root.
    """
    sock = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _bind(sock, address, port, root)
    except BaseException:
        sock.close()
        raise
    return sock


def listen(sock):
    """Listen on a bound port; connections inherit what lets the next process bind it while they fade away."""
    try:
        sock.listen(_BACKLOG)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        # Bound while closed connections were fading away: only with the option it may listen, too.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.listen(_BACKLOG)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def stop_listening(sock):
    """Back to what `bind` returned: bound, and nobody else can bind it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


# --- nqsportkpr ------------------------------------------------------------------------------


def keeper_directory(root):
    """Where keepers listen: node-local, passable for all, writable for root or who uses this root."""
    return spool(root, ".portkpr")


def keeper_path(root, address, port):
    """The Unix socket of the keeper of an address and port."""
    return os.path.join(keeper_directory(root), f"{hex_name(address)}-{port}.sock")


def connect_keeper(root, address, port):
    """Reach the keeper of an address and port.

    Returns:
        (connected socket, its pid, its uid), or None where none runs, or none that may be reached.
    """
    try:
        place, borrowed = socket_path(keeper_path(root, address, port))
    except OSError:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(_ANSWER_LIMIT_S)
    try:
        connection.connect(place)
        pid, uid = peer(connection)
    except OSError:
        connection.close()
        return None
    finally:
        if borrowed >= 0:
            os.close(borrowed)
    return connection, pid, uid


def peer(connection):
    """(pid, uid) of who is at the other end of a Unix socket, or bound it."""
    pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return pid, uid


def take_over(root, address, port):
    """Get the port from its keeper and listen on it; the keeper then ends.

    Who wants every address gets it from the keeper of 127.0.0.1 too, which the manual has started with the
    machine so that nobody else binds every address (3.1.3). Both sockets then have SO_REUSEADDR until the new one
    listens; another process that binds in that moment cannot listen any more.

    Args:
        root, address, port: as for `bind`.
    Returns:
        (the listening socket, pid of the keeper), or None where there is no keeper, or only one of
        another user, or one that does not answer.
    Raises:
        PortTaken: somebody listens on it all the same.
    """
    taken_over = _take_over(root, address, port, lambda sock: sock)
    if taken_over is None and address == EVERY_ADDRESS and (os.geteuid() == 0 or port >= PRIVILEGED_BELOW):
        taken_over = _take_over(root, LOOPBACK, port, lambda sock: _every_address_beside(sock, root, port))
    return taken_over


def _take_over(root, address, port, wanted):
    """`wanted` makes the socket that is to listen of the one that the keeper gives."""
    found = connect_keeper(root, address, port)
    if found is None:
        return None
    connection, pid, uid = found
    with connection:
        if uid not in (0, os.geteuid()):
            return None
        kept = _receive(connection, address, port)
        if kept is None:
            return None
        try:
            sock = wanted(kept)
        except BaseException:
            kept.close()
            raise
        try:
            listen(sock)
        except OSError:
            sock.close()
            raise taken(address, port, root) from None
        finally:
            if sock is not kept:
                kept.close()
        _say_taken(connection)
    return sock, pid


def _every_address_beside(kept, root, port):
    """A socket for every address while the keeper's one for 127.0.0.1 is still bound."""
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return bind(EVERY_ADDRESS, port, root)


def _receive(connection, address, port):
    """The socket that the keeper gives, if it is what was asked for."""
    try:
        connection.send(TAKE)
        _, fds, _, _ = socket.recv_fds(connection, 64, 1, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return None
    if not fds:
        return None
    sock = socket.socket(fileno=fds[0])
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or _name_of(sock) != (packed_address(address), port):
        sock.close()
        return None
    return sock


def _say_taken(connection):
    """Tell the keeper, and wait until it has ended; one that does not end keeps a copy, and harms nobody."""
    try:
        connection.send(TAKEN)
        connection.recv(1)
    except OSError:
        return


def _name_of(sock):
    address, port, *_ = sock.getsockname()
    return packed_address(address), port


def _bind(sock, address, port, root):
    try:
        try:
            sock.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise taken(address, port, root) from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise PortAddressAway(address=address, reason=error.strerror) from None
        raise


def taken(address, port, root):
    """The `PortTaken` to raise: a keeper that is in the way is known by its socket, others by the system's tables."""
    holder = _keeper_in_the_way(root, address, port) or port_holder.describe(address, port)
    return PortTaken(address=address, port=port, holder=holder)


def _keeper_in_the_way(root, address, port):
    """A keeper of this port is in no table of the system."""
    try:
        names = sorted(os.listdir(keeper_directory(root)))
    except OSError:
        return ""
    wanted = packed_address(address)
    for name in names:
        digits, _, rest = name.partition("-")
        if rest != f"{port}.sock" or len(digits) != 2 * len(wanted):
            continue
        raw = bytes.fromhex(digits)
        if not port_holder.overlap(raw, wanted):
            continue
        kept = socket.inet_ntop(_family(address), raw)
        found = connect_keeper(root, kept, port)
        if found:
            found[0].close()
            return f"nqsportkpr[{found[1]}] for {kept}"
    return ""


def _family(address):
    return socket.AF_INET if len(packed_address(address)) == 4 else socket.AF_INET6

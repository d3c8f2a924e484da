"""nqsportkpr: holds the nqs port of an address from the start of a cluster's package until nqsdaemon takes it over.

Manual 3.1.3, 4.1.3; ha-facts.md section 2. The keeper is a detached process with two descriptors: the
bound port, and the Unix socket at which nqsdaemon asks for it. It holds no lock of any site.
"""

import fcntl
import os
import signal
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import setproctitle

from jcq import nqs_port, port_holder
from jcq.cluster import links, record
from jcq.cluster.errors import KeeperFailed, KeeperStays, NoPort
from jcq.config import read_daemon_conf
from jcq.errors import NotPermitted, PortTaken, UsageError
from jcq.process import set_comm, wait_gone
from jcq.site import Site, hex_name, local_site, packed_address, resolve, socket_path, spool

#: What ps shows, before the address.
_TITLE = "/usr/lib/nqs/nqsportkpr"
_BACKLOG = 64
#: For one who has been let in and says nothing.
_WORD_LIMIT_S = 5.0
#: One that has not ended within this is killed.
_STOP_LIMIT_S = 1.0
_STANDS = b"stands"


@dataclass(frozen=True)
class Target:
    """A port that is to be held."""

    #: As it was given.
    word: str
    address: str
    port: int
    #: The `jcq.site.Site` on this node that will want it, or None where no site is known yet.
    site: Site | None


def target(word, root, port=None):
    """Find out which port is meant.

    Args:
        word: an IPv4 or IPv6 address, which is held as it is; or the name of a site, whose daemon.conf
            may say another one; or a host name for which this node knows no site yet.
        root: see `jcq.site.root_directory`.
        port: its number; None: that of daemon.conf.
    Returns:
        A `Target`.
    Raises:
        SiteNotFound: nobody knows the name.
        UsageError, NoPort, ConfigError: there is no such port.
    """
    if not word:
        raise UsageError(reason="which address or site? see nqsportkpr --help")
    known = _site_of_address(word, root) if packed_address(word) else links.find(word, root)
    site = known.site if known else None
    identity = known.identity if known else None
    # Where the disk is away, the common daemon.conf must do.
    conf, _ = read_daemon_conf(root, site.directory if site and identity else None)
    if packed_address(word):
        address = word
    elif identity:
        address = nqs_port.listen_address(identity, conf, root)
    else:
        address = site.address if site else resolve(word, root)[1]
    number = conf.port if port is None else port
    if not number:
        raise NoPort(name=word)
    return Target(word, address, number, site)


def keep(wanted, root):
    """Hold the port until nqsdaemon takes it over; returns when the keeper stands, which stays.

    Where a keeper has the port already, or the site itself, nothing is to be done.

    Args:
        wanted: a `Target`.
        root: see `jcq.site.root_directory`.
    Raises:
        PortTaken, PortAddressAway, NotPermitted, KeeperFailed: it cannot be held; nothing is left behind.
    """
    directory = nqs_port.keeper_directory(root)
    links.make_spool(directory)
    with _one_at_a_time(directory) as lock_fd:
        if _is_kept(wanted, root):
            return
        try:
            port = nqs_port.bind(wanted.address, wanted.port, root)
        except PortTaken:
            if _site_has_it(wanted, root):
                return
            raise
        except PermissionError:
            rule = f"only root may hold a port below {nqs_port.PRIVILEGED_BELOW}"
            raise NotPermitted(who=f"uid {os.geteuid()}", what=f"hold port {wanted.port}", rule=rule) from None
        with port:
            _start_keeper(wanted, root, port, lock_fd)


def end(wanted, root):
    """End the keeper of a port; nothing to do where there is none.

    Args:
        wanted, root: as for `keep`.
    Raises:
        NotPermitted: it is another user's. KeeperStays: it does not end.
    """
    found = nqs_port.connect_keeper(root, wanted.address, wanted.port)
    if found is None:
        return
    connection, pid, uid = found
    with connection:
        if os.geteuid() not in (0, uid):
            rule = f"only root and uid {uid}, which started it, may"
            raise NotPermitted(who=f"uid {os.geteuid()}", what=f"end nqsportkpr[{pid}]", rule=rule)
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            _send(connection, nqs_port.STOP)
            if not wait_gone([pidfd], _STOP_LIMIT_S):
                return
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            if wait_gone([pidfd], _STOP_LIMIT_S):
                raise KeeperStays(pid=pid)
        finally:
            os.close(pidfd)


def _send(connection, word):
    try:
        connection.send(word)
    except OSError:
        # It was just ending.
        return


def _site_of_address(address, root):
    """The `KnownSite` that has the link of an address, or None."""
    link = spool(root, hex_name(address))
    return next((known for known in links.known_sites(root) if known.link == link), None)


def _is_kept(wanted, root):
    found = nqs_port.connect_keeper(root, wanted.address, wanted.port)
    if found:
        found[0].close()
    return found is not None


def _site_has_it(wanted, root):
    """Whether the site's own nqsdaemon has the port: then all is as it should be."""
    if wanted.site is None:
        return False
    pid = record.read(wanted.site).alive(root).get(record.NQSDAEMON)
    return pid is not None and port_holder.has(pid, wanted.address, wanted.port)


@contextmanager
def _one_at_a_time(directory):
    """Of two calls at once the second finds the first one's keeper."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


# --- the keeper ------------------------------------------------------------------------------


def _start_keeper(wanted, root, port, lock_fd):
    """Fork it, and wait until it stands."""
    path = nqs_port.keeper_path(root, wanted.address, wanted.port)
    ready, announce = os.pipe()
    sys.stdout.flush()
    if os.fork() == 0:
        os.close(lock_fd)
        _be_keeper(wanted, root, path, port, announce)
    os.close(announce)
    with open(ready, "rb") as pipe:
        said = pipe.read()
    if said != _STANDS:
        raise KeeperFailed(reason=said.decode(errors="replace") or "it ended at once")


def _be_keeper(wanted, root, path, port, announce):
    """What the forked child is from now on; never returns."""
    try:
        # SO_PEERCRED shows who called listen(): the keeper must, not the command that forked it.
        listener = _listen(path)
        _detach((listener.fileno(), port.fileno(), announce))
        _show(wanted.word)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        os.write(announce, _STANDS)
        os.close(announce)
        _serve(listener, port, lambda uid: _may_have_it(uid, wanted, root))
    except Exception as error:
        _say(announce, str(error))
    finally:
        try:
            os.unlink(path)
        finally:
            os._exit(0)


def _listen(path):
    """A Unix socket in place of one that a killed keeper left; everyone may connect, see `_may_have_it`."""
    temporary = f"{path}.{os.getpid()}"
    place, borrowed = socket_path(temporary)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(place)
    finally:
        if borrowed >= 0:
            os.close(borrowed)
    os.chmod(temporary, 0o666)
    listener.listen(_BACKLOG)
    os.rename(temporary, path)
    return listener


def _say(fd, text):
    try:
        os.write(fd, text.encode())
    except OSError:
        return


def _detach(wanted_fds):
    """An own session, no directory, and no descriptor of who started it."""
    os.setsid()
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(signum, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    start = 3
    for fd in sorted(wanted_fds):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _show(word):
    """What ps shows. Without SPT_NOENV the title is written over the environment."""
    os.environ["SPT_NOENV"] = "1"
    setproctitle.setproctitle(f"{_TITLE} {word}")
    set_comm("nqsportkpr")


def _serve(listener, port, may_have_it):
    """Until the port has been taken over, or the end is asked for."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(_WORD_LIMIT_S)
            try:
                if may_have_it(nqs_port.peer(connection)[1]) and _answer(connection, port):
                    return
            except OSError:
                continue


def _answer(connection, port):
    """Do what is asked; whether this was the last one."""
    word = connection.recv(64)
    if word == nqs_port.STOP:
        return True
    if word != nqs_port.TAKE:
        return False
    socket.send_fds(connection, [nqs_port.TAKE], [port.fileno()])
    # However long it takes: while both have the socket, it must not be meddled with.
    connection.settimeout(None)
    try:
        if connection.recv(64) == nqs_port.TAKEN:
            return True
    except OSError:
        pass
    nqs_port.stop_listening(port)
    return False


def _may_have_it(uid, wanted, root):
    """Root, and who started the keeper; and who made the site, once its disk is there."""
    if uid in (0, os.geteuid()):
        return True
    places = [spool(root, hex_name(wanted.address))]
    if wanted.site is not None and wanted.site.local:
        places.append(local_site(root).directory)
    return any(_owner(os.path.join(place, "database")) == uid for place in places)


def _owner(path):
    try:
        return os.stat(path).st_uid
    except OSError:
        return None

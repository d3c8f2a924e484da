"""Where a site is: its root, its directory, its link, the names by which it may be called.

The users' commands load this on their fast path, so it imports `os`, `sys` and `_socket` only.
Source: manual 2.5.2 (NQS_SITE), 2.6.1 (link names), design section 3.
"""

import os
import sys

from jcq.errors import NameNotResolved, SiteUnknown

#: A Unix socket's path is limited to 107 bytes.
SOCKET_PATH_MAX = 107


class Site:
    """The directory of one site and the paths in it. `directory` is what the manual calls `<DBPATH>/nqs`."""

    __slots__ = ("address", "directory", "local", "name", "root")

    def __init__(self, root, directory, name="", address="", local=False):
        self.root = root
        self.directory = directory
        self.name = name
        self.address = address
        self.local = local

    def path(self, *parts):
        """A path inside the site's directory."""
        return os.path.join(self.directory, *parts)

    @property
    def database(self):
        """0700: epochs, owner record, locks, identity, jcdbs sockets."""
        return self.path("database")

    @property
    def run(self):
        """0711: the sockets of nqsdaemon (0666) and cjcpw (0600), the record of daemons."""
        return self.path("run")

    @property
    def requests(self):
        """0711: one script per request, its environment beside it where `-x` was given."""
        return self.path("requests")

    @property
    def output(self):
        """0711: output on its way to its owner, and exit records."""
        return self.path("output")

    @property
    def log(self):
        """0750: the logs of cjcpw, nqsdaemon, worker and jcdbs."""
        return self.path("log")

    @property
    def expected(self):
        """What the site should be doing, for everybody to read: see `jcq.expected`."""
        return self.path("expected")

    @property
    def api_socket(self):
        """Where nqsdaemon listens for people's commands."""
        return self.path("run", "nqsdaemon.sock")

    @property
    def control_socket(self):
        """Where cjcpw listens for -stop, nqsstop and nqsstart."""
        return self.path("run", "cjcpw.sock")


# --- root and common paths -------------------------------------------------------------------


def root_directory(environ, laid=None):
    """The directory below which `usr/lib/nqs` and `usr/spool/nqs` stand.

    Args:
        environ: mapping; `JCQ_ROOT` wins over everything else.
        laid: root that an installed command carries, or None.
    Returns:
        An absolute path: `JCQ_ROOT`; else `laid`; else `/` for root and wherever `/usr/lib/nqs/rc`
        exists; else `$XDG_STATE_HOME/jcq`, by default `~/.local/state/jcq`.
    """
    told = environ.get("JCQ_ROOT") or laid
    if told:
        return os.path.abspath(told)
    if os.geteuid() == 0 or os.path.isdir("/usr/lib/nqs/rc"):
        return "/"
    state = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME") or "/", ".local", "state")
    return os.path.join(os.path.abspath(state), "jcq")


def lib(root, *parts):
    """A path below `/usr/lib/nqs` of this root."""
    return os.path.join(root, "usr", "lib", "nqs", *parts)


def spool(root, *parts):
    """A path below `/usr/spool/nqs` of this root, which is also the local site's directory."""
    return os.path.join(root, "usr", "spool", "nqs", *parts)


def host_name():
    """This machine's host name, which is the local site's name."""
    return os.uname().nodename


# --- addresses -------------------------------------------------------------------------------


def packed_address(address):
    """The bytes of an IPv4 or IPv6 address, or None for what is not one."""
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            return _socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
    return None


def hex_name(address):
    """The name of the link for an address: 8 upper-case hex digits, or the IPv6 address in hex without `:`.

    Raises:
        ValueError: `address` is neither IPv4 nor IPv6.
    """
    raw = packed_address(address)
    if raw is None:
        raise ValueError(address)
    return raw.hex().upper()


def resolv_def(root):
    """The entries of `rc/resolv.def`: a list of (address, canonical name, [other names])."""
    try:
        with open(lib(root, "rc", "resolv.def"), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        words = line.split("#", 1)[0].split()
        if len(words) >= 2 and packed_address(words[0]):
            entries.append((words[0], words[1], words[2:]))
    return entries


def short_name(name):
    """The first label of a host name."""
    return name.split(".", 1)[0]


def resolve(name, root):
    """Resolve a site name forward and back: by `rc/resolv.def`, then by the system.

    Args:
        name: host name; the canonical one or its first label.
        root: see `root_directory`.
    Returns:
        (canonical name, address). IPv4 wins where a name has both (manual 2.6.1).
    Raises:
        NameNotResolved: no forward entry, no reverse entry, or `name` is another alias.
    """
    wanted = name.lower()
    found = None
    for address, canonical, others in resolv_def(root):
        names = [canonical.lower(), *[other.lower() for other in others]]
        if wanted in names and (found is None or ":" in found[1]):
            found = (canonical, address)
    if found is None:
        found = _ask_system(name)
    if wanted not in (found[0].lower(), short_name(found[0]).lower()):
        raise NameNotResolved(
            site=name, reason=f"it is an alias of {found[0]}; use {found[0]} or {short_name(found[0])}"
        )
    return found


def _ask_system(name):
    import _socket

    try:
        # Bytes: for text, `_socket` loads the codec idna, and with it `re`.
        answers = _socket.getaddrinfo(name.encode("ascii"), None, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameNotResolved(site=name, reason="no address is known for it") from None
    answers.sort(key=lambda answer: answer[0] != _socket.AF_INET)
    address = str(answers[0][4][0])
    try:
        canonical, aliases, _ = _socket.gethostbyaddr(address.encode("ascii"))  # type: ignore[arg-type]
    except OSError:
        raise NameNotResolved(site=name, reason=f"its address {address} has no name") from None
    names = [canonical.lower(), *[alias.lower() for alias in aliases]]
    if name.lower() not in names and name.lower() not in [short_name(n) for n in names]:
        raise NameNotResolved(site=name, reason=f"its address {address} belongs to {canonical}")
    return canonical, address


# --- finding a site --------------------------------------------------------------------------


def local_site(root):
    """The local site of this root, whether it exists or not."""
    return Site(root, spool(root), name=host_name(), local=True)


def locate(name, root):
    """Find the site that a user's command means (manual 2.5.2).

    Args:
        name: value of `NQS_SITE`, see `named`.
        root: see `root_directory`.
    Returns:
        The `Site`; it exists on this node, which says nothing about whether it runs.
    Raises:
        SiteUnknown: no such site here.
    """
    site = named(name, root)
    if not os.path.isdir(site.database):
        raise SiteUnknown()
    return site


def named(name, root):
    """The site of a name, whether this node has it, or has ever had it, or not.

    Args:
        name: value of `NQS_SITE`; empty, None or this machine's host name mean the local site;
            else a canonical name, its first label, or an address.
        root: see `root_directory`.
    Returns:
        The `Site`.
    Raises:
        SiteUnknown: the name does not resolve.
    """
    if not name or name.lower() in (host_name().lower(), "localhost"):
        return local_site(root)
    address = name
    canonical = name
    if packed_address(name) is None:
        try:
            canonical, address = resolve(name, root)
        except (NameNotResolved, UnicodeError):
            raise SiteUnknown() from None
    return Site(root, spool(root, hex_name(address)), name=canonical, address=address)


def socket_path(path):
    """A form of a socket's path that fits its limit of 107 bytes.

    Args:
        path: absolute path of the socket.
    Returns:
        (path to use, descriptor to close after bind or connect, or -1).
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path, -1
    directory, name = os.path.split(path)
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{fd}/{name}", fd


def warn(text):
    """One line to standard error."""
    sys.stderr.write(text + "\n")

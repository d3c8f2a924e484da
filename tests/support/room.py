"""A mount, UTS, network and PID namespace for a real old batch system: a host name of its own, and no network."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from support.waiting import wait_until

HOST = "oldhost"
_START = """
set -e
echo oldhost > /proc/sys/kernel/hostname
"""
_STAY = """
exec sleep 1000
"""
#: Takes umask, directory, count, names, values, argv: neither nsenter nor setpriv may change the environment.
_RUN = """
import os, sys
given = [os.fsencode(word) for word in sys.argv[3:]]
count = int(given.pop(0))
os.umask(int(sys.argv[1], 8))
os.chdir(os.fsencode(sys.argv[2]))
os.execve(given[2 * count], given[2 * count:], dict(zip(given[:count], given[count:2 * count])))
"""


class Room:
    """Holds the namespaces; everything in them ends with it."""

    def __init__(self, namespace, script, *words):
        """Make it.

        Args:
            namespace: a `support.namespace.Namespace`, whose users are there.
            script: lines of sh that set it up, as root; `$1` and so on are `words`.
        """
        command = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += ["sh", "-c", _START + script + _STAY, "room", *words]
        self._keeper = subprocess.Popen(
            command, preexec_fn=namespace.enter, stdin=subprocess.DEVNULL, stdout=sys.stderr
        )
        try:
            wait_until(lambda: self._inner() or self._keeper.poll() is not None, 60, lambda: "the room is not ready")
            assert self._keeper.poll() is None, "the room's script failed"
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End everything in it."""
        self._keeper.kill()
        self._keeper.wait()

    def _inner(self):
        """The process that stays in the room, once it is set up."""
        try:
            with open(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children", encoding="ascii") as file:
                pid = file.read().split()[0]
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                return pid if file.read() == "sleep\n" else ""
        except (OSError, IndexError):
            return ""

    def run(self, user, argv, stdin=b"", environment=None, directory="/", umask=0o022):
        """Run a program there.

        Args:
            user: a `User`, or None for root.
            argv: the path of the program, and its words.
            environment: {name: value}, bytes; all that it gets.
        Returns:
            What it wrote to both streams.
        """
        inside = ["nsenter", "--target", self._inner(), "--mount", "--uts", "--net", "--pid", "--"]
        if user:
            inside += ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--"]
        environment = environment or {}
        words = [f"{umask:o}", directory, str(len(environment)), *environment, *environment.values(), *argv]
        command = [*inside, sys.executable, "-I", "-S", "-c", _RUN, *words]
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0, done.stdout.decode(errors="replace")
        return done.stdout


@contextlib.contextmanager
def furnished(kind, namespace):
    """A room of a kind, `kind(namespace, directory)`, with a directory of its own that other users can pass."""
    directory = os.path.realpath(tempfile.mkdtemp(prefix="jcq-test-"))
    os.chmod(directory, 0o755)
    try:
        with kind(namespace, directory) as made:
            yield made
    finally:
        shutil.rmtree(directory)

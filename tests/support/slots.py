"""A launcher of jobs and its slot shepherds without a worker, for tests that speak to them directly."""

import os
import select
import shutil
import stat
import tempfile
import time

from jcq import process
from jcq.site_page import SitePage
from worker.launcher_client import Launcher

LIMIT_S = 20.0
#: A uid without a name, for jobs of root's launcher; and somebody else.
UNNAMED_UID = 54321
OTHER_UID = 54322
AS_ROOT = os.geteuid() == 0


class Slots:
    """A scratch spool and HOME, a launcher, and the shepherds that were asked for."""

    def __init__(self):
        self.directory = os.path.realpath(tempfile.mkdtemp(prefix="jcq-slots-"))
        os.chmod(self.directory, 0o711)
        self.uid = UNNAMED_UID if AS_ROOT else os.getuid()
        self.gid = UNNAMED_UID if AS_ROOT else os.getgid()
        self.home = self.make_directory("home", 0o755)
        self.spool = os.path.join(self.directory, "output")
        os.mkdir(self.spool, 0o711)
        self.page = SitePage.create(limit_s=3600)
        self.launcher = Launcher(self.page.fd)
        self.launcher.start()
        self.news = []
        self._shepherds = []
        self._jobs = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.launcher.pid > 0:
            assert self.launcher.stop(LIMIT_S) == 0
        for shepherd in self._shepherds:
            shepherd.close()
        self.page.close()
        shutil.rmtree(self.directory)

    # --- files

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def give(self, path):
        """Make the owner of the jobs the owner of a file."""
        if AS_ROOT:
            os.lchown(path, self.uid, self.gid)
        return path

    def make_directory(self, name, mode):
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        os.chmod(path, mode)
        return self.give(path)

    def make_file(self, path, data, mode=0o644):
        """A file of the jobs' owner."""
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return self.give(path)

    # --- shepherds

    def shepherd(self):
        """One more, ready for a job."""
        self.launcher.request_shepherd()
        kind, shepherd = self.hear_launcher()
        assert kind == "shepherd"
        self._shepherds.append(Heard(shepherd))
        return self._shepherds[-1]

    def hear_launcher(self):
        """The next piece of news."""
        deadline = time.monotonic() + LIMIT_S
        while not self.news:
            assert select.select([self.launcher], [], [], deadline - time.monotonic())[0], "the launcher says nothing"
            self.news += self.launcher.read()
        return self.news.pop(0)

    # --- specs

    def run_spec(self, script, **changes):
        """A spec that runs a text as a shell script."""
        self._jobs += 1
        stem = f"200-{self._jobs}"
        path = self.make_file(self.path(stem), script.encode(), 0o400)
        base = os.path.join(self.spool, f"{stem}.a1.e3")
        return {
            "rid": stem,
            "id": f"{self._jobs}.testsite",
            "attempt": 1,
            "epoch": 3,
            "site_dir": self.directory,
            "uid": self.uid,
            "gid": self.gid,
            "groups": [self.gid],
            "home": self.home,
            "shell": "/bin/sh",
            "argv": ["sh", path],
            "env": {"PATH": "/usr/bin:/bin", "HOME": self.home},
            "umask": 0o027,
            "script": path,
            "env_file": "",
            "out": f"{base}.out",
            "err": f"{base}.err",
            "direct": [],
            "rlimits": [],
            "nice": None,
            "watched": [],
            "exit_record": f"{base}.exit",
            "root": AS_ROOT,
            "background": False,
        } | changes

    def deliver_spec(self, *files, **changes):
        """A spec that delivers [(spooled path, wanted path, name)]."""
        return {
            "uid": self.uid,
            "gid": self.gid,
            "groups": [self.gid],
            "home": self.home,
            "umask": 0o027,
            "root": AS_ROOT,
            "files": files,
        } | changes

    def spooled(self, data, name="200-1.a1.e3.out"):
        """A spooled output file."""
        return self.make_file(os.path.join(self.spool, name), data, 0o600)


class Heard:
    """A shepherd whose messages are waited for."""

    def __init__(self, shepherd):
        self.shepherd = shepherd
        self.pid = shepherd.pid
        self._heard = []

    def __getattr__(self, name):
        return getattr(self.shepherd, name)

    def hear(self):
        """The next message, None at the shepherd's end."""
        deadline = time.monotonic() + LIMIT_S
        while not self._heard:
            ready = select.select([self.shepherd], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"shepherd {self.pid} says nothing; below it: {tree(self.pid)}"
            self._heard += self.shepherd.receive()
        return self._heard.pop(0)

    def begin(self, spec):
        """Run a job; returns its pid when it has begun."""
        self.shepherd.run(spec)
        message = self.hear()
        assert message is not None, "the shepherd has ended"
        assert message[0] == "begun", message
        assert message[2] > 0
        return message[1]

    def finish(self, spec):
        """Run a job to its end; returns the result."""
        self.begin(spec)
        kind, result = self.hear()
        assert kind == "ended"
        return result

    def refuse(self, spec):
        """Run a job that cannot start; returns the reason."""
        self.shepherd.run(spec)
        kind, reason, _ = self.hear()
        assert kind == "failed"
        return reason

    def bring(self, spec):
        """Deliver; returns the note."""
        self.shepherd.deliver(spec)
        kind, note = self.hear()
        assert kind == "delivered"
        return note


def tree(pid):
    """[(pid, state, command line)] of everything below a process."""
    found = []
    for below in process.descendants(pid):
        fields = process.stat_fields(below)
        if fields:
            found.append((below, fields[0].decode(), command_line(below)))
    return found


def with_word(word):
    """Pids of living processes that have this word among their arguments."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and word in command_line(entry).split():
            found.append(int(entry))
    return found


def command_line(pid):
    """Arguments of a process joined by blanks; empty for a zombie and for one that is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def read(path):
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def mode(path):
    """Permission bits, a link not followed."""
    return stat.S_IMODE(os.lstat(path).st_mode)

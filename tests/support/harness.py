"""Drive the real commands: a scratch node (`Node`) and the sites on it (`SiteHarness`).

Nothing here reads the site's database or imports jcq: what a test sees is what a person sees.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from support import cgroups, processes
from support.waiting import wait_until

BIN = os.path.dirname(sys.executable)
#: A site must be up, and down again, well within this.
START_LIMIT_S = 30
STOP_LIMIT_S = 60
#: Line of daemon.conf: nothing listens beyond loopback, and no two sites want the same port.
NO_PORT = "port=0\n"
_SUBMITTED = re.compile(r"Request (\d+\.\S+) submitted to queue: (\S+)\.\n")
_addresses = itertools.count(1)


def free_address():
    """A loopback address that nothing else uses, another run of the tests at the same time neither."""
    number = next(_addresses)
    return f"127.{77 + os.getpid() % 100}.{(os.getpid() // 100 + number // 250) % 256}.{number % 250 + 1}"


@dataclass(frozen=True)
class Result:
    """What a command did."""

    argv: tuple[str, ...]
    exit_code: int
    out: str
    err: str

    def __str__(self):
        return f"$ {' '.join(self.argv)}\n{self.out}{self.err}[exit code {self.exit_code}]"

    def ok(self):
        """Its standard output; fails unless it ended with 0."""
        assert self.exit_code == 0, str(self)
        return self.out

    def refused(self, *words, exit_code=None):
        """Its one line of standard error; fails unless it refused as a command must.

        That is: non-zero exit, exactly one line to standard error, no traceback, and every word in it.
        """
        assert self.exit_code != 0, f"not refused: {self}"
        assert "Traceback" not in self.err + self.out, str(self)
        assert len(self.err.splitlines()) == 1, f"not one line: {self}"
        for word in words:
            assert word.lower() in self.err.lower(), f"{word!r} is missing: {self}"
        if exit_code is not None:
            assert self.exit_code == exit_code, str(self)
        return self.err


class Node:
    """A scratch machine as jcq sees it: a JCQ_ROOT of its own, or the manual's paths in a namespace."""

    def __init__(self, namespace=None):
        """Make it.

        Args:
            namespace: a `support.namespace.Namespace`; the root is then `/`, with no variable set.
        """
        self.namespace = namespace
        # Not pytest's tmp_path: other users must be able to pass it, and socket paths are short.
        self.scratch = os.path.realpath(tempfile.mkdtemp(prefix="jcq-test-"))
        os.chmod(self.scratch, 0o755)
        self.root = "/" if namespace else os.path.join(self.scratch, "root")
        self.home = self.make_directory("home")
        self.sites = []
        self._started = []
        if not namespace:
            os.makedirs(os.path.join(self.root, "usr", "lib", "nqs", "rc"))
            self.write_daemon_conf("")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close(failed=kind is not None)

    # --- files -------------------------------------------------------------------------------

    def make_directory(self, name, mode=0o755, owner=None):
        """A directory of the scratch place that every user can reach; `owner` is a `User`."""
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        if owner:
            os.chown(path, owner.uid, owner.gid)
        os.chmod(path, mode)
        return path

    def lib(self, *parts):
        """A path below /usr/lib/nqs of this root."""
        return os.path.join(self.root, "usr", "lib", "nqs", *parts)

    def spool(self, *parts):
        """A path below /usr/spool/nqs of this root."""
        return os.path.join(self.root, "usr", "spool", "nqs", *parts)

    def add_name(self, address, *names):
        """Append a line to rc/resolv.def."""
        with open(self.lib("rc", "resolv.def"), "a", encoding="utf-8") as file:
            file.write(f"{address} {' '.join(names)}\n")

    def write_daemon_conf(self, text):
        """Replace the common daemon.conf; sites have no nqs port unless the text, or a site's own file, gives one."""
        with open(self.lib("rc", "daemon.conf"), "w", encoding="utf-8") as file:
            file.write(text if re.search(r"^port\s*=", text, re.MULTILINE) else text + NO_PORT)

    # --- commands ----------------------------------------------------------------------------

    def argv(self, command, *args):
        """How a command is run: laid by `jcq install`, else as the console script, else from the checkout."""
        laid = {"usr/bin": ("q",), "usr/lib/nqs/cluster": ("cjc",), "usr/lib/nqs": ("nqs",)}
        for directory, prefixes in laid.items():
            path = os.path.join(self.root, directory, command)
            if command.startswith(prefixes) and self.namespace:
                return [path, *args]
        script = os.path.join(BIN, command)
        if os.path.exists(script):
            return [script, *args]
        code = f"import sys; sys.argv[0] = {command!r}; from jcq.cli.{command} import main; sys.exit(main())"
        return [sys.executable, "-I", "-c", code, *args]

    def environment(self, user=None, more=None):
        """The whole environment of a command: nothing is inherited. A value of None in `more` removes a variable."""
        values = {
            "HOME": f"{self.namespace.home}/{user.name}" if self.namespace and user else self.home,
            "LANG": "C.UTF-8",
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TZ": "UTC",
        }
        if user and user.name:
            values["USER"] = values["LOGNAME"] = user.name
        if not self.namespace:
            values["JCQ_ROOT"] = self.root
        values.update(more or {})
        return {name: value for name, value in values.items() if value is not None}

    def enter(self):
        """Move the calling process, a forked child, into this node."""
        if self.namespace:
            self.namespace.enter()

    def popen(self, argv, user=None, env=None, cwd=None, **options):
        """Start a process as a user, in the namespace where there is one; it is killed at the end of the test."""

        def become():
            self.enter()
            if user:
                os.setgroups(user.every_group)
                os.setresgid(user.gid, user.gid, user.gid)
                os.setresuid(user.uid, user.uid, user.uid)
            os.chdir(cwd or self.scratch)
            os.umask(0o022)

        options.setdefault("start_new_session", True)
        child = subprocess.Popen(argv, env=self.environment(user, env), preexec_fn=become, **options)
        self._started.append(child)
        return child

    def spawn(self, command, *args, wrapper=(), **options):
        """Start a command and return its Popen; both its outputs go to one file, `popen.log`.

        `wrapper`: words before the command, of a program that in the end executes it.
        """
        log = os.path.join(self.scratch, f"{command}.{len(self._started)}.log")
        with open(log, "wb") as file:
            argv = [*wrapper, *self.argv(command, *args)]
            child = self.popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **options)
        child.log = log
        return child

    def run(self, command, *args, stdin="", limit_s=60, **options):
        """Run a command to its end.

        Args:
            command: its name; or a list, which is run as it is.
            args: its arguments.
            stdin: text or bytes of its standard input.
            limit_s: it must end within this time.
            options: `user` (a `User`), `env` (added variables), `cwd`.
        Returns:
            A `Result`.
        """
        argv = [*command, *args] if isinstance(command, list) else self.argv(command, *args)
        child = self.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        try:
            out, err = child.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout=limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            raise AssertionError(f"{argv} did not end within {limit_s} s: {out!r} {err!r}") from None
        self._started.remove(child)
        shown = (command if isinstance(command, str) else argv[0], *argv[len(argv) - len(args) :])
        return Result(shown, child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    # --- sites -------------------------------------------------------------------------------

    def install(self, machine_id=1):
        """`jcq install`: lays the commands and makes the local site."""
        out = self.run("jcq", "install", "--machine-id", str(machine_id)).ok()
        if self.namespace:
            # The network is the machine's.
            self.run(["/bin/sh", "-c", f"printf {NO_PORT!r} >>/usr/lib/nqs/rc/daemon.conf"]).ok()
        return out

    def local_site(self, machine_id=1):
        """Make the local site; it is not started."""
        self.install(machine_id)
        return self.adopt(SiteHarness(self, os.uname().nodename, self.spool(), db_path=os.path.dirname(self.spool())))

    def cluster_site(self, name="testsite", machine_id=200):
        """Make a cluster site by cjcmksite, with an address of its own; it is not started."""
        address = free_address()
        self.add_name(address, f"{name}.example", name)
        db_path = self.make_directory(f"{name}.db")
        self.run("cjcmksite", name, str(machine_id), db_path).ok()
        site = SiteHarness(self, name, os.path.join(db_path, "nqs"), db_path=db_path, address=address)
        return self.adopt(site)

    def adopt(self, site):
        """Have a site stopped at the end of the test; returns it."""
        self.sites.append(site)
        return site

    # --- the end -----------------------------------------------------------------------------

    def left_over(self):
        """Every process that anything on this node left behind."""
        if self.namespace:
            return processes.processes_in_namespace(self.namespace.inode)
        return processes.processes_below(self.scratch)

    def close(self, failed=False):
        """Stop what runs, check that nothing is left, remove the scratch directory.

        Args:
            failed: the test has failed already; what is left is then killed without a word.
        """
        troubles = []
        for site in self.sites:
            if site.cjcpw and site.cjcpw.poll() is None:
                try:
                    site.stop()
                except AssertionError as error:
                    troubles.append(str(error))
        for child in self._started:
            if child.poll() is None:
                child.kill()
            child.wait()
        left = self.left_over()
        if left and not troubles:
            troubles.append(f"left behind:\n{processes.table(left)}")
        for process in left:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_until(lambda: not self.left_over(), 10, lambda: processes.table(self.left_over()))
        logs = [site.log_text() for site in self.sites] if troubles else []
        for site in self.sites:
            if os.path.isdir(site.directory) and not self.namespace:
                cgroups.remove_of(site.directory, self.root)
        shutil.rmtree(self.scratch)
        assert failed or not troubles, "\n".join([*troubles, *logs])


class SiteHarness:
    """One site of a `Node`, local or cluster: start it, use it, stop it."""

    def __init__(self, node, name, directory, db_path, address=""):
        self.node = node
        #: As given to cjcmksite, or the host name: what request ids show.
        self.name = name
        #: `<DBPATH>/nqs`.
        self.directory = directory
        self.db_path = db_path
        #: Empty for the local site.
        self.address = address
        #: The Popen of the supervisor while it runs.
        self.cjcpw = None

    # --- start and stop ----------------------------------------------------------------------

    def start(self, limit_s=START_LIMIT_S, wrapper=()):
        """Start it under cjcpw in the background and wait until it answers; returns itself. `wrapper`: see `spawn`."""
        self.cjcpw = self.node.spawn("cjcpw", self.name, self.db_path, wrapper=wrapper)
        self.wait_up(limit_s)
        return self

    def wait_up(self, limit_s=START_LIMIT_S):
        """Wait until cjcls shows it as up, its worker included; fails at once when cjcpw has ended."""

        def up():
            assert not self.cjcpw or self.cjcpw.poll() is None, f"cjcpw ended:\n{self.log_text()}"
            return self.row()[1].isdigit()

        wait_until(up, limit_s, self.log_text)

    def row(self):
        """Its row in `cjcls -a`: name, pid of nqsdaemon or SHUT, database path, link, ON or OFF."""
        lines = self.node.run("cjcls", "-a").ok().splitlines()
        rows = [line.split() for line in lines if line.startswith(f"{self.name} ")]
        assert len(rows) == 1, lines
        return rows[0]

    def stop(self, limit_s=STOP_LIMIT_S):
        """`cjcpw -stop`; cjcpw must end with 0, and when the command returns nothing may be left. Returns its text."""
        result = self.node.run("cjcpw", "-stop", self.name, limit_s=limit_s)
        left = self.processes()
        out = result.ok()
        assert not left, f"left after -stop:\n{processes.table(left)}\n{self.log_text()}"
        if self.cjcpw:
            assert self.cjcpw.wait(limit_s) == 0, self.log_text()
            self.cjcpw = None
        return out

    def processes(self):
        """Every process that carries this site's marker: its daemons and its jobs."""
        found = processes.processes_with(f"JCQ_SITE={os.path.realpath(self.directory)}")
        if self.node.namespace:
            # Outside there may be a real site at the same path.
            inside = {process.pid for process in self.node.left_over()}
            found = [process for process in found if process.pid in inside]
        return found

    def daemon(self, name):
        """The pid of `jcdbs`, `nqsdaemon` or `worker`; fails unless there is exactly one."""
        titles = {
            "jcdbs": lambda p: "jcdbs" in p.title.split(" ")[0] or "valkey-server" in p.title,
            "nqsdaemon": lambda p: p.title.startswith("NQS nqsdaemon"),
            "worker": lambda p: p.title.startswith("NQS worker"),
        }
        found = [process for process in self.processes() if titles[name](process)]
        assert len(found) == 1, f"{name}: {processes.table(found)}\nof\n{processes.table(self.processes())}"
        return found[0].pid

    def log_text(self):
        """What cjcpw printed, and the end of every log file of the site."""
        files = [self.cjcpw.log] if self.cjcpw else []
        log = os.path.join(self.directory, "log")
        if os.path.isdir(log):
            files += sorted(os.path.join(log, name) for name in os.listdir(log))
        parts = []
        for path in files:
            with open(path, encoding="utf-8", errors="replace") as file:
                parts.append(f"--- {path}\n{file.read()[-4000:]}")
        return "\n".join(parts)

    # --- commands ----------------------------------------------------------------------------

    def run(self, command, *args, env=None, **options):
        """As `Node.run`, with NQS_SITE set for a cluster site."""
        site = {"NQS_SITE": self.name} if self.address else {}
        return self.node.run(command, *args, env={**site, **(env or {})}, **options)

    def qmgr(self, *lines):
        """Run qmgr commands as a script; fails when one does. Returns the text."""
        return self.run("qmgr", stdin="".join(f"{line}\n" for line in lines)).ok()

    def qsub(self, script, *options, **how):
        """Submit a script given as text; returns the request id."""
        out = self.run("qsub", *options, stdin=script, **how).ok()
        found = _SUBMITTED.fullmatch(out)
        assert found, f"qsub printed {out!r}"
        return found[1]

    def qstat(self, *args, **how):
        """The answer of `qstat --json`, parsed."""
        return json.loads(self.run("qstat", "--json", *args, **how).ok())

    def qwait(self, request_id, limit_s=60, **how):
        """Wait until a request has ended; returns qwait's exit code."""
        return self.run("qwait", request_id, limit_s=limit_s, **how).exit_code

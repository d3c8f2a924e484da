"""spoolconv: convert an old spool into a site (manual 2.6.2.2)."""

import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager

import click

from jcq import site as sites
from jcq.cli.errors_to_lines import complain, run
from jcq.cluster.mksite import CONF_FILES, DIRECTORIES
from jcq.cluster.start import become_owner
from jcq.cluster.stopped_site import open_database
from jcq.config import read_daemon_conf, read_site_conf
from jcq.errors import NotPermitted, SiteUnknown, UsageError
from jcq.identity import read_identity
from jcq.journal import open_log
from jcq.model.queue import valid_name
from jcq.process import become_subreaper
from jcq.spoolconv import alive, layouts
from jcq.spoolconv.accounts import Accounts
from jcq.spoolconv.convert import Conversion
from jcq.spoolconv.errors import OldSystemAlive
from jcq.spoolconv.files import RequestFiles
from jcq.spoolconv.lock import one_at_a_time
from jcq.spoolconv.report import Report
from jcq.spoolconv.source import Source
from jcq.spoolconv.target import HeldDatabase, RunningSite
from jcq.spoolconv.verify import Verification
from jcq.spoolconv.wishes import Wishes

_EPILOG = """\b
Exit codes:
  0  converted; -n: it could be; --verify: no difference
  1  refused or failed, and nothing was converted; --verify: something differs
  2  usage
  3, 5, 6, 7  the site's database could not be had: see cjcpw --help
"""


@click.command("spoolconv", context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option("-c", "spool", metavar="OLD_SPOOL", help="The old spool, or a copy of it; it is only read.")
@click.option("-y", "yes", is_flag=True, help="Do not ask.")
@click.option("-n", "dry", is_flag=True, help="Dry run: the full report, and nothing is changed.")
@click.option(
    "--from", "layout", metavar="LAYOUT", default="", help="Layout of the spool, or FILE.toml that describes it."
)
@click.option("--report", "report_path", metavar="FILE", help="Write a report as JSON.")
@click.option("--verify", is_flag=True, help="Compare a site that has been converted with the old spool.")
@click.option(
    "--map-user", "users", metavar="OLD=NEW", multiple=True, help="Give requests of OLD (a name or uid) to NEW."
)
@click.option("--map-queue", "queues", metavar="OLD=NEW", multiple=True, help="Requests of queue OLD go to queue NEW.")
@click.option("--start", is_flag=True, help="Start queues as they were; hold nothing for a check.")
@click.option("--old-system-stopped", "stopped", is_flag=True, help="The old system does not use the spool any more.")
@click.option(
    "--probe", metavar="DIR", help="Show what a directory looks like (with --from FILE.toml: by it), and end."
)
@click.pass_obj
def spoolconv(root, spool, yes, dry, layout, report_path, verify, users, queues, start, stopped, probe):
    """Convert the queues and requests of OLD_SPOOL into the site that NQS_SITE names; unset, the local site.

    Nothing of the old spool, and nothing that the site has, is changed. All of it becomes part of the site in
    one step at the end, or nothing. Queues are left stopped, and requests in queues that the site had are held, until
    an operator has looked at them. What is converted already is not converted again.
    """
    # So that SIGTERM takes back what was begun, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = sites.root_directory(os.environ, root)
    if probe is not None:
        if spool or verify:
            raise UsageError(reason="--probe goes with --from only; see spoolconv --help")
        return _probe(probe, layout)
    if not spool:
        raise UsageError(reason="OLD_SPOOL is missing: spoolconv -c OLD_SPOOL; see spoolconv --help")
    if verify and (dry or report_path or start):
        raise UsageError(reason="--verify changes nothing and has no report: leave out -n, --report and --start")
    wishes = _wishes(users, queues, start)
    try:
        site = sites.locate(os.environ.get("NQS_SITE"), root)
    except SiteUnknown as error:
        return complain(f"Spoolconv(FATAL): {error}", error.exit_code)
    job = _Job(site, root, spool, wishes, dry, verify)
    return job.run(layout, report_path, yes, stopped)


class _Job:
    """One call of the command."""

    def __init__(self, site, root, spool, wishes, dry, verify):
        self.site, self.root, self.spool = site, root, spool
        self.wishes, self.dry, self.verify = wishes, dry, verify
        self.now_s = time.time()

    def run(self, layout, report_path, yes, stopped):
        """Check, ask, convert; returns the exit code."""
        self.identity = _identity(self.site)
        self.site.name, self.site.local = self.identity.name, not self.identity.address
        become_owner(self.identity)
        with Source(self.spool, _names_of(self.site, self.spool)) as source:
            name, read = layouts.choose(source, layout)
            if report_path:
                _check_report(report_path, self.spool)
            if not stopped:
                self._check_alive()
            if not (yes or self.dry or self.verify) and not self._agreed():
                return complain("spoolconv: nothing was converted", 1)
            with one_at_a_time(self.site) if not self.dry else ExitStack():
                if self.verify:
                    return self._verify(name, read, source)
                self._convert(name, read, source, report_path)
        return 0

    def _check_alive(self):
        found = alive.users_of(self.spool, self.site.directory)
        if found:
            raise OldSystemAlive(path=self.spool, found="; ".join(found))

    def _agreed(self):
        click.echo(f"Do you convert the spool directory for SITE [{self.site.name}] ?")
        click.echo("[y/n](default: n) ", nl=False)
        sys.stdout.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    # --- converting --------------------------------------------------------------------------

    def _convert(self, name, read, source, report_path):
        files = RequestFiles(self.site, self.identity.uid == 0)
        held_path = self._log_path("release")
        written = None if self.dry else files
        with self._target(files) as target:
            report = self._report(name, report_path)
            complete = False
            try:
                with _HeldFile(None if self.dry else held_path) as held:
                    click.echo("start convert spool directory.")
                    conversion = Conversion(name, self.spool, target, written, Accounts, self.wishes,
                                            report, self.now_s, held.add)  # fmt: skip
                    result = conversion.run(read(source, self.now_s))
                    lines = [*report.summary(), *self._what_is_next(result, held_path)]
                    complete = held.keep = True
                for line in lines:
                    report.log(line)
                    click.echo(line)
                click.echo("end convert spool directory.")
            finally:
                report.close(complete)

    def _what_is_next(self, result, held_path):
        if self.dry:
            return [f"dry run: {result.requests} requests could be converted; nothing was changed"]
        lines = []
        if result.queues and not self.wishes.start:
            lines.append("The queues are stopped. When all has been checked, start them with:")
            order = sorted(result.queues, key=lambda queue: queue[1] == "PIPE")
            lines += [f"  qmgr start queue {queue}" for queue, _, started in order if started]
            lines += [
                f"  (queue {queue} was stopped in the old system too)" for queue, _, started in order if not started
            ]
        if result.held:
            lines.append(f"{result.held} requests in queues that the site had are held. Release them with:")
            lines.append(f"  qmgr <{held_path}")
        return lines

    def _report(self, name, report_path):
        log_path = None if self.dry else self._log_path("log")
        head = {"site": self.site.name, "layout": name, "spool": self.spool, "dry_run": self.dry}
        return Report(click.echo, log_path, report_path, head, progress=sys.stderr.isatty())

    def _log_path(self, ending):
        when = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.now_s))
        return self.site.path("log", f"spoolconv-{when}-{os.getpid()}.{ending}")

    # --- the site ----------------------------------------------------------------------------

    @contextmanager
    def _target(self, files):
        """Where to put it: a running site, through its nqsdaemon; else its database, for which jcdbs is started."""
        running = RunningSite(self.site, self.identity, files)
        if _listens(self.site.api_socket):
            yield running
            return
        link = os.path.join(self.site.database, ".jcdbs.sock")
        click.echo(f"Could not connect to Redis at {link}: {_why_not(link)}")
        click.echo("start jcdbs temporarily.")
        conf, warnings = read_daemon_conf(self.root, self.site.directory)
        limits, more = read_site_conf(self.site.directory)
        log = open_log(None if self.dry else self.site, "cjcpw", conf.syslog)
        for line in (*warnings, *more):
            complain(f"spoolconv: warning: {line}", 0)
        become_subreaper()
        with open_database(self.site, self.root, conf, limits, log, unchanged=self.dry or self.verify) as (store, ours):
            yield HeldDatabase(store, self.identity, files, ours, time.time)
        click.echo("temporary jcdbs is stopped.")

    def _verify(self, name, read, source):
        files = RequestFiles(self.site, self.identity.uid == 0)
        with self._target(files) as target:
            verification = Verification(name, target, files, Accounts, self.wishes, self.now_s, click.echo)
            differ = verification.run(read(source, self.now_s))
            click.echo(verification.summary())
        return 1 if differ else 0


def _names_of(site, spool):
    """Paths in the old spool that are the site's, where its directory lies there: none of them is an old file."""
    top = os.path.relpath(os.path.realpath(site.directory), os.path.realpath(spool))
    if top.split("/")[0] == "..":
        return []
    own = {*DIRECTORIES, *CONF_FILES, os.path.basename(site.expected)}
    paths = [os.path.join(top, name) for name in own]
    return paths if set(os.listdir(site.directory)) - own else [*paths, top]


#: Requests in one command.
_PER_LINE = 50


class _HeldFile:
    """qmgr's commands that release the requests which are held for a check; no file where there are none."""

    def __init__(self, path):
        self.keep = False
        self._path, self._file, self._count = path, None, 0

    def __enter__(self):
        if self._path:
            self._file = open(self._path, "x", encoding="utf-8")
        return self

    def add(self, shown):
        """One more."""
        self._count += 1
        if self._file:
            end = "\n" if self._count % _PER_LINE == 0 else ""
            start = " " if (self._count - 1) % _PER_LINE else "release request "
            self._file.write(f"{start}{shown}{end}")

    def __exit__(self, *_):
        if self._file:
            self._file.write("\n" if self._count % _PER_LINE else "")
            self._file.close()
            if not (self.keep and self._count):
                os.unlink(self._path)


def _probe(directory, layout):
    if layout and not layout.endswith(".toml"):
        raise UsageError(reason=f"--probe checks a description, --from FILE.toml, not {layout!r}")
    with Source(directory) as source:
        for line in layouts.probe(source, layout or None):
            click.echo(line)
    return 0


def _wishes(users, queues, start):
    map_user, map_queue = _pairs("--map-user", users), _pairs("--map-queue", queues)
    for new in map_user.values():
        if Accounts.by_name(new) is None:
            raise UsageError(reason=f"--map-user: there is no account {new!r} on this node")
    for new in map_queue.values():
        if not valid_name(new):
            raise UsageError(reason=f"--map-queue: a queue cannot be called {new!r}")
    return Wishes(map_user, map_queue, start)


def _pairs(option, words):
    found = {}
    for word in words:
        old, equals, new = word.partition("=")
        if not (old and equals and new):
            raise UsageError(reason=f"{option} needs OLD=NEW, not {word!r}")
        if found.setdefault(old, new) != new:
            raise UsageError(reason=f"{option} gives {old!r} twice")
    return found


def _identity(site):
    try:
        identity = read_identity(site)
    except PermissionError:
        uid = os.stat(site.database).st_uid
        raise _not_permitted(site, uid) from None
    if os.geteuid() not in (0, identity.uid):
        raise _not_permitted(site, identity.uid)
    return identity


def _not_permitted(site, uid):
    rule = f"only root and uid {uid}, which made it, may"
    return NotPermitted(who=f"uid {os.geteuid()}", what=f"convert a spool into site {site.name}", rule=rule)


def _check_report(path, spool):
    """The report is not to be written into the old spool, nor to fail when all is done."""
    directory = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    top = os.path.realpath(spool)
    if directory == top or directory.startswith(top.rstrip("/") + "/"):
        raise UsageError(reason=f"--report {path}: the old spool is only read; give a file outside of it")
    if os.path.isdir(path) or not os.path.isdir(directory) or not os.access(directory, os.W_OK):
        raise UsageError(reason=f"--report {path}: no file can be written there")


def _listens(path):
    import socket

    place, fd = sites.socket_path(path)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(place)
    except OSError:
        return False
    finally:
        if fd >= 0:
            os.close(fd)
    return True


def _why_not(path):
    """What a connection to a socket fails with, in the system's words."""
    import socket

    place, fd = sites.socket_path(path)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(place)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    finally:
        if fd >= 0:
            os.close(fd)
    return "nqsdaemon does not answer"


def main(root=None):
    """Run the command with this process's arguments; returns its exit code."""
    return run(spoolconv, root)


if __name__ == "__main__":
    sys.exit(main())

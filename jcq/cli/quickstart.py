"""`jcq quickstart`: from nothing to two delivered results, every command shown and checked.

What it prints is itself a shell script: commands as they are typed, everything else as comments.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import click

from jcq import site
from jcq.cli.quickstart_steps import steps
from jcq.cli.shell_session import QuickstartFailed, ShellSession
from jcq.errors import UsageError

#: For the stop after a failed step.
_STOP_LIMIT_S = 30.0


@click.command()
@click.option("--dir", "directory", metavar="DIR", help="Work in DIR, which must be new or empty, and keep it.")
@click.option("--keep", is_flag=True, help="Keep the scratch directory.")
def quickstart(directory, keep):
    """Show a whole site at work, in a scratch place.

    Makes a local site, starts it, runs a job that succeeds and one that fails, shows their output
    and records, stops the site, and checks that nothing is left. Each command is printed as a
    person would type it and then run by /bin/sh. It ends non-zero when anything differs.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    root, remove = _scratch(directory, keep)
    bin_directory = _bin_directory()
    shell = ShellSession(os.environ)
    done = False
    try:
        for step in steps(root, bin_directory, site.host_name(), remove):
            _take(shell, step)
        done = True
    finally:
        shell.close()
        if not done:
            _stop_site(root, bin_directory)
            if remove:
                shutil.rmtree(root, ignore_errors=True)
    if not remove:
        click.echo(f"# Kept: {root}")
    click.echo("# quickstart: every step did what it should.")


def _take(shell, step):
    """Print a step, run it, print what it showed as comments."""
    if step.says:
        click.echo(f"\n# {step.says}")
    click.echo(step.command)
    output, exit_code = shell.run(step.command, step.limit_s)
    for line in output.splitlines():
        if line:
            click.echo(f"#>  {line.rstrip()}")
    trouble = step.differs(output, exit_code)
    if trouble:
        raise QuickstartFailed(reason=f"{trouble}, at: {step.command.splitlines()[-1]}")


def _scratch(directory, keep):
    """(an empty directory that other users may pass, whether it is removed at the end)."""
    if directory is None:
        root = os.path.realpath(tempfile.mkdtemp(prefix="jcq-quickstart-"))
        os.chmod(root, 0o755)
        return root, not keep
    try:
        os.makedirs(directory, exist_ok=True)
        entries = os.listdir(directory)
    except OSError as error:
        raise UsageError(reason=f"cannot use {directory}: {error.strerror}") from None
    if entries:
        raise UsageError(reason=f"{directory} is not empty; name a new or an empty directory")
    return os.path.realpath(directory), False


def _bin_directory():
    """Where the command is that was started, so that the printed PATH finds the same one."""
    started = sys.argv[0]
    path = started if os.sep in started else shutil.which(started) or ""
    return os.path.dirname(os.path.abspath(path)) if path else os.path.dirname(sys.executable)


def _stop_site(root, bin_directory):
    """After a failure: leave nothing running, whatever state the site is in."""
    environment = {**os.environ, "JCQ_ROOT": root, "PATH": f"{bin_directory}:{os.environ.get('PATH', os.defpath)}"}
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        stop = ["cjcpw", "-stop", site.host_name()]
        subprocess.run(stop, env=environment, timeout=_STOP_LIMIT_S, capture_output=True, check=False)
    marker = os.fsencode(f"JCQ_SITE={site.spool(root)}")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = marker in file.read().split(b"\0")
            if ours:
                os.kill(int(pid), signal.SIGKILL)

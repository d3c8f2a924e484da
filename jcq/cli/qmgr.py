"""qmgr: manage queues and the site; a prompt, one command as arguments, or a script on standard input.

In a script, a command that fails is reported with its line number and the next one is carried out,
as NQS did; the exit code is the highest of all commands: 1 refused, 2 not understood. Where the
site does not answer, nothing more is tried. Commands are parsed here too, so that help and mistakes
need no site; the daemon believes nobody and parses again.

At the prompt TAB completes keywords, and arrow-up has the lines typed before, as in a shell also those of earlier
sessions: they are kept in .qmgr_history of HOME, where that can be written.
"""

import contextlib
import os
import sys

import click

from jcq import client
from jcq.cli import errors_to_lines
from jcq.cli.errors_to_lines import complain
from jcq.errors import JcqError, SiteNotRunning, SiteUnknown, UsageError
from jcq.model.qmgr_grammar import completions, continues, join_lines, parse
from jcq.model.qmgr_help import help_text
from jcq.options import TIMEOUT, bounded

PROMPT = "Mgr: "
#: Of a line that goes on; our own choice.
PROMPT_MORE = "Mgr> "
#: Lines that are kept from one session to the next.
_HISTORY_LINES_MAX = 1000


@click.command(
    "qmgr",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="`qmgr help` lists the commands. The site is named by NQS_SITE; unset, it is the local site.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    help="Wait so long for a site that is being started or moved; by default NQS_TIMEOUT, else 60.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def qmgr(root, timeout, command):
    """Manage the queues of a site.

    Without COMMAND, commands are read from standard input; from a terminal, with a prompt.
    """
    limit_s = None if timeout is None else bounded("--timeout", timeout, TIMEOUT[3])
    session = Session(root, limit_s)
    try:
        if command:
            return session.run(" ".join(command))
        return _interactive(session) if sys.stdin.isatty() else _script(session)
    except SiteUnknown as error:
        return complain(f"Qmgr(FATAL): {error}", error.exit_code)


def main(root=None):
    """Run the command with this process's arguments; returns its exit code.

    Args:
        root: the root that an installed command carries, or None.
    """
    return errors_to_lines.run(qmgr, root)


class Session:
    """Commands for one site, one after the other.

    Args:
        root: the root that an installed command carries, or None.
        limit_s: how long to wait for a site that should be running; None: see `jcq.client.call`.
    """

    def __init__(self, root, limit_s=None):
        self.ended = False
        self._root, self._limit_s = root, limit_s
        self._there = None

    def run(self, line, where=""):
        """Carry out one command and print its answer.

        Args:
            line: the command, continuations joined.
            where: `line 3: ` for messages about a script.
        Returns:
            0, 1 where it was refused, 2 where it was not understood.
        Raises:
            SiteUnknown, SiteNotRunning, NoAnswer, NotServed: there is nobody to ask.
        """
        try:
            command = parse(line)
            if command is None:
                return 0
            if command.verb == "help":
                sys.stdout.write(help_text(command.values.get("topic", ())))
                return 0
        except UsageError as error:
            return complain(f"qmgr: {where}{error}", error.exit_code)
        if command.verb == "exit":
            self.ended = True
            return 0
        code, out, err = client.call("qmgr", self._site(), [line], limit_s=self._limit_s)
        sys.stdout.write(out)
        sys.stdout.flush()
        for text in err.splitlines():
            complain(f"qmgr: {where}{text.removeprefix('qmgr: ')}" if where else text, code)
        return code

    def _site(self):
        if self._there is None:
            self._there = client.locate(self._root, self._limit_s)
        return self._there


def _script(session):
    worst = 0
    lines = (raw.decode("utf-8", "surrogateescape") for raw in sys.stdin.buffer)
    for number, line, whole in join_lines(lines):
        where = f"line {number}: "
        if not whole:
            return max(worst, complain(f"qmgr: {where}the last line ends with \\, but no line follows", 2))
        try:
            worst = max(worst, session.run(line, where))
        except SiteUnknown:
            raise
        except JcqError as error:
            return max(worst, complain(f"qmgr: {where}{error}; what follows was not tried", error.exit_code))
        if session.ended:
            break
    return worst


def _interactive(session):
    """Prompt until exit or end of file. What went wrong was seen, so the exit code tells of the last command only."""
    with _editing():
        return _prompt(session)


def _prompt(session):
    code = 0
    while not session.ended:
        try:
            line = _read_command()
        except EOFError:
            sys.stdout.write("\n")
            return code
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            continue
        except UnicodeDecodeError:
            code = complain(
                "qmgr: the line has characters of another encoding than this terminal's; nothing was done", 2
            )
            continue
        try:
            code = session.run(line)
        except SiteNotRunning as error:
            code = complain(f"qmgr: {error}", error.exit_code)
    return code


def _read_command():
    line = input(PROMPT)
    while continues(line):
        line = line.rstrip()[:-1] + " " + input(PROMPT_MORE)
    return line


@contextlib.contextmanager
def _editing():
    try:
        import readline
    except ImportError:  # a Python without readline still has a prompt
        yield
        return

    def complete(_text, state):
        found = completions(readline.get_line_buffer()[: readline.get_endidx()])
        return found[state] + " " if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t=(),")
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    path = os.path.join(os.environ.get("HOME", ""), ".qmgr_history")
    if not os.path.isabs(path):
        yield
        return
    # What cannot be read or kept is missed by nobody who did not come to type it.
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    before = readline.get_current_history_length()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _keep(readline, path, readline.get_current_history_length() - before)


def _keep(readline, path, count):
    """Append the last `count` lines to the file: another session may have done so meanwhile."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    readline.set_history_length(_HISTORY_LINES_MAX)
    readline.append_history_file(count, path)


if __name__ == "__main__":
    sys.exit(main())

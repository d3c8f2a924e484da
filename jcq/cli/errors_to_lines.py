"""What a click command ends with: every error one line `command: what was wrong`, and an exit code."""

import os
import sys
import traceback

import click

from jcq.errors import JcqError
from jcq.journal import open_log

INTERRUPTED_CODE = 130


def run(command, root=None, argv=None):
    """Run a click command.

    Args:
        command: the `click.Command`; its `obj` is the root.
        root: the root that an installed command carries, or None.
        argv: words behind the command's name; by default those of this process.
    Returns:
        The exit code: what the command returned, else 0; 2 for bad usage; a `JcqError`'s own; 130 for
        Ctrl-C; 1 for everything else. JCQ_DEBUG=1 shows where an unexpected error came from.
    """
    _open_closed_streams()
    name = command.name
    asked = " ".join([name, *(sys.argv[1:] if argv is None else argv)])
    try:
        code = command.main(argv, prog_name=name, standalone_mode=False, obj=root)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError:
        return complain(f"{name}: which command? see {name} --help", 2)
    except click.ClickException as error:
        words = " ".join(error.format_message().split()).rstrip(".")
        return complain(f"{name}: {words}; see {name} --help", 2)
    except (click.Abort, KeyboardInterrupt):
        return complain(f"{name}: interrupted", INTERRUPTED_CODE)
    except JcqError as error:
        _say_who_asked(name, asked, error)
        return complain(f"{name}: {error}", error.exit_code)
    except BrokenPipeError:
        # `cjcls | head`: nobody reads on, which is no mistake.
        _discard_output()
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _say_who_asked(name, asked, error)
        return complain(f"{name}: {place}{error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("JCQ_DEBUG"):
            traceback.print_exc()
        words = " ".join(str(error).split())
        return complain(f"{name}: unexpected error: {type(error).__name__}: {words}; JCQ_DEBUG=1 shows where", 1)
    return code if isinstance(code, int) else 0


def _open_closed_streams():
    """Where the caller closed 0, 1 or 2, that number would go to the next file or socket, and Python has no stream."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _discard_output():
    """What standard output did not take must not fail once more when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say_who_asked(name, asked, error):
    open_log(None, name).warning("refused: uid %d asked: %s: %s", os.getuid(), asked, error)


def complain(line, code):
    """One line to standard error, if that still goes anywhere; returns `code`."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_output()
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # A resident process outlives the terminal it was started from.
        return code
    return code

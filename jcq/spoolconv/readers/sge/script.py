"""The script that runs a job of Grid Engine: that of the job, or one that starts its command (-b y)."""

import os
import shlex

from jcq.spoolconv.readers.sge.refused import Refused

#: JB_type: -b y, -shell n.
BINARY, NO_SHELL = 0x40, 0x100
#: Shells that understand `set -- word ...`.
_BOURNE = frozenset({"sh", "bash", "dash", "ksh", "ksh93", "mksh", "zsh", "ash"})


def script(job, shell, notes):
    """The script of a job.

    Args:
        job: a `cell.Job`.
        shell: what runs it; empty: its first line says.
        notes: list that takes what was changed.
    Returns:
        (bytes, the shell that runs them, whether its arguments could not be given to it).
    Raises:
        Refused: it has none.
        Unreadable: it cannot be read.
    """
    arguments = [element["ST_name"] for element in job.fields["JB_job_args"]]
    if job.fields["JB_type"] & BINARY:
        command = job.fields["JB_script_file"]
        if not command:
            raise Refused("it is a command (-b y) that is not stored")
        notes.append("it was a command (-b y): its script starts it")
        if job.fields["JB_type"] & NO_SHELL:
            return b"exec " + _quoted([command, *arguments]) + b"\n", "/bin/sh", False
        # sge_shepherd gives the words to the shell as one text, without quotes: what they hold, the shell sees.
        return b" ".join([command, *arguments]) + b"\n", shell, False
    text = job.script()
    if not arguments:
        return text, shell, False
    first, newline, rest = text.partition(b"\n")
    named = first.startswith(b"#!")
    words = first[2:].split() if named else []
    runs = os.path.basename(shell or (os.fsdecode(words[0]) if words else ""))
    if runs not in _BOURNE:
        notes.append(f"its arguments cannot be given to {runs or 'a shell that is not known'}: it is held")
        return text, shell, True
    notes.append("its arguments stand in its script: set -- ...")
    setting = b"set -- " + _quoted(arguments) + b"\n"
    return (first + (newline or b"\n") + setting + rest if named else setting + text), shell, False


def _quoted(words):
    return b" ".join(os.fsencode(shlex.quote(os.fsdecode(word))) for word in words)

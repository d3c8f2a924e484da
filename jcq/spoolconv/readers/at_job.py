"""A job file of at: what its header, its environment, its directory and its script say.

The form is at 3.2.5's, the byte-wise quoting that of its values and of its directory (see at.c, `writefile`). A line
based parser would fail: a value may span lines that look like any other line of the file. All is bytes.
"""

import re
from dataclasses import dataclass

_HEADER = re.compile(
    rb"#!/bin/sh\n# atrun uid=(-?\d{1,20}) gid=(-?\d{1,20})\n"
    rb"# mail +([^\n]{0,1000}?) +(-?\d{1,9})\numask +([0-7]{1,9})\n"
)
_NAME = re.compile(rb"([A-Za-z0-9_]{1,100000})=")
#: Letters of at's locale may stand as they are, too; a quotation holds a newline, and nothing that a shell reads.
_QUOTED = rb'(?:[A-Za-z0-9%/{\[\]=}@+#,.:_\x80-\xff-]++|\\[^\0\n]|"[^"\\$`\0]*+")*+'
_VARIABLE = re.compile(rb"([A-Za-z0-9_]{1,100000})=(" + _QUOTED + rb"); export \1\n")
_DIRECTORY = re.compile(rb"cd (" + _QUOTED + rb")")
_PIECE = re.compile(rb'\\(.)|"([^"]*)"', re.DOTALL)
_BEHIND_DIRECTORY = re.compile(rb" \|\| \{\n[ \t]*echo 'Execution directory inaccessible'(?: >&2)?\n[ \t]*exit 1\n\}\n")
#: Red Hat's at wraps the script.
_WRAPPED = re.compile(rb"\$\{SHELL:-/bin/sh\} << '(marcinDELIMITER[0-9a-f]{1,16})'\n")
_IDS = 1 << 32


class NoJob(Exception):
    """The bytes are no job of at; the text says where they leave the form."""


@dataclass(frozen=True)
class AtJob:
    """What a job file says."""

    uid: int
    gid: int
    mail_to: bytes
    #: 0: mail if there is output, 1: always, -1: never.
    mail: int
    umask: int
    environment: dict
    directory: bytes
    script: bytes
    #: Only Red Hat's form asks for the shell of the environment.
    wrapped: bool = False
    #: Something that its reader should be told.
    note: str = ""


def parse(data):
    """Read a job file.

    Args:
        data: its bytes.
    Returns:
        `AtJob`. A uid or gid that at printed as a negative number is the one that was meant.
    Raises:
        NoJob: it has another form.
    """
    header = _HEADER.match(data)
    if not header:
        raise NoJob("it does not begin with a header of at")
    environment, at = {}, header.end()
    while variable := _VARIABLE.match(data, at):
        environment[variable[1]] = _unquoted(variable[2])
        at = variable.end()
    found = _DIRECTORY.match(data, at)
    if not found:
        raise NoJob(_what_is_wrong(data, at))
    directory, at = _unquoted(found[1]), found.end()
    behind = _BEHIND_DIRECTORY.match(data, at)
    if not behind or not directory.startswith(b"/"):
        raise NoJob(f"its directory is not written as at writes it (byte {at})")
    script, wrapped, note = _script(data[behind.end() :])
    uid, gid = _id(header[1]), _id(header[2])
    return AtJob(uid, gid, header[3], int(header[4]), int(header[5], 8), environment, directory, script, wrapped, note)


def _unquoted(text):
    """What the shell would make of it."""
    return _PIECE.sub(rb"\1\2", text) if b"\\" in text or b'"' in text else text


def _what_is_wrong(data, at):
    name = _NAME.match(data, at)
    if name:
        return f"the value of variable {name[1][:60].decode()} is not written as at writes it (byte {at})"
    return f"byte {at} is neither a variable of the environment nor the directory"


def _id(text):
    number = int(text)
    if number < 0:
        number += _IDS
    # The last one is no id: it means "none" to the system.
    if not 0 <= number < _IDS - 1:
        raise NoJob(f"its header names the id {text.decode()}, which no user or group can have")
    return number


def _script(body):
    """-> (script, whether it was wrapped, note). at adds one newline, and only that one goes."""
    opening = _WRAPPED.match(body)
    if opening:
        closing = b"\n" + opening[1] + b"\n"
        if body.endswith(closing):
            # The line before the delimiter ends with the newline that at added.
            return body[opening.end() : -len(closing)], True, ""
        return body, False, "its here-document has no end: the script is taken with its first line"
    if body.endswith(b"\n"):
        return body[:-1], False, ""
    return body, False, "its script does not end as at ends it"

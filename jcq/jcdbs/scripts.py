"""The Lua scripts: one file per transition in `lua/`, each prefixed by the kernel with the transition table in it."""

import hashlib
import os

from jcq.model import lifecycle
from jcq.model.request import PRIORITY_DEFAULT

_DIRECTORY = os.path.join(os.path.dirname(__file__), "lua")
_MARK = "--@TRANSITIONS@"

#: How long a pipe queue waits before it tries a disabled destination again, unless the site says otherwise.
RETRY_WAIT_S = 300


def transition_table():
    """The text of the Lua table that is generated from `jcq.model.lifecycle.TRANSITIONS`."""
    lines = [
        f"local NOWHERE = '{lifecycle.NOWHERE}'",
        f"local PRIORITY_DEFAULT = {PRIORITY_DEFAULT}",
        f"local RETRY_WAIT_S = {RETRY_WAIT_S}",
        "local STATES = { " + ", ".join(f"{state} = true" for state in lifecycle.STATES) + " }",
        "local TRANSITIONS = {",
    ]
    for event, row in lifecycle.TRANSITIONS.items():
        cells = ", ".join(
            f"['{state}'] = {{ " + ", ".join(f"['{target}'] = true" for target in targets) + " }"
            for state, targets in row.items()
        )
        lines.append(f"  ['{event}'] = {{ {cells} }},")
    lines.append("}")
    return "\n".join(lines)


def load():
    """Read every script.

    Returns:
        {name: (sha1 of the text as the server computes it, text)}.
    """
    with open(os.path.join(_DIRECTORY, "kernel.lua"), encoding="ascii") as file:
        kernel = file.read().replace(_MARK, transition_table())
    scripts = {}
    for entry in sorted(os.listdir(_DIRECTORY)):
        name, ending = os.path.splitext(entry)
        if ending != ".lua" or name == "kernel":
            continue
        with open(os.path.join(_DIRECTORY, entry), encoding="ascii") as file:
            text = kernel + "\n" + file.read()
        scripts[name] = (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), text)
    return scripts

"""The Lua scripts: one file per transition in `lua/`, each behind the kernel, which has the transition table in it."""

import hashlib
import os
import signal

from jcq.model import lifecycle, limits
from jcq.model.request import PRIORITY_DEFAULT

_DIRECTORY = os.path.join(os.path.dirname(__file__), "lua")
#: The files of `lua/kernel/`, in the order in which they need each other.
_KERNEL = ("names", "membership", "fate", "routing", "promotion", "execution", "staging")
_MARK = "--@TRANSITIONS@"

#: How long a pipe queue waits before it tries a disabled destination again, unless the site says otherwise.
RETRY_WAIT_S = 300
#: How long it goes on trying before it rejects the request, unless the site says otherwise (nqs-facts.md section 4).
RETRY_TIME_S = 72 * 3600
#: NQS's other bound of the same, "(Pipe queue request) Lifetime": the shorter one counts (nqs-facts.md section 4).
LIFETIME_S = 168 * 3600


def transition_table():
    """The Lua text that is generated from `jcq.model.lifecycle.TRANSITIONS`.

    One string that is searched, not a table: a table would be built anew by every run of every script.
    """
    cells = [
        f"{event}:{state}>{target}"
        for event, row in lifecycle.TRANSITIONS.items()
        for state, targets in row.items()
        for target in targets
    ]
    return "\n".join(
        [
            f"local SIGSTOP, SIGCONT = '{int(signal.SIGSTOP)}', '{int(signal.SIGCONT)}'",
            f"local SIGKILL, SIGTERM = '{int(signal.SIGKILL)}', '{int(signal.SIGTERM)}'",
            f"local LIMITS = ' {' '.join(f'{limit.name}:{limit.option}' for limit in limits.LIMITS)} '",
            f"local NOWHERE = '{lifecycle.NOWHERE}'",
            f"local PRIORITY_DEFAULT = {PRIORITY_DEFAULT}",
            f"local RETRY_WAIT_S, RETRY_TIME_S, LIFETIME_S = {RETRY_WAIT_S}, {RETRY_TIME_S}, {LIFETIME_S}",
            f"local STATES = '{' '.join(lifecycle.STATES)}'",
            f"local TRANSITIONS = ' {' '.join(cells)} '",
        ]
    )


def load():
    """Read every script.

    Returns:
        {name: (sha1 of the text as the server computes it, text)}.
    """
    kernel = "\n".join(_read("kernel", f"{name}.lua") for name in _KERNEL).replace(_MARK, transition_table())
    scripts = {}
    for entry in sorted(os.listdir(_DIRECTORY)):
        name, ending = os.path.splitext(entry)
        if ending != ".lua":
            continue
        text = kernel + "\n" + _read(entry)
        scripts[name] = (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), text)
    return scripts


def _read(*names):
    with open(os.path.join(_DIRECTORY, *names), encoding="ascii") as file:
        return file.read()

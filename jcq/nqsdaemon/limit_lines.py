"""The text of qlimit and of qmgr's `show limits_supported`: a line for each limit, then the shell strategy."""

from jcq.model.limits import LIMITS, enforced

#: The login shell of a request's owner runs its script, unless -s names another.
SHELL_STRATEGY = "FREE"


def limit_lines():
    """The whole text, ending with a newline."""
    rows = "".join(f"  {limit.title:<36} {limit.option:<5} {enforced(limit)}\n" for limit in LIMITS)
    return f"{rows}  Shell strategy = {SHELL_STRATEGY}\n"

"""Wait for a condition with a limit, and say what was last seen when time is out."""

import select
import time

_PAUSE_S = 0.02


def wait_until(condition, limit_s, describe):
    """Wait until `condition()` is true.

    Args:
        condition: called again and again; its first true value is returned.
        limit_s: seconds after which the wait has failed.
        describe: called with no argument when time is out; its text is the last state seen.
    Returns:
        The true value.
    Raises:
        AssertionError: time is out; the message holds `describe()`.
    """
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s; last state:\n{describe()}")
        select.select([], [], [], _PAUSE_S)

"""qmgr's commands about the resource limits of batch queues: what requests may ask for, and have if they do not ask.

A request takes the limits of its queue when it enters it, and keeps them: a change is for those that come later.
"""

import os

from jcq.errors import UsageError
from jcq.model.limits import LIMITS


def _set(name):
    def change(values, call, desk):
        """Set one limit; unlimited takes it away. Raises NoSuchQueue, BadValue for a pipe queue, UsageError."""
        _refuse_nice(values, desk)
        yield desk.store.edit_limit(values["queue"], {name: values[name]}, desk.now())
        return []

    return change


def _refuse_nice(values, desk):
    """No job of a site without root gets a nice value better than the site's own."""
    nice, _ = values.get("nice_process", (None, None))
    own = os.getpriority(os.PRIO_PROCESS, 0)
    if nice is not None and nice < own and not desk.as_root:
        raise UsageError(
            reason=f"set nice_value_limit: this site runs without root, and its jobs get no nice value below {own}"
        )


ACTIONS = {f"set {limit.command}": _set(limit.name) for limit in LIMITS}

"""What a request's resource limits mean for its job: from the stored text to parts of its run spec. Pure.

Sizes with a warning value have it as soft limit; so has CPU time per process, where SIGXCPU comes first then.
"""

import math
import resource

from jcq.model import limits


def rlimits(found):
    """The limits that setrlimit takes.

    Args:
        found: a set of limits, see `jcq.model.limits`.
    Returns:
        [(resource number, soft, hard)], each resource once: of two limits on file size the smaller counts.
    """
    taken = {}
    for limit in limits.LIMITS:
        if limit.name not in found or not limit.how.startswith("RLIMIT_"):
            continue
        value, warning = (math.inf if number is None else number for number in found[limit.name])
        soft, hard = taken.get(limit.how, (math.inf, math.inf))
        taken[limit.how] = (min(soft, value, warning), min(hard, value))
    return [(getattr(resource, name), _number(soft), _number(hard)) for name, (soft, hard) in taken.items()]


def _number(value):
    return resource.RLIM_INFINITY if value == math.inf else math.ceil(value)


def nice(found):
    """The nice value of the job's processes, or None where the site's own stays."""
    return found.get("nice_process", (None, None))[0]


def watched(found):
    """What the shepherd has to look at.

    Returns:
        [(kind, value or None, warning or None, words, value in words, warning in words)]: kind is `cpu`, `memory` or
        `elapsed`; the numbers are seconds or bytes.
    """
    rows = []
    for limit in limits.LIMITS:
        if limit.how != limits.WATCHED or limit.name not in found:
            continue
        value, warning = found[limit.name]
        if value is None and warning is None:
            continue
        kind = "memory" if limit.kind == limits.SIZE else limit.kind
        words = f"{limit.words} per {limit.scope}"
        rows.append((kind, value, warning, words, _words(limit, value), _words(limit, warning)))
    return rows


def _words(limit, value):
    if value is None:
        return ""
    return limits.shown(limit, value) if limit.kind == limits.SIZE else f"{value} s"

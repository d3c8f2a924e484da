"""The verb qlimit: the resource limits that requests may have, and which shell runs them.

What NQS prints is known in parts only (nqs-facts.md section 3): scope and name of a limit, its option, whether it is
enforced, the shell strategy. The columns are ours. NQS's operands, names of other hosts, are refused: NQS_SITE names
the site.
"""

from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.limit_lines import limit_lines
from jcq.options import QLIMIT, parse


def handle(call, desk):
    """Answer one qlimit.

    Returns (as a generator):
        Reply: the table.
    Raises:
        UsageError: there is an operand or an option.
    """
    parse(QLIMIT, call.args)
    yield from ()
    return Reply(out=limit_lines())

"""The verb qstatc: complexes, one a line, by name.

NEC's systems have a command of this name (nqs-facts.md section 3); its columns are not public, so these are ours.
"""

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.complex_lines import complexes_named
from jcq.options import QSTATC, parse

_HEADER = (
    "ComplexName      Limit   RUN Queues",
    "---------------- ----- ----- ----------------",
)


def handle(call, desk):
    """Show the complexes named, or all; RUN counts the requests that hold a slot.

    Returns (as a generator):
        Reply: code 1 if one was not found; the others are shown.
    """
    _, names = parse(QSTATC, call.args)
    err: list[str] = []
    found = yield from complexes_named("qstatc", names, desk, err)
    lines = [f"{one.name:<16} {one.run_limit:>5} {one.used:>5} {','.join(one.queues) or '-'}" for one in found]
    return answer([*_HEADER, *lines], err)

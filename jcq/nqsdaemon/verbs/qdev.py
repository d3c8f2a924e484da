"""The verb qdev: jcq has no devices, so it shows none."""

from jcq.nqsdaemon.call import answer
from jcq.options import QDEV, parse


def handle(call, desk):
    """Answer that there are no devices.

    Returns (as a generator):
        Reply: code 1 if a device was named.
    """
    yield from ()
    _, names = parse(QDEV, call.args)
    if names:
        return answer((), [f"qdev: no device named {name!r}: jcq has no devices" for name in names])
    return answer(["jcq has no devices."], ())

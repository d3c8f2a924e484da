"""The verb qmsg: append a line to what running requests have spooled (as PBS has it).

The daemon writes it with one write to the owner's file, which it opens as `jcq.nqsdaemon.spooled` does; the job,
whose own descriptors append too, is not disturbed.
"""

import os

from jcq.errors import NotServed, UsageError
from jcq.jcdbs.errors import WrongState
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import Order, act_on, refuse_unless_running
from jcq.nqsdaemon.spooled import STREAMS, open_output, refuse_direct
from jcq.options import QMSG, parse

MESSAGE_CHARACTERS_MAX = 1000


def handle(call, desk):
    """Send one message to each request named; returns as every verb of `jcq.nqsdaemon.orders`.

    Raises:
        UsageError: the message is empty or too long.
    """
    values, (message, *operands) = parse(QMSG, call.args)
    line = _line(message)

    def decide(request, shown, _uid):
        refuse_unless_running(request, shown)
        # All are opened before the first is written to: a message arrives whole or not at all.
        fds = []
        try:
            for ending in _endings(values, request):
                fds.append(_open(request, shown, ending, desk))
            for fd in fds:
                _append(fd, line)
        finally:
            for fd in fds:
                os.close(fd)
        return Order(None, "has been sent the message.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))


def _line(message):
    if not message.strip():
        raise UsageError(reason="the message is empty; give it first: qmsg MESSAGE REQUEST-ID ...")
    if len(message) > MESSAGE_CHARACTERS_MAX:
        raise UsageError(reason=f"the message has more than {MESSAGE_CHARACTERS_MAX} characters; shorten it")
    # Bytes that are no UTF-8 are surrogates here, and go as they came.
    clean = "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else "?" for c in message)
    return os.fsencode(f"{clean}\n")


def _endings(values, request):
    """The spooled files that get it: with -eo there is only that of standard output."""
    chosen = [key for key in ("out", "err") if key in values] or ["err"]
    return ["out"] if request.joined else chosen


def _open(request, shown, ending, desk):
    refuse_direct(request, shown, ending)
    try:
        return open_output(request, ending, desk.site, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        raise WrongState(
            detail=f"{shown} has no {STREAMS[ending]} now: it is being started or ends. Try again."
        ) from None


def _append(fd, line):
    try:
        written = os.write(fd, line)
    except OSError as error:
        raise NotServed(reason=f"the message was not written: {error.strerror}") from None
    if written < len(line):
        raise NotServed(reason="the message was not written whole: the disk is full")

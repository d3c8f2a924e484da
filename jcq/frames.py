"""Netstrings, `<length>:<bytes>,`: how a user's command and nqsdaemon speak on their socket.

A pure module that both sides load, the command on its fast path; so it imports nothing but
`jcq.errors`. What is not a netstring is refused, never guessed at.
"""

from jcq.errors import BadFrame

#: A length has at most so many digits; what is longer is garbage or an attack.
_DIGITS_MAX = 9


def netstring(payload):
    """One netstring of `payload` (bytes)."""
    return b"%d:%b," % (len(payload), payload)


class Decoder:
    """Takes bytes as they arrive and gives whole payloads; each byte is moved a constant number of times."""

    __slots__ = ("_buffer", "_limit", "_need")

    def __init__(self, limit):
        """`limit`: the greatest payload that is accepted, in bytes."""
        self._limit = limit
        self._buffer = bytearray()
        #: Length of the payload that is being collected, or -1 while its header is.
        self._need = -1

    @property
    def partial(self):
        """Whether half a netstring is waiting for the rest of it."""
        return self._need >= 0 or bool(self._buffer)

    def feed(self, data):
        """Add bytes.

        Returns:
            A list of the payloads (bytes) that are complete now.
        Raises:
            BadFrame: what came is not a netstring, or is longer than the limit; do not feed again.
        """
        self._buffer += data
        whole = []
        start = 0
        size = len(self._buffer)
        while True:
            if self._need < 0:
                length, behind = _header(self._buffer, start, size, self._limit)
                if length < 0:
                    break
                self._need = length
                start = behind
            end = start + self._need
            if end >= size:
                break
            if self._buffer[end] != 0x2C:
                raise BadFrame(reason="no comma behind a netstring")
            with memoryview(self._buffer) as view:
                whole.append(bytes(view[start:end]))
            start = end + 1
            self._need = -1
        del self._buffer[:start]
        return whole


def split(payload, most):
    """The payloads of a sequence of netstrings.

    Args:
        payload: bytes that hold whole netstrings and nothing else.
        most: how many are accepted.
    Returns:
        A list of bytes.
    Raises:
        BadFrame: it is no such sequence, or there are more.
    """
    found: list[bytes] = []
    start = 0
    size = len(payload)
    while start < size:
        length, start = _header(payload, start, size, size)
        end = start + length
        if length < 0 or end >= size or payload[end] != 0x2C:
            raise BadFrame(reason="a netstring is cut off")
        if len(found) == most:
            raise BadFrame(reason=f"more than {most} parts")
        found.append(payload[start:end])
        start = end + 1
    return found


def _header(data, start, size, limit):
    """(length, where its payload starts) of the netstring at `start`; (-1, start) if more bytes are needed."""
    colon = data.find(b":", start, start + _DIGITS_MAX + 1)
    digits = bytes(data[start : colon if colon >= 0 else min(size, start + _DIGITS_MAX + 1)])
    if (digits and not digits.isdigit()) or len(digits) > _DIGITS_MAX or (colon >= 0 and not digits):
        raise BadFrame(reason="no length where a netstring should begin")
    if colon < 0:
        return -1, start
    if len(digits) > 1 and digits[0] == 0x30:
        raise BadFrame(reason="a length begins with 0")
    length = int(digits)
    if length > limit:
        raise BadFrame(reason=f"{length} bytes are more than the limit of {limit}")
    return length, colon + 1

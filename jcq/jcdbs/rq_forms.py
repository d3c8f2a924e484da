"""How rq writes times and results, for the records of rq that our scripts write."""

import time
import zlib
from base64 import b64encode
from functools import lru_cache

from jcq.model import lifecycle


@lru_cache(maxsize=16)  # all that is told in one turn of a loop is told at one time
def rq_time(seconds):
    """A time as rq writes it: ISO 8601, UTC, microseconds."""
    whole = int(seconds)
    micro = int((seconds - whole) * 1e6)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{micro:06d}Z"


def rq_result(ended):
    """Name and value of rq's result field: the exit code as JSON, or a compressed text for a failure."""
    if ended.outcome == lifecycle.EXITED and ended.exit_code == 0:
        return "return_value", b64encode(b"0")
    how = f"exit code {ended.exit_code}" if ended.outcome == lifecycle.EXITED else f"signal {ended.signal}"
    return "exc_string", b64encode(zlib.compress(f"request {ended.id} {ended.outcome}: {how}".encode()))

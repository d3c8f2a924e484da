"""The exit record of one attempt: written before its end is reported, so that a lost report is no lost end.

After a crash it makes every point decidable: a claim without a record was interrupted, a claim with
one had ended (ha-facts.md section 5).
It is renamed into place without fsync: after a power cut the record may be missing or torn, and the
request then counts as interrupted, which no promise forbids (design section 8). Imports `os` only.
"""

import os

from jcq.durable import write_all

_TYPES = {
    "rid": str,
    "attempt": int,
    "epoch": int,
    "exit_code": int,
    "signal": int,
    "started_s": float,
    "ended_s": float,
    "cpu_s": float,
    "maxrss_kb": int,
    "stragglers": int,
}
_LAST_LINE = "end\n"


def run_file(directory, request, ending):
    """The path of a file that one attempt writes: attempt and epoch are in its name, for the spool is shared.

    Args:
        directory: the site's `output`.
        request: has `rid`, `attempt` and `epoch`.
        ending: `out`, `err` or `exit`.
    """
    return os.path.join(directory, f"{request.rid}.a{request.attempt}.e{request.epoch}.{ending}")


def write(path, record):
    """Write the record of one attempt.

    Args:
        path: where it will be; `<path>.tmp` beside it is used on the way.
        record: has at least the fields of `_TYPES`; the times in seconds since 1970, `cpu_s` user and
            system seconds, `maxrss_kb` KiB.
    Raises:
        OSError: there is no record then.
    """
    text = "".join(f"{name}={record[name]}\n" for name in _TYPES) + _LAST_LINE
    temporary = f"{path}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        write_all(fd, text.encode(errors="surrogateescape"))
    except OSError:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    os.rename(temporary, path)


def read(path):
    """Read a record.

    Returns:
        A dict of the fields that `write` was given, or None where there is none or only a torn one.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            lines = file.read(65536).splitlines(keepends=True)
    except OSError:
        return None
    if not lines or lines.pop() != _LAST_LINE:
        return None
    pairs = dict(line.rstrip("\n").partition("=")[::2] for line in lines)
    try:
        return {name: convert(pairs[name]) for name, convert in _TYPES.items()}
    except (KeyError, ValueError):
        return None

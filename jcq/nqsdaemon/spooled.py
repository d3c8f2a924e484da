"""Open what a request's running attempt has spooled, or its script: the owner's plain file, and nothing else."""

import os
import stat

from jcq.errors import NotServed
from jcq.exit_record import run_file
from jcq.jcdbs.errors import WrongState
from jcq.nqsdaemon.request_lines import output_path
from jcq.nqsdaemon.request_lines import shown as printable

#: What a stream is called, by the ending of its file.
STREAMS = {"out": "standard output", "err": "standard error"}


def refuse_direct(request, shown, ending):
    """Raise WrongState for a stream that is not spooled (-ro, -re); it says where it is.

    Args:
        request: the `Request`.
        shown: its id as people see it.
        ending: `out` or `err`.
    """
    if request.direct_out if ending == "out" else request.direct_err:
        path = printable(output_path(request, ending[0])[0])
        raise WrongState(detail=f"{shown} writes its {STREAMS[ending]} to {path} itself (-r{ending[0]}).")


def open_output(request, ending, site, mode):
    """Open the output of a request's last attempt; `ending` as `jcq.exit_record.run_file` has it, else as below."""
    return _open_plain(run_file(site.output, request, ending), request.uid, mode)


def open_script(request, site):
    """Open a request's script for reading.

    Args:
        request: the `Request`, whose uid must own the file.
        site: the `Site`.
    Returns:
        A descriptor.
    Raises:
        FileNotFoundError: there is none. NotServed: it cannot be opened, or is something else.
    """
    return _open_plain(os.path.join(site.requests, request.rid), request.uid, os.O_RDONLY)


def _open_plain(path, uid, mode):
    """A link there is not followed, and nothing that could block, a FIFO say, is waited for."""
    try:
        fd = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotServed(reason=f"{path} cannot be opened: {error.strerror}") from None
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_uid == uid:
        return fd
    os.close(fd)
    raise NotServed(reason=f"{path} is not a plain file of uid {uid}")

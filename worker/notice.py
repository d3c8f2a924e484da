"""What the site itself tells the owner of a purged request: a line at the end of its output.

The request was interrupted, and neither it nor qstat will say so later to somebody who looks into the
file only. Sources: manual 2.5.4, design section 5.
"""

import os
import stat

from jcq.exit_record import run_file
from jcq.model import lifecycle

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def leave(site, request, account):
    """Append the notice to the spooled stderr of a purged request (stdout with -eo), once; others get none.

    Args:
        site: the `Site`.
        request: to be delivered, EXITING.
        account: the `Account` of its owner, whose file it is.
    Raises:
        OSError: nothing was appended.
    """
    if request.outcome != lifecycle.PURGED or (request.direct_out if request.joined else request.direct_err):
        # A file of the owner's own (-re) is not touched with the site's rights; its owner has a mail.
        return
    line = f"jcq: request {request.id} was {request.reason}\n".encode(errors="surrogateescape")
    path = run_file(site.output, request, "out" if request.joined else "err")
    fd = os.open(path, _FLAGS, 0o600)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return
        if found.st_size == 0 and os.geteuid() == 0:
            os.fchown(fd, account.uid, account.gid)  # it was purged before anything of it ran
        end = os.pread(fd, len(line) + 1, max(0, found.st_size - len(line) - 1))
        if end.endswith(line):
            return  # an earlier delivery was interrupted
        os.write(fd, line if not end or end.endswith(b"\n") else b"\n" + line)
    finally:
        os.close(fd)

"""The log of a daemon: a rotated file below `<site>/log/`, and syslog where there is one.

A process that must not hang with the site's disk has its lines written by another one.
"""

import logging
import logging.handlers
import os
import select

from jcq.process import be_silent

_FILE_BYTES_MAX = 8 * 1024 * 1024
_FILE_BYTES_MIN = 16 * 1024
_FILES_KEPT = 5
#: One of some twenty files may take so much of its disk.
_SHARE = 1024
#: What a pipe takes in one piece.
_LINE_BYTES_MAX = 4000
#: A line that is not on the disk by then is left to itself.
_APART_LIMIT_S = 0.5


def open_log(site, program, facility="local0"):
    """Set up and return the logger of one program.

    Args:
        site: the `jcq.site.Site`, or None for syslog only.
        program: `cjcpw`, `nqsdaemon` or `worker`; also the file's name.
        facility: syslog facility, or `OFF`.
    Returns:
        A `logging.Logger`; a log that cannot be written never ends a daemon.
    """
    logging.raiseExceptions = False
    # Our lines show neither thread nor source line, which cost half of a line's time.
    logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None
    logger = logging.getLogger(f"jcq.{program}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for old in list(logger.handlers):
        logger.removeHandler(old)
    # Without any handler, logging would print to standard error, where commands say one line.
    logger.addHandler(logging.NullHandler())
    if site is not None:
        path = os.path.join(site.log, f"{program}.log")
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_file_bytes(site.log), backupCount=_FILES_KEPT, delay=True
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        logger.addHandler(handler)
    if facility.upper() != "OFF" and os.path.exists("/dev/log"):
        syslog = logging.handlers.SysLogHandler("/dev/log", facility=facility)
        syslog.setFormatter(logging.Formatter(f"jcq-{program}[%(process)d]: %(message)s"))
        logger.addHandler(syslog)
    return logger


def _file_bytes(directory):
    """How large a file may become: a small disk is not to be filled by logs."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return _FILE_BYTES_MAX
    return max(_FILE_BYTES_MIN, min(_FILE_BYTES_MAX, found.f_blocks * found.f_frsize // _SHARE))


class PipeHandler(logging.Handler):
    """Puts lines into a pipe whose other end writes them to the file; drops what the pipe does not take.

    Args:
        fd: write end of a non-blocking pipe.
    """

    def __init__(self, fd):
        super().__init__()
        self._fd = fd

    @classmethod
    def put_into(cls, logger, fd):
        """Have the lines for the logger's file go into a pipe from now on."""
        for old in [h for h in logger.handlers if isinstance(h, logging.FileHandler | PipeHandler)]:
            handler = cls(fd)
            handler.setFormatter(old.formatter)
            logger.removeHandler(old)
            logger.addHandler(handler)

    def emit(self, record):
        """Write one line."""
        try:
            os.write(self._fd, self.format(record).encode("utf-8", "replace")[:_LINE_BYTES_MAX] + b"\n")
        except OSError:
            return


class ApartHandler(logging.Handler):
    """Has each line written to a file by a process of its own, for whom a hung disk is no matter of ours.

    Args:
        file_handler: the handler of the file.
    """

    def __init__(self, file_handler):
        super().__init__()
        self._file_handler = file_handler
        self.setFormatter(file_handler.formatter)

    @classmethod
    def put_into(cls, logger):
        """Have the lines for the logger's file written apart from now on."""
        for old in [h for h in logger.handlers if isinstance(h, logging.FileHandler)]:
            logger.removeHandler(old)
            logger.addHandler(cls(old))

    def emit(self, record):
        """Write one line, or leave it behind after half a second."""
        pid = os.fork()
        if pid == 0:
            try:
                be_silent(0, 1, 2)
                append_lines(self._file_handler, self.format(record).encode("utf-8", "replace") + b"\n")
            finally:
                os._exit(0)
        pidfd = os.pidfd_open(pid)
        try:
            if select.select([pidfd], [], [], _APART_LIMIT_S)[0]:
                os.waitpid(pid, 0)
        finally:
            os.close(pidfd)


def append_lines(file_handler, lines):
    """Write formatted lines to the file of a handler, which rotates it; None: nowhere."""
    if file_handler is None:
        return
    file_handler.setFormatter(None)
    for line in lines.decode("utf-8", "replace").splitlines():
        file_handler.handle(logging.makeLogRecord({"msg": line}))

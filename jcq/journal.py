"""The log of a daemon: a rotated file below `<site>/log/`, and syslog where there is one."""

import logging
import logging.handlers
import os

_FILE_BYTES = 8 * 1024 * 1024
_FILES_KEPT = 5


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
        handler = logging.handlers.RotatingFileHandler(
            os.path.join(site.log, f"{program}.log"), maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, delay=True
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        logger.addHandler(handler)
    if facility.upper() != "OFF" and os.path.exists("/dev/log"):
        syslog = logging.handlers.SysLogHandler("/dev/log", facility=facility)
        syslog.setFormatter(logging.Formatter(f"jcq-{program}[%(process)d]: %(message)s"))
        logger.addHandler(syslog)
    return logger

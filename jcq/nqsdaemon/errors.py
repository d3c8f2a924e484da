"""Errors of nqsdaemon, see `jcq.errors`: what it refuses by itself, before the site database is asked."""

from jcq.errors import JcqError


class NoQueueGiven(JcqError):
    """No request queue specified, and no local default has been defined."""


class SameQueue(JcqError):
    """queue {name} cannot be moved to itself; nothing was changed"""


class NotInJcq(JcqError):
    """jcq has no {what}; nothing was changed"""


class ManagerFixed(JcqError):
    """{name} is always a manager of this site"""


class NoSuchAccount(JcqError):
    """no account named {name} on this node"""


class NoSuchGroup(JcqError):
    """no group named {name} on this node"""


class NoCheckpoint(JcqError):
    """jcq takes no checkpoints; a restartable request that is interrupted is run again from its beginning"""


class NoDevices(JcqError):
    """jcq has no devices and no print queues; nothing was printed"""


class DiskShort(JcqError):
    """{what} while the disk of site {site} is short of space, {free_mib} MiB free in {path}; free some and try again"""

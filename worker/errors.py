"""Errors of the far side of a dispatch, see `jcq.errors`."""

from jcq.errors import JcqError


class AccountRefused(JcqError):
    """{reason}"""


class JobNotStarted(JcqError):
    """{reason}"""


class LauncherFailed(JcqError):
    """the launcher of jobs cannot be used: {reason}"""


class MessageTooLong(JcqError):
    """the arguments and environment of a job take {size} bytes, more than a slot shepherd can be told; pass less"""


class ShepherdGone(JcqError):
    """slot shepherd {pid} takes no messages: {reason}"""

"""Errors of conversions of old spools, see `jcq.errors`."""

from jcq.errors import JcqError


class Unreadable(JcqError):
    """{path}: {reason}"""


class WrongLayout(JcqError):
    """{reason}"""


class OldSystemAlive(JcqError):
    """the old system still uses {path}: {found}; stop it, or say --old-system-stopped if that is none of it"""


class ConversionFailed(JcqError):
    """{reason}"""

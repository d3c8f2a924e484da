"""Errors: the docstring is the message, `exit_code` what the command ends with.

Fields in braces are filled from the keyword arguments of the constructor. Here is what more than one part of jcq
reports, and all that the users' commands do; each part has an `errors.py` for what is its own. This module imports
nothing and is kept short, since the users' commands load it on their fast path: 100 classes cost half a millisecond.
"""


class JcqError(Exception):
    """jcq failed"""

    exit_code = 1

    def __init__(self, **fields):
        self.fields = fields
        words = " ".join((type(self).__doc__ or type(self).__name__).split())
        super().__init__(words.format(**fields))


class UsageError(JcqError):
    """{reason}"""

    exit_code = 2


class ConfigError(JcqError):
    """{file}:{line}: {reason}"""


class SiteUnknown(JcqError):
    """Unable to setup NQS rootdir"""


class SiteNotRunning(JcqError):
    """the NQS daemon of site {site} is not running on this node; start the site with cjcpw or nqsstart"""


class SiteAway(SiteNotRunning):
    """the NQS daemon of site {site} is not running on this node, and was not within {limit_s} s: {why}"""

    #: EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    exit_code = 75


class NameNotResolved(JcqError):
    """{site} does not resolve forward and back: {reason}"""


class NotPermitted(JcqError):
    """{who} may not {what}; {rule}"""


class DatabaseUnusable(JcqError):
    """the database of site {site} cannot be used: {reason}"""

    exit_code = 5


class Fenced(JcqError):
    """this run of the site has lost it and ends itself: {reason}"""

    exit_code = 6


class BadFrame(JcqError):
    """the message to the NQS daemon is not understood: {reason}"""


class NoAnswer(JcqError):
    """no answer from the NQS daemon of site {site}; {advice}"""


class AnswerLost(NoAnswer):
    """no answer from the NQS daemon of site {site}; {advice}"""


class NotServed(JcqError):
    """{reason}"""


class PortTaken(JcqError):
    """port {port} of {address} is taken by {holder}; end that, or set another port= or ipaddress= in daemon.conf"""


class PortAddressAway(JcqError):
    """address {address} is not on this node ({reason}); bring it up, or set another ipaddress= in daemon.conf"""

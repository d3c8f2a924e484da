"""Errors of the site database, see `jcq.errors`: what its scripts refuse, each by its `code`, and what becomes of it.

`from_code` turns the text that a script answers into its exception.
"""

from jcq.errors import JcqError


class Refusal(JcqError):
    """a script of the site database refused"""

    #: What the script answers.
    code = ""


class ServerUnusable(JcqError):
    """the database server {path} cannot be used: {reason}; set jcdbs_server= in daemon.conf to another"""

    exit_code = 5


class StoreError(JcqError):
    """the site database refused {script}: {reason}"""


class RecordDamaged(JcqError):
    """the record of {detail} in the site database is damaged"""

    exit_code = 5


class OutcomeUnknown(JcqError):
    """the site database was started again while it was to do this ({what}); look with qstat whether it was done"""


class DatabaseLost(JcqError):
    """the site database does not answer: {reason}"""


# --- refusals --------------------------------------------------------------------------------


class DatabaseEmpty(Refusal):
    """the site database is empty, though this site was made: this server has not read its data, or it is lost"""

    exit_code = 5
    code = "EMPTY"


class StaleEpoch(Refusal):
    """this process belongs to an older run of the site (epoch {detail})"""

    exit_code = 6
    code = "STALE"


class NoSuchQueue(Refusal):
    """no queue named {detail} at this site"""

    code = "NOQUEUE"


class QueueExists(Refusal):
    """a queue named {detail} exists already"""

    code = "QUEUEEXISTS"


class QueueDisabled(Refusal):
    """queue {detail} is disabled and accepts no requests"""

    code = "DISABLED"


class QueueEnabled(Refusal):
    """queue {detail} is enabled; disable it first"""

    code = "ENABLED"


class QueueNotEmpty(Refusal):
    """queue {detail} still holds requests"""

    code = "NOTEMPTY"


class SiteConfigured(Refusal):
    """this site has {detail} already, so the queues that it was made with stay; use a new site"""

    code = "CONFIGURED"


class QueuePipeOnly(Refusal):
    """queue {detail} accepts requests from pipe queues only"""

    code = "PIPEONLY"


class QueueInUse(Refusal):
    """queue {detail} is named elsewhere as a destination, as the default queue or in a complex"""

    code = "INUSE"


class NoSuchDestination(Refusal):
    """{detail} is no destination of the queue"""

    code = "NODEST"


class DestinationExists(Refusal):
    """{detail} is a destination of the queue already"""

    code = "DESTEXISTS"


class SelfDestination(Refusal):
    """queue {detail} cannot be a destination of itself"""

    code = "SELF"


class ComplexExists(Refusal):
    """a complex named {detail} exists already"""

    code = "COMPLEXEXISTS"


class NoSuchComplex(Refusal):
    """no complex named {detail} at this site"""

    code = "NOCOMPLEX"


class InComplex(Refusal):
    """queue {detail} is in the complex already"""

    code = "INCOMPLEX"


class NotInComplex(Refusal):
    """queue {detail} is not in the complex"""

    code = "NOTINCOMPLEX"


class QueueClosed(Refusal):
    """queue {detail} accepts nobody's requests (no_access)"""

    code = "NOACCESS"


class QueueRestricted(Refusal):
    """queue {detail} accepts requests of users and groups in its access list only, and the owner is not in it"""

    code = "NOTLISTED"


class LimitExceeded(Refusal):
    """{detail}"""

    code = "LIMIT"


class QueueUnrestricted(Refusal):
    """queue {detail} has unrestricted access; set no_access first"""

    code = "UNRESTRICTED"


class AccessExists(Refusal):
    """{detail} has access to the queue already"""

    code = "ACCESSEXISTS"


class NoSuchAccess(Refusal):
    """{detail} is not in the access list of the queue"""

    code = "NOACCESSNOW"


class NoSuchManager(Refusal):
    """no manager or operator {detail} at this site"""

    code = "NOMANAGER"


class NoSuchRequest(Refusal):
    """Request {detail} does not exist."""

    code = "NOREQUEST"


class WrongState(Refusal):
    """Request {detail}"""

    code = "STATE"


class NotOwner(Refusal):
    """Not owner of request {detail}."""

    code = "NOTOWNER"


class HeldByOperator(Refusal):
    """Request {detail} is held by an operator; only an operator can release it."""

    code = "OPHOLD"


class RecordChanged(Refusal):
    """Request {detail} was changed by somebody else at the same time; look with qstat, and try again."""

    code = "CHANGED"


class LostClaim(Refusal):
    """request {detail} is not this attempt's any more"""

    code = "LOST"


class BadValue(Refusal):
    """{detail}"""

    code = "BADVALUE"


class InQueueAlready(BadValue):
    """{detail}"""

    code = "INQUEUE"


class SchemaNewer(Refusal):
    """the site database has schema {detail}, newer than this jcq understands; install that jcq"""

    exit_code = 5
    code = "SCHEMA"


class ImportTaken(Refusal):
    """another conversion into this site is under way ({detail}); wait for its end, or run spoolconv again"""

    code = "IMPORT"


def from_code(script, text, words=None):
    """Turn the error text of a script into its exception.

    Args:
        script: name of the Lua file that answered.
        text: `CODE detail`, as `fail()` of the kernel writes it.
        words: {code: function that makes words of the detail}, for codes whose detail is none.
    Returns:
        The exception, to be raised by the caller; `StoreError` where the code is not known.
    """
    code, _, detail = text.partition(" ")
    for kind in _kinds(Refusal):
        if kind.code == code:
            return kind(detail=words[code](detail) if words and code in words else detail)
    return StoreError(script=script, reason=text)


def _kinds(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _kinds(sub)

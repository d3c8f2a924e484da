"""Every error that jcq reports: the docstring is the message, `exit_code` what the command ends with.

Fields in braces are filled from the keyword arguments of the constructor. A script of the site
database reports an error by its `code`; `from_code` turns it into the exception. This module
imports nothing, since the users' commands load it on their fast path.
"""


class JcqError(Exception):
    """jcq failed"""

    exit_code = 1
    #: What a script of the site database answers for this error; empty for all others.
    code = ""

    def __init__(self, **fields):
        self.fields = fields
        words = " ".join((type(self).__doc__ or type(self).__name__).split())
        super().__init__(words.format(**fields))


class UsageError(JcqError):
    """{reason}"""

    exit_code = 2


class ConfigError(JcqError):
    """{file}:{line}: {reason}"""


# --- sites -----------------------------------------------------------------------------------


class SiteUnknown(JcqError):
    """Unable to setup NQS rootdir"""


class SiteNotRunning(JcqError):
    """the NQS daemon of site {site} is not running on this node; start the site with cjcpw or nqsstart"""


class SiteAway(SiteNotRunning):
    """the NQS daemon of site {site} is not running on this node, and was not within {limit_s} s: {why}"""

    #: EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    exit_code = 75


class SiteRefused(JcqError):
    """{reason}"""


class NameNotResolved(JcqError):
    """{site} does not resolve forward and back: {reason}"""


class NotPermitted(JcqError):
    """{who} may not {what}; {rule}"""


class OwnedElsewhere(JcqError):
    """the database of site {site} is owned by {host}, cjcpw {pid}, epoch {epoch}"""

    exit_code = 3


class AlreadyRunning(JcqError):
    """site {site} is already running on this node"""

    exit_code = 4


class DatabaseUnusable(JcqError):
    """the database of site {site} cannot be used: {reason}"""

    exit_code = 5


class NoSuchEpoch(UsageError):
    """site {site} has no epoch {wanted} to start from; there are: {found}"""


class DatabaseEmpty(JcqError):
    """the site database is empty, though this site was made: this server has not read its data, or it is lost"""

    exit_code = 5
    code = "EMPTY"


class ServerUnusable(JcqError):
    """the database server {path} cannot be used: {reason}; set jcdbs_server= in daemon.conf to another"""

    exit_code = 5


class Fenced(JcqError):
    """this run of the site has lost it and ends itself: {reason}"""

    exit_code = 6


class OwnerNotNamed(UsageError):
    """--force needs the name of the owner to be replaced; the record of site {site} names {host}, not {given}"""


class DetachedFailed(JcqError):
    """{reason}"""


class OutputSpoolUnusable(JcqError):
    """output_spool={path} of daemon.conf cannot be used: {reason}"""

    exit_code = 5


class StartTimeout(JcqError):
    """site {site} did not start within {limit_s} s: {what} was not ready"""

    exit_code = 7


# --- the users' commands ---------------------------------------------------------------------


class BadFrame(JcqError):
    """the message to the NQS daemon is not understood: {reason}"""


class NoAnswer(JcqError):
    """no answer from the NQS daemon of site {site}; {advice}"""


class AnswerLost(NoAnswer):
    """no answer from the NQS daemon of site {site}; {advice}"""


class NotServed(JcqError):
    """{reason}"""


class NoQueueGiven(JcqError):
    """No request queue specified, and no local default has been defined."""


class QuickstartFailed(JcqError):
    """{reason}"""


# --- making and starting sites -----------------------------------------------------------------


class PathMissing(SiteRefused):
    """{path} does not exist or is no directory; create it, or mount its disk, first"""


class PathTaken(SiteRefused):
    """{path} exists already; choose another path, or delete what is there first if nobody needs it"""


class NamesTaken(SiteRefused):
    """{path} is an old spool with {names} of its own, where a site has its files; choose another path"""


class PathOverlaps(SiteRefused):
    """{path} is, contains or lies in the path of site {other}, {other_path}; choose a path apart from it"""


class PathReadOnly(SiteRefused):
    """{path} cannot be written by {who}: {reason}"""


class PathFull(SiteRefused):
    """{path} has {free_mib} MiB and {free_files} files free, a site needs {needed_mib} MiB and {needed_files} files"""


class PathHidden(SiteRefused):
    """other users cannot pass through {path} (mode {mode}); chmod o+x {path}"""


class PathBad(SiteRefused):
    """{path} cannot be a site's path: it must have no control characters"""


class MachineIdTaken(SiteRefused):
    """machine id {machine_id} belongs to site {other} ({other_path}) already; choose another one"""


class AddressNotHere(SiteRefused):
    """address {address} of site {site} is not on this node ({reason}); bring it up first"""


class LinkTaken(SiteRefused):
    """{link} leads to {target}, {what}; remove the link if that site is not to come back"""


class LocalSiteInTheWay(SiteRefused):
    """the local site runs, started without local_daemon; set local_daemon=SITE or OFF in {file} and restart it"""


class OwnName(SiteRefused):
    """{site} is this machine's own name, which means the local site; make that one with jcq install --machine-id"""


class WrongSite(SiteRefused):
    """{path} is the database of site {found}, not of {site}"""


class WrongRoot(SiteRefused):
    """{path} is a local site; start it with its host name and {expected}"""


class MachineIdDiffers(SiteRefused):
    """the local site exists and has machine id {found}, not {machine_id}; a site keeps its machine id for good"""


class NotOurs(JcqError):
    """{path} is not of jcq's making, so nothing was changed; move it away, or lay the commands below --prefix DIR"""


class SiteNotFound(SiteRefused):
    """no site named {site} is known on this node; see cjcls -a"""


class FileInTheWay(JcqError):
    """{path} is there and differs from what would be written; remove it, or name another directory with --output"""


class PortTaken(JcqError):
    """port {port} of {address} is taken by {holder}; end that, or set another port= or ipaddress= in daemon.conf"""


class PortAddressAway(JcqError):
    """address {address} is not on this node ({reason}); bring it up, or set another ipaddress= in daemon.conf"""


class NoPort(UsageError):
    """{name} has no port to hold: port=0 in its daemon.conf"""


class KeeperFailed(JcqError):
    """the port keeper did not start: {reason}"""


class KeeperStays(JcqError):
    """SIGKILL does not end nqsportkpr[{pid}]"""


class StopIncomplete(JcqError):
    """site {site} is not gone from this node: {what}"""


class DaemonDied(JcqError):
    """{what} of site {site} {how}"""


class ControlFailed(JcqError):
    """cjcpw of site {site} answers: {reason}"""


# --- running requests -------------------------------------------------------------------------


class AccountRefused(JcqError):
    """{reason}"""


# --- the site database -----------------------------------------------------------------------


class StoreError(JcqError):
    """the site database refused {script}: {reason}"""


class StaleEpoch(JcqError):
    """this process belongs to an older run of the site (epoch {detail})"""

    exit_code = 6
    code = "STALE"


class RecordDamaged(JcqError):
    """the record of {detail} in the site database is damaged"""

    exit_code = 5


class NoSuchQueue(JcqError):
    """no queue named {detail} at this site"""

    code = "NOQUEUE"


class QueueExists(JcqError):
    """a queue named {detail} exists already"""

    code = "QUEUEEXISTS"


class QueueDisabled(JcqError):
    """queue {detail} is disabled and accepts no requests"""

    code = "DISABLED"


class QueueEnabled(JcqError):
    """queue {detail} is enabled; disable it first"""

    code = "ENABLED"


class QueueNotEmpty(JcqError):
    """queue {detail} still holds requests"""

    code = "NOTEMPTY"


class SiteConfigured(JcqError):
    """this site has {detail} already, so the queues that it was made with stay; use a new site"""

    code = "CONFIGURED"


class QueuePipeOnly(JcqError):
    """queue {detail} accepts requests from pipe queues only"""

    code = "PIPEONLY"


class QueueInUse(JcqError):
    """queue {detail} is named elsewhere as a destination, as the default queue or in a complex"""

    code = "INUSE"


class NoSuchDestination(JcqError):
    """{detail} is no destination of the queue"""

    code = "NODEST"


class DestinationExists(JcqError):
    """{detail} is a destination of the queue already"""

    code = "DESTEXISTS"


class SameQueue(JcqError):
    """queue {name} cannot be moved to itself; nothing was changed"""


class SelfDestination(JcqError):
    """queue {detail} cannot be a destination of itself"""

    code = "SELF"


class ComplexExists(JcqError):
    """a complex named {detail} exists already"""

    code = "COMPLEXEXISTS"


class NoSuchComplex(JcqError):
    """no complex named {detail} at this site"""

    code = "NOCOMPLEX"


class InComplex(JcqError):
    """queue {detail} is in the complex already"""

    code = "INCOMPLEX"


class NotInComplex(JcqError):
    """queue {detail} is not in the complex"""

    code = "NOTINCOMPLEX"


class QueueClosed(JcqError):
    """queue {detail} accepts nobody's requests (no_access)"""

    code = "NOACCESS"


class QueueRestricted(JcqError):
    """queue {detail} accepts requests of users and groups in its access list only, and the owner is not in it"""

    code = "NOTLISTED"


class LimitExceeded(JcqError):
    """{detail}"""

    code = "LIMIT"


class QueueUnrestricted(JcqError):
    """queue {detail} has unrestricted access; set no_access first"""

    code = "UNRESTRICTED"


class AccessExists(JcqError):
    """{detail} has access to the queue already"""

    code = "ACCESSEXISTS"


class NoSuchAccess(JcqError):
    """{detail} is not in the access list of the queue"""

    code = "NOACCESSNOW"


class NotInJcq(JcqError):
    """jcq has no {what}; nothing was changed"""


class NoSuchManager(JcqError):
    """no manager or operator {detail} at this site"""

    code = "NOMANAGER"


class ManagerFixed(JcqError):
    """{name} is always a manager of this site"""


class NoSuchAccount(JcqError):
    """no account named {name} on this node"""


class NoSuchGroup(JcqError):
    """no group named {name} on this node"""


class NoSuchRequest(JcqError):
    """Request {detail} does not exist."""

    code = "NOREQUEST"


class WrongState(JcqError):
    """Request {detail}"""

    code = "STATE"


class NotOwner(JcqError):
    """Not owner of request {detail}."""

    code = "NOTOWNER"


class HeldByOperator(JcqError):
    """Request {detail} is held by an operator; only an operator can release it."""

    code = "OPHOLD"


class RecordChanged(JcqError):
    """Request {detail} was changed by somebody else at the same time; look with qstat, and try again."""

    code = "CHANGED"


class NoCheckpoint(JcqError):
    """jcq takes no checkpoints; a restartable request that is interrupted is run again from its beginning"""


class NoDevices(JcqError):
    """jcq has no devices and no print queues; nothing was printed"""


class OutcomeUnknown(JcqError):
    """the site database was started again while it was to do this ({what}); look with qstat whether it was done"""


class DatabaseLost(JcqError):
    """the site database does not answer: {reason}"""


class DiskShort(JcqError):
    """{what} while the disk of site {site} is short of space, {free_mib} MiB free in {path}; free some and try again"""


class LostClaim(JcqError):
    """request {detail} is not this attempt's any more"""

    code = "LOST"


class BadValue(JcqError):
    """{detail}"""

    code = "BADVALUE"


class InQueueAlready(BadValue):
    """{detail}"""

    code = "INQUEUE"


class SchemaNewer(JcqError):
    """the site database has schema {detail}, newer than this jcq understands; install that jcq"""

    exit_code = 5
    code = "SCHEMA"


# --- the far side of a dispatch --------------------------------------------------------------


class JobNotStarted(JcqError):
    """{reason}"""


class LauncherFailed(JcqError):
    """the launcher of jobs cannot be used: {reason}"""


class MessageTooLong(JcqError):
    """the arguments and environment of a job take {size} bytes, more than a slot shepherd can be told; pass less"""


class ShepherdGone(JcqError):
    """slot shepherd {pid} takes no messages: {reason}"""


# --- old spools ------------------------------------------------------------------------------


class Unreadable(JcqError):
    """{path}: {reason}"""


class WrongLayout(JcqError):
    """{reason}"""


class DumpFailed(JcqError):
    """{reason}; nothing was written"""


class ImportTaken(JcqError):
    """another conversion into this site is under way ({detail}); wait for its end, or run spoolconv again"""

    code = "IMPORT"


class OldSystemAlive(JcqError):
    """the old system still uses {path}: {found}; stop it, or say --old-system-stopped if that is none of it"""


class ConversionFailed(JcqError):
    """{reason}"""


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
    for kind in _kinds(JcqError):
        if kind.code and kind.code == code:
            return kind(detail=words[code](detail) if words and code in words else detail)
    return StoreError(script=script, reason=text)


def _kinds(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _kinds(sub)

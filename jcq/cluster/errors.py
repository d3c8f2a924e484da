"""Errors of sites, see `jcq.errors`: how they are made, owned, started and stopped."""

from jcq.errors import JcqError, UsageError


class SiteRefused(JcqError):
    """{reason}"""


class OwnedElsewhere(JcqError):
    """the database of site {site} is owned by {host}, cjcpw {pid}, epoch {epoch}"""

    exit_code = 3


class AlreadyRunning(JcqError):
    """site {site} is already running on this node"""

    exit_code = 4


class NoSuchEpoch(UsageError):
    """site {site} has no epoch {wanted} to start from; there are: {found}"""


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


# --- making and starting sites ---------------------------------------------------------------


class PathMissing(SiteRefused):
    """{path} does not exist or is no directory; create it, or mount its disk, first"""


class PathTaken(SiteRefused):
    """{path} exists already; choose another path, or delete the old site or what else is there first"""


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


class DumpFailed(JcqError):
    """{reason}; nothing was written"""

"""daemon.conf and site.conf: `key=value` lines become frozen settings; what is not understood is warned about.

Sources: manual 2.1.5 (site.conf), 2.3.6 and 2.5.5 (daemon.conf: local_daemon, ipaddress, maintenance).
The common daemon.conf is read first, the site's own file overrides it.
"""

import os
from dataclasses import dataclass, fields, replace

from jcq.errors import ConfigError
from jcq.site import lib, packed_address


@dataclass(frozen=True)
class DaemonConf:
    """Settings of daemon.conf, common (`/usr/lib/nqs/rc`) and per site."""

    #: Address on which the site waits for communication; empty: see `jcq.nqs_port.listen_address`.
    ipaddress: str = ""
    #: Port of the site; 0: none.
    port: int = 607
    #: `SITE`: local and cluster sites together; `OFF`: no local site at boot; empty: unset.
    local_daemon: str = ""
    #: Only cjcpw starts; the daemons stay down.
    maintenance: bool = False
    #: Name of this node; empty: node name and machine-id.
    node_id: str = ""
    #: Path of the server binary; empty: the embedded one.
    jcdbs_server: str = ""
    #: Where output waits for its delivery; empty: in the site's own directory.
    output_spool: str = ""
    #: How long an ended request stays visible.
    retention_s: int = 7 * 24 * 3600
    #: The program that sends mail, run as `sendmail -oi -f SENDER RECIPIENT`; empty: none is sent.
    sendmail: str = "/usr/sbin/sendmail"
    #: `HOST` or `HOST:PORT` of an SMTP server, in place of `sendmail`.
    smtp: str = ""
    #: Where logs go beside the site's own files: a syslog facility, or `OFF`.
    syslog: str = "local0"


@dataclass(frozen=True)
class SiteConf:
    """Settings of site.conf: time limits, and what a stop may kill."""

    #: The site must be ready within this time.
    boot_timeout_s: float = 150.0
    #: A stop gives up after this time.
    stop_timeout_s: float = 90.0
    #: Between SIGTERM and SIGKILL of a job at a stop.
    forcekill_time_s: float = 5.0
    #: Without a heartbeat on the disk for this time the site ends itself.
    fence_timeout_s: float = 20.0
    #: `ALL`: a stop kills whoever has files open below the site; empty: it lists them.
    sweep: str = ""


_PORT_MAX = 65535
_SITE_KEYS = {
    "BOOT_TIMEOUT": "boot_timeout_s",
    "STOP_TIMEOUT": "stop_timeout_s",
    "FORCEKILL_TIME": "forcekill_time_s",
    "FENCE_TIMEOUT": "fence_timeout_s",
    "SWEEP": "sweep",
}
#: Smallest values of those that have one above 0.
_LEAST = {"FENCE_TIMEOUT": 1}
_DAEMON_KEYS = {field.name.removesuffix("_s"): field.name for field in fields(DaemonConf)}


def read_daemon_conf(root, site_directory=None):
    """Read the common daemon.conf and, if a site is given, the site's own.

    Args:
        root: see `jcq.site.root_directory`.
        site_directory: the site's directory, or None.
    Returns:
        (DaemonConf, [warning lines `file:line: ...`]).
    Raises:
        ConfigError: a known key has a value that cannot be understood.
    """
    conf, warnings = DaemonConf(), []
    files = [lib(root, "rc", "daemon.conf")]
    if site_directory:
        files.append(os.path.join(site_directory, "daemon.conf"))
    for file in files:
        conf = _apply(conf, file, _DAEMON_KEYS, warnings)
    return conf, warnings


def read_site_conf(site_directory):
    """Read site.conf; returns and raises as `read_daemon_conf`."""
    warnings = []
    conf = _apply(SiteConf(), os.path.join(site_directory, "site.conf"), _SITE_KEYS, warnings)
    return conf, warnings


def _apply(conf, file, keys, warnings):
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return conf
    except OSError as error:
        raise ConfigError(file=file, line=0, reason=error.strerror) from error
    changes = {}
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            warnings.append(f"{file}:{number}: no '=' in {text!r}, line ignored")
        elif key not in keys:
            warnings.append(f"{file}:{number}: unknown key {key!r}, line ignored")
        else:
            name = keys[key]
            changes[name] = _value(file, number, key, value, getattr(conf, name))
    return replace(conf, **changes)


def _value(file, number, key, value, example):
    """Convert to the type of `example`, which is the setting's present value."""
    if isinstance(example, bool):
        if value.upper() in ("ON", "OFF"):
            return value.upper() == "ON"
        raise ConfigError(file=file, line=number, reason=f"{key} must be ON or OFF, not {value!r}")
    if isinstance(example, int | float):
        try:
            found = type(example)(value)
        except ValueError:
            found = -1
        least = _LEAST.get(key, 0)
        if not least <= found <= 10**9:
            raise ConfigError(file=file, line=number, reason=f"{key} must be a number from {least}, not {value!r}")
        if key == "port" and found > _PORT_MAX:
            raise ConfigError(file=file, line=number, reason=f"port must be a number to {_PORT_MAX}, not {value!r}")
        return found
    if key == "local_daemon":
        if value.upper() not in ("SITE", "OFF", ""):
            raise ConfigError(file=file, line=number, reason=f"{key} must be SITE or OFF, not {value!r}")
        return value.upper()
    if key == "smtp" and value:
        host, colon, port = value.rpartition(":")
        if colon and not (host and port.isascii() and port.isdigit() and 0 < int(port) <= _PORT_MAX):
            raise ConfigError(file=file, line=number, reason=f"smtp must be HOST or HOST:PORT, not {value!r}")
        return value
    if key == "SWEEP":
        if value.upper() not in ("ALL", ""):
            raise ConfigError(file=file, line=number, reason=f"{key} must be ALL or empty, not {value!r}")
        return value.upper()
    if key == "ipaddress" and value and packed_address(value) is None:
        reason = f"ipaddress must be an IPv4 or IPv6 address, not {value!r}"
        raise ConfigError(file=file, line=number, reason=reason)
    return value

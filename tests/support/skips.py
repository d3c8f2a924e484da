"""The skips that are allowed, each with the reason that it prints; `--strict-skips` fails on any other."""

import os
import re

#: Reasons of tests that cannot run here and are covered by another run of `.ci/run`.
NEEDS_ROOT = "needs root: users of its own and private mounts"
NEEDS_ORDINARY_USER = "needs an ordinary user: root may do everything"
#: Reason of a test of the Store that one of its backends cannot run.
NEEDS_COMMANDSTATS = "needs a server that counts commands: fakeredis does not"
#: Reasons of tests that need what a machine may lack.
NEEDS_REDIS = "needs a redis-server of the system, 7.0 or newer"
NEEDS_SBATCH = "needs sbatch on this machine"
NEEDS_LOOP = "needs loop devices and ext4"
NEEDS_DB_DUMP = "needs db5.3_dump of Debian's db5.3-util"
NEEDS_AT = "needs at and batch on this machine"
NEEDS_GRIDENGINE = "needs Grid Engine of Debian, unpacked where GRIDENGINE says"
NEEDS_CGROUP = "needs cgroup v2, and the right to make one"
NEEDS_SHELLCHECK = "needs shellcheck on this machine"
NEEDS_OCF_TESTER = "needs ocf-tester of resource-agents, and xmllint"
NEEDS_PACEMAKER = "needs Debian's pacemaker, corosync, crmsh, resource-agents and iproute2"
NEEDS_SYSTEMD = "needs systemd-analyze on this machine"
NEEDS_COMPILER = "needs a C compiler and libc's headers"

_OF_PACKAGES = (
    NEEDS_REDIS,
    NEEDS_SBATCH,
    NEEDS_SHELLCHECK,
    NEEDS_OCF_TESTER,
    NEEDS_PACEMAKER,
    NEEDS_SYSTEMD,
    NEEDS_COMPILER,
    NEEDS_DB_DUMP,
    NEEDS_AT,
    NEEDS_GRIDENGINE,
)
_ROOT = (NEEDS_ORDINARY_USER, NEEDS_COMMANDSTATS, NEEDS_LOOP, NEEDS_CGROUP, *_OF_PACKAGES)
_ORDINARY = (NEEDS_ROOT, NEEDS_COMMANDSTATS, *_OF_PACKAGES)


def allowed(reason):
    """Whether a test may be skipped for this reason when run as this user."""
    text = re.sub(r"^Skipped: ", "", reason)
    return text.startswith(_ROOT if os.geteuid() == 0 else _ORDINARY)

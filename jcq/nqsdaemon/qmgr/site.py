"""qmgr's commands about the site as a whole: parameters, managers, shutdown.

Functions take and return what those of `jcq.nqsdaemon.qmgr.queues` do.
"""

import os
import pwd
import sys

from jcq.errors import UsageError
from jcq.nqsdaemon.call import PATH_BYTES_MAX
from jcq.nqsdaemon.errors import ManagerFixed, NoSuchAccount
from jcq.nqsdaemon.qmgr.show import always_managers

#: What the process that stops the site gets of our environment; never JCQ_SITE or JCQ_EPOCH, which
#: mark what a stop kills.
_PASSED_ON = ("HOME", "JCQ_ROOT", "LANG", "PATH", "TZ")


# --- parameters ------------------------------------------------------------------------------


def _param(name, key):
    def change(values, call, desk):
        """Set one parameter of the site; without a value, unset it. Raises NoSuchQueue for a default queue."""
        yield desk.store.set_param(name, values[key] if key else "", desk.now())
        return []

    return change


def _param_of(name, key, factor):
    def change(values, call, desk):
        """Set one parameter of the site to the value given, in seconds."""
        yield desk.store.set_param(name, values[key] * factor, desk.now())
        return []

    return change


def _strategy(value):
    def change(values, call, desk):
        """Set the shell strategy to a word."""
        yield desk.store.set_param("shell_strategy", value, desk.now())
        return []

    return change


def fixed_strategy(values, call, desk):
    """Let one program run all scripts that name no shell. Raises UsageError where this node has no such program."""
    path = values["program"]
    if not path.startswith("/") or not path.isprintable() or len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise UsageError(reason=f"set shell_strategy fixed: the absolute path of a shell is needed, not {path!r}")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise UsageError(reason=f"set shell_strategy fixed: {path} is no executable file on this node")
    yield desk.store.set_param("shell_strategy", path, desk.now())
    return []


# --- managers --------------------------------------------------------------------------------


def _managers(mode):
    def change(values, call, desk):
        """Change managers and operators, all or none.

        Accounts must exist on this node, so that a slip of the pen gives nobody rights; one that is
        gone can still be deleted. Raises ManagerFixed, NoSuchAccount, NoSuchManager.
        """
        pairs = list(values["managers"])
        fixed = always_managers(desk.identity)
        for name, role in pairs:
            if name in fixed and (mode == "delete" or role != "m"):
                raise ManagerFixed(name=name)
            if mode != "delete" and not _account_exists(name):
                raise NoSuchAccount(name=name)
        if mode == "set":
            pairs += [(name, "m") for name in fixed if name not in dict(pairs)]
        yield desk.store.edit_managers(mode, pairs)
        return []

    return change


def _account_exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


# --- shutdown --------------------------------------------------------------------------------


def shutdown(values, call, desk):
    """Stop the site by `cjcpw -stop`, in a process of its own: it outlives this daemon, which it stops."""
    yield from ()
    argv = [sys.executable, "-I", "-m", "jcq.cli.cjcpw", "-stop", desk.identity.name]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    pid = os.posix_spawn(sys.executable, argv, environment, file_actions=null, setsid=True)
    desk.log.info("qmgr: shutdown by %s (uid %d): cjcpw -stop is pid %d", call.who, call.uid, pid)
    if "seconds" in values:
        return ["the grace time is FORCEKILL_TIME of site.conf, not the seconds given here"]
    return []


ACTIONS = {
    "add managers": _managers("add"),
    "delete managers": _managers("delete"),
    "set default batch_request priority": _param("default_priority", "priority"),
    "set default batch_request queue": _param("default_queue", "queue"),
    "set default destination_retry time": _param_of("retry_time_s", "hours", 3600),
    "set default destination_retry wait": _param_of("retry_wait_s", "minutes", 60),
    "set global_run_limit": _param("run_limit", "run_limit"),
    "set managers": _managers("set"),
    "set lifetime": _param_of("lifetime_s", "hours", 3600),
    "set mail": _param("mail_account", "address"),
    "set no_default batch_request queue": _param("default_queue", ""),
    "set retention": _param_of("retention_s", "hours", 3600),
    "set shell_strategy fixed": fixed_strategy,
    "set shell_strategy free": _strategy("FREE"),
    "set shell_strategy login": _strategy("LOGIN"),
    "shutdown": shutdown,
}

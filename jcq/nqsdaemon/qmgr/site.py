"""qmgr's commands about the site as a whole: parameters, managers, requests, shutdown.

Functions take and return what those of `jcq.nqsdaemon.qmgr.queues` do.
"""

import os
import pwd
import sys

from jcq.errors import JcqError, ManagerFixed, NoSuchAccount, NoSuchRequest
from jcq.nqsdaemon.qmgr.show import always_managers
from jcq.nqsdaemon.requestid import is_this_site

#: What the process that stops the site gets of our environment; never JCQ_SITE or JCQ_EPOCH, which
#: mark what a stop kills.
_PASSED_ON = ("HOME", "JCQ_ROOT", "LANG", "PATH", "TZ")


class Refusals(Exception):
    """Some of several requests could not be acted on; `errors` has why, one each."""

    def __init__(self, errors):
        super().__init__(len(errors))
        self.errors = errors


# --- parameters ------------------------------------------------------------------------------


def _param(name, key):
    def change(values, call, desk):
        """Set one parameter of the site; without a value, unset it. Raises NoSuchQueue for a default queue."""
        yield desk.store.set_param(name, values[key] if key else "", desk.now())
        return []

    return change


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


# --- requests --------------------------------------------------------------------------------


def _requests(order):
    def change(values, call, desk):
        """Act on each request as an operator, whoever owns it. Raises Refusals for those that could not be."""
        errors: list[JcqError] = []
        tried, ops = [], []
        for wanted in values["requests"]:
            if wanted.site and not is_this_site(wanted.site, desk.identity):
                errors.append(NoSuchRequest(detail=f"{wanted.seq}.{wanted.site}"))
                continue
            tried.append(wanted)
            ops.append(order(f"{desk.identity.machine_id}-{wanted.seq}", call, desk))
        results = (yield ops) if ops else []
        for wanted, result in zip(tried, results, strict=True):
            if isinstance(result, NoSuchRequest):
                result = NoSuchRequest(detail=f"{wanted.seq}.{desk.identity.name}")
            if isinstance(result, JcqError):
                errors.append(result)
        if errors:
            raise Refusals(errors)
        return []

    return change


def _hold(rid, call, desk):
    return desk.store.hold(rid, f"held by {call.who}", -1, desk.now())


def _release(rid, call, desk):
    return desk.store.release(rid, -1, desk.now())


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
    "hold request": _requests(_hold),
    "release request": _requests(_release),
    "set default batch_request priority": _param("default_priority", "priority"),
    "set default batch_request queue": _param("default_queue", "queue"),
    "set global_run_limit": _param("run_limit", "run_limit"),
    "set managers": _managers("set"),
    "set no_default batch_request queue": _param("default_queue", ""),
    "shutdown": shutdown,
}

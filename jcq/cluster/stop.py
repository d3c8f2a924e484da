"""Stopping a site on this node, and pausing and resuming it under its cjcpw (manual 2.1.4, 2.3.7, 2.5.5).

A living cjcpw, or what stands in its place after `cjcpw -c`, is asked; where it was killed, this kills what
is left. In both cases nothing is said to be stopped before the last process is seen to be gone. Another
node's run of the same database is never touched: `-stop` on a standby is harmless.
"""

import os
import signal
from contextlib import contextmanager

from jcq.cluster import control, locks, owner, record, sweep
from jcq.cluster.errors import ControlFailed, StopIncomplete
from jcq.config import SiteConf, read_site_conf
from jcq.errors import ConfigError, JcqError, NotPermitted
from jcq.process import wait_gone

#: cjcpw gives up after STOP_TIMEOUT and kills; it gets this much longer to do so.
_MARGIN_S = 10.0
#: A stop is answered at once. One that is stuck is killed after three times this: cluster software gives a stop 120 s,
#: and fences the node that needs longer.
_ANSWER_LIMIT_S = 10.0
#: What SIGKILL does not end within this is in D state.
_KILL_LIMIT_S = 5.0
#: Others may be just closing their files.
_OTHERS_LIMIT_S = 1.0


def stop(site, root, log):
    """Stop everything of a site on this node, cjcpw included.

    Args:
        site: the `jcq.site.Site`; its disk may be away.
        root: see `jcq.site.root_directory`.
        log: logger; what is refused or fails is said there too.
    Returns:
        True, or False where nothing of it was running here.
    Raises:
        NotPermitted: neither root nor the uid that made the site.
        StopIncomplete: something of it is still there, or others have files open below it.
    """
    with _logged(site, "-stop", log):
        return _stop(site, root, log)


def _stop(site, root, log):
    _check_permission(site, "stop it")
    if not os.path.isdir(site.database):
        return _sweep(site, root, log)
    if _runs_elsewhere(site, root):
        # What an old run of this node left is ours to end; the other node's run is not.
        return _sweep(site, root, log, with_holders=False)
    limits = _limits(site, log)
    # Daemons never outlive the process on top, but for what hangs with the disk: all that is left is killed.
    stopped = _stop_cjcpw(site, limits, log)
    stopped = _sweep(site, root, log) or stopped
    _say_released(site, log)
    others = _in_the_way(site, limits, log) if stopped else []
    if others:
        what = "the site has stopped, but others are in the way of its disk: " + ", ".join(map(str, others))
        raise StopIncomplete(site=site.name, what=what)
    return stopped


def pause(site, root, log):
    """nqsstop: stop the daemons; a living cjcpw stays. Returns and raises as `stop`, and `ControlFailed`."""
    with _logged(site, "nqsstop", log):
        _check_permission(site, "stop it")
        if _runs_elsewhere(site, root) or not record.read(site).monitored:
            return _stop(site, root, log)
        if _ask(site, control.PAUSE, _limits(site, log).stop_timeout_s + _MARGIN_S) is None:
            return _stop(site, root, log)
        return True


def resume(site, root, log):
    """nqsstart under a living cjcpw: start the daemons again.

    Args:
        site: the `jcq.site.Site`.
        root: see `jcq.site.root_directory`.
        log: logger.
    Returns:
        Whether there is a cjcpw.
    Raises:
        ControlFailed: they could not be started, with cjcpw's reason.
    """
    with _logged(site, "nqsstart", log):
        _check_permission(site, "start it")
        if not os.path.isdir(site.database) or _runs_elsewhere(site, root):
            return False
        return _ask(site, control.RESUME, _limits(site, log).boot_timeout_s + _MARGIN_S) is not None


@contextmanager
def _logged(site, what, log):
    try:
        yield
    except JcqError as error:
        log.error("site %s: %s, asked by uid %d: %s", site.name, what, os.getuid(), error)
        raise


def _limits(site, log):
    """site.conf; a mistake in it is no reason not to stop."""
    try:
        return read_site_conf(site.directory)[0]
    except ConfigError as error:
        log.warning("site %s: the defaults are used: %s", site.name, error)
        return SiteConf()


def _ask(site, word, limit_s):
    client = control.connect(site)
    if client is None:
        return None
    try:
        answer = client.ask(word, limit_s)
    finally:
        client.close()
    if answer is None:
        raise ControlFailed(site=site.name, reason=f"nothing within {limit_s:g} s, or it has ended; see cjcls")
    code, text = answer
    if code:
        raise ControlFailed(site=site.name, reason=text)
    return text


def _check_permission(site, what):
    """Root, and the uid that made the site."""
    uid = os.geteuid()
    try:
        owner_uid = os.stat(site.database).st_uid
    except OSError:
        return
    if uid not in (0, owner_uid):
        raise NotPermitted(
            who=f"uid {uid}", what=what, rule=f"only root and uid {owner_uid}, which made site {site.name}, may"
        )


def _runs_elsewhere(site, root):
    """Whether another node is the owner, so that nothing of the site can be here."""
    now = owner.read(site)
    return now.state == owner.RUNNING and not now.on_this_node(root)


def _stop_cjcpw(site, limits, log):
    """Ask cjcpw to stop and wait for its end; False where none lives."""
    client = control.connect(site)
    if client is not None:
        pid = client.pid
    else:
        # One that is just starting, or ends, has no socket.
        alive = record.read(site).alive(site.root)
        pid = alive.get(record.CJCPW) or alive.get(record.TOP)
        if pid is None:
            return False
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    answer_limit_s = min(_ANSWER_LIMIT_S, limits.stop_timeout_s)
    limit_s = limits.stop_timeout_s + _MARGIN_S
    try:
        if client is None:
            _send(pidfd, signal.SIGTERM)
        elif client.ask(control.STOP, answer_limit_s) is None:
            _send(pidfd, signal.SIGTERM)
            # What has woken up by now stops the site, and says so.
            if wait_gone([pidfd], answer_limit_s) and not _answers(site, answer_limit_s):
                limit_s = 0.0
        if wait_gone([pidfd], limit_s):
            log.warning("site %s: cjcpw[%d] did not end in time and is killed", site.name, pid)
            _send(pidfd, signal.SIGKILL)
            wait_gone([pidfd], _KILL_LIMIT_S)
    finally:
        os.close(pidfd)
        if client is not None:
            client.close()
    return True


def _answers(site, limit_s):
    client = control.connect(site)
    if client is None:
        return False
    try:
        return client.ask(control.STATE, limit_s) is not None
    finally:
        client.close()


def _sweep(site, root, log, with_holders=True):
    """Kill what is left; whether there was something."""
    found, left = sweep.kill(site, root, _KILL_LIMIT_S, with_holders=with_holders)
    if found:
        log.warning("site %s: killed what was left: %s", site.name, ", ".join(map(str, found)))
    if left:
        raise StopIncomplete(site=site.name, what="SIGKILL does not end " + ", ".join(map(str, left)))
    return bool(found)


def _in_the_way(site, limits, log):
    """Who else uses the site's disk; with SWEEP=ALL they are killed first."""
    if limits.sweep != "ALL":
        return sweep.others(site, _OTHERS_LIMIT_S)
    found, left = sweep.kill_others(site, _KILL_LIMIT_S, _OTHERS_LIMIT_S)
    if found:
        log.warning("site %s: SWEEP=ALL, killed those in the way: %s", site.name, ", ".join(map(str, found)))
    return left


def _say_released(site, log):
    """Where cjcpw could not, since it was killed."""
    now = owner.read(site)
    if now.state == owner.RELEASED:
        return
    held = locks.SiteLocks.take(site)
    if held is None:
        # A start came between; it has the say now.
        return
    try:
        owner.released(now).write(site)
        record.remove(site)
        control.remove(site)
        log.info("site %s: stopped, epoch %d", site.name, now.epoch)
    except OSError as error:
        log.warning("site %s: stopped, but its owner record cannot be written: %s", site.name, error)
    finally:
        held.release()


def _send(pidfd, signum):
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return

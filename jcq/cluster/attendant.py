"""Forking a process that attends cjcpw and touches the disk for it: tied to it, silent, deaf to its group's signals."""

import os
import signal

from jcq.process import be_silent, die_with_parent, set_comm


def fork_attendant(name, site, serve):
    """Fork.

    Args:
        name: what it does, for ps; nobody who looks for cjcpw may find it.
        site: the `jcq.site.Site`.
        serve: called in the child; returns its exit code.
    Returns:
        Its pid.
    Raises:
        OSError: no process is to be had.
    """
    parent = os.getpid()
    # A signal that met the child before its own handlers would be written into our wakeup pipe.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _serve_and_exit(parent, name, site, serve)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _serve_and_exit(parent, name, site, serve):
    """In the child: never return."""
    code = 1
    try:
        die_with_parent(parent)
        be_silent(0, 1, 2)
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # cjcpw still needs it while it stops the site.
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        set_comm(f"jcq-{name}")
        os.environ["SPT_NOENV"] = "1"
        import setproctitle

        setproctitle.setproctitle(f"NQS {name} {site.name}")
        code = serve()
    finally:
        os._exit(code)

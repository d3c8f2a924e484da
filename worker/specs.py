"""What a shepherd is told: how to run a claimed request, and where its output belongs. Pure: paths and numbers only."""

import os
import resource

from jcq.exit_record import run_file
from jcq.model import limits
from worker import job_limits
from worker.job_environment import job_environment

_DEFAULT_SHELL = "/bin/sh"


def run_spec(request, account, site, files_limit, as_root, site_gid=None):
    """The order to run a claimed request.

    Args:
        request: the claimed `Request`.
        account: the `Account` it runs under.
        site: the `Site`.
        files_limit: (soft, hard) of open files for jobs.
        as_root: whether the shepherd changes its ids.
        site_gid: additional group by which the site's jobs are found, see `jcq.site_group`.
    """
    # NQS's shell strategies FREE and LOGIN: the owner's login shell runs the script; FIXED: that of the site.
    shell = request.shell or request.fixed_shell or (account.shell if account.shell.startswith("/") else _DEFAULT_SHELL)
    script = os.path.join(site.requests, request.rid)
    limited = limits.effective(request.limits, request.queue_limits)
    return {
        "rid": request.rid,
        "id": request.id,
        "attempt": request.attempt,
        "epoch": request.epoch,
        "site_dir": site.directory,
        "uid": account.uid,
        "gid": account.gid,
        "groups": [*account.groups, site_gid] if site_gid else list(account.groups),
        "home": request.workdir if request.as_before and request.workdir else account.home,
        "must_enter": request.as_before and bool(request.workdir),
        "shell": shell,
        "argv": [shell, script],
        "env": job_environment(request, account, site),
        "umask": request.umask,
        "script": script,
        "env_file": f"{script}.env" if request.has_environment else "",
        "out": _place(request, account, "o") if request.direct_out else run_file(site.output, request, "out"),
        "err": "" if request.joined else _err_place(request, account, site),
        "direct": [ending for ending, direct in (("out", request.direct_out), ("err", request.direct_err)) if direct],
        "rlimits": [(resource.RLIMIT_NOFILE, *files_limit), *job_limits.rlimits(limited)],
        "nice": job_limits.nice(limited),
        "watched": job_limits.watched(limited),
        "exit_record": run_file(site.output, request, "exit"),
        "root": as_root,
        "background": request.background,
    }


def _err_place(request, account, site):
    return _place(request, account, "e") if request.direct_err else run_file(site.output, request, "err")


def _place(request, account, letter):
    """Where the owner wants a stream in the end."""
    path, keep = (request.out_path, request.keep_out) if letter == "o" else (request.err_path, request.keep_err)
    name = f"{request.file_stem}.{letter}{request.seq}"
    return os.path.join(account.home, name) if keep else path or os.path.join(request.workdir, name)


def deliver_spec(request, account, site, as_root):
    """The order to deliver the output of an ended request; arguments as `run_spec`."""
    files = []
    streams = [] if request.direct_out else [("o", "out")]
    if not (request.joined or request.direct_err):
        streams.append(("e", "err"))
    for letter, ending in streams:
        spooled = run_file(site.output, request, ending)
        if not os.path.lexists(spooled):
            continue
        name = f"{request.file_stem}.{letter}{request.seq}"
        files.append((spooled, _place(request, account, letter), name))
    return {
        "uid": account.uid,
        "gid": account.gid,
        "groups": list(account.groups),
        "home": account.home,
        "umask": request.umask,
        "root": as_root,
        "files": files,
    }


def spooled_files(request, site):
    """Every file that an attempt may have left in the site's spool."""
    return [run_file(site.output, request, ending) for ending in ("out", "err", "exit")]

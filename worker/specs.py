"""What a shepherd is told: how to run a claimed request, and where its output belongs. Pure: paths and numbers only."""

import os
import resource

from jcq.exit_record import run_file
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
    return {
        "rid": request.rid,
        "id": request.id,
        "attempt": request.attempt,
        "epoch": request.epoch,
        "site_dir": site.directory,
        "uid": account.uid,
        "gid": account.gid,
        "groups": [*account.groups, site_gid] if site_gid else list(account.groups),
        "home": account.home,
        "shell": shell,
        "argv": [shell, script],
        "env": job_environment(request, account, site),
        "umask": request.umask,
        "script": script,
        "env_file": f"{script}.env" if request.has_environment else "",
        "out": run_file(site.output, request, "out"),
        "err": "" if request.joined else run_file(site.output, request, "err"),
        "rlimits": [(resource.RLIMIT_NOFILE, *files_limit)],
        "exit_record": run_file(site.output, request, "exit"),
        "root": as_root,
        "background": request.background,
    }


def deliver_spec(request, account, site, as_root):
    """The order to deliver the output of an ended request; arguments as `run_spec`."""
    files = []
    streams = [("o", "out", request.out_path, request.keep_out)]
    if not request.joined:
        streams.append(("e", "err", request.err_path, request.keep_err))
    for letter, ending, path, keep in streams:
        spooled = run_file(site.output, request, ending)
        if not os.path.lexists(spooled):
            continue
        name = f"{request.file_stem}.{letter}{request.seq}"
        wanted = os.path.join(account.home, name) if keep else path or os.path.join(request.workdir, name)
        files.append((spooled, wanted, name))
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

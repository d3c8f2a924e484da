"""The environment that a job gets from jcq: its account's own, QSUB_* of the submission, and jcq's markers.

Names: nqs-facts.md section 2. HOME, SHELL, PATH and LOGNAME are those of this node; what the
submitting command had is in QSUB_HOME and so on. With `-x` the shepherd puts the submitted
environment below this one.
"""

import os
from functools import cache

from jcq.node import boot_id

_PATH = "/usr/local/bin:/usr/bin:/bin"
#: Variable of the submitting command -> its name in the job.
_SUBMITTED = {
    "HOME": "QSUB_HOME",
    "LOGNAME": "QSUB_LOGNAME",
    "MAIL": "QSUB_MAIL",
    "PATH": "QSUB_PATH",
    "SHELL": "QSUB_SHELL",
    "TZ": "QSUB_TZ",
}


#: What a request of an old system does not get from its account.
_ACCOUNTS = ("HOME", "LOGNAME", "MAIL", "PATH", "SHELL", "TZ", "USER")


@cache
def _mark(directory):
    return os.path.realpath(directory)


@cache
def _boot(root):
    return boot_id(root)


def job_environment(request, account, site):
    """Make a job's environment.

    Args:
        request: the claimed `Request`.
        account: the `Account` it runs under.
        site: the `Site`; a job that calls qsub reaches the same one.
    Returns:
        {name: value}.
    """
    environment = {
        "ENVIRONMENT": "BATCH",
        "HOME": account.home,
        "LOGNAME": account.name,
        "MAIL": f"/var/mail/{account.name}",
        "PATH": _PATH if site.root == "/" else f"{os.path.join(site.root, 'usr/bin')}:{_PATH}",
        "SHELL": account.shell,
        "USER": account.name,
        "QSUB_HOST": request.host,
        "QSUB_REQID": request.id,
        "QSUB_REQNAME": request.name,
        "QSUB_WORKDIR": request.workdir,
        "JCQ_BOOT": _boot(site.root),
        "JCQ_EPOCH": str(request.epoch),
        "JCQ_JOB": request.rid,
        "JCQ_SITE": _mark(site.directory),
    }
    if request.tz:
        environment["TZ"] = request.tz
    if site.root != "/":
        environment["JCQ_ROOT"] = site.root
    if not site.local:
        environment["NQS_SITE"] = site.name
    for pair in request.variables.split("\0"):
        name, equals, value = pair.partition("=")
        if equals and name in _SUBMITTED:
            environment[_SUBMITTED[name]] = value
    if request.as_before and request.has_environment:
        for name in _ACCOUNTS:
            environment.pop(name, None)
    return environment

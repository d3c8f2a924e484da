"""What every process below the launcher of jobs inherits, so that a later start finds it whatever it did to itself.

Given to the launcher before it forks the first shepherd: it costs a job nothing. Design section 8.
"""

from jcq import site_cgroup
from jcq.node import boot_id
from jcq.site_group import give_limit, site_limit


class Containment:
    """The cgroup and the limit of a site's jobs.

    Args:
        site: the `Site`.
        log: a logger.
    """

    def __init__(self, site, log):
        self._directory = site.directory
        self._boot = boot_id(site.root)
        self._log = log
        #: Path of the cgroup; empty where there is none.
        self.cgroup = ""

    def take(self, launcher_pid):
        """Put the launcher of jobs, which has forked nothing yet, into it; what this node lacks is done without."""
        path = ""
        try:
            path = site_cgroup.make(site_cgroup.cgroup_name(self._directory, self._boot))
            site_cgroup.join(path, launcher_pid)
            self.cgroup = path
        except OSError as error:
            if path:
                site_cgroup.remove(path)
            self._log.info("jobs have no cgroup: %s", error.strerror or error)
        try:
            give_limit(launcher_pid, site_limit(self._directory, self._boot))
        except OSError as error:
            self._log.info("jobs are not marked by a limit: %s", error.strerror or error)

    def leave(self):
        """Remove the cgroup, if nothing is left in it."""
        if self.cgroup:
            site_cgroup.remove(self.cgroup)

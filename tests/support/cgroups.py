"""The cgroups of sites that were killed and never started again: no test leaves one behind."""

from jcq import site_cgroup
from jcq.node import boot_id


def remove_of(directory, root):
    """Remove the cgroup of a site's jobs; nothing lives in it any more."""
    for path in site_cgroup.find(site_cgroup.cgroup_name(directory, boot_id(root))):
        site_cgroup.remove(path)

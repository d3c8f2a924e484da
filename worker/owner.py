"""The owner of a request: a slot shepherd takes the owner's ids for a moment and gives them back."""

import os


class Owner:
    """Ids of one owner. As root they are taken for real; without root everything here does nothing.

    The effective ids come first: with those, files are opened and directories entered with the owner's
    rights only, while the owner can neither signal nor trace the shepherd, since its real and saved uid
    are root's. The real uid is taken for the instant of the spawn alone.
    """

    __slots__ = ("_own_groups", "_switch", "gid", "groups", "uid")

    def __init__(self, spec):
        """Take `uid`, `gid`, `groups` and `root` from a run or deliver spec, see `worker.shepherd`."""
        self.uid = spec["uid"]
        self.gid = spec["gid"]
        self.groups = spec["groups"]
        self._switch = spec["root"]
        self._own_groups = os.getgroups() if self._switch else ()

    def take(self):
        """Take the owner's groups and effective ids.

        Raises:
            OSError: the kernel refuses; the ids are root's then.
        """
        if not self._switch:
            return
        os.setgroups(self.groups)
        try:
            os.setresgid(self.gid, self.gid, 0)
            os.setresuid(0, self.uid, 0)
        except OSError:
            self.restore()
            raise

    def expose(self):
        """After `take`: make the uid the real one and root's the effective one, as posix_spawn(resetids) needs it."""
        if self._switch:
            os.setresuid(self.uid, 0, 0)

    def restore(self):
        """Return to root's ids. An OSError here must end the process: nobody knows what it may do."""
        if self._switch:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            os.setgroups(self._own_groups)

"""qmgr by hand: its handler on a real Store over fakeredis, asked by users of every right."""

from support import backends
from support.deskwork import Work

COMPLETE = "NQS manager[TCML_COMPLETE  ]: Transaction complete at local host.\n"
#: The uid that made the site.
MAKER = 4711
#: uid -> login name of the callers; the last has no account.
USERS = {0: "root", MAKER: "maker", 1001: "alice", 1002: "bob", 1003: ""}


class Manager(Work):
    """A site, and qmgr on it."""

    def __init__(self, directory):
        super().__init__(directory, uid=MAKER)

    def run(self, *args, uid=0):
        """The Reply to `qmgr` with these arguments."""
        return self.call("qmgr", *args, uid=uid, gid=uid, user=USERS[uid])

    def ok(self, line, uid=0):
        """The output of a command that must be carried out."""
        reply = self.run(line, uid=uid)
        assert (reply.exit_code, reply.err) == (0, ""), reply
        return reply.out

    def refused(self, line, *words, uid=0, exit_code=1):
        """The error of a command that must be refused and change nothing."""
        before = backends.all_data(self.connection)
        reply = self.run(line, uid=uid)
        assert (reply.exit_code, reply.out) == (exit_code, ""), reply
        assert len(reply.err.splitlines()) == 1
        for word in words:
            assert word in reply.err
        assert backends.all_data(self.connection) == before
        return reply.err

    def queue(self, name):
        """The record of a queue."""
        return self.store.run(self.store.queue(name))

    def state(self, seq):
        """Where a request is."""
        return self.request(seq).state

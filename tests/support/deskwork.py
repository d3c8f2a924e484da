"""Drive a verb of nqsdaemon by hand: a real Store on fakeredis, a desk, and the loop's part in eight lines."""

import logging
import os

import fakeredis

from jcq.config import DaemonConf
from jcq.errors import JcqError
from jcq.identity import SiteIdentity
from jcq.jcdbs import server
from jcq.jcdbs.store import Store
from jcq.model.queue import Queue
from jcq.model.request import Request
from jcq.nqsdaemon.call import Call, Part, refusal
from jcq.nqsdaemon.desk import Desk, Ended
from jcq.nqsdaemon.spool import Spool
from jcq.nqsdaemon.verbs.table import HANDLERS
from jcq.site import Site

NOW_S = 1_800_000_000.0


class Work:
    """A site without processes: machine id 200, queues guilb_def and batch.

    Args:
        directory: where the spool may be.
        uid: the uid that made the site; by default one that calls do not have.
        name: the site's name.
    """

    def __init__(self, directory, uid=4242, name="testsite"):
        fake = fakeredis.FakeServer(server_type="valkey", version=(8,))
        self.connection = fakeredis.FakeRedis(server=fake, protocol=2, encoding_errors="surrogateescape")
        self.store = Store(self.connection, 1)
        identity = SiteIdentity(name, 200, "127.0.0.50", uid, "maker")
        site = Site("/", str(directory), name=name)
        for name in (site.requests, site.output, site.database):
            os.makedirs(name, exist_ok=True)
        self.clock_s = NOW_S
        self.desk = Desk(
            self.store, site, identity, DaemonConf(), Spool(site, False), logging.getLogger("jcq.test"), 0, self.now
        )
        server.create_database(self.store, identity, run_limit=2)
        #: What a handler waits for, and what then is answered.
        self.at_end = lambda rid: None
        #: What the last handler told before its end.
        self.parts = []

    def now(self):
        """The desk's clock."""
        return self.clock_s

    def add_queue(self, **fields):
        """Create a queue."""
        self.store.run(self.store.create_queue(Queue(**fields)))

    def request(self, seq):
        """The record of a request."""
        return self.store.run(self.store.request(f"200-{seq}"))

    def submit(self, seq, **fields):
        """Put a request into the database without qsub."""
        values = {"site": "testsite", "name": "job.sh", "uid": 1000, "gid": 1000, "user": "smith", "queue": "batch",
                  "workdir": "/home/smith", "host": "host1"}  # fmt: skip
        values.update(fields)
        request = Request(rid=f"200-{seq}", seq=seq, **values)
        self.store.run(self.store.submit(request, self.now(), token=str(seq)))
        self.desk.seq = max(self.desk.seq, seq)
        return request

    def register_worker(self):
        """From now on requests are promoted."""
        self.store.run(self.store.register_worker("w", {"timeout": "-1"}, self.now()))

    def claim(self, most=1):
        """Dispatch and begin what may run."""
        claimed = self.store.run(self.store.claim("w", most, "t", "node1", 60, self.now()))
        for request in claimed:
            self.store.run(self.store.begin(request, 4711, 99, self.now()))
        return claimed

    def finish(self, claimed, outcome, exit_code=0, signal=0, note=""):
        """End and deliver a claimed request."""
        claimed.outcome, claimed.exit_code, claimed.signal = outcome, exit_code, signal
        claimed.started_s, claimed.ended_s, claimed.cpu_s, claimed.maxrss_kb = NOW_S, NOW_S + 2, 0.25, 3000
        self.store.run(self.store.finish(claimed, "w", 3600, self.now()))
        self.store.run(self.store.deliver(claimed, note, self.now()))

    def begin_epoch(self, epoch):
        """The site starts again."""
        self.store = self.desk.store = Store(self.connection, epoch)
        self.store.run(self.store.open_epoch())

    def call(self, verb, *args, **fields):
        """Run a verb as uid 1000 `smith`; a JcqError becomes the Reply that the loop makes of it."""
        values = {"uid": 1000, "gid": 1000, "user": "smith", "cwd": "/home/smith", "tz": "UTC", "host": "host1"}
        values.update(fields)
        try:
            return self.drive(HANDLERS[verb](Call(verb=verb, args=list(args), **values), self.desk))
        except JcqError as error:
            return refusal(verb, error)

    def drive(self, handler):
        """What the loop does for one handler."""
        feed = None
        self.parts = []
        while True:
            try:
                wish = handler.throw(feed) if isinstance(feed, JcqError) else handler.send(feed)
            except StopIteration as end:
                return end.value
            if isinstance(wish, Part):
                self.parts.append(wish)
                feed = None
            elif isinstance(wish, Ended):
                feed = self.at_end(wish.rid)
            elif isinstance(wish, list):
                feed = self.store.run_many(wish)
            else:
                feed = self.store.run_many([wish])[0]

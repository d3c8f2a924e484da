"""The Store: everything that the site database can be asked; nothing else speaks to it.

Each script of the database has one method, which returns an `Op`: what to send, and how to read the answer. `ops/`
makes them, a file for each matter. `run` sends one, `run_many` sends several in one pipeline, so that they share one
write to the disk (group commit). What a lost answer means says `jcq.jcdbs.sending`.
"""

from jcq.jcdbs.ops.damage import DamageOps
from jcq.jcdbs.ops.execution import ExecutionOps
from jcq.jcdbs.ops.imports import ImportOps
from jcq.jcdbs.ops.maker import Maker
from jcq.jcdbs.ops.queues import QueueOps
from jcq.jcdbs.ops.requests import RequestOps
from jcq.jcdbs.ops.site import SiteOps
from jcq.jcdbs.ops.upkeep import UpkeepOps
from jcq.jcdbs.sending import Sender


class Store(SiteOps, QueueOps, RequestOps, ExecutionOps, UpkeepOps, ImportOps, DamageOps, Sender):
    """The site database of one run of the site.

    Args:
        connection: a `redis.Redis`, see `connect`.
        epoch: the run's epoch; every changing script refuses when the database has another.
    """

    def __init__(self, connection, epoch):
        Maker.__init__(self, epoch)
        Sender.__init__(self, connection, [text for _, text in self._scripts.values()])

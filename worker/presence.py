"""The worker as rq sees it: registration, heartbeats, queues and commands of one concurrent rq worker.

rq's tools (`rq info`, rq-dashboard, rq-exporter) show the truth; what may run is decided by the
site database alone. Overridden hooks and why: rq-facts.md A3 (P1 to P10).
"""

import socket

from redis.exceptions import RedisError
from rq.command import handle_command, parse_payload
from rq.worker import BaseWorker

from jcq.jcdbs import keys

#: Seconds between two heartbeats, and until rq takes an execution that had none for abandoned.
BEAT_EVERY_S = 15.0
EXECUTION_TTL_S = 90


class Presence(BaseWorker):
    """One rq worker that runs many requests at once.

    Args:
        queues: names of the batch queues.
        connection: the redis client.
        name: unique: rq blocks the name of a dead worker for 480 s, so it holds epoch and pid.
        on_stop: called with a rid when rq's tools order a stop.
    """

    def __init__(self, queues, connection, name, on_stop):
        options = connection.connection_pool.connection_kwargs
        timeout_s = options.get("socket_timeout")
        super().__init__(queues, name=name, connection=connection, serializer="json", job_monitoring_interval=30)
        # rq raises the socket time-out of the pool it is given, for its blocking reads; nothing here blocks.
        options["socket_timeout"] = timeout_s
        self._on_stop = on_stop

    # --- what the loop calls -----------------------------------------------------------------

    def appear(self):
        """Register and subscribe; returns the PubSub, whose descriptor the loop waits for."""
        self.hostname = socket.gethostname()
        self.register_birth()
        self.subscribe()
        self.set_state("idle")
        return self.pubsub

    def show_queues(self, names):
        """Tell rq which queues are served now."""
        with self.connection.pipeline() as pipeline:
            for queue in self.queues:
                pipeline.srem(f"rq:workers:{queue.name}", self.key)
            self.queues = [self.queue_class(name, connection=self.connection, serializer="json") for name in names]
            for name in names:
                pipeline.sadd(f"rq:workers:{name}", self.key)
            pipeline.hset(self.key, "queues", ",".join(names))
            pipeline.execute()

    def show_state(self, busy):
        """Tell rq whether anything runs."""
        state = "busy" if busy else "idle"
        if self.get_state() != state:
            self.set_state(state)

    def hear(self, message):
        """Handle a message of rq's command channel, for instance a stop order of rq-dashboard."""
        handle_command(self, parse_payload(message))

    # --- rq's hooks --------------------------------------------------------------------------

    def subscribe(self):
        """No thread: the loop reads the subscription."""
        self.pubsub = self.connection.pubsub()
        self.pubsub.subscribe(self.pubsub_channel_name, keys.CHANNEL_WAKE)
        while self.pubsub.get_message(timeout=0.2) is not None:
            continue

    def unsubscribe(self):
        """Close the subscription."""
        if self.pubsub is not None:
            self.pubsub.close()

    def execute_job(self, job, queue):
        """rq's one abstract method; requests are claimed by script, so nothing ever comes here."""
        raise RuntimeError(f"rq handed out {job.id} of {queue.name}: jcq's worker claims by script")

    def get_current_job_id(self):
        """rq compares a stop order with this one id; with many at once it is `request_stop_execution` that counts."""
        return None

    def request_stop_execution(self, execution_id):
        """A stop order for one execution."""
        for pair in self.connection.smembers(self.executions_key):
            rid, _, token = pair.decode().partition(":")  # type: ignore[union-attr]  # always bytes here
            if token == execution_id:
                self._on_stop(rid)

    def kill_horse(self, sig=None):
        """rq's order to kill what runs, which names no request: refused."""
        self.log.warning("a kill order without an execution was ignored (signal %s)", sig)

    def run_maintenance_tasks(self):
        """rq's cleaning of registries fails jobs; jcq's start of a site judges them instead."""

    def clean_registries(self):
        """See `run_maintenance_tasks`."""

    def disappear(self):
        """Take the registration back; a database that has gone needs none."""
        try:
            self.teardown()
        except RedisError:
            return

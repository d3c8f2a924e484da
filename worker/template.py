"""The rq job that stands for a request: its fixed fields, as rq itself writes them.

Every request's rq job calls the same function without arguments, its id is the request's. So the
site database can make the hash when the request is promoted, from one template of this run.
"""

from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

#: Fields that the site database fills for each request.
_OWN = (
    "created_at",
    "description",
    "ended_at",
    "enqueued_at",
    "last_heartbeat",
    "origin",
    "started_at",
    "status",
    "worker_name",
)


def job_template(connection, retention_s):
    """The fields that all rq jobs of the site share.

    Args:
        connection: a redis client; nothing is sent.
        retention_s: how long rq keeps the result.
    Returns:
        {field: text or bytes}.
    """
    # timeout=-1, result_ttl and failure_ttl: rq's defaults kill after 180 s and forget after 500 s (rq-facts.md P9).
    job = Job.create(
        "worker.template.run_by_stock_worker",
        connection=connection,
        status=JobStatus.QUEUED,
        timeout=-1,
        result_ttl=retention_s,
        failure_ttl=retention_s,
        serializer=JSONSerializer,
    )
    return {key: value for key, value in job.to_dict().items() if key not in _OWN and value != ""}


def run_by_stock_worker():
    """What a stock rq worker would call: only jcq's own worker may run requests."""
    raise RuntimeError("requests of a jcq site are run by jcq's worker; stop this rq worker")

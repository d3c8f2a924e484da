"""What rq's own tools see of a site: queues, the worker, what runs, and how it ended (Show 7)."""

import os
import re
import signal

import pytest
from rq import Queue
from rq.command import send_stop_execution_command
from rq.executions import Execution
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.worker import BaseWorker

from support import site_database
from support.gate import Gate
from support.harness import BIN
from support.waiting import wait_until


@pytest.fixture
def site(cluster_site):
    cluster_site.qmgr("create batch_queue night run_limit = 3", "enable queue night", "start queue night")
    return cluster_site


@pytest.fixture
def found(site):
    """A connection to the site's database."""
    return site_database.connection(site)


@pytest.fixture
def gate(site):
    return Gate(site.node.make_directory("gate", 0o777))


def rid_of(request_id):
    return f"200-{request_id.split('.')[0]}"


def job_of(found, request_id):
    return Job.fetch(rid_of(request_id), connection=found, serializer="json")


def started(found, queue):
    return StartedJobRegistry(queue, connection=found, serializer="json").get_job_ids()


def rq_info(site, *options):
    socket = os.path.join(site.directory, "database", ".jcdbs.sock")
    return site.node.run([os.path.join(BIN, "rq"), "info", "--raw", "--url", f"unix://{socket}", *options]).ok()


def running(site, gate, *options):
    """A request that runs until the gate opens."""
    request = site.qsub(gate.script(), *options)
    wait_until(lambda: request in gate.started(), 20, site.log_text)
    return request


def test_rq_info_lists_the_batch_queues_and_the_worker(site, gate):
    running(site, gate, "-q", "night")
    assert [site.qwait(site.qsub(text)) for text in ("true\n", "exit 3\n")] == [0, 3]
    shown = rq_info(site)
    # Pipe queues route, and nothing runs from them.
    queues = sorted(line for line in shown.splitlines() if line.startswith("queue "))
    assert queues == [
        "queue batch 0, 0 executing, 1 finished, 1 failed",
        "queue night 0, 1 executing, 0 finished, 0 failed",
    ]
    (worker,) = [line for line in shown.splitlines() if line.startswith("worker ")]
    assert worker.startswith("worker testsite-e2-")
    assert str(site.daemon("worker")) in worker
    assert set(re.search(r"(?:busy|idle) (.*)\. jobs: 1 finished, 1 failed", worker)[1].split(", ")) == {
        "batch",
        "night",
    }


def test_a_new_queue_is_served_and_a_deleted_one_is_not_shown(site):
    site.qmgr("create batch_queue later", "disable queue night", "stop queue night", "delete queue night")

    def served():
        words = rq_info(site).replace(",", " ").split()
        return "later" in words and "night" not in words

    wait_until(served, 20, lambda: rq_info(site))


def test_a_running_request_is_in_the_started_registry_with_an_execution(site, found, gate):
    request = running(site, gate)
    rid = rid_of(request)
    assert started(found, "batch") == [rid]
    job = job_of(found, request)
    assert job.get_status().value == "started"
    assert job.description.startswith(request)
    (execution,) = job.get_executions()
    assert Execution.fetch(execution.id, rid, found).last_heartbeat >= execution.created_at
    (worker,) = BaseWorker.all(connection=found, serializer="json")
    assert job.worker_name == worker.name == execution.worker_name
    wait_until(lambda: state_of(found) == "busy", 20, lambda: state_of(found))
    # rq's tools clean registries whenever they look; a running request is none the worse for it.
    rq_info(site)
    assert started(found, "batch") == [rid]
    gate.open()
    assert site.qwait(request) == 0
    assert started(found, "batch") == []
    site_database.check(found)


def state_of(found):
    (worker,) = BaseWorker.all(connection=found, serializer="json")
    return worker.get_state()


def test_finished_and_failed_ones_have_their_result(site, found):
    good, bad, killed = [site.qsub(text) for text in ("echo done\n", "exit 3\n", "kill -15 $$\n")]
    assert [site.qwait(request) for request in (good, bad, killed)] == [0, 3, 143]
    result = job_of(found, good).latest_result()
    assert (result.type, result.return_value) == (Result.Type.SUCCESSFUL, 0)
    assert job_of(found, good).get_status().value == "finished"
    for request, words in ((bad, "exit code 3"), (killed, "signal 15")):
        result = job_of(found, request).latest_result()
        assert result.type == Result.Type.FAILED
        assert words in result.exc_string
        assert request in result.exc_string
        assert job_of(found, request).get_status().value == "failed"
    queue = Queue("batch", connection=found, serializer="json")
    assert FinishedJobRegistry(queue=queue).get_job_ids() == [rid_of(good)]
    assert sorted(FailedJobRegistry(queue=queue).get_job_ids()) == sorted(map(rid_of, (bad, killed)))
    (worker,) = BaseWorker.all(connection=found, serializer="json")
    assert (worker.successful_job_count, worker.failed_job_count) == (1, 2)


def test_a_stop_order_of_rqs_tools_ends_the_request(site, found, gate):
    victim, other = running(site, gate), running(site, gate, "-q", "night")
    (execution,) = job_of(found, victim).get_executions()
    send_stop_execution_command(found, rid_of(victim), execution.id)
    assert site.qwait(victim) == 128 + signal.SIGKILL
    gate.open()
    assert site.qwait(other) == 0


def test_the_registration_disappears_after_a_clean_stop(site, gate):
    running(site, gate)
    site.stop()
    with site_database.at_rest(site) as found:
        assert BaseWorker.all(connection=found, serializer="json") == []
        for queue in ("batch", "night"):
            assert found.smembers(f"rq:workers:{queue}") == set()


def test_a_worker_that_was_killed_is_not_shown_after_the_next_start(site, gate):
    running(site, gate)
    os.kill(site.daemon("worker"), signal.SIGKILL)
    assert site.cjcpw.wait(5) == 1
    site.start()
    (worker,) = BaseWorker.all(connection=site_database.connection(site), serializer="json")
    assert worker.name.startswith("testsite-e3-")

"""What jcq relies on in the installed rq: hooks that it overrides, methods that it calls, keys that it spells."""

import inspect
import re

import fakeredis
import pytest
from rq import Queue
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.utils import import_attribute
from rq.worker import BaseWorker

from jcq.jcdbs import scripts
from worker import template
from worker.presence import Presence

#: Hook -> the parameters that jcq's override has. A hook that rq renames would never be called again.
HOOKS = {
    "subscribe": (),
    "unsubscribe": (),
    "execute_job": ("job", "queue"),
    "get_current_job_id": (),
    "request_stop_execution": ("execution_id",),
    "kill_horse": ("sig",),
    "run_maintenance_tasks": (),
    "clean_registries": (),
}
#: Method of BaseWorker that jcq calls -> the arguments it gives.
CALLED = {
    "register_birth": (),
    "set_state": ("state",),
    "get_state": (),
    "heartbeat": (),
    "teardown": (),
}
#: What jcq added itself.
OWN = {"appear", "show_queues", "show_state", "hear", "disappear"}


def parameters(function):
    return tuple(inspect.signature(function).parameters)[1:]


@pytest.fixture
def connection():
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


@pytest.fixture
def presence(connection):
    return Presence(["batch"], connection, "testsite-e1-1", lambda rid: None)


@pytest.mark.parametrize("name", HOOKS)
def test_each_overridden_hook_is_still_rqs(name):
    theirs = inspect.signature(getattr(BaseWorker, name)).parameters
    ours = parameters(vars(Presence)[name])
    assert ours == HOOKS[name]
    required = [n for n, p in theirs.items() if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD][1:]
    assert tuple(theirs)[1 : len(ours) + 1] == ours, "parameters were renamed or reordered"
    assert len(required) <= len(ours), f"rq calls it with more: {required}"


def test_every_override_is_in_this_list():
    public = {name for name, value in vars(Presence).items() if inspect.isfunction(value) and name[0] != "_"}
    assert public - OWN == set(HOOKS)
    assert all(not hasattr(BaseWorker, name) for name in OWN), "rq has a method of a name that jcq took"


@pytest.mark.parametrize("name", CALLED)
def test_each_method_that_is_called_is_still_rqs(name):
    theirs = inspect.signature(getattr(BaseWorker, name)).parameters
    required = [n for n, p in theirs.items() if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD][1:]
    assert len(required) <= len(CALLED[name])
    assert set(CALLED[name]) <= set(theirs)


def test_execute_job_is_left_to_subclasses(presence):
    with pytest.raises(NotImplementedError):
        BaseWorker.execute_job(presence, None, None)


def test_rq_subscribes_and_cleans_up_through_the_hooks():
    # They are called by rq itself: that is what overriding them is for.
    assert "self.unsubscribe()" in inspect.getsource(BaseWorker.teardown)
    assert "self.subscribe()" in inspect.getsource(BaseWorker)
    assert "run_maintenance_tasks()" in inspect.getsource(BaseWorker)


def test_the_keys_that_the_scripts_spell_are_rqs(connection, presence):
    job = Job("200-1", connection=connection, serializer="json")
    execution = Execution("token", "200-1", connection)
    wanted = {
        "rq:queue:": Queue("x", connection=connection).key.removesuffix("x"),
        "rq:workers": BaseWorker.redis_workers_keys,
        "rq:worker:": presence.key.removesuffix(presence.name),
        "rq:job:": job.key.removesuffix("200-1"),
        "rq:results:": Result.get_key("x").removesuffix("x"),
        "rq:execution:": execution.key.removesuffix("200-1:token"),
        "rq:executions:": ExecutionRegistry("x", connection).key.removesuffix("x"),
        "rq:wip:": StartedJobRegistry("x", connection).key.removesuffix("x"),
        "rq:finished:": FinishedJobRegistry("x", connection).key.removesuffix("x"),
        "rq:failed:": FailedJobRegistry("x", connection).key.removesuffix("x"),
    }
    assert {spelt: theirs for spelt, theirs in wanted.items() if spelt != theirs} == {}
    assert presence.executions_key == f"rq:worker:{presence.name}:executions"
    assert execution.composite_key == "200-1:token"
    assert Queue.redis_queues_keys == "rq:queues"
    spelt = set(re.findall(r"'(rq:[a-z]+:?)'?", "".join(text for _, text in scripts.load().values())))
    assert spelt <= {*wanted, "rq:queues", "rq:workers:"}, spelt


def test_results_are_numbered_as_the_scripts_write_them():
    assert (Result.Type.SUCCESSFUL.value, Result.Type.FAILED.value) == (1, 2)


def test_the_template_is_a_job_that_rq_reads(connection):
    fields = template.job_template(connection, 3600)
    connection.hset("rq:job:200-1", mapping={**fields, "status": "queued", "created_at": "2026-01-01T00:00:00.000000Z"})
    job = Job.fetch("200-1", connection=connection, serializer="json")
    assert (job.timeout, job.result_ttl, job.failure_ttl, list(job.args)) == (-1, 3600, 3600, [])
    assert import_attribute(job.func_name) is template.run_by_stock_worker
    with pytest.raises(RuntimeError, match="jcq's worker"):
        job.func()

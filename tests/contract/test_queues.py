"""Queues, parameters and managers: created, changed, deleted, and what is refused leaves everything as it was."""

import pytest

from jcq.jcdbs.errors import (
    BadValue,
    DestinationExists,
    NoSuchDestination,
    NoSuchManager,
    NoSuchQueue,
    QueueEnabled,
    QueueExists,
    QueueInUse,
    QueueNotEmpty,
    SelfDestination,
    SiteConfigured,
)
from jcq.model.lifecycle import DONE, HELD, QUEUED
from jcq.model.queue import BATCH, PIPE, Queue
from jcq.model.restart import PURGE
from support import backends
from support.store_bench import NOW_S


def refused(bench, error, op):
    """The op raises, and no key has changed."""
    before = backends.all_data(bench.connection)
    with pytest.raises(error):
        bench.run(op)
    assert backends.all_data(bench.connection) == before


def test_a_new_site_has_the_default_queues(bench):
    assert bench.run(bench.store.queues()) == [
        Queue("batch", BATCH, 10, True, True, 2),
        Queue("guilb_def", PIPE, 10, True, True, 1, ("batch",)),
    ]
    site = bench.run(bench.store.site())
    assert (site.name, site.machine_id, site.default_queue, site.run_limit) == ("testsite", 200, "batch", 0)
    assert bench.run(bench.store.managers()) == {"maker": "m"}


def test_every_attribute_comes_back(bench):
    queue = Queue("night", BATCH, 63, False, True, 7, (), True, PURGE, True)
    bench.run(bench.store.create_queue(queue))
    assert bench.run(bench.store.queue("night")) == queue


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", 63),
        ("run_limit", 99),
        ("enabled", False),
        ("started", False),
        ("pipeonly", True),
        ("restart", PURGE),
        ("background", True),
    ],
)
def test_one_attribute_changes_and_no_other(bench, field, value):
    before = bench.run(bench.store.queue("batch"))
    bench.set("batch", field, value)
    setattr(before, field, value)
    assert bench.run(bench.store.queue("batch")) == before


def test_what_a_queue_cannot_have_or_be_is_refused(bench):
    store = bench.store
    refused(bench, QueueExists, store.create_queue(Queue("batch")))
    refused(bench, NoSuchQueue, store.create_queue(Queue("p", PIPE, destinations=("batch", "nosuch"))))
    refused(bench, NoSuchQueue, store.queue("nosuch"))
    refused(bench, NoSuchQueue, store.set_queue("nosuch", "priority", 1, NOW_S))
    refused(bench, NoSuchQueue, store.delete_queue("nosuch"))
    refused(bench, BadValue, store.set_queue("guilb_def", "run_limit", 1, NOW_S))
    refused(bench, BadValue, store.set_queue("guilb_def", "restart", PURGE, NOW_S))
    refused(bench, BadValue, store.set_queue("guilb_def", "background", True, NOW_S))
    refused(bench, BadValue, store.set_queue("batch", "destinations", ("batch",), NOW_S))
    refused(bench, NoSuchQueue, store.set_queue("guilb_def", "destinations", ("nosuch",), NOW_S))


def test_destinations_change_all_or_none(bench):
    store = bench.store
    for name in ("a", "b"):
        bench.queue(name)
    edit = store.edit_destinations
    bench.run(edit("guilb_def", "add", ["a", "b"], NOW_S))
    assert bench.run(store.queue("guilb_def")).destinations == ("batch", "a", "b")
    refused(bench, DestinationExists, edit("guilb_def", "add", ["guilb_def", "a"][1:], NOW_S))
    refused(bench, SelfDestination, edit("guilb_def", "set", ["a", "guilb_def"], NOW_S))
    refused(bench, NoSuchQueue, edit("guilb_def", "set", ["a", "nosuch"], NOW_S))
    refused(bench, NoSuchDestination, edit("guilb_def", "delete", ["a", "nosuch"], NOW_S))
    refused(bench, BadValue, edit("batch", "add", ["a"], NOW_S))
    refused(bench, NoSuchQueue, edit("nosuch", "add", ["a"], NOW_S))
    bench.run(edit("guilb_def", "delete", ["batch", "b"], NOW_S))
    assert bench.run(store.queue("guilb_def")).destinations == ("a",)
    bench.run(edit("guilb_def", "set", ["b", "batch"], NOW_S))
    assert bench.run(store.queue("guilb_def")).destinations == ("b", "batch")


def test_a_queue_goes_only_when_disabled_empty_and_not_named(bench):
    store = bench.store
    bench.queue("night")
    refused(bench, QueueEnabled, store.delete_queue("night"))
    rid = bench.submit("night", hold=True)
    bench.set("night", "enabled", False)
    refused(bench, QueueNotEmpty, store.delete_queue("night"))
    bench.run(store.delete(rid, -1, NOW_S))
    bench.run(store.set_param("default_queue", "night", NOW_S))
    refused(bench, QueueInUse, store.delete_queue("night"))
    bench.run(store.set_param("default_queue", "", NOW_S))
    bench.run(store.edit_destinations("guilb_def", "add", ["night"], NOW_S))
    refused(bench, QueueInUse, store.delete_queue("night"))
    bench.run(store.edit_destinations("guilb_def", "delete", ["night"], NOW_S))
    bench.run(store.delete_queue("night"))
    refused(bench, NoSuchQueue, store.queue("night"))
    assert bench.connection.smembers("rq:queues") == {b"rq:queue:batch"}
    # What ended in it is still known.
    assert (bench.state(rid), bench.get(rid).queue) == (DONE, "night")


def test_default_queues_go_whatever_they_are_where_there_is_nothing_else(bench):
    store = bench.store
    for count in (2, 0):
        assert bench.run(store.delete_default_queues()) == count
    assert bench.run(store.queues()) == []
    assert bench.run(store.site()).default_queue == ""
    assert bench.connection.smembers("rq:queues") == set()
    bench.queue("batch")
    bench.run(store.edit_complex("c", "create", NOW_S, ["batch"], 1))
    refused(bench, SiteConfigured, store.delete_default_queues())
    bench.run(store.edit_complex("c", "delete", NOW_S))
    bench.queue("night")
    refused(bench, SiteConfigured, store.delete_default_queues())


@pytest.mark.parametrize("moment", ["promoted", "running", "exiting"])
def test_a_queue_with_work_in_it_is_not_empty(bench, moment):
    bench.worker()
    bench.queue("night")
    bench.submit("night")
    if moment != "promoted":
        (claimed,) = bench.claim()
    if moment == "exiting":
        bench.finish(claimed)
    bench.set("night", "enabled", False)
    refused(bench, QueueNotEmpty, bench.store.delete_queue("night"))


@pytest.mark.parametrize("moment", ["promoted", "running", "held"])
def test_default_queues_with_work_in_them_stay(bench, moment):
    if moment != "held":
        bench.worker()
    bench.submit("batch", hold=moment == "held")
    if moment == "running":
        bench.claim()
    refused(bench, QueueNotEmpty, bench.store.delete_default_queues())


def test_counts_are_those_of_each_state(bench):
    bench.set("batch", "started", False)
    for _ in range(3):
        bench.submit()
    bench.submit(hold=True)
    assert bench.counts() == {QUEUED: 3, HELD: 1}


def test_stopping_touches_nothing_that_runs_and_starts_nothing(bench):
    bench.worker()
    bench.submit()
    (running,) = bench.claim()
    bench.submit()
    bench.set("batch", "started", False)
    assert bench.claim() == []
    bench.deliver(bench.finish(running))
    assert bench.counts() == {QUEUED: 1}
    bench.set("batch", "started", True)
    assert [request.seq for request in bench.claim()] == [2]


# --- parameters and managers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "unset"),
    [("default_priority", 5, 31), ("run_limit", 7, 0), ("retry_wait_s", 10, 300), ("default_queue", "guilb_def", "")],
)
def test_a_parameter_is_set_and_unset(bench, name, value, unset):
    bench.run(bench.store.set_param(name, value, NOW_S))
    assert getattr(bench.run(bench.store.site()), name) == value
    bench.run(bench.store.set_param(name, "", NOW_S))
    assert getattr(bench.run(bench.store.site()), name) == unset


def test_a_default_queue_must_exist(bench):
    refused(bench, NoSuchQueue, bench.store.set_param("default_queue", "nosuch", NOW_S))


def test_managers_change_all_or_none(bench):
    store = bench.store
    bench.run(store.edit_managers("add", [("alice", "m"), ("bob", "o")]))
    assert bench.run(store.managers()) == {"maker": "m", "alice": "m", "bob": "o"}
    refused(bench, NoSuchManager, store.edit_managers("delete", [("alice", "m"), ("bob", "m")]))
    refused(bench, NoSuchManager, store.edit_managers("delete", [("carol", "o")]))
    bench.run(store.edit_managers("delete", [("alice", "m")]))
    bench.run(store.edit_managers("add", [("bob", "m")]))
    assert bench.run(store.managers()) == {"maker": "m", "bob": "m"}
    bench.run(store.edit_managers("set", [("carol", "o"), ("maker", "m")]))
    assert bench.run(store.managers()) == {"carol": "o", "maker": "m"}
    bench.run(store.set_manager("carol", ""))
    refused(bench, BadValue, store.set_manager("carol", ""))

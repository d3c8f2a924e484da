"""The owner record: read as written, never half, never for a node that it is not."""

import os
from dataclasses import replace

import pytest

from jcq.cluster import owner
from jcq.config import DaemonConf
from jcq.errors import DatabaseUnusable
from jcq.site import Site


@pytest.fixture
def site(tmp_path):
    (tmp_path / "database").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


def record_of_this_process(site, **changes):
    conf = DaemonConf(node_id="node-a")
    made = owner.here(
        site.root, conf, site=site.name, state=owner.RUNNING, epoch=7, server="valkey 9.1.2", pid=os.getpid()
    )
    return replace(made, **changes)


def test_none_yet_is_an_empty_record(site):
    assert owner.read(site) == owner.OwnerRecord()
    assert owner.read(site).state == owner.RELEASED


def test_it_is_read_as_it_was_written(site):
    written = record_of_this_process(site)
    written.write(site)
    assert owner.read(site) == written
    assert written.node == "node-a"
    assert written.epoch == 7


def test_released_keeps_all_but_the_state(site):
    running = record_of_this_process(site)
    released = owner.released(running)
    assert released.state == owner.RELEASED
    assert replace(released, state=owner.RUNNING, since=running.since) == running


def test_any_changed_byte_is_found(site):
    record_of_this_process(site).write(site)
    path = site.path("database", ".owner")
    with open(path, "rb") as file:
        good = file.read()
    silent = []
    for place in range(len(good) - 1):
        with open(path, "wb") as file:
            file.write(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        try:
            owner.read(site)
        except DatabaseUnusable:
            continue
        silent.append(good[place : place + 10])
    assert silent == []


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_cut_record_is_found(site, length):
    record_of_this_process(site).write(site)
    path = site.path("database", ".owner")
    with open(path, "rb") as file:
        good = file.read().rstrip(b"\n")
    with open(path, "wb") as file:
        file.write(good[:length])
    with pytest.raises(DatabaseUnusable, match="damaged"):
        owner.read(site)


def test_a_pid_counts_only_with_its_start_boot_and_namespace(site):
    mine = record_of_this_process(site)
    assert mine.alive_here(site.root)
    assert mine.on_this_node(site.root)
    assert not replace(mine, start=mine.start + 1).alive_here(site.root)
    assert not replace(mine, boot="another").alive_here(site.root)
    assert not replace(mine, pid_ns=1).alive_here(site.root)
    assert not replace(mine, boot="another").on_this_node(site.root)
    assert not replace(mine, pid_ns=1).on_this_node(site.root)


@pytest.mark.parametrize(
    ("before", "now", "accepted"),
    [
        ("", "redis 6.2.0", True),
        ("valkey 9.1.2", "valkey 9.1.2", True),
        ("valkey 9.1.2", "valkey 9.1.10", True),
        ("valkey 9.1.10", "valkey 9.1.9", False),
        ("valkey 9.1.2", "valkey 10.0.0", True),
        ("valkey 9.1.2", "valkey 8.9.9", False),
        ("valkey 9.1.2", "redis 9.1.2", False),
        ("redis 7.0.15", "redis 6.2.14", False),
        ("redis 6.2.14", "valkey 9.1.2", False),
    ],
)
def test_only_the_same_server_or_a_later_one_may_read_the_data(site, before, now, accepted):
    record = record_of_this_process(site, server=before)
    if accepted:
        owner.check_server(site, record, now)
        return
    with pytest.raises(DatabaseUnusable, match=before) as raised:
        owner.check_server(site, record, now)
    assert raised.value.exit_code == 5

"""A site whose database path has 200 bytes: its whole life."""

import os

import pytest

from support.gate import Gate
from support.harness import Node, SiteHarness, free_address
from support.waiting import wait_until

BYTES = 200


@pytest.fixture
def site():
    """A cluster site in such a path, made by cjcmksite, not started."""
    with Node() as node:
        address = free_address()
        node.add_name(address, "deep.example", "deep")
        missing = BYTES - len(node.scratch) - 1
        db_path = node.make_directory("/".join(["d" * (missing - 100), "e" * 48, "f" * 50]))
        assert len(os.fsencode(db_path)) == BYTES
        node.run("cjcmksite", "deep", "5", db_path).ok()
        yield node.adopt(SiteHarness(node, "deep", os.path.join(db_path, "nqs"), db_path, address))


def test_it_is_started_used_stopped_and_started_again(site):
    gate = Gate(site.node.make_directory("gate", 0o777))
    site.start()
    assert site.db_path in " ".join(site.row())
    first = site.qsub("echo out; echo err >&2; exit 3\n", "-r", "first")
    assert site.qwait(first) == 3
    for kind in "oe":
        path = os.path.join(site.node.scratch, f"first.{kind}{first.split('.')[0]}")
        with open(path, encoding="ascii") as file:
            assert file.read() == {"o": "out\n", "e": "err\n"}[kind]
    interrupted = site.qsub(gate.script())
    wait_until(gate.started, 20, site.log_text)
    held = site.qsub("true\n", "-a", "2099-01-01 08:00")
    site.stop()
    site.run("qstat").refused("not running")

    site.start()
    gate.open()
    assert site.qwait(interrupted) == 0
    assert held in site.run("qstat").ok()
    site.node.run("nqsstop", "deep").ok()
    site.node.run("nqsstart", "deep").ok()
    assert "has been deleted" in site.run("qdel", held).ok()
    site.stop()


def test_detached(site):
    site.node.run("cjcpw", "-c", "deep", site.db_path).ok()
    site.wait_up()
    assert site.qwait(site.qsub("true\n")) == 0
    os.kill(site.daemon("worker"), 9)
    wait_until(lambda: not site.processes(), 20, site.log_text)
    site.node.run("nqsstart", "deep").ok()
    site.wait_up()
    site.stop()

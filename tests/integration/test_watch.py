"""qstat --watch: shows it again and again, ends at an interrupt with 0, and says so when the site is gone."""

import signal

import pytest

from support.harness import Node
from support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster_site():
    """A running cluster site for all tests here; the last one stops it."""
    with Node() as node:
        yield node.cluster_site().start()


def test_watch(cluster_site):
    site = cluster_site
    child = site.node.spawn("qstat", "--watch", "-b", env={"NQS_SITE": site.name})

    def shown():
        with open(child.log, encoding="utf-8") as file:
            return file.read()

    wait_until(lambda: shown().count("type=BATCH") >= 2, 30, shown)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0
    assert "Traceback" not in shown()


def test_watch_of_a_site_that_stops(cluster_site):
    site = cluster_site
    child = site.node.spawn("qstat", "--watch", env={"NQS_SITE": site.name, "NQS_TIMEOUT": "1"})

    def shown():
        with open(child.log, encoding="utf-8") as file:
            return file.read()

    wait_until(lambda: "type=BATCH" in shown(), 30, shown)
    site.stop()
    assert child.wait(30) == 75
    assert shown().splitlines()[-1].startswith("qstat: ")
    assert "testsite" in shown().splitlines()[-1]
    assert "Traceback" not in shown()

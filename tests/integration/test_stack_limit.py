"""Cluster software sets a stack limit before it starts a site (ha-facts.md section 2, case 8): all works with it."""

import re

import pytest

from support.harness import Node

DAEMONS = ("jcdbs", "nqsdaemon", "worker")


@pytest.fixture(scope="module")
def site():
    with Node() as node:
        yield node.cluster_site()


@pytest.mark.parametrize("limit_kb", [2048, 8192])
def test_daemons_and_jobs_run_under_a_stack_limit(site, limit_kb):
    site.start(wrapper=["/bin/sh", "-c", f'ulimit -s {limit_kb}; exec "$@"', "sh"])
    for name in DAEMONS:
        with open(f"/proc/{site.daemon(name)}/limits", encoding="ascii") as file:
            soft = re.search(r"^Max stack size +(\d+)", file.read(), re.MULTILINE)[1]
        assert int(soft) == limit_kb * 1024, name
    # Deep regular expressions, sorting and a long script: what needs stack, if anything does.
    long_script = "#" * 100_000 + "\n" + ": " + "x " * 50_000 + "\nexit 7\n"
    assert site.qwait(site.qsub(long_script, "-r", "n" * 63)) == 7
    site.run("qstat", "-a").ok()
    site.run("qmgr", "show configuration").ok()
    assert site.run("qselect", "-r", "*a" * 30 + "*").exit_code in (0, 1)
    site.stop()

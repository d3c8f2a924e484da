"""A site that is dumped, and the dump converted into an empty one, is the same site, but for the requests' numbers."""

import os
import re

import pytest

from support.harness import Node

LINES = (
    "set default batch_request priority = 12",
    "set default destination_retry wait = 7",
    "set global_run_limit = 9",
    "set retention = 2",
    "set shell_strategy fixed = (/bin/sh)",
    "set run_limit = 3 batch",
    "set per_process cpu_limit = (600, 540) batch",
    "create batch_queue night priority=20 run_limit=4 user_limit=2",
    "create pipe_queue way priority=5 dest=(night, batch)",
    "set restart = MIGRATION_STOP night",
    "set nqsbg = ON night",
    "set no_access night",
    f"add users = (root, {54321 if os.getuid() == 0 else os.getuid()}) night",
    "set no_default batch_request queue",
    "set mail = nqs@example.com",
    "set lifetime = 24",
    "stop queue batch",
    "create complex = (night, batch) big",
    "set complex run_limit = 3 big",
    "enable queue night",
    "enable queue way",
)
#: What is another site's, or another moment's.
OWN = {"id", "stdout", "stderr", "old_id", "position", "dispatch"}


@pytest.fixture
def sites():
    """Two cluster sites, the first one running."""
    with Node() as node:
        yield node.cluster_site("one", 200).start(), node.cluster_site("two", 201)


def configuration(site):
    return site.run("qmgr", "show", "configuration").ok()


def requests(site):
    """What qstat says of each request, by its name."""
    found = {one["name"]: one for one in site.qstat("-a")["requests"]}
    for one in found.values():
        for ending in ("stdout", "stderr"):
            # NAME.oSEQ, where no other was wished.
            one[f"{ending} without number"] = re.sub(r"\.([oe])\d+$", r".\1", one[ending] or "")
    return {name: {key: value for key, value in one.items() if key not in OWN} for name, one in found.items()}


def test_dump_and_convert(sites):
    one, two = sites
    one.qmgr(*LINES)
    one.qsub("date\n", "-q", "night", "-r", "plain")
    one.qsub("echo \udcff\0\n".encode("utf-8", "surrogateescape"), "-q", "batch", "-r", "bytes", "-x", "-o", "/tmp/out")
    held = one.qsub("date\n", "-q", "way", "-r", "held", "-nr", "-eo", "-lt", "5:00", "-lM", "1gb", "-mb", "-me")
    one.run("qhold", held).ok()
    one.qsub(
        "# " + "x" * 100_000 + "\ndate\n", "-q", "batch", "-r", "later", "-a", "tomorrow", "-p", "50", "-ke", "-ro"
    )
    odd = one.node.make_directory("an\nodd \x7fplace")
    one.qsub("pwd\n", "-q", "batch", "-r", "odd", "-o", "out", cwd=odd)
    place = os.path.join(one.node.scratch, "dump")
    one.run("jcq", "dump", place).ok()

    two.run("spoolconv", "-c", place, "-y", "--start").ok()
    two.start()
    assert configuration(two) == configuration(one)
    assert requests(two) == requests(one)
    # The order in which they run is the same, too.
    order = [[found["name"] for found in site.qstat("-a")["requests"]] for site in sites]
    assert order[0] == order[1]
    # Once more changes nothing.
    two.run("spoolconv", "-c", place, "-y", "--start")
    assert requests(two) == requests(one)
    assert configuration(two) == configuration(one)

"""Memory of an idle site over all its processes, and what a queued request adds to its database."""

import os

from bench.clients import submit
from support import processes


def measure(site, quick):
    """Rows: PSS of the idle site; the growth of jcdbs per queued request."""
    below = processes.processes_below(site.node.scratch)
    yield f"idle site, PSS of {len(below)} processes", f"{processes.pss_kb(below) / 1024:.0f} MB", "", "< 100 MB"
    count = 1000 if quick else 100_000
    site.qmgr("stop queue batch")
    jcdbs = [process for process in site.processes() if process.pid == site.daemon("jcdbs")]
    # The first ones make room that later ones use.
    for _ in range(count // 100):
        submit(site, b"true\n")
    before_kb = processes.pss_kb(jcdbs)
    for _ in range(count):
        submit(site, b"true\n")
    grown = (processes.pss_kb(jcdbs) - before_kb) / count
    yield f"one of {count} queued requests, PSS of jcdbs", f"{grown:.2f} kB", "", "< 3 kB"
    queued = next(queue for queue in site.qstat()["queues"] if queue["name"] == "batch")
    assert queued["counts"]["QUEUED"] >= count, queued
    scripts = sum(1 for name in os.listdir(os.path.join(site.directory, "requests")) if not name.endswith(".env"))
    assert scripts >= count, scripts

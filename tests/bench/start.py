"""How long a start takes after everything was killed, to the first job that runs again; also with many queued."""

import os
import re
import statistics
import time
from dataclasses import replace

from bench.clients import submit
from jcq.jcdbs import server
from jcq.site import Site
from support import processes
from support.waiting import wait_until

_LIMIT_S = 120
#: Requests that are put into the site database at a time.
_AT_ONCE = 1000


def measure(site, quick, queued=None):
    """Rows: start to the first job on a small site; start with many queued and 100 interrupted requests.

    Args:
        site, quick: as every measurement has them.
        queued: how many are queued; None: 100,000, or 1,000 where it is to be quick.
    """
    started = os.path.join(site.node.scratch, "started")
    os.mkfifo(started)
    submit(site, f"date +%s.%N > {started}\nsleep 7200\n".encode())
    _read(started)
    rounds = []
    for _ in range(3 if quick else 10):
        _kill(site)
        begin = time.time()
        site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
        rounds.append(_read(started) - begin)
    small_s = statistics.median(rounds)
    yield "SIGKILL of all, cjcpw's start to the first job's line, p50", f"{small_s:.2f} s", "", "< 1 s"
    interrupted = 10 if quick else 100
    queued = queued or (1000 if quick else 100_000)
    site.qmgr(f"set run_limit = {interrupted} batch")
    site.wait_up()
    for _ in range(interrupted - 1):
        submit(site, b"sleep 7200\n")
    _fill(site, queued)
    wait_until(lambda: _running(site) == interrupted, _LIMIT_S, lambda: str(_running(site)))
    _kill(site)
    begin = time.time()
    site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    _read(started)
    first_s = time.time() - begin
    site.wait_up(_LIMIT_S)
    up_s = time.time() - begin
    what = f"the same, {queued} queued and {interrupted} interrupted"
    yield what, f"{first_s:.2f} s", f"{first_s / small_s:.1f}", "< 5 s" if queued <= 100_000 else ""
    yield f"cjcls shows the site as up, {queued} queued", f"{up_s:.2f} s", f"{up_s / small_s:.1f}", "< 150 s"


def _fill(site, count):
    """Queue so many requests as qsub does, but without a client each: it is the start that is measured."""
    there = Site(site.node.root, site.directory, name=site.name)
    store = server.open_store(there, max(int(name[1:]) for name in os.listdir(there.database) if name[1:].isdigit()))
    first = submit(site, b"true\n")
    pattern = store.run(store.request(f"1-{first}"))
    for begin in range(first + 1, first + count, _AT_ONCE):
        ops = []
        for seq in range(begin, min(begin + _AT_ONCE, first + count)):
            request = replace(pattern, seq=seq, rid=f"1-{seq}", submitted_to="", submitted_s=0.0)
            with open(os.path.join(there.requests, request.rid), "wb") as file:
                file.write(b"true\n")
            ops.append(store.submit(request, time.time(), token=request.rid))
        store.run_many(ops)


def _running(site):
    # Not by qstat --json, which tells of each request.
    return int(re.search(r"(\d+) run;", site.run("qmgr", "show", "long", "queue", "batch").ok())[1])


def _kill(site):
    """SIGKILL of cjcpw, which nothing of the site outlives."""
    site.cjcpw.kill()
    site.cjcpw.wait()
    wait_until(lambda: not site.processes(), _LIMIT_S, lambda: processes.table(site.processes()))


def _read(fifo):
    with open(fifo, encoding="ascii") as file:
        return float(file.read())

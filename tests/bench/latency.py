"""From the start of qsub to the first line of the script, on an idle site."""

import os
import statistics
import time

from bench.clients import ask, submit


def measure(site, quick):
    """Rows: p50 and p99 with the installed qsub, and p50 from a client that is running already."""
    rounds = 10 if quick else 100
    started = os.path.join(site.node.scratch, "started")
    os.mkfifo(started)
    script = f"date +%s.%N > {started}\n"
    path = os.path.join(site.node.scratch, "now.sh")
    with open(path, "w", encoding="ascii") as file:
        file.write(script)
    qsub = os.path.join(site.node.root, "usr/bin/qsub")
    by_command, by_client = [], []
    for _ in range(rounds):
        begin = time.time()
        child = site.node.popen([qsub, "-z", path], cwd=site.node.home)
        by_command.append(_read(started) - begin)
        child.wait()
        begin = time.time()
        number = submit(site, script.encode())
        by_client.append(_read(started) - begin)
        ask(site, "qwait", str(number))
    by_command.sort()
    yield "qsub to script running, p50", f"{statistics.median(by_command) * 1000:.1f} ms", "", "< 15 ms"
    yield "qsub to script running, p99", f"{by_command[int(len(by_command) * 0.99)] * 1000:.1f} ms", "", ""
    yield "the same from a client that runs already, p50", f"{statistics.median(by_client) * 1000:.1f} ms", "", ""


def _read(fifo):
    with open(fifo, encoding="ascii") as file:
        return float(file.read())

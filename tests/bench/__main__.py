"""Measure jcq beside a floor or a peer in the same run, and print a table of ratios; nothing is asserted.

`python tests/bench [--quick] [--queued N] [NAME ...]`: names are those of `MEASUREMENTS`; `--quick` takes small
numbers, to see that everything works; `--queued` says how many requests are queued when `start` starts the site.
"""

import argparse
import os
import sys
from functools import partial

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import commands, conversion, latency, memory, start, throughput
from support.harness import Node

#: name -> function of (site, quick) that returns rows of (what, figure, ratio or "", aim or "").
MEASUREMENTS = {
    "commands": commands.measure,
    "latency": latency.measure,
    "throughput": throughput.measure,
    "memory": memory.measure,
    "start": start.measure,
    "conversion": conversion.measure,
}


def main():
    """Run the measurements that were asked for on one local site each."""
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small numbers")
    parser.add_argument("--queued", type=int, metavar="N", help="requests that are queued in `start`")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}")
    options = parser.parse_args()
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for name in list(os.environ):
        if name.startswith(("NQS_", "JCQ_", "QSUB_")):
            del os.environ[name]
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, uid {os.geteuid()}, Python {sys.version.split()[0]}")
    print(f"{'measured':<58} {'figure':>16} {'ratio':>8}  aim")
    measurements = {**MEASUREMENTS, "start": partial(start.measure, queued=options.queued)}
    for name in options.names or MEASUREMENTS:
        with Node() as node:
            site = node.local_site().start()
            for what, figure, ratio, aim in measurements[name](site, options.quick):
                print(f"{what:<58} {figure:>16} {ratio:>8}  {aim}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

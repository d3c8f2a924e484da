"""How long the users' commands take, as `jcq install` lays them, beside the bare interpreter and Slurm's sbatch."""

import os
import shutil
import statistics
import subprocess
import sys
import time


def measure(site, quick):
    """Rows: the median wall time of each command and its ratio to `python3 -I -S -c pass`, interleaved."""
    rounds = 10 if quick else 60
    root = site.node.root
    script = os.path.join(site.node.scratch, "one.sh")
    with open(script, "w", encoding="ascii") as file:
        file.write("true\n")
    site.qmgr("stop queue batch")
    bare = "python3 -I -S -c pass"
    argvs = {
        bare: [sys.executable, "-I", "-S", "-c", "pass"],
        "qsub": [os.path.join(root, "usr/bin/qsub"), "-z", script],
        "qstat": [os.path.join(root, "usr/bin/qstat"), "guilb_def"],
        "qdel": [os.path.join(root, "usr/bin/qdel"), "1"],
    }
    if shutil.which("sbatch"):
        argvs["sbatch"] = ["sbatch", "--parsable", "-o", "/dev/null", script]
    times = {name: [] for name in argvs}
    environment = site.node.environment()
    for number in range(rounds):
        for name, argv in argvs.items():
            argv = [*argv[:-1], str(number + 1)] if name == "qdel" else argv
            start = time.perf_counter()
            subprocess.run(argv, env=environment, cwd=site.node.home, stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - start)
    floor = statistics.median(times[bare])
    for name, taken in times.items():
        middle = statistics.median(taken)
        aim = "" if name in (bare, "sbatch") else "<= 1.5"
        yield f"{name}, installed form, p50", f"{middle * 1000:.1f} ms", f"{middle / floor:.2f}", aim
    if "sbatch" not in argvs:
        yield "sbatch", "not installed", "", ""

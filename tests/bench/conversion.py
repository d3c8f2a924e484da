"""How long spoolconv takes for many old jobs, with the site stopped and running, beside a bare copy of their files."""

import os
import time

from support.waiting import wait_until

_LIMIT_S = 1200
_JOB = """#!/bin/sh
# atrun uid={uid} gid={gid}
# mail nobody 0
umask 22
HOME=/; export HOME
PATH=/usr/local/bin:/usr/bin:/bin; export PATH
NUMBER={number}; export NUMBER
cd / || {{
\t echo 'Execution directory inaccessible' >&2
\t exit 1
}}
echo {number}

"""


def measure(site, quick):
    """Rows: seconds and memory of two conversions of a spool of at's jobs; of a tenth of it, the memory only."""
    many = 2000 if quick else 100_000
    for state in ("stopped", "running"):
        if state == "stopped":
            site.stop()
        few_mib = _convert(site, f"few-{state}", many // 10)[1]
        spool = _spool(site, f"many-{state}", many)
        floor_s = _copy(site, spool, f"copy-{state}")
        took_s, mib = _convert(site, f"many-{state}", many)
        yield f"spoolconv of {many} jobs, site {state}", f"{took_s:.1f} s", f"{took_s / floor_s:.1f}", "< 60 s"
        yield f"its greatest memory; ratio to that of {many // 10}", f"{mib:.0f} MiB", f"{mib / few_mib:.1f}", "1"
        if state == "stopped":
            site.start()


def _spool(site, name, count):
    """Write a spool of at's; returns its directory. Numbers of jobs go on from one spool to the next."""
    directory = os.path.join(site.node.scratch, name)
    if os.path.isdir(directory):
        return directory
    jobs = os.path.join(directory, "atjobs")
    os.makedirs(jobs)
    for number in range(1, count + 1):
        # Due in 2042: nothing of it runs.
        path = os.path.join(jobs, f"a{number:05x}{0x2441000 + number % 1000:08x}")
        with open(path, "w", encoding="ascii") as file:
            file.write(_JOB.format(uid=os.geteuid(), gid=os.getegid(), number=f"{name}-{number}"))
        os.chmod(path, 0o700)
    with open(os.path.join(jobs, ".SEQ"), "w", encoding="ascii") as file:
        file.write(f"{count:05x}\n")
    return directory


def _copy(site, spool, name):
    """Seconds to read each file and to write it twice, as script and environment are, and to sync all once."""
    target = os.path.join(site.node.scratch, name)
    os.mkdir(target)
    begin = time.monotonic()
    jobs = os.path.join(spool, "atjobs")
    for job in sorted(os.listdir(jobs)):
        with open(os.path.join(jobs, job), "rb") as file:
            data = file.read()
        for ending in ("", ".env"):
            with open(os.path.join(target, job + ending), "wb") as file:
                file.write(data)
    os.sync()
    return time.monotonic() - begin


def _convert(site, name, count):
    """(seconds, greatest memory in MiB of spoolconv's own process)."""
    spool = _spool(site, name, count)
    begin = time.monotonic()
    child = site.node.spawn("spoolconv", "-y", "-c", spool, env={"NQS_SITE": site.name})
    peak_kib = 0

    def ended():
        nonlocal peak_kib
        peak_kib = max(peak_kib, _peak_kib(child.pid))
        return child.poll() is not None

    wait_until(ended, _LIMIT_S, lambda: "spoolconv has not ended")
    took_s = time.monotonic() - begin
    with open(child.log, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert child.returncode == 0, lines[-10:]
    assert [line for line in lines if line.split()[:2] == ["all", str(count + 1)]], lines[-10:]
    return took_s, peak_kib / 1024


def _peak_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0

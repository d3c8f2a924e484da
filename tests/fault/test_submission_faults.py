"""Disks that are full or closed while requests are submitted, started and delivered: one line, nothing half done.

The site's processes run in a private mount namespace where one directory of the site is a tiny or read-only one.
"""

import os
import signal

import pytest

from jcq.jcdbs.sending import connect
from support import site_database
from support.harness import Node
from support.waiting import wait_until

pytestmark = pytest.mark.root

_KIB = 1024


@pytest.fixture
def site():
    """A cluster site, made but not started."""
    with Node() as node:
        yield node.cluster_site()


def mounted(directory, options):
    """A `wrapper` for `SiteHarness.start`: cjcpw sees a tmpfs with these options on `directory`."""
    return ("unshare", "-m", "sh", "-c", f'set -e; mount -t tmpfs -o {options} fault {directory}; exec "$@"', "sh")


def inside(site, *parts):
    """A path of the site as its own processes see it."""
    return os.path.join(f"/proc/{site.cjcpw.pid}/root{site.directory}", *parts)


def start_with(site, part, options):
    return site.start(wrapper=mounted(os.path.join(site.directory, part), options))


def known(site):
    return {request["id"] for request in site.qstat()["requests"]}


def fill(path, leave_bytes=0):
    """Write until the file system is full; then leave so much free."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - leave_bytes))
    finally:
        os.close(fd)


# --- requests/ -------------------------------------------------------------------------------


def test_no_space_for_a_script(site):
    start_with(site, "requests", "size=256k,mode=0711")
    large = "#!/bin/sh\nexit 4\n" + "# filled up\n" * (512 * _KIB // 12)
    for options in ((), ("-x",)):
        site.run("qsub", *options, stdin=large).refused("script", "No space left on device", exit_code=1)
    assert os.listdir(inside(site, "requests")) == []
    assert known(site) == set()
    request = site.qsub("exit 4\n")
    assert site.qwait(request) == 4
    site_database.check(site_database.connection(site))


def test_space_for_the_environment_but_not_for_the_script(site):
    start_with(site, "requests", "size=128k,mode=0711")
    script = "#!/bin/sh\n" + "# filled up\n" * (100 * _KIB // 12)
    large = {"LARGE": "x" * (64 * _KIB)}
    site.run("qsub", "-x", stdin=script, env=large).refused("No space left on device", exit_code=1)
    assert os.listdir(inside(site, "requests")) == []
    assert site.qwait(site.qsub("exit 5\n")) == 5


def test_no_inode_for_a_script(site):
    start_with(site, "requests", "nr_inodes=3,mode=0711")
    site.qmgr("stop queue batch")
    accepted = [site.qsub("true\n") for _ in range(2)]
    for _ in range(2):
        site.run("qsub", stdin="true\n").refused("No space left on device", exit_code=1)
    assert known(site) == set(accepted)
    assert len(os.listdir(inside(site, "requests"))) == 2


def test_scripts_cannot_be_written_at_all(site):
    start_with(site, "requests", "size=64k,mode=0711")
    site.node.run(
        ["nsenter", f"-t{site.cjcpw.pid}", "-m", "mount", "-o", "remount,ro", site.directory + "/requests"]
    ).ok()
    site.run("qsub", stdin="true\n").refused("Read-only file system", exit_code=1)
    assert site.run("qstat").exit_code == 0


# --- output/ ---------------------------------------------------------------------------------


def test_without_an_inode_for_output_the_request_stays_queued_and_says_why(site):
    """That is no fault of the request: it runs when there is one."""
    start_with(site, "output", "nr_inodes=1,mode=0711")
    work = site.node.make_directory("work", 0o777)
    mark = os.path.join(work, "ran")
    request = site.qsub(f"touch {mark}\n", cwd=work)
    wait_until(lambda: "No space left on device" in site.run("qstat", "-l", request).ok(), 20, site.log_text)
    assert not os.path.exists(mark)
    assert os.listdir(inside(site, "output")) == []
    enter = ["nsenter", f"-t{site.cjcpw.pid}", "-m"]
    site.node.run([*enter, "mount", "-o", "remount,nr_inodes=100", site.directory + "/output"]).ok()
    assert site.qwait(request) == 0
    assert os.path.exists(mark)
    site_database.check(site_database.connection(site))


def state(site, request):
    return site.qstat(request)["requests"][0]["state"]


def test_a_job_that_fills_the_disk_is_recorded_and_the_site_goes_on(site):
    start_with(site, "output", "size=512k,mode=0711")
    work = site.node.make_directory("work", 0o777)
    filled = site.qsub("#!/bin/sh\nhead -c 2000000 /dev/zero || exit 9\n", cwd=work)
    assert site.qwait(filled) == 9
    # Its output, as far as there was room, is its owner's; then there is room again.
    delivered = os.path.join(work, f"STDIN.o{filled.split('.')[0]}")
    assert 0 < os.path.getsize(delivered) <= 512 * _KIB
    assert site.qwait(site.qsub("exit 6\n", cwd=work)) == 6
    assert site.cjcpw.poll() is None


def test_no_room_for_an_exit_record_is_no_lost_end(site):
    start_with(site, "output", "size=64k,mode=0711")
    work = site.node.make_directory("work", 0o777)
    gate = os.path.join(work, "gate")
    script = (
        f"#!/bin/sh\ntries=0\nwhile [ ! -e {gate} ] && [ $tries -lt 1200 ]; do sleep 0.05; tries=$((tries+1)); done\n"
    )
    request = site.qsub(script + "exit 8\n", cwd=work)
    wait_until(lambda: state(site, request) == "RUNNING" and os.listdir(inside(site, "output")), 20, site.log_text)
    fill(inside(site, "output", "ballast"))
    with open(gate, "w", encoding="ascii"):
        pass
    assert site.qwait(request) == 8
    assert site.cjcpw.poll() is None


# --- log/ ------------------------------------------------------------------------------------


def test_a_full_log_directory_stops_nothing(site):
    start_with(site, "log", "size=64k,mode=0750")
    fill(inside(site, "log", "ballast"))
    assert site.qwait(site.qsub("exit 3\n")) == 3
    site.run("qsub", "-q", "nowhere", stdin="true\n").refused("nowhere")
    site.stop()


def test_a_log_directory_that_cannot_be_written_is_said_in_one_line_and_stops_nothing(site):
    start_with(site, "log", "ro,mode=0750")
    with open(site.cjcpw.log, encoding="utf-8") as file:
        (line,) = file.read().splitlines()
    assert line.startswith(f"cjcpw: warning: {site.directory}/log cannot be written")
    assert site.qwait(site.qsub("exit 3\n")) == 3
    os.kill(site.daemon("worker"), signal.SIGKILL)
    assert site.cjcpw.wait(5) == 1
    assert not site.processes()


# --- database/ -------------------------------------------------------------------------------


def test_no_space_for_the_database_loses_no_printed_id(site):
    """A disk of 1 MiB: whatever becomes of jcdbs, cjcpw stays, and what was printed is there when there is space."""
    database, copy = os.path.join(site.directory, "database"), site.node.make_directory("copy")
    moved = (
        f"cp -a {database}/. {copy}; mount -t tmpfs -o size=1m,mode=0700 fault {database}; cp -a {copy}/. {database}; "
    )
    site.start(wrapper=("unshare", "-m", "sh", "-c", f'set -e; {moved}exec "$@"', "sh"))
    site.qmgr("stop queue batch")
    ballast = os.path.join(inside(site, "database"), "ballast")
    fill(ballast, leave_bytes=8 * _KIB)
    printed = []
    for _ in range(200):
        result = site.run("qsub", stdin="true\n")
        if result.exit_code:
            break
        printed.append(result.out.split()[1])
    result.refused("qsub", "short of space")
    os.unlink(ballast)
    wait_until(lambda: site.run("qsub", stdin="true\n").exit_code == 0, 30, site.log_text)
    assert set(printed) <= known(site)
    assert site.cjcpw.poll() is None
    site_database.check(connect(os.path.join(inside(site, "database"), ".jcdbs.sock")))
    site.stop()

"""The sweep: what belongs to a site is found and killed, others are listed, and nobody's ancestors are touched."""

import os
import signal
import subprocess
import sys

import pytest

from jcq.cluster import record, sweep
from jcq.config import DaemonConf
from jcq.node import boot_id
from jcq.site import Site

#: Says that it is there, and stays; deaf to SIGTERM where it is told so.
STAY = "import signal, sys; {deaf}print(flush=True); sys.stdin.read()"


@pytest.fixture
def site(tmp_path):
    for name in ("database", "run", "log"):
        (tmp_path / "nqs" / name).mkdir(parents=True)
    return Site(str(tmp_path), str(tmp_path / "nqs"), name="testsite")


@pytest.fixture
def start():
    """Function that starts a process which stays, and returns its Popen."""
    started = []

    def make(deaf=False, cwd=None, **environment):
        code = STAY.format(deaf="signal.signal(signal.SIGTERM, signal.SIG_IGN); " if deaf else "")
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=cwd,
        )
        started.append(child)
        child.stdout.readline()
        return child

    yield make
    for child in started:
        child.kill()
        child.communicate()


def pids(found):
    return [process.pid for process in found]


def test_the_mark_is_the_whole_path_of_this_site(site, start):
    mine = start(JCQ_SITE=site.directory)
    start(JCQ_SITE=site.directory + "2")
    start(JCQ_SITE=os.path.dirname(site.directory))
    start(XJCQ_SITE=site.directory)
    assert sweep.marked(site, site.root) == [mine.pid]
    assert pids(sweep.leftovers(site, site.root)) == [mine.pid]


def test_a_site_reached_through_a_link_is_the_same_site(site, start, tmp_path):
    mine = start(JCQ_SITE=site.directory)
    os.symlink(site.directory, tmp_path / "link")
    assert sweep.marked(Site(site.root, str(tmp_path / "link")), site.root) == [mine.pid]


def test_a_recorded_process_counts_only_with_its_start(site, start):
    child = start()
    daemons = record.DaemonRecord.new(site.root, DaemonConf(), monitored=True)
    daemons.put("worker", child.pid)
    daemons.write(site)
    (found,) = sweep.leftovers(site, site.root)
    assert (found.pid, found.why) == (child.pid, "recorded as worker")
    daemons.processes["worker"][1] -= 1
    daemons.write(site)
    assert sweep.leftovers(site, site.root) == []


def test_it_kills_what_is_deaf_and_leaves_the_others(site, start):
    mine, deaf, other = start(JCQ_SITE=site.directory), start(deaf=True, JCQ_SITE=site.directory), start()
    found, left = sweep.kill(site, site.root, limit_s=20)
    assert pids(found) == sorted([mine.pid, deaf.pid])
    assert left == []
    assert mine.wait(5) == deaf.wait(5) == -signal.SIGKILL
    assert other.poll() is None


def test_with_a_grace_sigterm_comes_first(site, start):
    mine = start(JCQ_SITE=site.directory)
    _, left = sweep.kill(site, site.root, limit_s=20, grace_s=15)
    assert left == []
    assert mine.wait(5) == -signal.SIGTERM


def test_itself_and_its_ancestors_are_never_found(site):
    # The child has the mark, and so has the Python below it that sweeps: neither may die.
    code = (
        "import sys; from jcq.cluster import sweep; from jcq.site import Site; site = Site(*sys.argv[1:3]); "
        "print(sweep.kill(site, sys.argv[1], 5))"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" "$2" "$3"; exit $?', sys.executable, code, site.root, site.directory],
        env={**os.environ, "JCQ_SITE": site.directory, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "([], [])\n"), done


def test_others_are_listed_with_what_they_use(site, start):
    inside, outside = start(cwd=site.path("log")), start(cwd=site.root)
    found = sweep.others(site)
    assert pids(found) == [inside.pid]
    assert str(found[0]).endswith(f"[{inside.pid}] (uses {site.path('log')})")
    assert outside.poll() is None
    inside.communicate()
    assert sweep.others(site, settle_s=5) == []


def test_a_process_of_another_node_is_not_this_nodes(site, start, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "boot_id").write_text("another boot\n")
    mark = {"JCQ_SITE": site.directory}
    start(cwd=site.directory, JCQ_BOOT="another boot", **mark)
    # A command that was called there has no JCQ_BOOT.
    start(cwd=site.directory, JCQ_ROOT=str(other), **mark)
    mine = [
        start(cwd=site.directory, **more, **mark)
        for more in ({}, {"JCQ_BOOT": boot_id(site.root)}, {"JCQ_ROOT": site.root})
    ]
    expected = sorted(child.pid for child in mine)
    assert sorted(sweep.marked(site, site.root)) == expected
    assert pids(sweep.others(site)) == expected
    found, left = sweep.kill(site, site.root, limit_s=20)
    assert (pids(found), left) == (expected, [])


def test_others_are_killed_on_demand_and_never_an_ancestor(site, start):
    deaf, outside = start(deaf=True, cwd=site.path("log")), start(deaf=True)
    found, left = sweep.kill_others(site, limit_s=20)
    assert (pids(found), left) == ([deaf.pid], [])
    assert deaf.wait(5) == -signal.SIGKILL
    assert outside.poll() is None
    code = (
        "import sys; from jcq.cluster import sweep; from jcq.site import Site; site = Site(*sys.argv[1:3]); "
        "print(sweep.kill_others(site, 5))"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" "$2" "$3"; exit $?', sys.executable, code, site.root, site.directory],
        cwd=site.directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "([], [])\n"), done

"""What a job cannot lose: the site's cgroup, group and limit each find it alone, and each node finds its own only."""

import logging
import os
import signal
import sys
import uuid

import pytest

from jcq import site_cgroup
from jcq.cluster import sweep
from jcq.node import boot_id
from jcq.site import Site
from jcq.site_group import give_limit, has_group, has_limit, site_gid, site_limit
from support import skips
from support.slots import AS_ROOT, LIMIT_S, Slots, with_word
from support.waiting import wait_until
from worker.containment import Containment

#: Says that it lives, empties its environment, has a new parent and closes its files; deaf to SIGTERM.
LOST = """\
(setsid env -i sh -c 'trap "" TERM; exec <&- >&- 2>&-; : > {ready}; while :; do sleep 1; done' {word} &)
until [ -e {ready} ]; do sleep 0.01; done
exec sleep 1000
"""
#: Each process starts the next one and ends, thousands in a second: no list of /proc has the one that lives. For a
#: minute, should nobody catch it.
CHAIN = """\
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
open(sys.argv[1], "w").close()
end = time.monotonic() + 60
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
"""
WHY = {"cgroup": "is in the site's cgroup", "group": "has the site's group", "limit": "has the site's limit"}
ROOTS = pytest.mark.root
WAYS = [pytest.param("cgroup", marks=ROOTS), pytest.param("group", marks=ROOTS), "limit"]


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


@pytest.fixture
def site(tmp_path):
    for name in ("database", "run", "log"):
        (tmp_path / "nqs" / name).mkdir(parents=True)
    made = Site(str(tmp_path), str(tmp_path / "nqs"), name="testsite")
    yield made
    # A test that failed may have left some.
    sweep.kill(made, made.root, LIMIT_S)


def give(slots, site, way):
    """Mark the launcher in one way only; returns what a spec needs for it."""
    boot = boot_id(site.root)
    if way == "cgroup":
        try:
            path = site_cgroup.make(site_cgroup.cgroup_name(site.directory, boot))
        except OSError:
            pytest.skip(skips.NEEDS_CGROUP)
        site_cgroup.join(path, slots.launcher.pid)
    elif way == "limit":
        give_limit(slots.launcher.pid, site_limit(site.directory, boot))
    else:
        return {"groups": [slots.gid, site_gid(site.directory, boot)]}
    return {}


def kill_all_above(slots, shepherd):
    """SIGKILL of launcher and shepherd at one instant: nobody is left who could clean up."""
    above = (slots.launcher.pid, shepherd.pid)
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in above:
            os.kill(pid, signum)
    assert slots.launcher.stop(LIMIT_S) == -signal.SIGKILL
    slots.launcher.pid = -1


def lost(slots, spec=None):
    """A job that does all it can to be nobody's; returns its word."""
    word = f"jcqtest-{uuid.uuid4()}"
    ready = os.path.join(slots.home, word)
    shepherd = slots.shepherd()
    shepherd.begin(slots.run_spec(LOST.format(ready=ready, word=word), **(spec or {})))
    wait_until(lambda: os.path.exists(ready), LIMIT_S, lambda: str(with_word(word)))
    return word, shepherd


@pytest.mark.parametrize("way", WAYS)
def test_one_way_alone_finds_a_lost_job_of_another_uid(slots, site, way):
    word, shepherd = lost(slots, give(slots, site, way))
    kill_all_above(slots, shepherd)
    (pid,) = with_word(word)
    assert not AS_ROOT or os.stat(f"/proc/{pid}").st_uid == slots.uid != os.geteuid()
    found, left = sweep.kill(site, site.root, LIMIT_S)
    assert pid in {process.pid for process in found}
    assert WHY[way] in {process.why for process in found}
    assert (left, with_word(word)) == ([], [])
    name = site_cgroup.cgroup_name(site.directory, boot_id(site.root))
    assert site_cgroup.find(name) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_that_is_faster_than_a_list_is_caught(slots, site, way):
    """Without a mark on it in the environment: only the look at what was born meanwhile can find it."""
    # Python may stand where another uid cannot read it.
    spec = {"uid": os.getuid(), "gid": os.getgid(), **give(slots, site, way)}
    ready = os.path.join(slots.home, "chain-lives")
    path = slots.make_file(os.path.join(slots.home, "chain.py"), CHAIN.encode())
    script = f"env -i {sys.executable} -I -S {path} {ready} &\nexec sleep 1000\n"
    shepherd = slots.shepherd()
    shepherd.begin(slots.run_spec(script, **spec))
    wait_until(lambda: os.path.exists(ready), LIMIT_S, lambda: str(with_word(ready)))
    kill_all_above(slots, shepherd)
    found, left = sweep.kill(site, site.root, LIMIT_S)
    assert WHY[way] in {process.why for process in found}
    assert left == []
    assert with_word(ready) == []


def test_such_a_chain_dies_with_its_job(slots):
    ready = os.path.join(slots.home, "chain-lives")
    path = slots.make_file(os.path.join(slots.home, "chain.py"), CHAIN.encode())
    wait = f"until [ -e {ready} ]; do sleep 0.01; done\nexit 4\n"
    script = f"env -i {sys.executable} -I -S {path} {ready} &\n{wait}"
    result = slots.shepherd().finish(slots.run_spec(script, uid=os.getuid(), gid=os.getgid()))
    assert (result["exit_code"], result["stragglers"] >= 1, with_word(ready)) == (4, True, [])


def test_a_job_has_what_the_worker_gives_and_an_outsider_has_not(slots, site, caplog):
    caplog.set_level(logging.INFO)
    containment = Containment(site, logging.getLogger("test"))
    containment.take(slots.launcher.pid)
    assert bool(containment.cgroup) == ("jobs have no cgroup" not in caplog.text)
    _, shepherd = lost(slots)
    boot = boot_id(site.root)
    assert has_limit(shepherd.pid, site_limit(site.directory, boot))
    assert not has_limit(shepherd.pid, site_limit(site.directory, "another boot"))
    assert not has_limit(os.getpid(), site_limit(site.directory, boot))
    assert not has_group(os.getpid(), 1 << 31)
    if containment.cgroup:
        assert shepherd.pid in site_cgroup.members(containment.cgroup)
        containment.leave()
        assert os.path.isdir(containment.cgroup), "it has processes"
    assert slots.launcher.stop(LIMIT_S) == 0
    slots.launcher.pid = -1
    containment.leave()
    assert not (containment.cgroup and os.path.exists(containment.cgroup))


def test_another_nodes_sweep_leaves_it_alone(slots, site, tmp_path):
    Containment(site, logging.getLogger("test")).take(slots.launcher.pid)
    spec = {"env": {"PATH": "/usr/bin:/bin", "JCQ_SITE": site.directory, "JCQ_BOOT": boot_id(site.root)}}
    word, shepherd = lost(slots, spec)
    other = tmp_path / "other"
    other.mkdir()
    (other / "boot_id").write_text("another boot\n")
    assert sweep.kill(Site(str(other), site.directory), str(other), LIMIT_S) == ([], [])
    assert with_word(word)
    kill_all_above(slots, shepherd)
    assert sweep.kill(Site(str(other), site.directory), str(other), LIMIT_S) == ([], [])
    assert with_word(word)
    found, left = sweep.kill(site, site.root, LIMIT_S)
    assert (len(found) >= 2, left, with_word(word)) == (True, [], [])


def test_what_cannot_be_given_is_said_once_and_done_without(slots, site, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(site_cgroup, "own_cgroup", lambda: None)
    boot = boot_id(site.root)
    give_limit(slots.launcher.pid, min(site_limit(site.directory, boot), 1 << 20))
    if AS_ROOT:
        # Root may raise a limit again.
        monkeypatch.setattr("worker.containment.give_limit", _refuse)
    containment = Containment(site, logging.getLogger("test"))
    containment.take(slots.launcher.pid)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "jobs have no cgroup",
        "jobs are not marked by a limit",
    ]
    assert slots.shepherd().finish(slots.run_spec("exit 4\n"))["exit_code"] == 4


def _refuse(pid, limit):
    raise OSError("no")

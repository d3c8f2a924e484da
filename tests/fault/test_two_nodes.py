"""Two nodes over one directory: the standby keeps its hands off, takes over when the owner is dead, and not before."""

import os
import signal

import pytest

from support import battery as parts
from support.ledger import Ledger
from support.two_nodes import TwoNodes
from support.waiting import wait_until

OWNED_ELSEWHERE = 3
FENCED = 6
AWAY = 75


@pytest.fixture
def two():
    """Two nodes with a site, not started."""
    with TwoNodes(site_conf="FENCE_TIMEOUT=4\nFORCEKILL_TIME=1\n") as made:
        yield made


def photograph(two):
    """{path: (inode, content)} of every file of the database."""
    found = {}
    for top, _, names in os.walk(os.path.join(two.directory, "database")):
        for name in names:
            path = os.path.join(top, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    found[path] = (os.fstat(file.fileno()).st_ino, file.read())
    return found


def check_untouched(before, after):
    """No file was replaced, made, removed or changed; the owner itself appends to some, and its heart beats."""
    assert set(after) == set(before)
    for path, (inode, content) in before.items():
        assert after[path][0] == inode, path
        if path.endswith((".aof", ".log")):
            assert after[path][1].startswith(content), path
        elif not path.endswith(".owner.ofd"):
            assert after[path][1] == content, path


def heartbeats(two):
    """What the owner's heartbeat is written into."""
    with open(os.path.join(two.directory, "database", ".owner.ofd"), "rb") as file:
        return file.read()


@pytest.mark.parametrize("mode", parts.MODES)
def test_a_standby_leaves_a_living_owner_alone(two, mode):
    a, b = two.node_a.site, two.node_b.site
    parts.start(a, mode)
    ledger = Ledger(two.make_directory("ledger", 0o777))
    gate = os.path.join(two.scratch, "gate")
    request = a.qsub(ledger.script(60, gate), cwd=two.make_directory("work", 0o777))
    wait_until(lambda: request in ledger.started(), 20, a.log_text)
    before, owner = photograph(two), parts.epoch(a)

    for _ in range(2):
        two.node_b.run("cjcpw", b.name, b.db_path).refused(two.node_a.host, exit_code=OWNED_ELSEWHERE)
        two.node_b.run("cjcpw", "-c", b.name, b.db_path).refused(two.node_a.host, exit_code=OWNED_ELSEWHERE)
        # A cluster manager's probe on the standby (ha-facts.md section 2, case 15).
        two.node_b.run("cjcpw", "-stop", b.name).ok()
    check_untouched(before, photograph(two))
    assert parts.epoch(a) == owner
    last = heartbeats(two)
    wait_until(lambda: heartbeats(two) != last, 10, a.log_text)
    open(gate, "wb").close()
    assert a.qwait(request) == 0
    assert {line.kind for line in ledger.lines()} >= {"start", "end"}
    assert two.node_b.left_over() == []
    a.stop()


def test_force_does_not_replace_an_owner_that_lives(two):
    a, b = two.node_a.site, two.node_b.site
    a.start()
    first = parts.epoch(a)
    refused = two.node_b.run("cjcpw", "--force", two.node_a.host, b.name, b.db_path)
    refused.refused(two.node_a.host, exit_code=OWNED_ELSEWHERE)
    assert parts.epoch(a) == first
    assert a.qwait(a.qsub("exit 3\n")) == 3


def test_a_planned_move_and_back(two):
    a, b = two.node_a.site, two.node_b.site
    a.start()
    assert a.qwait(a.qsub("exit 3\n")) == 3
    a.stop()
    b.start()
    assert b.qwait(b.qsub("exit 4\n")) == 4
    two.node_a.run("cjcpw", a.name, a.db_path).refused(two.node_b.host, exit_code=OWNED_ELSEWHERE)
    b.stop()
    a.start()
    assert [a.qwait(f"{number}.testsite") for number in (1, 2)] == [3, 4]


def test_commands_wait_on_the_node_that_takes_over_and_end_on_the_other(two):
    a, b = two.node_a.site, two.node_b.site
    # So that both nodes know the site.
    b.start()
    b.stop()
    a.start()
    gate = os.path.join(two.scratch, "gate")
    script = f"while [ ! -e {gate} ]; do sleep 0.05; done\nexit 5\n"
    request = a.qsub(script, cwd=two.make_directory("work", 0o777))
    wait_until(lambda: a.qstat(request)["requests"][0]["state"] == "RUNNING", 20, a.log_text)
    env = {"NQS_SITE": a.name}
    here = two.node_b.spawn("qwait", request, env=env)
    before = connections(a)
    there = [
        two.node_a.spawn(*words, env={**env, "NQS_TIMEOUT": "4"})
        for words in (("qwait", request), ("qcat", "-f", request))
        # Without namespaces the other node's socket can be reached from here.
        if two.machines
    ]
    wait_until(lambda: connections(a) >= before + len(there), 20, a.log_text)
    a.stop()
    b.start()
    open(gate, "wb").close()
    assert here.wait(60) == 5
    assert [child.wait(30) for child in there] == [AWAY] * len(there)
    for child in there:
        with open(child.log, encoding="utf-8") as file:
            (line,) = file.read().splitlines()
        assert "is not running on this node, and was not within 4 s" in line
        assert f"{two.node_b.host} had it last" in line
    assert b.qwait(request) == 5


def connections(site):
    """How many sockets nqsdaemon has open."""
    found = 0
    directory = f"/proc/{site.daemon('nqsdaemon')}/fd"
    for name in os.listdir(directory):
        try:
            found += os.readlink(f"{directory}/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("mode", parts.MODES)
def test_a_take_over_from_a_node_that_was_powered_off(two, mode):
    a, b = two.node_a.site, two.node_b.site
    parts.start(a, mode)
    assert a.qwait(a.qsub("exit 3\n")) == 3
    two.node_a.kill()
    parts.start(b, mode)
    assert b.qwait(b.qsub("exit 4\n")) == 4
    two.node_a.boot()
    two.node_a.run("cjcpw", a.name, a.db_path).refused(two.node_b.host, exit_code=OWNED_ELSEWHERE)
    b.stop()


def test_the_same_node_starts_again_after_its_power_was_off(two):
    a = two.node_a.site
    a.start()
    assert a.qwait(a.qsub("exit 3\n")) == 3
    two.node_a.kill()
    two.node_a.boot()
    a.start()
    assert a.qwait("1.testsite") == 3


def test_a_heart_that_is_killed_is_given_back(two):
    """The process of the heartbeat alone dies: the site goes on, and so does its heartbeat."""
    a = two.node_a.site
    a.start()
    (heart,) = [process.pid for process in two.node_a.left_over() if process.title.startswith("NQS heart")]
    os.kill(heart, signal.SIGKILL)
    last = heartbeats(two)
    wait_until(lambda: heartbeats(two) != last, 10, a.log_text)
    assert a.qwait(a.qsub("exit 3\n")) == 3


def test_a_thawed_owner_confirms_nothing_before_its_heart_has_looked(two):
    """The processes of a frozen owner wake up in any order: here the one that would see the new owner is the last."""
    a, b = two.node_a.site, two.node_b.site
    with open(os.path.join(two.directory, "site.conf"), "w", encoding="ascii") as file:
        file.write("FENCE_TIMEOUT=12\nFORCEKILL_TIME=1\n")
    a.start()
    (heart,) = [process.pid for process in two.node_a.left_over() if process.title.startswith("NQS heart")]
    script = os.path.join(two.scratch, "late")
    with open(script, "w", encoding="ascii") as file:
        file.write("true\n")
    two.node_a.freeze()
    late = two.node_a.spawn("qsub", script, env={"NQS_SITE": a.name, "NQS_TIMEOUT": "0"})
    b.start_by_force(two.node_a.host)
    two.node_a.thaw(but=[heart])
    assert late.wait(30) != 0
    with open(late.log, encoding="utf-8") as file:
        assert "submitted" not in file.read()
    two.node_a.thaw()
    assert a.end_by_itself() == FENCED
    assert b.qstat()["requests"] == []

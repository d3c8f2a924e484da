"""Commands that wait, or are given, while the site is away: they go on when it is back, or end at the limit."""

import os
import re
import signal

import pytest

from support.harness import Node
from support.waiting import wait_until

AWAY = 75
SCRIPT = "echo before\nwhile [ ! -e {gate} ]; do sleep 0.05; done\necho after\nexit {code}\n"


@pytest.fixture(scope="module")
def site():
    with Node() as node:
        yield node.cluster_site().start()


def text(child):
    with open(child.log, encoding="utf-8") as file:
        return file.read()


def submit(site, name, code):
    """(id, gate) of a request that runs and has written a line."""
    gate = os.path.join(site.node.scratch, name)
    request = site.qsub(SCRIPT.format(gate=gate, code=code))
    wait_until(lambda: site.run("qcat", request).out == "before\n", 30, site.log_text)
    return request, gate


def waiting(site, request, *options):
    """qwait, qcat -f and qstat --watch, each seen to be served."""
    env = {"NQS_SITE": site.name}
    qcat = site.node.spawn("qcat", *options, "-f", request, env=env)
    watch = site.node.spawn("qstat", *options, "--watch", "-b", env=env)
    qwait = site.node.spawn("qwait", *options, request, env=env)
    wait_until(lambda: text(qcat) and text(watch), 30, site.log_text)
    number = site.run("qstat", request).ok()
    assert number
    return qwait, qcat, watch


def crash(site):
    """SIGKILL of cjcpw, which nothing of the site outlives."""
    site.cjcpw.kill()
    site.cjcpw.wait()
    site.cjcpw = None
    wait_until(lambda: not site.processes(), 30, site.log_text)


def test_a_crash_and_a_restart(site):
    request, gate = submit(site, "one", 5)
    qwait, qcat, watch = waiting(site, request)
    shown = len(text(watch))
    crash(site)
    script = os.path.join(site.node.scratch, "script")
    with open(script, "w", encoding="ascii") as file:
        file.write("exit 4\n")
    # In the gap; each is one request, whatever it took.
    late = [site.node.spawn("qsub", script, env={"NQS_SITE": site.name}) for _ in range(3)]
    order = site.node.spawn("qmgr", "--timeout", "50", "show", "queue", env={"NQS_SITE": site.name})
    wait_until(lambda: all(child.poll() is None for child in (qwait, qcat, watch, order, *late)), 5, lambda: "ended")
    site.start()
    # It is seen to run again before it ends.
    wait_until(lambda: text(qcat).count("before") == 2, 30, lambda: text(qcat))
    with open(gate, "wb"):
        pass
    assert qwait.wait(60) == 5
    assert text(qwait) == ""
    assert qcat.wait(60) == 0
    assert text(qcat) == "before\nqcat: the request runs again; this is the output of its new run\nbefore\nafter\n"
    assert [child.wait(60) for child in (*late, order)] == [0] * 4
    ids = [re.fullmatch(r"Request (\S+) submitted to queue: \S+\.\n", text(child))[1] for child in late]
    assert len({*ids, request}) == 4
    assert [site.qwait(found) for found in ids] == [4] * 3
    # No other one was made.
    assert site.qsub("true\n") == f"{1 + max(int(found.split('.')[0]) for found in ids)}.{site.name}"
    wait_until(lambda: len(text(watch)) > shown and watch.poll() is None, 30, lambda: text(watch))
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_a_restart_on_purpose(site):
    request, gate = submit(site, "two", 6)
    qwait, qcat, watch = waiting(site, request)
    site.stop()
    # Who comes now is answered at once, whatever the limit.
    env = {"NQS_TIMEOUT": "3600"}
    for command, *args in (("qstat",), ("qdel", request), ("qmgr", "show", "queue")):
        site.run(command, *args, env=env, limit_s=30).refused(
            "is not running on this node; start the site", exit_code=1
        )
    site.run("qsub", stdin="true\n", env=env, limit_s=30).refused("is not running on this node", exit_code=1)
    site.start()
    with open(gate, "wb"):
        pass
    assert [qwait.wait(60), qcat.wait(60)] == [6, 0]
    assert watch.poll() is None
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_maintenance_is_on_purpose(site):
    site.node.run("nqsstop", site.name).ok()
    site.run("qstat", env={"NQS_TIMEOUT": "3600"}, limit_s=30).refused("is not running on this node", exit_code=1)
    site.node.run("nqsstart", site.name).ok()
    site.run("qstat").ok()


def test_the_limit(site):
    request, _ = submit(site, "three", 0)
    commands = waiting(site, request, "--timeout", "2")
    crash(site)
    assert [child.wait(30) for child in commands] == [AWAY] * 3
    for child, name in zip(commands, ("qwait", "qcat", "qstat"), strict=True):
        last = text(child).splitlines()[-1]
        assert last.startswith(f"{name}: the NQS daemon of site testsite.example is not running on this node"), last
        assert "within 2 s: it should be; look with cjcls" in last
    for command, *args in (("qstat",), ("qdel", request), ("qmgr", "show", "queue")):
        site.run(command, *args, env={"NQS_TIMEOUT": "1"}).refused("was not within 1 s", exit_code=AWAY)
    # Its cluster software cleans up behind it, which is no stop on purpose.
    site.node.run("cjcpw", "-stop", site.name).ok()
    site.run("qstat", env={"NQS_TIMEOUT": "1"}).refused("was not within 1 s", exit_code=AWAY)
    site.start()


@pytest.mark.parametrize("value", ["-1", "x", "604801"])
def test_bad_values_of_qmgr(site, value):
    site.run("qmgr", "--timeout", value, "show", "queue").refused("--timeout needs a number", exit_code=2)
    site.run("qmgr", "show", "queue", env={"NQS_TIMEOUT": value}).refused("NQS_TIMEOUT needs a number", exit_code=2)

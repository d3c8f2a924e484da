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


def test_a_disk_that_comes_later(site):
    """As on the node that takes a site over; the manual's answer is for who cannot expect that."""
    request, gate = submit(site, "four", 8)
    site.stop()
    away = f"{site.db_path}.away"
    os.rename(site.db_path, away)
    try:
        env = {"NQS_SITE": site.name}
        ended = [
            (site.node.spawn(*words, env=env), code)
            for words, code in (
                (("qwait", request), 8),
                (("qstat", "--timeout", "50", request), 0),
                (("qmgr", "--timeout", "50", "show", "queue"), 0),
            )
        ]
        watch = site.node.spawn("qstat", "--watch", "-b", env=env)
        for command, *args in (("qstat",), ("qdel", request), ("qmgr", "show", "queue"), ("qcat", request)):
            site.run(command, *args).refused("Unable to setup NQS rootdir", exit_code=1)
        words = "is not running on this node, and was not within 1 s: its disk is not here"
        for command in (("qwait",), ("qcat", "-f")):
            result = site.run(*command, "--timeout", "1", request)
            result.refused(f"{command[0]}: the NQS daemon of site {site.name}", words, exit_code=AWAY)
        for command, *args in (("qwait", request), ("qdel", request), ("qmgr", "show", "queue")):
            site.run(command, *args, env={"NQS_TIMEOUT": "1"}).refused(words, exit_code=AWAY)
        # Of these nothing here says that they are sites.
        for name in ("nosuchsite", "127.0.0.99"):
            site.run("qwait", request, env={"NQS_SITE": name}).refused("Unable to setup NQS rootdir", exit_code=1)
    finally:
        os.rename(away, site.db_path)
    site.start()
    with open(gate, "wb"):
        pass
    assert [child.wait(60) for child, _ in ended] == [code for _, code in ended]
    wait_until(lambda: text(watch), 30, lambda: str(watch.poll()))
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 0


def test_a_site_that_this_node_never_had(site):
    site.node.add_name("127.0.0.77", "other.example", "other")
    for name in ("other", "127.0.0.77"):
        env = {"NQS_SITE": name}
        site.run("qwait", "--timeout", "1", "5", env=env).refused("its disk is not here", exit_code=AWAY)
        site.run("qstat", env=env).refused("Unable to setup NQS rootdir", exit_code=1)


@pytest.mark.parametrize("value", ["-1", "x", "604801"])
def test_bad_values_of_qmgr(site, value):
    site.run("qmgr", "--timeout", value, "show", "queue").refused("--timeout needs a number", exit_code=2)
    site.run("qmgr", "show", "queue", env={"NQS_TIMEOUT": value}).refused("NQS_TIMEOUT needs a number", exit_code=2)

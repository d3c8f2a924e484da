"""Oracle Clusterware's demands (manual 6.2): the action script, which every node runs, and what ps and cjcls show."""

import os
import re
import shlex
import signal
import stat
import time

import pytest

from support.agents import QUICK_S, SHELLS, directory_of, read, write_files
from support.two_nodes import TwoNodes

#: How the manual's script finds a site that is up, and its cjcpw; scripts at sites may still do so.
BY_CJCLS = "{cjcls} | grep '^ *{site} ' | awk '{{print $2}}'"
BY_PS = "ps -ef | grep '/usr/lib/nqs/cluster/cjcpw {site}{more}' | grep -v grep"


@pytest.fixture(params=SHELLS)
def action(request, bench):
    """A function that calls the action script of a site under one of the shells."""

    def call(*args, site="testsite", **options):
        return bench.call(request.param, "clusterware", "action.sh", *args, site=site, **options)

    call.shell = request.param
    return call


def up_by_cjcls(bench, action, site="testsite"):
    """What the manual's words find: a pid, SHUT or nothing."""
    text = BY_CJCLS.format(cjcls=bench.lay("cjcls"), site=site)
    return bench.shell(action.shell, text).ok().strip()


def found_by_ps(bench, action, more=""):
    """The lines that the manual's words find, of this node only."""
    lines = bench.shell(action.shell, BY_PS.format(site="testsite", more=more) + " || :").ok().splitlines()
    return [line for line in lines if bench.node.root in line]


@pytest.mark.case(12, 13, 14, 16)
def test_start_check_and_stop(bench, action):
    assert action("check", limit_s=QUICK_S).exit_code == 1
    assert action("start").ok() == "site testsite is up\n"
    # The script has ended; cjcpw lives on, and has no place in its session.
    [cjcpw] = bench.cjcpw()
    assert os.getsid(cjcpw) == cjcpw
    assert re.fullmatch("[0-9]+", up_by_cjcls(bench, action))
    assert [int(line.split()[1]) for line in found_by_ps(bench, action)] == [cjcpw]
    action("check").ok()

    before = bench.pids()
    action("start", limit_s=QUICK_S).ok()
    bench.node.run([bench.lay("cjcpw")], "testsite", bench.site.db_path).refused("already running", exit_code=4)
    assert bench.pids() == before

    action("stop").ok()
    bench.check_gone()
    assert up_by_cjcls(bench, action) == "SHUT"
    for again in ("stop", "clean"):
        began = time.monotonic()
        action(again, limit_s=QUICK_S).ok()
        assert time.monotonic() - began < QUICK_S
    assert action("check").exit_code == 1
    assert action("restart").exit_code == 1


@pytest.mark.case(13, 17)
def test_after_sigkill_of_cjcpw_a_start_and_a_check_clean_up(bench, action):
    action("start").ok()
    job = bench.leave_a_job()
    assert bench.state() == "leftover"
    # The start is not refused, and the job is no more.
    action("start").ok()
    assert bench.state() == "up"
    assert job not in bench.pids()
    # check says that it is gone, and has what is left stopped.
    bench.leave_a_job()
    assert action("check").exit_code == 1
    bench.check_gone()


@pytest.mark.case(17)
def test_after_sigkill_of_cjcpw_alone_it_starts_again_at_once(bench, action):
    action("start").ok()
    os.kill(bench.cjcpw()[0], signal.SIGKILL)
    action("start").ok()
    assert len(bench.cjcpw()) == 1
    action("clean").ok()
    bench.check_gone()


@pytest.mark.case(18)
def test_a_site_is_not_taken_for_another_whose_name_begins_alike(bench, action):
    action("start", site="testsite2").ok()
    others = bench.pids("testsite2")
    # The manual's words take one for the other, unless the database path follows the name.
    assert found_by_ps(bench, action)
    assert not found_by_ps(bench, action, more=f" {bench.site.db_path}$")
    assert up_by_cjcls(bench, action) == "SHUT"
    assert action("check").exit_code == 1
    for harmless in ("stop", "clean"):
        action(harmless).ok()
    action("check", site="testsite2").ok()
    action("start").ok()
    assert len(bench.cjcpw()) == 1
    action("stop").ok()
    assert bench.pids("testsite2") == others
    bench.check_gone()


@pytest.mark.case(13)
def test_a_start_that_fails_says_so(bench, action):
    away = bench.site.db_path + ".away"
    os.rename(bench.site.db_path, away)
    try:
        assert "cjcpw ended with 5" in action("start", limit_s=QUICK_S).out
        assert action("check").exit_code == 1
        action("stop").ok()
    finally:
        os.rename(away, bench.site.db_path)
    bench.check_gone()


@pytest.mark.case(15)
def test_on_the_standby_nothing_touches_the_active_nodes_site():
    with TwoNodes() as two:
        active, standby = two.node_a, two.node_b
        for node in two.nodes:
            node.run("jcq", "install").ok()
            write_files(node, "clusterware", "testsite", two.db_path)

        def on(node, shell, word, **options):
            script = os.path.join(directory_of(node, "clusterware", "testsite"), "action.sh")
            return node.run([shell, script, word], **options)

        on(active, "dash", "start").ok()
        before = sorted(process.pid for process in active.site.processes())
        for shell in SHELLS:
            # At first this node has never seen the site.
            probe = on(standby, shell, "check")
            assert (probe.exit_code, probe.out.split()[-1] in ("unknown", "elsewhere")) == (1, True), probe
            for word in ("clean", "stop"):
                on(standby, shell, word, limit_s=QUICK_S).ok()
            # And a start there is refused by cjcpw: the owner's locks are held.
            assert "cjcpw ended with 3" in on(standby, shell, "start").out
            assert "elsewhere" in on(standby, shell, "check").out
        on(active, "dash", "check").ok()
        assert sorted(process.pid for process in active.site.processes()) == before
        assert active.site.qwait(active.site.qsub("true\n", cwd=two.make_directory("work", 0o777))) == 0
        on(active, "dash", "stop").ok()
        # A planned move.
        on(standby, "bash", "start").ok()
        on(standby, "bash", "clean").ok()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_resources_are_added_by_crsctl(bench, shell):
    grid = bench.node.make_directory(f"grid-{shell}/bin")
    told = os.path.join(bench.node.scratch, f"told-{shell}")
    for tool in ("crsctl", "appvipcfg"):
        path = os.path.join(grid, tool)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho {tool} >>{told}\nprintf '%s\\n' \"$@\" >>{told}\n")
        os.chmod(path, stat.S_IRWXU)
    bench.call(shell, "clusterware", "resource.sh", os.path.dirname(grid), "node-a", "node-b").ok()
    words = read(told).splitlines()
    [attributes] = [word for word in words if word.startswith("ACTION_SCRIPT=")]
    assert "PARENT_POOLS=Generic, SERVER_NAMES=node-a node-b" in words
    assert f"-ip={bench.site.address}" in words
    for wanted in ("CHECK_INTERVAL=30", "RESTART_ATTEMPTS=1", "UPTIME_THRESHOLD=1h", "STOP_TIMEOUT=600"):
        assert wanted in attributes.split(",")
    assert "START_DEPENDENCIES='hard(jcq_vip_testsite)pullup(jcq_vip_testsite)'" in attributes
    assert shlex.split(attributes)
    assert bench.call(shell, "clusterware", "resource.sh").exit_code == 2

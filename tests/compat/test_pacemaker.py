"""The OCF agent `ocf:jcq:site`, PowerHA's three scripts, and what all agents make of maintenance."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from support import skips
from support.agents import QUICK_S, SHELLS
from support.waiting import wait_until

SUCCESS, GENERIC, UNIMPLEMENTED, INSTALLED, CONFIGURED, NOT_RUNNING = 0, 1, 3, 5, 6, 7
OCF_TESTER = "/usr/sbin/ocf-tester"


@pytest.fixture(params=SHELLS)
def agent(request, bench):
    """A function that calls an action of the agent under one of the shells; returns the `Result`."""

    def call(action, **parameters):
        return bench.agent(request.param, action, **parameters)

    call.shell = request.param
    return call


@pytest.fixture
def disk_away(bench):
    """The site's database is not there, as on a standby."""
    away = bench.site.db_path + ".away"
    os.rename(bench.site.db_path, away)
    yield
    os.rename(away, bench.site.db_path)


def reason(result):
    """The line that Pacemaker shows beside a failed action."""
    [line] = [line for line in result.err.splitlines() if line.startswith("ocf-exit-reason:")]
    return line


def test_its_life(bench, agent):
    assert agent("monitor").exit_code == NOT_RUNNING
    assert agent("stop").exit_code == SUCCESS
    assert agent("start").exit_code == SUCCESS
    before = bench.pids()
    assert agent("monitor").exit_code == SUCCESS
    assert agent("start").exit_code == SUCCESS
    assert bench.pids() == before
    # An administrator's shell below the site is in the way of the disk, but the site itself is stopped.
    shell = subprocess.Popen(["sleep", "60"], cwd=bench.site.directory)
    try:
        stopped = agent("stop")
    finally:
        shell.kill()
        shell.wait()
    assert (stopped.exit_code, bench.state()) == (SUCCESS, "stopped")
    assert "in the way" in stopped.err
    assert agent("monitor").exit_code == NOT_RUNNING


def test_killed_it_has_failed_and_a_stop_cleans_up(bench, agent):
    agent("start").ok()
    bench.leave_a_job()
    failed = agent("monitor")
    assert failed.exit_code == GENERIC
    assert "processes of the site are left" in reason(failed)
    assert agent("stop").exit_code == SUCCESS
    assert agent("monitor").exit_code == NOT_RUNNING
    bench.check_gone()


@pytest.mark.usefixtures("disk_away")
def test_on_a_standby_without_disk_and_database(agent):
    assert agent("validate-all").exit_code == SUCCESS
    assert agent("monitor").exit_code == NOT_RUNNING
    assert agent("stop").exit_code == SUCCESS
    refused = agent("start")
    assert refused.exit_code == INSTALLED
    assert "is the disk mounted" in reason(refused)


def test_bad_parameters_are_the_configurations_fault(bench, agent):
    for site in (None, "", "-c", "a b", "x;y", ".x"):
        for action in ("start", "stop", "monitor", "validate-all"):
            refused = bench.call(
                agent.shell,
                "pacemaker",
                "site",
                action,
                env={"OCF_RESKEY_site": site, "OCF_RESKEY_dbpath": bench.site.db_path},
            )
            assert refused.exit_code == CONFIGURED, refused
            assert "is no site name" in reason(refused)
    for dbpath in (None, "", "mnt/jobdb"):
        for action in ("start", "validate-all"):
            refused = agent(action, dbpath=dbpath)
            assert refused.exit_code == CONFIGURED, refused
            assert "no absolute path" in reason(refused)


def test_without_the_commands(agent):
    for action in ("start", "stop", "monitor", "validate-all"):
        refused = agent(action, nqs="/nowhere")
        assert refused.exit_code == INSTALLED
        assert "jcq install" in reason(refused)


def test_other_words(agent):
    for action in ("promote", "migrate_to", ""):
        assert agent(action).exit_code == UNIMPLEMENTED
    shown = agent("meta-data").ok()
    for name in ("start", "stop", "monitor", "validate-all", "meta-data"):
        assert re.search(rf'<action name="{name}" timeout="\d+s"', shown)
    assert agent("usage").exit_code == SUCCESS


def test_ocf_tester(bench, capsys):
    if not (os.access(OCF_TESTER, os.X_OK) and shutil.which("xmllint") and os.path.isdir("/usr/lib/ocf")):
        pytest.skip(skips.NEEDS_OCF_TESTER)
    parameters = ["-n", "testsite", "-o", "site=testsite", "-o", f"dbpath={bench.site.db_path}"]
    ran = bench.node.run([OCF_TESTER], *parameters, bench.path("pacemaker", "site"), limit_s=170)
    if os.environ.get("CI"):
        with capsys.disabled():
            print(f"\n{ran}")
    assert "passed all tests" in ran.ok()
    bench.check_gone()


@pytest.mark.parametrize("shell", SHELLS)
def test_powerha(bench, shell):
    def call(name, **options):
        return bench.call(shell, "powerha", name, **options).exit_code

    assert call("monitor.sh") == 1
    assert call("stop.sh", limit_s=QUICK_S) == 0
    assert call("start.sh") == 0
    # It has not stayed, and cjcpw has.
    assert len(bench.cjcpw()) == 1
    before = bench.pids()
    assert call("start.sh", limit_s=QUICK_S) == 0
    assert bench.pids() == before
    assert call("monitor.sh") == 0
    os.kill(bench.site.daemon("worker"), signal.SIGKILL)
    wait_until(lambda: call("monitor.sh") == 1, 20, bench.site.log_text)
    assert call("stop.sh") == 0
    bench.check_gone()


def test_every_agent_is_content_with_a_site_in_maintenance(bench):
    """`maintenance=ON`, nqsstop and nqsstart (manual 2.5.5): cjcpw alone counts as healthy, at a start and later."""
    conf = os.path.join(bench.site.directory, "daemon.conf")
    with open(conf, "a", encoding="ascii") as file:
        file.write("maintenance=ON\n")
    starts = {
        "clusterware": lambda shell: bench.call(shell, "clusterware", "action.sh", "start"),
        "powerha": lambda shell: bench.call(shell, "powerha", "start.sh"),
        "pacemaker": lambda shell: bench.agent(shell, "start"),
    }

    def watch(shell):
        bench.call(shell, "clusterware", "action.sh", "check").ok()
        bench.agent(shell, "monitor").ok()
        bench.call(shell, "powerha", "monitor.sh").ok()

    try:
        for start in starts.values():
            bench.stop()
            start("dash").ok()
            assert bench.state() == "maintenance"
            assert bench.site.row()[1:2] + bench.site.row()[-1:] == ["SHUT", "ON"]
        for shell in SHELLS:
            watch(shell)
        bench.node.run("nqsstart", "testsite").ok()
        assert bench.state() == "up"
        bench.node.run("nqsstop", "testsite").ok()
        before = bench.cjcpw()
        for shell in SHELLS:
            watch(shell)
            for start in starts.values():
                start(shell).ok()
        assert (bench.state(), bench.cjcpw()) == ("maintenance", before)
    finally:
        bench.stop()
        os.unlink(conf)

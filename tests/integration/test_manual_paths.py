"""A site at the manual's own paths: an ordinary user reaches it with no variable set."""

import os
import re

import pytest

from support.harness import Node
from support.users import ALICE
from support.waiting import wait_until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def site(namespace):
    """The local site of a namespace, laid by `jcq install` and running, as root."""
    with Node(namespace) as node:
        yield node.local_site().start()


def alice(site, command, *args, **options):
    """Run a command found by alice's PATH, as a login shell would, with nothing of jcq in its environment."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **options.pop("env", {})}
    return site.node.run(["/usr/bin/env", command], *args, user=ALICE, env=env, **options)


def test_plain_qsub_and_qstat_reach_the_site(site):
    environment = site.node.environment(ALICE)
    assert not [name for name in environment if name.startswith(("JCQ_", "NQS_"))]
    host = os.uname().nodename
    assert re.match(rf"(batch|guilb_def)@{host};", alice(site, "qstat").ok())
    home = environment["HOME"]
    out = alice(site, "qsub", stdin="id -un; id -G; echo $HOME; pwd\n", cwd=home).ok()
    request = re.fullmatch(rf"Request (\d+\.{host}) submitted to queue: batch\.\n", out)[1]
    assert alice(site, "qwait", request, env={"HOME": home}).exit_code == 0
    number = request.split(".")[0]
    shown = alice(site, "cat", f"{home}/STDIN.o{number}").ok().split("\n")
    assert shown[0] == "alice"
    groups = set(map(int, shown[1].split()))
    assert groups >= set(ALICE.every_group)
    # The site's mark for its sweep, a group that no account has; nothing of root's groups.
    assert [group for group in groups - set(ALICE.every_group) if group < 1 << 31] == []
    assert shown[2:4] == [home, home]
    assert alice(site, "stat", "-c", "%U:%G", f"{home}/STDIN.o{number}").ok() == "alice:alice\n"


def test_the_manuals_paths_are_there(site):
    node = site.node
    for path in (
        "/usr/bin/qsub",
        "/usr/bin/qstat",
        "/usr/bin/qdel",
        "/usr/bin/qmgr",
        "/usr/lib/nqs/nqsstart",
        "/usr/lib/nqs/nqsstop",
        "/usr/lib/nqs/cluster/cjcls",
        "/usr/lib/nqs/cluster/cjcmksite",
        "/usr/lib/nqs/cluster/cjcpw",
        "/usr/lib/nqs/rc/daemon.conf",
        "/usr/spool/nqs/database",
    ):
        node.run(["/usr/bin/test", "-e", path]).ok()
        assert not os.path.exists(path), f"{path} is outside the namespace"


def test_processes_can_be_recognised(site):
    titles = [process.title for process in site.node.left_over()]
    host = os.uname().nodename
    assert any(title.startswith("/usr/lib/nqs/cluster/cjcpw ") or f"cjcpw {host}" in title for title in titles), titles
    assert any(title.startswith("NQS nqsdaemon") for title in titles), titles
    assert any("jcdbs" in title for title in titles), titles


def test_an_ordinary_user_may_not_start_or_stop_it(site):
    node, host = site.node, os.uname().nodename
    before = sorted(process.pid for process in site.processes())
    for command, *args in (
        ("/usr/lib/nqs/cluster/cjcpw", "-stop", host),
        ("/usr/lib/nqs/cluster/cjcpw", host, "/usr/spool"),
        ("/usr/lib/nqs/nqsstop",),
        ("/usr/lib/nqs/nqsstart",),
        ("/usr/bin/qmgr", "shutdown"),
        ("/usr/bin/qmgr", "disable", "queue", "batch"),
    ):
        result = node.run([command], *args, user=ALICE)
        assert result.exit_code != 0, str(result)
        assert "Traceback" not in result.err, str(result)
    assert sorted(process.pid for process in site.processes()) == before
    assert "ENABLED" in next(line for line in alice(site, "qstat").ok().splitlines() if line.startswith("batch@"))


def test_stop_leaves_nothing_and_start_comes_back(site):
    request = alice(
        site, "qsub", stdin="sleep 300 & setsid sleep 300 & wait\n", cwd=site.node.namespace.home + "/alice"
    )
    number = re.search(r"Request (\S+) ", request.ok())[1]
    wait_until(lambda: re.search(rf"{re.escape(number)}.*RUNNING", alice(site, "qstat").out), 20, site.log_text)
    site.stop()
    assert site.node.left_over() == []
    site.start()
    assert number in alice(site, "qstat", "-a").ok()
    alice(site, "qdel", "-k", number)


def test_a_site_at_the_same_path_in_another_namespace_is_left_alone(site, other_namespace):
    before = sorted(process.pid for process in site.processes())
    assert len(before) >= 4
    with Node(other_namespace) as node:
        other = node.local_site().start()
        assert not {process.pid for process in other.processes()} & set(before)
        other.stop()
    assert sorted(process.pid for process in site.processes()) == before

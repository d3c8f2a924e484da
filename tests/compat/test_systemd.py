"""The units of systemd, their command lines carried out with a service manager of our own."""

import os
import re
import shlex

import pytest

from support.agents import directory_of, read, write_files
from support.harness import Node
from support.service_manager import ServiceManager
from support.waiting import wait_until


def exec_line(unit, key, **values):
    """A command line of a unit, with what systemd puts in."""
    [line] = re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)
    for place, value in values.items():
        line = line.replace({"instance": "%i", "dbpath": "${JCQ_DBPATH}"}[place], value)
    assert not re.search(r"[%$]", line)
    return shlex.split(line)


def test_a_site_as_a_unit(bench):
    directory = os.path.dirname(bench.path("systemd", "README.md"))
    unit = read(os.path.join(directory, "jcq@.service"))
    dropin = read(os.path.join(directory, "jcq@testsite.service.d", "database.conf"))
    values = {"instance": "testsite", "dbpath": re.search("^Environment=JCQ_DBPATH=(.*)$", dropin, re.MULTILINE)[1]}
    with ServiceManager() as manager:
        child = bench.spawn(exec_line(unit, "ExecStart", **values), env={"NOTIFY_SOCKET": manager.address})
        manager.hear_until("READY", "1")
        # The main process is the one that was started, and that speaks.
        assert bench.cjcpw() == [child.pid]
        assert bench.state() == "up"
        bench.node.run(exec_line(unit, "ExecStop", instance="testsite")).ok()
        manager.hear_until("STOPPING", "1")
    assert child.wait(20) == 0
    bench.check_gone()


@pytest.fixture
def local():
    """The local site of a node with its commands laid."""
    with Node() as node:
        site = node.local_site()
        write_files(node, "systemd", "testsite", "/mnt/jobdb")
        yield site


def test_the_local_site_from_the_start_of_the_machine(local):
    node = local.node
    directory = directory_of(node, "systemd", "testsite")
    unit, keeper = (read(os.path.join(directory, f"jcq-{name}.service")) for name in ("local", "keeper"))
    assert "jcq-keeper.service" in re.search("^After=(.*)$", unit, re.MULTILINE)[1].split()
    # The keeper has a port of the common file, and holds it on the loopback address.
    keep = exec_line(keeper, "ExecStart")
    node.run([keep[0], "--port", "46099", *keep[1:]]).ok()
    release = exec_line(keeper, "ExecStop")
    node.run([release[0], "--port", "46099", *release[1:]]).ok()

    node.write_daemon_conf("local_daemon=OFF\n")
    assert node.run(exec_line(unit, "ExecCondition")).exit_code == 1
    node.write_daemon_conf("")
    node.run(exec_line(unit, "ExecCondition")).ok()
    with ServiceManager() as manager:
        node.run(exec_line(unit, "ExecStart"), env={"NOTIFY_SOCKET": manager.address}).ok()
        heard = manager.hear_until("READY", "1")
        [main] = [message["MAINPID"] for message in heard if "MAINPID" in message]
        assert local.row()[1].isdigit()
        assert os.path.exists(f"/proc/{main}")
        node.run(exec_line(unit, "ExecStop")).ok()
    assert not local.processes()
    wait_until(lambda: not node.left_over(), 20, lambda: str(node.left_over()))

"""HP Serviceguard's demands (manual 3.1): cjcpw as a service, and the functions of a package's control script."""

import os
import signal

import pytest

from support.agents import SHELLS, command_line, read
from support.ports import PORT, give_port, is_listening, is_taken

#: The control script's own function, as Serviceguard has it.
TEST_RETURN = 'test_return() { status=$?; echo "test_return $1: $status"; return $status; }\n'


@pytest.fixture(scope="module", autouse=True)
def _with_port(module_bench):
    give_port(module_bench.site)


def functions(bench, text):
    """A control script that reads the shipped functions and then does `text`."""
    return f". {bench.path('serviceguard', 'functions.sh')}\n{text}\n"


def keepers(bench):
    return [process.pid for process in bench.node.left_over() if "/nqsportkpr " in process.title]


@pytest.mark.case(1, 2)
@pytest.mark.parametrize(("file", "key"), [("service.conf", "SERVICE_CMD[0]"), ("package.conf", "service_cmd")])
def test_the_service_stays_and_sigterm_is_its_clean_stop(bench, file, key):
    argv = command_line(read(bench.path("serviceguard", file)), key)
    service = bench.spawn(argv)
    bench.wait_up(child=service)
    # The process that Serviceguard started is cjcpw itself.
    assert bench.cjcpw() == [service.pid]
    service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0, read(service.log)
    bench.check_gone()


@pytest.mark.case(1)
def test_a_daemons_death_ends_the_service(bench):
    service = bench.spawn(command_line(read(bench.path("serviceguard", "package.conf")), "service_cmd"))
    bench.wait_up(child=service)
    os.kill(bench.site.daemon("worker"), signal.SIGKILL)
    assert service.wait(30) != 0
    bench.check_gone()


@pytest.mark.case(3, 4, 5)
@pytest.mark.parametrize("shell", SHELLS)
def test_functions_that_start_and_stop_a_site_nobody_watches(bench, shell):
    ran = bench.shell(shell, functions(bench, TEST_RETURN + "set -x\njcq_service=no\ncustomer_defined_run_cmds"))
    assert "test_return 51: 0" in ran.ok()
    commands = [line for line in ran.err.splitlines() if "/usr/lib/nqs/" in line]
    assert "nqsportkpr testsite" in commands[0], ran
    assert "cjcpw -c testsite" in commands[1], ran
    # Up when it returns; no cjcpw stays; the daemon has the port, and the keeper is gone.
    assert bench.state() == "up"
    assert bench.cjcpw() == []
    assert bench.site.row()[-1] == "OFF"
    assert keepers(bench) == []
    assert is_listening(bench.site.address, PORT)
    assert bench.site.qwait(bench.site.qsub("true\n")) == 0
    assert "taken over from nqsportkpr" in read(bench.site.directory + "/log/nqsdaemon.log")
    halted = bench.shell(shell, functions(bench, TEST_RETURN + "jcq_service=no\ncustomer_defined_halt_cmds"))
    assert halted.ok() == "test_return 52: 0\n"
    bench.check_gone()


@pytest.mark.case(5)
@pytest.mark.parametrize("shell", SHELLS)
def test_functions_beside_a_service_only_keep_the_port(bench, shell):
    bench.shell(shell, functions(bench, "customer_defined_run_cmds"), limit_s=20).ok()
    assert len(keepers(bench)) == 1
    assert is_taken(bench.site.address, PORT)
    bench.check_gone()
    # Called twice, with the site's address in place of its name: nothing changes.
    bench.node.run("nqsportkpr", "--port", str(PORT), bench.site.address).ok()
    bench.shell(shell, functions(bench, "customer_defined_halt_cmds")).ok()
    assert keepers(bench) == []


@pytest.mark.case(5)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_external_script_of_a_modular_package(bench, shell):
    def external(*args):
        return bench.call(shell, "serviceguard", "external.sh", *args)

    external("validate").ok()
    external("start").ok()
    assert len(keepers(bench)) == 1
    external("stop").ok()
    assert keepers(bench) == []
    assert external("resume").exit_code == 1
    assert external().exit_code == 1


def test_a_function_fails_where_the_site_cannot_be_started(bench):
    away = bench.site.db_path + ".away"
    os.rename(bench.site.db_path, away)
    try:
        for shell in SHELLS:
            ran = bench.shell(shell, functions(bench, "jcq_service=no\ncustomer_defined_run_cmds"))
            assert ran.exit_code == 5, ran
    finally:
        os.rename(away, bench.site.db_path)

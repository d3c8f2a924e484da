"""The nqs port of running sites: held on the right address, polite to callers, and named when somebody else has it."""

import os
import socket

import pytest

from support import ports
from support.harness import Node, free_address
from support.ports import PORT, bind_error, give_port, is_listening, is_taken
from support.waiting import wait_until


@pytest.fixture
def site():
    """A cluster site, made and not started, with a port of its own."""
    with Node() as node:
        made = node.cluster_site()
        give_port(made)
        yield made


def exit_line(site, exit_code):
    """The one line with which a cjcpw that does not come up has ended."""
    assert site.cjcpw.wait(60) == exit_code, site.log_text()
    with open(site.cjcpw.log, encoding="utf-8") as file:
        [line] = file.read().splitlines()
    assert not site.processes()
    return line


def spawn(site):
    site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    return site


def nqsdaemon_log(site):
    with open(os.path.join(site.directory, "log", "nqsdaemon.log"), encoding="utf-8") as file:
        return file.read()


def test_it_is_held_while_the_site_runs_and_callers_are_sent_away(site):
    assert not bind_error(site.address, PORT)
    site.start()
    assert is_taken(site.address, PORT)
    for _ in range(3):
        assert is_listening(site.address, PORT)
    assert "batch@testsite" in site.run("qstat").ok()
    assert nqsdaemon_log(site).count("connections closed") == 1
    site.stop()
    assert not is_listening(site.address, PORT)
    # What it closed is known to the system for another minute, and in nobody's way.
    site.start()
    assert is_listening(site.address, PORT)
    site.cjcpw.kill()
    site.cjcpw.wait()
    site.start()
    many_callers_keep_nobody_waiting(site)


def many_callers_keep_nobody_waiting(site):
    callers = []
    try:
        for _ in range(200):
            callers.append(socket.socket())
            callers[-1].setblocking(False)
            callers[-1].connect_ex((site.address, PORT))
        assert site.qwait(site.qsub("true\n")) == 0
    finally:
        for caller in callers:
            caller.close()
    wait_until(lambda: is_listening(site.address, PORT), 30, site.log_text)


def test_where_somebody_else_has_it_the_site_does_not_start_and_names_him(site):
    with ports.listening(site.address, PORT):
        line = exit_line(spawn(site), 1)
        site.cjcpw = None
        words = f"port {PORT} of {site.address} is taken by", f"[{os.getpid()}]", "end that, or set another port="
        site.node.run("cjcpw", "-c", site.name, site.db_path).refused(*words, exit_code=1)
    assert [word for word in words if word not in line] == []
    assert not site.processes()
    site.start()


def test_every_address_may_be_taken_too(site):
    """As `INADDR_ANY`, in the words of manual 3.1.3; here another site's port shows it, which no test may do."""
    other = site.node.cluster_site("other", machine_id=201)
    give_port(other, ipaddress=site.address)
    site.start()
    line = exit_line(spawn(other), 1)
    assert f"taken by NQS nqsdaemon testsite[{site.daemon('nqsdaemon')}]" in line
    assert site.cjcpw.poll() is None


def test_an_address_of_another_node(site):
    give_port(site, ipaddress="192.0.2.7")
    assert "address 192.0.2.7 is not on this node" in exit_line(spawn(site), 1)


@pytest.mark.parametrize(
    ("line", "said"), [("ipaddress=here", "IPv4 or IPv6 address"), ("port=65536", "to 65535"), ("port=x", "a number")]
)
def test_a_value_that_is_none_is_refused_before_anything_starts(site, line, said):
    key, value = line.split("=")
    give_port(site, **{"port": PORT, key: value})
    site.node.run("cjcpw", site.name, site.db_path).refused("daemon.conf:", said, exit_code=1)


def test_the_default_port_is_607_and_roots(site):
    node = site.node
    node.write_daemon_conf("#port=607\nport = 607\n")
    with open(f"{site.directory}/daemon.conf", "w", encoding="utf-8") as file:
        file.write("# The common one says it.\n")
    site.start()
    if os.geteuid() == 0:
        assert is_listening(site.address, 607)
    else:
        assert "no nqs port: without root there is no port 607" in nqsdaemon_log(site)
        assert not is_listening(site.address, 607)


# --- the local site --------------------------------------------------------------------------


@pytest.fixture
def local():
    """The local site, made and not started, with a port; resolv.def has an address for this machine."""
    with Node() as node:
        address, host = free_address(), os.uname().nodename
        node.add_name(address, f"{host}.example", host)
        made = node.local_site()
        give_port(made)
        yield made, address


def test_beside_cluster_sites_the_local_site_has_the_address_of_the_host(local):
    site, address = local
    site.node.write_daemon_conf("local_daemon=SITE\n")
    site.start()
    assert is_listening(address, PORT)
    assert not bind_error("127.0.0.1", PORT)


@pytest.mark.root
def test_alone_on_the_machine_it_has_every_address(local):
    site, _ = local
    # In a network of its own: nothing of a test may listen beyond loopback.
    site.start(wrapper=("unshare", "-n"))
    with open(f"/proc/{site.daemon('nqsdaemon')}/net/tcp", encoding="ascii") as file:
        listening = [line.split()[1] for line in file if line.split()[3] == "0A"]
    assert listening == [f"00000000:{PORT:04X}"]

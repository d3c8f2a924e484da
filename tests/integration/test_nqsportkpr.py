"""nqsportkpr: holds a port from the first command of a package's start script until nqsdaemon has it."""

import os
import re
import shlex
import signal
import socket

import pytest

from support import ports, processes
from support.harness import Node, free_address
from support.ports import PORT, Rival, bind_error, give_port, is_listening, is_taken
from support.users import ALICE, BOB
from support.waiting import wait_until


class Keeper:
    """nqsportkpr of one target on a node."""

    def __init__(self, node, target, *options):
        self.node = node
        self.words = (*options, target)

    def run(self, *more, **how):
        """The command."""
        return self.node.run("nqsportkpr", *more, *self.words, **how)

    def pids(self):
        """The keepers of this node, as ps shows them."""
        title = f"/usr/lib/nqs/nqsportkpr {self.words[-1]}"
        return [process.pid for process in self.node.left_over() if process.title == title]

    def pid(self):
        """Its pid; fails unless there is exactly one, and nothing else of the command."""
        left = [process for process in self.node.left_over() if "nqsportkpr" in process.title]
        [pid] = self.pids()
        assert [process.pid for process in left] == [pid], processes.table(left)
        return pid


@pytest.fixture
def address():
    return free_address()


@pytest.fixture
def keeper(node, address):
    """A function that runs nqsportkpr for an address; what it started is ended."""
    made = Keeper(node, address, "--port", str(PORT))
    yield made
    made.run("-stop").ok()
    assert made.pids() == []


@pytest.fixture
def site():
    """A cluster site, made and not started, with a port of its own."""
    with Node() as node:
        made = node.cluster_site()
        give_port(made)
        yield made
        node.run("nqsportkpr", "-stop", "testsite").ok()


# --- alone -----------------------------------------------------------------------------------


def test_it_holds_the_port_until_it_is_stopped(keeper, address):
    assert keeper.run().ok() == ""
    pid = keeper.pid()
    assert is_taken(address, PORT)
    assert not is_listening(address, PORT)
    assert keeper.run().ok() == ""
    assert keeper.pid() == pid
    assert keeper.run("-stop").ok() == ""
    assert keeper.pids() == []
    assert not bind_error(address, PORT)
    assert keeper.run("-stop").ok() == ""


def test_it_is_detached_from_who_started_it(keeper):
    # Its outputs are pipes here: were they still open, the command would not have ended for `run`.
    keeper.run().ok()
    pid = keeper.pid()
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int)]
    assert targets[:3] == ["/dev/null"] * 3
    assert [target.split(":")[0] for target in targets[3:]] == ["socket", "socket"]
    os.kill(pid, signal.SIGHUP)
    assert keeper.run().ok() == ""
    assert keeper.pid() == pid


def test_two_at_once_start_one(keeper):
    children = [keeper.node.spawn("nqsportkpr", *keeper.words) for _ in range(4)]
    assert [child.wait(30) for child in children] == [0] * 4
    keeper.pid()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_after_a_killed_keeper_comes_another_one(keeper, address, signum):
    keeper.run().ok()
    os.kill(keeper.pid(), signum)
    wait_until(lambda: not bind_error(address, PORT), 10, keeper.pids)
    keeper.run("-stop").ok()
    keeper.run().ok()
    assert is_taken(address, PORT)


def test_one_that_does_not_answer_is_killed_by_stop(keeper, address):
    keeper.run().ok()
    os.kill(keeper.pid(), signal.SIGSTOP)
    keeper.run("-stop").ok()
    assert not bind_error(address, PORT)


@pytest.mark.parametrize("word", ["", "nosuch.invalid", "127.0.0", "\u00e4" * 300])
def test_a_name_that_nobody_knows_is_refused(node, word):
    node.run("nqsportkpr", word).refused("nqsportkpr: ")
    assert not node.left_over()


@pytest.mark.parametrize(
    "words", [(), ("127.0.0.1", "127.0.0.2"), ("--port", "0", "127.0.0.1"), ("--port", "65536", "127.0.0.1"), ("-x",)]
)
def test_bad_usage(node, words):
    node.run("nqsportkpr", *words).refused("see nqsportkpr --help", exit_code=2)


def test_an_address_of_another_node_is_refused(node):
    node.add_name("192.0.2.7", "away.example", "away")
    for word in ("192.0.2.7", "away", "away.example"):
        node.run("nqsportkpr", "--port", str(PORT), word).refused("192.0.2.7 is not on this node", exit_code=1)
    assert not node.left_over()


def test_a_port_that_is_taken_is_refused_and_who_has_it_named(keeper, address):
    with ports.listening(address, PORT):
        keeper.run().refused(f"port {PORT} of {address} is taken by", f"[{os.getpid()}]", exit_code=1)
    assert not keeper.node.left_over()


def test_another_keeper_in_the_way_is_named(node, keeper):
    keeper.run().ok()
    node.run("nqsportkpr", "--port", str(PORT), "0.0.0.0").refused(f"nqsportkpr[{keeper.pid()}] for {keeper.words[-1]}")


def test_port_0_is_no_port_to_hold(node):
    node.run("nqsportkpr", "127.0.0.1").refused("port=0", exit_code=2)


def test_the_port_is_that_of_daemon_conf(node, address):
    node.write_daemon_conf(f"port={PORT}\n")
    node.add_name(address, "later.example", "later")
    node.run("nqsportkpr", "later").ok()
    assert is_taken(address, PORT)
    # The name and its address are one.
    node.run("nqsportkpr", "-stop", address).ok()
    assert not bind_error(address, PORT)


def test_without_root_607_is_refused(node, address):
    node.write_daemon_conf("#port=\nport=607\n")
    if os.geteuid() == 0:
        node.run("nqsportkpr", address).ok()
        assert is_taken(address, 607)
        node.run("nqsportkpr", "-stop", address).ok()
    else:
        node.run("nqsportkpr", address).refused("only root may hold a port below 1024")
    assert not node.left_over()


# --- hand-over -------------------------------------------------------------------------------


def test_the_site_takes_it_over_without_a_gap(site):
    keeper = Keeper(site.node, site.address)
    keeper.run().ok()
    pid = keeper.pid()
    rival = Rival(site.address, PORT)
    rival.start()
    try:
        site.start()
        assert is_listening(site.address, PORT)
        assert keeper.pids() == []
        assert (rival.tries > 100, rival.won) == (True, 0)
        # It is the site's own now: nothing to do.
        assert keeper.run().ok() == ""
        assert site.node.run("nqsportkpr", site.name).ok() == ""
        assert not [process for process in site.node.left_over() if "nqsportkpr" in process.title]
        site.stop()
        wait_until(lambda: rival.won, 20, site.log_text)
    finally:
        rival.close()
    with open(os.path.join(site.directory, "log", "nqsdaemon.log"), encoding="utf-8") as file:
        assert f"{site.address} port {PORT}, taken over from nqsportkpr[{pid}]" in file.read()


@pytest.mark.root
def test_a_local_site_that_is_alone_takes_it_over_from_the_loopback_keeper(node):
    """The manual has 127.0.0.1 kept from the start of the machine, so that nobody has every address (3.1.3)."""
    local = node.local_site()
    give_port(local, 607)
    # In a network of its own: nothing of a test may listen beyond loopback.
    keeper = node.argv("nqsportkpr", "--port", "607", "127.0.0.1")
    cjcpw = node.argv("cjcpw", local.name, local.db_path)
    script = f"{shlex.join(keeper)} && exec {shlex.join(cjcpw)}"
    log = os.path.join(node.scratch, "alone.log")
    with open(log, "wb") as file:
        local.cjcpw = node.popen(["unshare", "-n", "/bin/sh", "-c", script], stdout=file, stderr=file)
    local.cjcpw.log = log
    local.wait_up()
    assert not [process for process in node.left_over() if "nqsportkpr" in process.title]
    with open(f"/proc/{local.daemon('nqsdaemon')}/net/tcp", encoding="ascii") as file:
        assert [line.split()[1] for line in file if line.split()[3] == "0A"] == ["00000000:025F"]


def test_a_site_with_a_long_root(node):
    """The keeper's socket has a path of more than 107 bytes."""
    deep = node.make_directory("/".join(["d" * 60] * 3))
    env = {"JCQ_ROOT": deep}
    address = free_address()
    node.run("nqsportkpr", "--port", str(PORT), address, env=env).ok()
    assert is_taken(address, PORT)
    node.run("nqsportkpr", "--port", str(PORT), address, env=env).ok()
    node.run("nqsportkpr", "--port", str(PORT), "-stop", address, env=env).ok()
    assert not bind_error(address, PORT)


def ask(keeper, word):
    """Ask a keeper as nqsdaemon does; returns (what it says, number of descriptors it gives, the connection)."""
    directory = keeper.node.spool(".portkpr")
    [name] = [name for name in os.listdir(directory) if name.endswith(".sock")]
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(20)
    connection.connect(os.path.join(directory, name))
    connection.send(word)
    said, fds, _, _ = socket.recv_fds(connection, 64, 4)
    return said, [socket.socket(fileno=fd) for fd in fds], connection


def test_a_daemon_that_dies_while_it_takes_the_port_loses_nothing(keeper, address):
    keeper.run().ok()
    _, [port], connection = ask(keeper, b"take")
    with port, connection:
        port.listen()
    wait_until(lambda: not is_listening_now(address), 20, keeper.pids)
    assert is_taken(address, PORT)
    keeper.pid()


def is_listening_now(address):
    """Whether connections are taken, without waiting for what becomes of them."""
    try:
        socket.create_connection((address, PORT), timeout=20).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        # It ends to listen at this instant.
        return True
    return True


def test_nonsense_is_not_answered(keeper, address):
    keeper.run().ok()
    for word in (b"", b"give", b"\xff" * 64):
        said, fds, connection = ask(keeper, word)
        connection.close()
        assert (said, fds) == (b"", [])
    assert is_taken(address, PORT)
    keeper.pid()


@pytest.mark.root
def test_another_user_gets_nothing_and_ends_nothing(keeper, address):
    keeper.run().ok()
    for word in (b"take", b"stop"):
        child = os.fork()
        if child == 0:
            answer = 99
            try:
                os.setgroups([])
                os.setresgid(BOB.gid, BOB.gid, BOB.gid)
                os.setresuid(BOB.uid, BOB.uid, BOB.uid)
                said, fds, _ = ask(keeper, word)
                answer = len(said) + len(fds)
            except OSError:
                # Closed before it could ask.
                answer = 0
            finally:
                os._exit(answer)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_taken(address, PORT)
    keeper.pid()


@pytest.mark.root
def test_root_keeps_607_for_a_site_that_an_ordinary_user_made(namespace):
    """Without root there is no port 607, but with root's keeper the site has it."""
    with Node(namespace) as node:
        node.install()
        root, db_path, address = f"{namespace.home}/alice/root", f"{namespace.home}/alice/db", free_address()

        def run(user, command, *args):
            return node.run(command, *args, user=user, env={"JCQ_ROOT": root})

        rc = f"{root}/usr/lib/nqs/rc"
        lines = f"mkdir -p {rc} {db_path} && echo {address} hers.example hers > {rc}/resolv.def"
        node.run(["/bin/sh", "-c", lines], user=ALICE).ok()
        run(ALICE, "cjcmksite", "hers", "9", db_path).ok()
        run(None, "nqsportkpr", "hers").ok()
        run(ALICE, "nqsportkpr", "-stop", "hers").refused("may not", "only root")
        assert is_taken(address, 607)
        run(ALICE, "cjcpw", "-c", "hers", db_path).ok()
        try:
            assert is_listening(address, 607)
            left = [process for process in node.left_over() if re.search("nqsportkpr|nqsdaemon", process.title)]
            assert {(process.title, process.uid) for process in left} == {("NQS nqsdaemon hers", ALICE.uid)}
        finally:
            run(ALICE, "cjcpw", "-stop", "hers").ok()
            node.run(["/bin/rm", "-rf", root, db_path], user=ALICE).ok()
        assert not is_listening(address, 607)


@pytest.mark.root
def test_jcq_install_lays_it_at_the_manuals_path(namespace):
    with Node(namespace) as node:
        node.install()
        address = free_address()
        node.run(["/usr/lib/nqs/nqsportkpr"], "--port", str(PORT), address).ok()
        assert is_taken(address, PORT)
        node.run(["/usr/lib/nqs/nqsportkpr"], "-stop", "--port", str(PORT), address).ok()
        assert not node.left_over()

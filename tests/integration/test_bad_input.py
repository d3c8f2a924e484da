"""Bad input and abuse: every refusal is one line, and nobody who misbehaves stops the others."""

import os
import random
import resource
import socket

import pytest

from support.harness import Node
from support.waiting import wait_until

SCRIPT_BYTES_MAX = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def site():
    """A running cluster site."""
    with Node() as node:
        yield node.cluster_site().start()


def connect(site):
    """A connection to nqsdaemon's socket, whatever the length of its path."""
    connection = socket.socket(socket.AF_UNIX)
    directory = os.open(os.path.join(site.directory, "run"), os.O_PATH)
    try:
        connection.connect(f"/proc/self/fd/{directory}/nqsdaemon.sock")
    finally:
        os.close(directory)
    return connection


def netstring(payload):
    return b"%d:%b," % (len(payload), payload)


def answer(connection):
    """All that comes until the daemon closes, at most for 20 s."""
    connection.settimeout(20)
    received = b""
    while True:
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


# --- wrong words -----------------------------------------------------------------------------

USERS_COMMANDS = [
    ("qsub", "--nonsense"),
    ("qsub", "/no/such/script"),
    ("qsub", "/"),
    ("qsub", "-q"),
    ("qsub", "-q", "nowhere"),
    ("qsub", "-q", "a b"),
    ("qsub", "-p", "64"),
    ("qsub", "-p", "-1"),
    ("qsub", "-p", "many"),
    ("qsub", "-a", "the day after never"),
    ("qsub", "-r", "x" * 200),
    ("qsub", "-r", "a/b"),
    ("qsub", "-r", ""),
    ("qsub", "-s", "relative/shell"),
    ("qsub", "-o", ""),
    ("qsub", "one", "two"),
    ("qstat", "-Z"),
    ("qstat", "nowhere"),
    ("qstat", "99999999999999999999"),
    ("qstat", "-u"),
    ("qselect", "-s", "NOSUCH"),
    ("qselect", "-s", "r"),
    ("qselect", "-p", "64"),
    ("qselect", "-q", "nowhere"),
    ("qselect", "word"),
    ("qselect", "-u"),
    ("qsub", "-lm", "many"),
    ("qsub", "-lt", "9:00, 10:00"),
    ("qsub", "-ln", "20"),
    ("qlimit", "word"),
    ("qlimit", "-a"),
    ("qcat",),
    ("qcat", "x"),
    ("qcat", "4711"),
    ("qcat", "-e", "-o", "1"),
    ("qcat", "-f", "-i", "1"),
    ("qdel",),
    ("qdel", "x"),
    ("qdel", "-NOSUCHSIGNAL", "1"),
    ("qdel", "-999", "1"),
    ("qdel", "1.elsewhere.example"),
    ("qdel", "4711"),
    ("qmsg",),
    ("qmsg", "hello"),
    ("qmsg", "", "1"),
    ("qmsg", "hello", "4711"),
    ("qwait",),
    ("qwait", "x"),
    ("qwait", "4711"),
    ("qwait", "1", "2"),
]
ADMINISTRATORS_COMMANDS = [
    ("cjcmksite",),
    ("cjcmksite", "testsite"),
    ("cjcmksite", "testsite", "0", "/"),
    ("cjcmksite", "testsite", "x", "/"),
    ("cjcmksite", "testsite", "2147483648", "/"),
    ("cjcmksite", "no-such-name.invalid", "7", "/"),
    ("cjcmksite", "testsite", "7", "/no/such/path"),
    ("cjcpw",),
    ("cjcpw", "--nonsense"),
    ("cjcpw", "-stop"),
    ("cjcpw", "-stop", "no-such-name.invalid"),
    ("cjcpw", "no-such-name.invalid", "/"),
    ("cjcpw", "testsite", "/no/such/path"),
    ("cjcls", "--nonsense"),
    ("cjcls", "word"),
    ("nqsstart", "no-such-name.invalid"),
    ("nqsstop", "no-such-name.invalid"),
    ("nqsstart", "a", "b"),
    ("jcq", "nonsense"),
    ("jcq", "install", "--machine-id", "0"),
    ("jcq", "install", "--machine-id", "x"),
    ("jcq", "quickstart", "--nonsense"),
]


@pytest.mark.parametrize("words", USERS_COMMANDS, ids=lambda words: " ".join(words)[:40])
def test_a_users_command_refuses_in_one_line(site, words):
    line = site.run(*words, stdin="true\n").refused()
    # NQS's own words where it has them, else the command's name first.
    assert line.startswith((f"{words[0]}: ", "Request ", "Not owner ")), line


@pytest.mark.parametrize("words", ADMINISTRATORS_COMMANDS, ids=lambda words: " ".join(words)[:40])
def test_an_administrators_command_refuses_in_one_line(site, words):
    before = sorted(os.listdir(site.node.spool()))
    site.node.run(*words).refused(words[0])
    assert sorted(os.listdir(site.node.spool())) == before


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "create batch_queue",
        "create batch_queue 1x priority = 3",
        "create batch_queue x priority = 64",
        "create batch_queue x priority = many",
        "set run_limit = -1 batch",
        "set run_limit = 3 nowhere",
        "set restart = (SOMETIMES) batch",
        "delete queue nowhere",
        "delete queue batch",
        "enable queue",
        "add managers nobody-of-that-name:m",
        "add managers root:x",
        "show",
    ],
)
def test_qmgr_refuses_and_names_the_line(site, line):
    before = site.run("qstat", "-x").ok()
    result = site.run("qmgr", stdin=f"# a comment\n\n{line}\n")
    assert result.exit_code != 0, str(result)
    assert "3" in result.out + result.err, str(result)
    assert "Traceback" not in result.err, str(result)
    assert site.run("qstat", "-x").ok() == before


def test_no_bad_word_of_a_users_command_was_taken_for_a_request(site):
    """The refused ones above have left nothing; runs behind them in this file."""
    assert site.qstat("-a")["requests"] == []


# --- scripts ---------------------------------------------------------------------------------


def test_the_largest_script_is_taken_and_a_larger_one_refused(site):
    script = b"exit 5\n" + b"#" * (SCRIPT_BYTES_MAX - 7)
    site.run("qsub", stdin=script + b"#").refused("16 MiB")
    out = site.run("qsub", stdin=script).ok()
    assert site.qwait(out.split()[1]) == 5


def test_an_empty_script_and_a_binary_one_are_refused_or_run_to_their_end(site):
    site.run("qsub", stdin="").refused("empty")
    out = site.run("qsub", stdin=bytes(range(256))).out
    if out:
        assert site.qwait(out.split()[1]) != 0


def test_bad_directives_are_refused_with_their_line(site):
    for directive in ("#@$-Z", "#@$-p 99", "#@$-q nowhere", "#@$-a 'no time at all'"):
        result = site.run("qsub", stdin=f"#!/bin/sh\n{directive}\ntrue\n")
        result.refused("qsub")
    assert [request for request in site.qstat("-a")["requests"] if request["state"] != "DONE"] == []


# --- clients that misbehave ------------------------------------------------------------------


def garbage():
    source = random.Random(4711)
    whole = netstring(b"".join(map(netstring, [b"verb=qstat", b"cwd=/", b"umask=22"])))
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"99999999999999999999:"
    yield b"999999999:x"
    yield b"-5:hello,"
    yield b"5:hello;"
    yield b"007:" + b"x" * 7 + b","
    yield b"\0" * 4096
    yield source.randbytes(100_000)
    yield netstring(b"no inner netstring")
    yield netstring(netstring(b"verb=no-such-verb"))
    yield netstring(netstring(b"noequals"))
    yield netstring(netstring(b"verb=qstat") * 2)
    yield netstring(netstring(b"verb=\xff\xfe") + netstring(b"arg=\xff"))
    yield netstring(netstring(b"verb=qstat") + b"".join(netstring(b"arg=x") for _ in range(100_001)))
    yield netstring(
        netstring(b"verb=qsub") + netstring(b"umask=worse") + netstring(b"cwd=relative") + netstring(b"script=x")
    )
    yield netstring(netstring(b"verb=qsub") + netstring(b"script=true") + netstring(b"env=" + b"A=" + b"x" * 2_000_000))
    yield whole + whole
    yield whole + b"more"
    yield whole[:-1]
    yield b""


def test_garbage_is_answered_or_dropped_and_the_next_one_is_served(site):
    daemon = site.daemon("nqsdaemon")
    for data in garbage():
        connection = connect(site)
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = answer(connection)
        connection.close()
        assert b"Traceback" not in received, (data[:60], received)
        assert site.daemon("nqsdaemon") == daemon
    assert site.run("qstat").exit_code == 0


def test_a_thousand_silent_or_half_said_connections_do_not_stop_the_others(site):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 8192, hard))
    half = netstring(netstring(b"verb=qsub") + netstring(b"script=" + b"x" * 5000))[:3000]
    connections = []
    try:
        for number in range(1000):
            connections.append(connect(site))
            if number % 2:
                connections[-1].sendall(half)
        request = site.qsub("exit 4\n")
        assert site.qwait(request) == 4
        assert request in site.run("qstat", request).out
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert site.run("qstat").exit_code == 0


def test_a_client_that_does_not_read_its_answer_blocks_nobody(site):
    deaf = [connect(site) for _ in range(20)]
    for connection in deaf:
        connection.sendall(netstring(netstring(b"verb=qstat") + netstring(b"cwd=/") + netstring(b"umask=22")))
    request = site.qsub("exit 6\n")
    assert site.qwait(request) == 6
    for connection in deaf:
        connection.close()


def test_qwait_that_goes_away_leaves_the_daemon_well(site):
    request = site.qsub("sleep 300\n")
    waiting = [site.node.spawn("qwait", request, env={"NQS_SITE": site.name}) for _ in range(5)]
    wait_until(lambda: "RUNNING" in site.run("qstat", request).out, 20, site.log_text)
    for child in waiting:
        child.kill()
        child.wait()
    site.run("qdel", "-k", request)
    assert site.qwait(request) == 128 + 9


def test_jobs_that_print_much_close_their_files_or_ignore_sigterm_end_all_the_same(site):
    place = site.node.make_directory("much")
    much = site.qsub("head -c 200000000 /dev/zero\n", "-r", "much", "-o", os.path.join(place, "much"), cwd=place)
    closed = site.qsub("exec 0<&- 1>&- 2>&-\nexit 9\n", cwd=place)
    deaf = site.qsub("trap '' TERM\n(trap '' TERM; setsid sleep 300 >/dev/null 2>&1 &)\nexit 2\n", cwd=place)
    assert site.qwait(much) == 0
    assert os.path.getsize(os.path.join(place, "much")) == 200_000_000
    assert site.qwait(closed) == 9
    assert site.qwait(deaf) == 2
    sleepers = [process for process in site.processes() if "sleep 300" in process.title]
    assert sleepers == []

"""The users' commands as processes: what they send, how they take each kind of answer, and what they refuse alone."""

import os
import signal
import socket
import subprocess

import pytest

from jcq import qsub_script
from jcq.frames import netstring
from jcq.model.request import SCRIPT_BYTES_MAX
from jcq.options import TABLES
from support.fakedaemon import FakeDaemon, hot_argv
from support.waiting import wait_until

COMMANDS = {"qsub": ["-z"], "qstat": ["-a"], "qdel": ["12"], "qwait": ["12"]}


def answer(*parts):
    return lambda _message: b"".join(map(netstring, parts))


# --- what is sent ------------------------------------------------------------------------------


def test_qsub_sends_words_place_and_script(tmp_path):
    with FakeDaemon(tmp_path / "root") as daemon:
        script = tmp_path / "caf\udce9.sh"
        script.write_bytes(b"echo\0\xff")
        env = {"HOME": "/h", "TZ": "JST-9", "QSUB_QUEUE": "night", "SECRET": "s"}
        code, _, err = daemon.run("qsub", "-p", "5", str(script), env=env, cwd=tmp_path, umask=0o27)
        assert code == 0, err
        (message,) = daemon.messages
    assert message["verb"] == [b"qsub"]
    assert message["arg"] == [b"-p", b"5", os.fsencode(script)]
    assert message["cwd"] == [os.fsencode(os.path.realpath(tmp_path))]
    assert message["umask"] == [b"27"]
    assert message["tz"] == [b"JST-9"]
    assert message["host"] == [os.uname().nodename.encode()]
    assert message["script"] == [b"echo\0\xff"]
    assert message["script-name"] == [b"caf\xe9.sh"]
    assert len(message["token"][0]) == 32
    assert sorted(message["env"]) == [b"HOME=/h", b"PATH=/usr/bin:/bin", b"QSUB_QUEUE=night", b"TZ=JST-9"]


@pytest.mark.parametrize(("args", "script"), [(["-x"], b"echo\n"), ([], b"#@$-q x -x\n"), ([], b"# QSUB -x\n")])
def test_the_whole_environment_goes_where_x_is_or_may_be(tmp_path, args, script):
    with FakeDaemon(tmp_path) as daemon:
        daemon.run("qsub", *args, stdin=script, env={"SECRET": "s"})
        daemon.run("qsub", stdin=b"echo\n", env={"SECRET": "s"})
        with_x, without = daemon.messages
    assert b"SECRET=s" in with_x["env"]
    assert b"SECRET=s" not in without["env"]
    assert with_x["script-name"] == [b"STDIN"]


def test_the_others_send_no_environment_and_no_script(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        for command in ("qstat", "qdel", "qwait"):
            daemon.run(command, *COMMANDS[command], env={"SECRET": "s"})
        assert len(daemon.messages) == 3
        assert not any({"env", "script"} & message.keys() for message in daemon.messages)


def test_the_largest_script(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        code, _, err = daemon.run("qsub", stdin=b"#" * SCRIPT_BYTES_MAX)
        assert code == 0, err
        assert len(daemon.messages[0]["script"][0]) == SCRIPT_BYTES_MAX
        code, _, err = daemon.run("qsub", stdin=b"#" * (SCRIPT_BYTES_MAX + 1))
        assert (code, err) == (2, b"qsub: the script from standard input is larger than 16 MiB\n")
        assert len(daemon.messages) == 1
    assert qsub_script.SCRIPT_BYTES_MAX == SCRIPT_BYTES_MAX


# --- how an answer is taken --------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_text_goes_where_it_belongs_and_the_code_is_the_daemon_s(tmp_path, command):
    with FakeDaemon(tmp_path, answer(b"oone\n", b"etwo\n", b"o\xffthree\n", b"x77")) as daemon:
        assert daemon.run(command, *COMMANDS[command], stdin=b"echo") == (77, b"one\n\xffthree\n", b"two\n")


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("parts", [(), (b"ohalf\n",)])
def test_no_answer(tmp_path, command, parts):
    with FakeDaemon(tmp_path, answer(*parts)) as daemon:
        code, _, err = daemon.run(command, *COMMANDS[command], stdin=b"echo")
    assert code == 1
    assert err.startswith(f"{command}: no answer from the NQS daemon of site ".encode())
    assert err.count(b"\n") == 1
    if command == "qsub":
        assert b"the request may or may not have been accepted; look with qstat" in err


def test_garbage_as_an_answer(tmp_path):
    with FakeDaemon(tmp_path, lambda _: b"HTTP/1.1 200 OK\r\n") as daemon:
        code, _, err = daemon.run("qstat")
    assert (code, err.count(b"\n")) == (1, 1)
    assert b"not understood" in err


def test_a_daemon_that_refuses_before_it_has_read_all(tmp_path):
    with FakeDaemon(tmp_path, answer(b"enqsdaemon: too many\n", b"x1"), read=False) as daemon:
        code, _, err = daemon.run("qsub", stdin=b"#" * (8 << 20))
    assert (code, err) == (1, b"nqsdaemon: too many\n")


def test_a_reader_that_leaves(tmp_path):
    with FakeDaemon(tmp_path, answer(b"o" + b"line\n" * 100_000, b"x0")) as daemon:
        child = subprocess.Popen(
            hot_argv("qstat"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"JCQ_ROOT": daemon.root}
        )
        assert child.stdout.read(5) == b"line\n"
        child.stdout.close()
        err = child.stderr.read()
        child.stderr.close()
        assert (child.wait(30), err) == (0, b"")


def test_a_disk_that_is_full(tmp_path):
    with FakeDaemon(tmp_path, answer(b"otext\n", b"x0")) as daemon, open("/dev/full", "wb") as full:
        done = subprocess.run(
            hot_argv("qstat"), stdout=full, stderr=subprocess.PIPE, env={"JCQ_ROOT": daemon.root}, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, b"qstat: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_do_not_become_the_socket(tmp_path, closed):
    with FakeDaemon(tmp_path, answer(b"otext\n", b"etext\n", b"x5")) as daemon:
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *hot_argv("qstat")],
            capture_output=True, env={"JCQ_ROOT": daemon.root}, timeout=60,
        )  # fmt: skip
        assert done.returncode == 5, done
        assert len(daemon.messages) == 1
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"text\n")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_ctrl_c(tmp_path, command):
    with FakeDaemon(tmp_path, lambda _: None) as daemon:
        child = subprocess.Popen(
            hot_argv(command, *COMMANDS[command], before="import signal; signal.signal(2, signal.default_int_handler)"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"JCQ_ROOT": daemon.root},
        )  # fmt: skip
        daemon.answer = lambda _message: child.send_signal(signal.SIGINT) or (child.wait(30) and None)
        out, err = child.communicate(b"echo\n", timeout=30)
    assert (child.returncode, out) == (130, b"")
    assert err.startswith(f"{command}: interrupted; ".encode())
    assert err.count(b"\n") == 1


# --- what follows an accepted submission -------------------------------------------------------


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "job.sh"
    path.write_bytes(b"echo\n")
    return path


def test_an_accepted_script_is_deleted_and_a_refused_one_is_not(tmp_path, script):
    with FakeDaemon(tmp_path / "root", answer(b"eqsub: no\n", b"x1")) as daemon:
        assert daemon.run("qsub", "-d", str(script))[0] == 1
        assert script.exists()
        daemon.answer = answer(b"a", b"oid\n", b"x0")
        assert daemon.run("qsub", "-d", "job.sh", cwd=tmp_path) == (0, b"id\n", b"")
        assert not script.exists()


def test_a_script_that_cannot_be_deleted_is_a_warning(tmp_path, script):
    def change(_message):
        script.write_bytes(b"echo new\n")
        return b"".join(map(netstring, (b"a", b"x0")))

    def take_away(_message):
        script.unlink()
        return b"".join(map(netstring, (b"a", b"x0")))

    with FakeDaemon(tmp_path / "root", change) as daemon:
        code, out, err = daemon.run("qsub", "-d", str(script))
        shown = f"qsub: warning: the script {str(script)!r} was not deleted: "
        assert (code, out) == (0, b"")
        assert err.decode() == shown + "it was changed after it had been read\n"
        assert script.read_bytes() == b"echo new\n"
        daemon.answer = take_away
        code, _, err = daemon.run("qsub", "-d", str(script))
        assert (code, err.decode()) == (0, shown + "No such file or directory\n")


def test_only_a_plain_file_is_deleted(tmp_path, script):
    (tmp_path / "link").symlink_to(script)
    with FakeDaemon(tmp_path / "root", answer(b"a", b"x0")) as daemon:
        for words, said in (
            (["-"], b"-d: a script from standard input"),
            ([], b"-d: a script from standard input"),
            (["/dev/stdin"], b"-d deletes plain files only"),
            ([str(tmp_path / "link")], b"-d deletes plain files only"),
            ([str(tmp_path)], b"-d deletes plain files only"),
            ([str(tmp_path / "none")], b"cannot read the script"),
        ):
            code, out, err = daemon.run("qsub", "-d", *words, stdin=b"echo\n")
            assert (code, out, err.count(b"\n")) == (2, b"", 1), words
            assert said in err
        assert daemon.messages == []
    assert script.exists()


def test_a_daemon_that_goes_while_qsub_waits(tmp_path):
    with FakeDaemon(tmp_path, answer(b"a", b"oid\n")) as daemon:
        code, out, err = daemon.run("qsub", "--wait", stdin=b"echo")
    assert (code, out, err.count(b"\n")) == (1, b"id\n", 1)
    assert b"the request is not touched; look with qstat" in err


# --- what is refused without a daemon ----------------------------------------------------------


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_needs_no_site(tmp_path, command):
    env = {"JCQ_ROOT": str(tmp_path / "none")}
    done = subprocess.run(hot_argv(command, "--help"), capture_output=True, env=env, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {command} ".encode())
    assert all(row[0].encode() in done.stdout for row in TABLES[command][5])


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("name", [None, "", "wrong.example", "a" * 300, "b\u00e9", "127.0.0.99", "..", "a b"])
def test_a_site_that_is_not_here(tmp_path, command, name):
    env = {"JCQ_ROOT": str(tmp_path), "NQS_SITE": name}
    env = {key: value for key, value in env.items() if value is not None}
    done = subprocess.run(
        hot_argv(command, *COMMANDS[command]), input=b"echo\n", capture_output=True, env=env, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == f"{command.capitalize()}(FATAL): Unable to setup NQS rootdir\n".encode()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_site_that_does_not_run(tmp_path, command):
    stopped = FakeDaemon(tmp_path, listen=False)
    first = stopped.run(command, *COMMANDS[command], stdin=b"echo")
    assert first[0] == 1
    assert first[2].startswith(f"{command}: the NQS daemon of site {os.uname().nodename} is not running".encode())
    assert first[2].count(b"\n") == 1
    # A socket that the last run left behind is no daemon either.
    left = socket.socket(socket.AF_UNIX)
    here = os.open(os.path.dirname(stopped.socket_path), os.O_PATH)
    left.bind(f"/proc/self/fd/{here}/nqsdaemon.sock")
    os.close(here)
    left.close()
    assert stopped.run(command, *COMMANDS[command], stdin=b"echo") == first


def test_a_deep_root_is_reached(tmp_path):
    """The socket's path is longer than a socket address holds."""
    deep = tmp_path / ("d" * 120)
    with FakeDaemon(deep) as daemon:
        assert len(daemon.socket_path) > 107
        assert daemon.run("qstat")[0] == 0


@pytest.mark.parametrize(
    ("command", "args", "stdin", "words"),
    [
        ("qsub", ["-Q"], b"echo", "unknown option '-Q'; see qsub --help"),
        ("qsub", ["-p", "99"], b"echo", "-p needs a number"),
        ("qsub", ["/nonexistent/job.sh"], b"", "cannot read the script from '/nonexistent/job.sh': No such file"),
        ("qsub", ["/"], b"", "cannot read the script from '/': Is a directory"),
        ("qsub", ["no\nfile"], b"", "cannot read the script from 'no\\nfile'"),
        ("qsub", [], b"", "the script from standard input is empty"),
        ("qstat", ["-Z"], b"", "unknown option '-Z'"),
        ("qdel", [], b"", "request-id is missing"),
        ("qwait", ["1", "2"], b"", "unexpected word '2'"),
    ],
)
def test_bad_usage_asks_nobody(tmp_path, command, args, stdin, words):
    with FakeDaemon(tmp_path) as daemon:
        code, out, err = daemon.run(command, *args, stdin=stdin)
        assert (code, out, daemon.messages) == (2, b"", [])
    assert err.decode().startswith(f"{command}: {words}")
    assert err.count(b"\n") == 1


def test_a_directory_that_is_gone(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    with FakeDaemon(tmp_path / "root") as daemon:
        before = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
        env = {"JCQ_ROOT": daemon.root}
        done = subprocess.run(hot_argv("qsub", before=before), input=b"echo", capture_output=True, env=env, timeout=60)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"current directory cannot be named" in done.stderr
        gone.mkdir()
        done = subprocess.run(hot_argv("qstat", before=before), capture_output=True, env=env, timeout=60)
        assert done.returncode == 0


def test_a_full_backlog_is_waited_for(tmp_path):
    """A connect on a full backlog must block and then succeed; with a time-out of Python's it fails at once."""
    daemon = FakeDaemon(tmp_path, listen=False)
    listener = socket.socket(socket.AF_UNIX)
    here = os.open(os.path.dirname(daemon.socket_path), os.O_PATH)
    listener.bind(f"/proc/self/fd/{here}/nqsdaemon.sock")
    listener.listen(0)
    waiting = []
    while True:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        waiting.append(peer)
        try:
            peer.connect(f"/proc/self/fd/{here}/nqsdaemon.sock")
        except BlockingIOError:
            break
    child = subprocess.Popen(
        hot_argv("qstat"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"JCQ_ROOT": daemon.root}
    )

    def in_connect():
        with open(f"/proc/{child.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "S" and os.path.exists(f"/proc/{child.pid}/fd/3")

    wait_until(in_connect, 30, lambda: child.poll())
    for _ in waiting[:-1]:
        listener.accept()[0].close()
    server, _ = listener.accept()
    with server:
        server.sendall(netstring(b"x9"))
        assert child.wait(30) == 9, child.stderr.read()
    for sock in (*waiting, listener):
        sock.close()
    os.close(here)
    child.stdout.close()
    child.stderr.close()

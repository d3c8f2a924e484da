"""How the users' commands wait for a site that does not answer, and what they ask again."""

import os
import socket
import subprocess
import threading
import time

import pytest

from jcq.frames import netstring
from jcq.options import TABLES, TIMEOUT
from support.fakedaemon import FakeDaemon, hot_argv

AWAY = 75
COMMANDS = {"qsub": ["-z"], "qstat": ["-a"], "qdel": ["12"], "qwait": ["12"], "qcat": ["-f", "12"], "qalter": ["12"]}


def expect(daemon, text):
    with open(os.path.join(daemon.directory, "expected"), "w", encoding="utf-8") as file:
        file.write(text)


def answer(*parts):
    return b"".join(map(netstring, parts))


class Answers:
    """Gives one answer after the other; the last one again and again."""

    def __init__(self, *answers):
        self.left = list(answers)

    def __call__(self, _message):
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_site_that_should_be_running_is_waited_for(tmp_path, command):
    gap = FakeDaemon(tmp_path, listen=False)
    expected = os.path.join(gap.directory, "expected")
    os.mkfifo(expected)
    env = {"JCQ_ROOT": gap.root, "NQS_TIMEOUT": "50"}
    child = subprocess.Popen(
        hot_argv(command, *COMMANDS[command], after="import os; os.write(1, ' '.join(sys.modules).encode())"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
    )  # fmt: skip
    child.stdin.write(b"echo\n")
    child.stdin.close()
    child.stdin = None
    # Whoever opens the pipe waits for the command, which looks there when it has found no daemon.
    with open(expected, "w", encoding="ascii") as pipe:
        os.unlink(expected)
        expect(gap, "running elsewhere\n")
        pipe.write("running elsewhere\n")
    with FakeDaemon(tmp_path, lambda _: answer(b"x7")) as daemon:
        out, err = child.communicate(timeout=30)
        assert (child.returncode, err) == (7, b"")
        (message,) = daemon.messages
    assert b"jcq.patience" in out
    assert "again" not in message


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"running {os.uname().nodename}\n", b"it should be; look with cjcls"),
        ("running node-b\n", b"node-b had it last; give the command where the site is now"),
    ],
)
def test_the_limit(tmp_path, command, said, words):
    gap = FakeDaemon(tmp_path, listen=False)
    expect(gap, said)
    begin = time.monotonic()
    code, out, err = gap.run(command, "--timeout", "1", *COMMANDS[command], stdin=b"echo\n", env={"NQS_TIMEOUT": "900"})
    assert (code, out, err.count(b"\n")) == (AWAY, b"", 1), err
    assert time.monotonic() - begin >= 1
    assert err.startswith(
        f"{command}: the NQS daemon of site {os.uname().nodename} is not running on this node".encode()
    )
    assert b"within 1 s: " + words in err


@pytest.mark.parametrize("said", ["stopped node-b\n", "", "\0\xff garbage", "running" * 9999, None])
def test_what_was_stopped_on_purpose_or_is_not_known_is_answered_at_once(tmp_path, said):
    gap = FakeDaemon(tmp_path, listen=False)
    if said is not None:
        expect(gap, said)
    code, _, err = gap.run("qstat", env={"NQS_TIMEOUT": "3600"})
    assert (code, err.count(b"\n")) == (1, 1)
    assert b"start the site with cjcpw or nqsstart" in err


# --- answers that are lost ---------------------------------------------------------------------


@pytest.mark.parametrize("command", ["qstat", "qwait", "qcat", "qsub"])
def test_what_is_safe_to_repeat_is_asked_again(tmp_path, command):
    answers = Answers(b"", b"", answer(b"oend\n", b"x3"))
    with FakeDaemon(tmp_path, answers) as daemon:
        done = daemon.run(command, *COMMANDS[command], stdin=b"echo\n", env={"NQS_TIMEOUT": "50"})
        assert done == (3, b"end\n", b"")
        first, *others = daemon.messages
    assert len(others) == 2
    assert "again" not in first
    assert all(message["again"] == [b"1"] for message in others)
    # The same submission, and the same token.
    assert all({key: value for key, value in message.items() if key != "again"} == first for message in others)


def test_a_submission_is_printed_once_and_its_file_deleted_once(tmp_path):
    script = tmp_path / "job.sh"
    script.write_bytes(b"echo\n")
    whole = (b"a", b"oRequest 1.s submitted to queue: q.\n")
    answers = Answers(answer(*whole), answer(*whole), answer(*whole, b"oended\n", b"x9"))
    with FakeDaemon(tmp_path / "root", answers) as daemon:
        done = daemon.run("qsub", "--wait", "-d", str(script), env={"NQS_TIMEOUT": "50"})
        assert done == (9, b"Request 1.s submitted to queue: q.\nended\n", b"")
        assert len(daemon.messages) == 3
    assert not script.exists()


def test_each_submission_has_a_token_of_its_own(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        for _ in range(2):
            daemon.run("qsub", stdin=b"echo\n")
        first, second = (message["token"] for message in daemon.messages)
    assert first != second


@pytest.mark.parametrize("command", ["qdel", "qalter"])
def test_an_order_is_not_repeated_and_its_outcome_is_unknown(tmp_path, command):
    with FakeDaemon(tmp_path, Answers(b"", answer(b"x0"))) as daemon:
        code, _, err = daemon.run(command, *COMMANDS[command], env={"NQS_TIMEOUT": "50"})
        assert (code, err.count(b"\n"), len(daemon.messages)) == (1, 1, 1)
    assert b"look with qstat what was done" in err


def test_a_list_that_was_printed_in_part_is_not_repeated(tmp_path):
    with FakeDaemon(tmp_path, Answers(answer(b"ohalf\n"), answer(b"oall\n", b"x0"))) as daemon:
        code, out, err = daemon.run("qstat", env={"NQS_TIMEOUT": "50"})
        assert (code, out, err.count(b"\n"), len(daemon.messages)) == (1, b"half\n", 1, 1)


def test_a_submission_whose_daemon_stays_away_may_have_been_accepted(tmp_path):
    with FakeDaemon(tmp_path, lambda _: b"") as daemon:
        code, out, err = daemon.run("qsub", stdin=b"echo\n", env={"NQS_TIMEOUT": "1"})
        assert (code, out, err.count(b"\n")) == (1, b"", 1)
        assert len({message["token"][0] for message in daemon.messages}) == 1
    assert b"may or may not have been accepted" in err


class Hander:
    """Listens as nqsdaemon does and hands out an open file at each connection: one after the other of `turns`.

    Args:
        daemon: a `FakeDaemon` that does not listen.
        turns: functions of (this object, connection).
    """

    def __init__(self, daemon, turns):
        self._listener = socket.socket(socket.AF_UNIX)
        here = os.open(os.path.dirname(daemon.socket_path), os.O_PATH)
        self._listener.bind(f"/proc/self/fd/{here}/nqsdaemon.sock")
        os.close(here)
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, args=(turns,), daemon=True)
        self._thread.start()

    def _serve(self, turns):
        for turn in turns:
            peer, _ = self._listener.accept()
            with peer:
                peer.recv(1 << 16)
                turn(peer)

    def close(self):
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._listener.close()


def test_followed_output_goes_on_where_it_was_and_a_new_run_begins_anew(tmp_path):
    daemon = FakeDaemon(tmp_path / "root", listen=False)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1\n2\n")
    two.write_bytes(b"new 1\n")

    def hand(path, more=b"", end=b""):
        def turn(peer):
            with open(path, "rb") as file:
                socket.send_fds(peer, [netstring(b"f")], [file.fileno()])
            with open(path, "ab") as file:
                file.write(more)
            peer.sendall(end)

        return turn

    hander = Hander(
        daemon,
        [
            hand(one, b"3\n"),
            hand(one, b"4\n"),
            lambda peer: peer.sendall(answer(b"x75")),
            hand(two, b"new 2\n", answer(b"x0")),
        ],
    )
    code, out, err = daemon.run("qcat", "-f", "12", env={"NQS_TIMEOUT": "50"})
    hander.close()
    assert (code, out) == (0, b"1\n2\n3\n4\nnew 1\nnew 2\n")
    assert err == b"qcat: the request runs again; this is the output of its new run\n"


# --- bad values --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "604801", "9" * 400, "\u0663", " 5", "5s"])
def test_bad_values(tmp_path, value):
    with FakeDaemon(tmp_path) as daemon:
        for args, env, name in ((["--timeout", value], {}, "--timeout"), ([], {"NQS_TIMEOUT": value}, "NQS_TIMEOUT")):
            code, out, err = daemon.run("qstat", *args, env=env)
            assert (code, out, err.count(b"\n")) == (2, b"", 1)
            assert err.startswith(f"qstat: {name} needs a number from 0 to 604800, not ".encode())
        assert daemon.messages == []


def test_no_value_and_an_empty_variable(tmp_path):
    with FakeDaemon(tmp_path) as daemon:
        code, _, err = daemon.run("qstat", "--timeout")
        assert (code, err) == (2, b"qstat: --timeout needs a value: --timeout seconds\n")
        assert daemon.run("qstat", env={"NQS_TIMEOUT": ""})[0] == 0
        # The option wins.
        assert daemon.run("qstat", "--timeout", "5", env={"NQS_TIMEOUT": "x"})[0] == 2


@pytest.mark.parametrize("command", sorted(TABLES))
def test_every_help_has_it(tmp_path, command):
    done = subprocess.run(hot_argv(command, "--help"), capture_output=True, env={"JCQ_ROOT": str(tmp_path)}, timeout=60)
    assert done.returncode == 0
    assert f"{TIMEOUT[0]} {TIMEOUT[1]}".encode() in done.stdout

"""The verb qmsg: into which file a message goes, what is written, and what is refused."""

import errno
import os

import pytest

from jcq.exit_record import run_file
from support.deskwork import Work

ME = os.getuid()


@pytest.fixture
def work(tmp_path):
    """Requests 12 and 13 (-eo) of this process's uid run and have written `text`; 14 is queued."""
    work = Work(tmp_path)
    work.submit(12, uid=ME)
    work.submit(13, uid=ME, joined=True)
    work.submit(14, uid=ME)
    work.register_worker()
    work.claimed = {request.seq: request for request in work.claim(2)}
    assert sorted(work.claimed) == [12, 13]
    for seq, ending in ((12, "out"), (12, "err"), (13, "out")):
        with open(path(work, seq, ending), "w", encoding="utf-8") as file:
            file.write("text\n")
    return work


def path(work, seq, ending):
    return run_file(work.desk.site.output, work.claimed[seq], ending)


def content(work, seq, ending):
    with open(path(work, seq, ending), "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def contents(work):
    return [content(work, *which) for which in ((12, "out"), (12, "err"), (13, "out"))]


@pytest.mark.parametrize(
    ("options", "got"),
    [
        ((), ("text\n", "text\nhello\n", "text\nhello\n")),
        (("-e",), ("text\n", "text\nhello\n", "text\nhello\n")),
        (("-o",), ("text\nhello\n", "text\n", "text\nhello\n")),
        (("-e", "-o"), ("text\nhello\n", "text\nhello\n", "text\nhello\n")),
    ],
)
def test_where_it_goes(work, options, got):
    reply = work.call("qmsg", *options, "hello", "12", "13", uid=ME)
    assert (reply.exit_code, reply.err) == (0, "")
    assert reply.out == (
        "Request 12.testsite has been sent the message.\nRequest 13.testsite has been sent the message.\n"
    )
    assert contents(work) == list(got)
    assert not os.path.exists(path(work, 13, "err"))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("two words", "two words"),
        ("a\nb\tc\x1b[0m\x7f", "a?b?c?[0m?"),
        ("größe \udce9", "größe \udce9"),
        ("x\u2028y\x85", "x?y?"),
        ("x" * 1000, "x" * 1000),
    ],
)
def test_what_is_written_is_one_line(work, message, line):
    assert work.call("qmsg", message, "12", uid=ME).exit_code == 0
    assert content(work, 12, "err") == f"text\n{line}\n"


def test_one_that_does_not_run_has_its_line_and_the_others_get_it(work):
    reply = work.call("qmsg", "hello", "14", "12", "99", uid=ME)
    assert (reply.exit_code, reply.out) == (1, "Request 12.testsite has been sent the message.\n")
    assert reply.err == "Request 14.testsite is queued, not running.\nRequest 99.testsite does not exist.\n"
    assert content(work, 12, "err") == "text\nhello\n"


def test_owners_and_operators(work):
    before = contents(work)
    other = {"uid": 54321, "user": "jones"}
    assert work.call("qmsg", "hello", "12", **other).err == "Not owner of request 12.testsite.\n"
    assert "only an operator may" in work.call("qmsg", "-u", "smith", "hello", "12", **other).err
    assert contents(work) == before
    work.store.run(work.store.set_manager("jones", "o"))
    assert work.call("qmsg", "-u", "smith", "hello", "12", **other).exit_code == 0
    assert content(work, 12, "err") == "text\nhello\n"
    assert work.call("qmsg", "-u", "brown", "hello", "12", **other).exit_code == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "message is missing"),
        (("hello",), "request-id is missing"),
        (("hello", "x"), "'x' is no request id"),
        (("12", "hello"), "'hello' is no request id"),
        (("", "12"), "the message is empty"),
        ((" \n", "12"), "the message is empty"),
        (("x" * 1001, "12"), "more than 1000 characters"),
        (("-x", "hello", "12"), "unknown option '-x'"),
        (("-u",), "-u needs a value"),
    ],
)
def test_wrong_use(work, args, words):
    before = contents(work)
    reply = work.call("qmsg", *args, uid=ME)
    assert (reply.exit_code, reply.out, len(reply.err.splitlines())) == (2, "", 1)
    assert words in reply.err
    assert contents(work) == before


def test_what_is_no_plain_file_of_the_owner_is_not_written_to(work, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    err = path(work, 12, "err")
    os.unlink(err)
    os.symlink(secret, err)
    reply = work.call("qmsg", "-e", "-o", "hello", "12", uid=ME)
    assert (reply.exit_code, len(reply.err.splitlines())) == (1, 1)
    assert reply.err.startswith("qmsg: request 12.testsite: ")
    assert "cannot be opened" in reply.err
    os.unlink(err)
    os.mkfifo(err)
    assert work.call("qmsg", "hello", "12", uid=ME).exit_code == 1
    os.unlink(err)
    reply = work.call("qmsg", "-e", "-o", "hello", "12", uid=ME)
    assert reply.err == ("Request 12.testsite has no standard error now: it is being started or ends. Try again.\n")
    assert not os.path.exists(err)
    assert secret.read_text() == "secret"
    assert content(work, 12, "out") == "text\n"


def test_a_disk_that_is_full(work, monkeypatch):
    def full(_fd, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("jcq.nqsdaemon.verbs.qmsg.os.write", full)
    reply = work.call("qmsg", "hello", "12", uid=ME)
    monkeypatch.undo()
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err == "qmsg: request 12.testsite: the message was not written: No space left on device\n"


def test_no_descriptor_is_left(work):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        work.call("qmsg", "-e", "-o", "hello", "12", "13", "14", uid=ME)
    assert len(os.listdir("/proc/self/fd")) == before

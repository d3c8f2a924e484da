"""The verb qcat: whose file it opens, what it refuses to open, and what it says where there is none."""

import os

import pytest

from jcq.exit_record import run_file
from jcq.nqsdaemon.call import Part, Reply
from support.deskwork import Work

ME = os.getuid()


@pytest.fixture
def work(tmp_path):
    """Request 12 of this process's uid, which is all that a file here can belong to."""
    work = Work(tmp_path)
    work.submit(12, uid=ME)
    return work


def run(work):
    work.register_worker()
    (claimed,) = work.claim()
    return claimed


def run_next(work):
    """The same for a second request: a claim that shows the token of an earlier one is that one."""
    (claimed,) = work.store.run(work.store.claim("w", 1, "t2", "node1", 60, work.now()))
    return claimed


def spool(work, claimed, ending, text):
    path = run_file(work.desk.site.output, claimed, ending)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def opened(work, *args, **fields):
    """The text of the descriptor that is passed on."""
    reply = work.call("qcat", *args, **{"uid": ME, **fields})
    assert reply == Reply(), reply
    (part,) = work.parts
    assert (part.out, part.err, part.accepted) == ("", "", False)
    with open(part.fd, encoding="utf-8") as file:
        return file.read()


def refused(work, *args, **fields):
    reply = work.call("qcat", *args, **{"uid": ME, **fields})
    assert (reply.out, work.parts, len(reply.err.splitlines())) == ("", [], 1)
    assert reply.exit_code in (1, 2)
    return reply.err


def test_output_error_and_script(work):
    claimed = run(work)
    spool(work, claimed, "out", "one\n")
    spool(work, claimed, "err", "two\n")
    with open(os.path.join(work.desk.site.requests, "200-12"), "w", encoding="utf-8") as file:
        file.write("three\n")
    assert opened(work, "12") == "one\n"
    assert opened(work, "-o", "12.testsite") == "one\n"
    assert opened(work, "-e", "12") == "two\n"
    assert opened(work, "-i", "12") == "three\n"


def test_the_descriptor_only_reads(work):
    spool(work, run(work), "out", "one\n")
    work.call("qcat", "12", uid=ME)
    (part,) = work.parts
    with pytest.raises(OSError):
        os.write(part.fd, b"x")
    os.close(part.fd)


def test_follow_answers_when_the_request_has_ended(work):
    claimed = run(work)
    spool(work, claimed, "out", "one\n")
    waited = []

    def at_end(rid):
        assert len(work.parts) == 1
        waited.append(rid)

    work.at_end = at_end
    assert opened(work, "-f", "12") == "one\n"
    assert waited == ["200-12"]


def test_only_the_owner_and_operators(work):
    spool(work, run(work), "out", "one\n")
    other = {"uid": 54321, "user": "jones"}
    assert refused(work, "12", **other) == "qcat: Not owner of request 12.testsite.\n"
    assert refused(work, "-i", "12", **other) == "qcat: Not owner of request 12.testsite.\n"
    work.store.run(work.store.set_manager("jones", "o"))
    assert opened(work, "12", **other) == "one\n"


def test_what_is_no_plain_file_of_the_owner_is_not_opened(work, tmp_path):
    claimed = run(work)
    path = run_file(work.desk.site.output, claimed, "out")
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", path)
    assert "cannot be opened" in refused(work, "12")
    os.unlink(path)
    os.mkfifo(path)
    assert "is not a plain file of uid" in refused(work, "12")
    os.unlink(path)
    os.mkdir(path)
    assert "is not a plain file of uid" in refused(work, "12")
    os.rmdir(path)
    work.submit(13, uid=54321)
    spool(work, run_next(work), "out", "mine, not that of 54321\n")
    assert "is not a plain file of uid 54321" in refused(work, "13", uid=54321)


def test_no_output_yet(work):
    said = "qcat: Request 12.testsite is queued: it has no standard output yet. Try again when it is running.\n"
    assert refused(work, "12") == said
    assert refused(work, "-f", "12") == said
    assert "has no script any more" in refused(work, "-i", "12")
    claimed = run(work)
    assert "is being started: it has no standard error yet" in refused(work, "-e", "12")
    claimed.outcome, claimed.started_s, claimed.ended_s = "exited", 1.0, 2.0
    work.store.run(work.store.finish(claimed, "w", 3600, work.now()))
    assert "its standard output is being delivered" in refused(work, "12")


def test_a_request_that_ends_while_it_is_looked_at(work, monkeypatch):
    claimed = run(work)
    requests = work.store.requests

    def late(rids):
        work.finish(claimed, "exited")
        monkeypatch.undo()
        return requests(rids)

    monkeypatch.setattr(work.store, "requests", late)
    assert "has ended; its standard output was delivered to" in refused(work, "12")


def test_where_the_output_of_an_ended_request_is(work):
    work.finish(run(work), "exited")
    assert refused(work, "12") == (
        "qcat: Request 12.testsite has ended; its standard output was delivered to /home/smith/job.sh.o12\n"
    )
    assert refused(work, "-f", "-e", "12").endswith("its standard error was delivered to /home/smith/job.sh.e12\n")
    work.submit(13, uid=ME, out_path="/full/x\ny")
    claimed = run_next(work)
    work.store.run(work.store.begin(claimed, 4711, 99, work.now()))
    work.finish(claimed, "exited", note="/full/x: No space left on device; delivered to /home/smith/job.sh.o13")
    said = refused(work, "13")
    assert "was to go to /full/x?y: /full/x: No space left on device; delivered to /home/smith/job.sh.o13" in said
    work.submit(14, uid=ME)
    work.call("qdel", "14", uid=ME)
    assert refused(work, "14").endswith("has ended without having run: it has no standard output.\n")


def test_error_that_is_joined_says_so(work):
    work.submit(13, uid=ME, joined=True)
    assert refused(work, "-e", "13") == (
        "qcat: Request 13.testsite has its standard error in its standard output (-eo): qcat -o shows it.\n"
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "request-id is missing"),
        (("12", "13"), "unexpected word '13'"),
        (("x",), "'x' is no request id"),
        (("-x", "12"), "unknown option '-x'"),
        (("-e", "-o", "12"), "-e and -o exclude each other"),
        (("-e", "-i", "12"), "-e and -i exclude each other"),
        (("-i", "-o", "12"), "-i and -o exclude each other"),
        (("-f", "-i", "12"), "nothing is appended to a script"),
        (("99",), "Request 99.testsite does not exist."),
        (("12.elsewhere",), "does not exist."),
    ],
)
def test_wrong_use(work, args, words):
    assert words in refused(work, *args)


def test_a_part_has_no_descriptor_unless_it_is_given_one():
    assert Part().fd == -1


def test_who_followed_it_before_is_told_to_wait_or_that_it_has_ended(work):
    """The site was started again: the request is queued, runs anew, and ends."""
    assert work.call("qcat", "-f", "12", uid=ME, again=True) == Reply(75)
    claimed = run(work)
    assert work.call("qcat", "-f", "12", uid=ME, again=True) == Reply(75)
    spool(work, claimed, "out", "new\n")
    work.at_end = lambda rid: work.request(12)
    assert work.call("qcat", "-f", "12", uid=ME, again=True) == Reply()
    (part,) = work.parts
    os.close(part.fd)
    work.finish(claimed, "exited")
    assert work.call("qcat", "-f", "12", uid=ME, again=True) == Reply()
    assert work.parts == []
    # Without -f, and the first time, it is refused as ever.
    assert work.call("qcat", "12", uid=ME, again=True).exit_code == 1

"""qhold, qrls, qmove, qrerun, qspnd, qrsm, qsig, qalter: what they say, and whose requests they touch."""

import pytest

from jcq.jcdbs import keys
from support.deskwork import NOW_S, Work

STARTED = ("qhold", "qrls", "qmove other", "qalter -p 1")
RUNNING_ONLY = ("qrerun", "qspnd", "qrsm", "qsig -s USR1")


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.add_queue(name="other", enabled=True, started=True)
    work.submit(12)
    return work


def run(work, line, *ids, **fields):
    verb, *words = line.split()
    return work.call(verb, *words, *ids, **fields)


def ok(work, line, *ids, **fields):
    reply = run(work, line, *ids, **fields)
    assert (reply.exit_code, reply.err) == (0, ""), reply
    return reply.out


def running(work):
    work.register_worker()
    (claimed,) = work.claim()
    return claimed


def orders(work):
    return {rid.decode(): signals.decode() for rid, signals in work.connection.hgetall(keys.KILLS).items()}


def test_hold_and_release(work):
    assert ok(work, "qhold", "12") == "Request 12.testsite has been held.\n"
    assert (work.request(12).state, work.request(12).reason) == ("HELD", "held by smith")
    reply = run(work, "qhold", "12")
    assert (reply.exit_code, reply.err) == (1, "Request 12.testsite is held already.\n")
    assert ok(work, "qrls", "12") == "Request 12.testsite has been released.\n"
    assert work.request(12).state == "QUEUED"
    assert run(work, "qrls", "12").err == "Request 12.testsite is not held, it is queued.\n"


def test_an_operators_hold_is_the_operators(work):
    ok(work, "qhold -u smith", "12", uid=0, user="root")
    reply = run(work, "qrls", "12")
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err == "Request 12.testsite is held by an operator; only an operator can release it.\n"
    ok(work, "qrls", "12", uid=0, user="root")


def test_move(work):
    assert ok(work, "qmove other", "12") == "Request 12.testsite has been moved to queue: other.\n"
    assert work.request(12).queue == "other"
    reply = run(work, "qmove nowhere", "12")
    assert reply.err == "qmove: request 12.testsite: no queue named nowhere at this site\n"
    reply = run(work, "qmove other", "12")
    assert reply.err == "qmove: request 12.testsite: it is in queue other already\n"
    assert ok(work, "qmove batch@testsite", "12").endswith("queue: batch.\n")
    assert run(work, "qmove batch@elsewhere", "12").exit_code == 2
    assert (
        run(work, "qmove 12", "batch").err
        == "qmove: '12' is no queue name; give the queue first: qmove QUEUE REQUEST-ID ...\n"
    )
    assert run(work, "qmove other").exit_code == 2


def test_suspend_and_resume(work):
    running(work)
    assert ok(work, "qspnd", "12") == "Request 12.testsite has been suspended.\n"
    assert orders(work) == {"200-12": "19"}
    assert run(work, "qspnd", "12").err == "Request 12.testsite is suspended already.\n"
    assert ok(work, "qrsm", "12") == "Request 12.testsite has been resumed.\n"
    assert run(work, "qrsm", "12").err == "Request 12.testsite is not suspended.\n"


@pytest.mark.parametrize(
    ("line", "signum"), [("qsig", "15"), ("qsig -s USR1", "10"), ("qsig -INT", "2"), ("qsig -s 1", "1")]
)
def test_signal(work, line, signum):
    running(work)
    assert ok(work, line, "12") == "Request 12.testsite has been signalled.\n"
    assert orders(work) == {"200-12": signum}


def test_rerun(work):
    running(work)
    assert ok(work, "qrerun", "12") == "Request 12.testsite is ended and queued again.\n"
    assert orders(work) == {"200-12": "9"}


def test_what_is_not_restartable_is_not_rerun(work):
    work.call("qdel", "12")
    work.submit(13, restartable=False)
    running(work)
    reply = run(work, "qrerun", "13")
    assert reply.err == "qrerun: request 13.testsite: it is not restartable (-nr), so it is never run again\n"


def test_alter(work):
    out = ok(work, "qalter -p 9 -r new -nr -a 23:00 -o out.txt -eo -s /bin/ksh", "12")
    assert out == "Request 12.testsite has been altered.\n"
    request = work.request(12)
    assert (request.priority, request.name, request.restartable) == (9, "new", False)
    assert (request.out_path, request.joined, request.shell) == ("/home/smith/out.txt", True, "/bin/ksh")
    assert request.state == "WAITING"
    assert request.due_s > NOW_S
    assert request.flaw() == ""
    ok(work, "qalter -a now -rr -e err.txt -ko", "12")
    request = work.request(12)
    assert (request.state, request.due_s, request.restartable) == ("QUEUED", 0.0, True)
    assert (request.err_path, request.joined, request.keep_out, request.out_path) == (
        "/home/smith/err.txt",
        False,
        True,
        "",
    )


@pytest.mark.parametrize("words", ["", "-p 64", "-r a/b", "-s sh", "-a someday", "-eo -ke", "-o dir/"])
def test_bad_values_alter_nothing(work, words):
    before = work.request(12)
    reply = run(work, f"qalter {words}", "12")
    assert reply.exit_code == 2
    assert len(reply.err.splitlines()) == 1
    assert work.request(12) == before


@pytest.mark.parametrize("line", STARTED)
def test_what_runs_is_not_touched(work, line):
    running(work)
    before = work.request(12)
    reply = run(work, line, "12")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", "Request 12.testsite is running.\n")
    assert work.request(12) == before


@pytest.mark.parametrize("line", RUNNING_ONLY)
def test_what_does_not_run_is_not_touched(work, line):
    reply = run(work, line, "12")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", "Request 12.testsite is queued, not running.\n")
    assert orders(work) == {}


@pytest.mark.parametrize("line", [*STARTED, *RUNNING_ONLY])
def test_others_requests_and_none(work, line):
    reply = run(work, line, "12", uid=1001, user="jones")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", "Not owner of request 12.testsite.\n")
    assert run(work, line, "99").err == "Request 99.testsite does not exist.\n"
    assert run(work, line, "12", "word").exit_code == 2
    reply = run(work, f"{line.split()[0]} -u smith {' '.join(line.split()[1:])}", "12", uid=1001, user="jones")
    assert "only an operator may" in reply.err


@pytest.mark.parametrize("line", [*STARTED, *RUNNING_ONLY])
def test_what_has_ended_is_not_touched(work, line):
    claimed = running(work)
    work.finish(claimed, "exited")
    assert run(work, line, "12").err == "Request 12.testsite has ended already.\n"


def test_five_hundred_at_once(work):
    for seq in range(100, 600):
        work.submit(seq)
    ids = [str(seq) for seq in range(100, 600)]
    out = ok(work, "qhold", *ids)
    assert out.splitlines() == [f"Request {seq}.testsite has been held." for seq in range(100, 600)]

"""The verb qdel: who may delete what, in which state."""

import os

import pytest

from jcq.jcdbs import keys
from support.deskwork import Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.submit(12)
    return work


def orders(work):
    return {
        rid.decode(): [int(signum) for signum in signals.split(b",")]
        for rid, signals in work.connection.hgetall(keys.KILLS).items()
    }


def running(work, uid=1000):
    work.register_worker()
    (claimed,) = work.claim()
    return claimed


@pytest.mark.parametrize(
    "said",
    ["12", "12.testsite", "012", "12.TESTSITE", "12.testsite.example", "12.testsite@testsite", "12.testsite@localhost"],
)
@pytest.mark.parametrize("options", [(), ("-k",), ("-9",), ("-TERM",)])
def test_a_queued_request_is_deleted(work, said, options):
    reply = work.call("qdel", *options, said)
    assert (reply.exit_code, reply.out, reply.err) == (0, "Request 12.testsite has been deleted.\n", "")
    assert (work.request(12).state, work.request(12).outcome) == ("DONE", "deleted")


def test_waiting_and_held_ones_are_deleted(work):
    work.submit(13, due_s=work.now() + 60)
    work.submit(14)
    work.store.run(work.store.hold("200-14", "by hand", 1000, work.now()))
    assert work.call("qdel", "-k", "13", "14").exit_code == 0
    assert {work.request(seq).outcome for seq in (13, 14)} == {"deleted"}


def test_a_running_request_is_touched_only_with_k_or_signo(work):
    running(work)
    reply = work.call("qdel", "12")
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err.startswith("Request 12.testsite is running. ")
    assert reply.err.count("\n") == 1
    assert orders(work) == {}
    for option, signum in (("-USR1", 10), ("-15", 15), ("-k", 9)):
        reply = work.call("qdel", option, "12")
        assert (reply.exit_code, reply.out, reply.err) == (0, "Request 12.testsite has been signalled.\n", "")
        assert orders(work)["200-12"][-1] == signum
    assert orders(work) == {"200-12": [10, 15, 9]}
    assert work.request(12).state == "RUNNING"


def test_a_signal_that_ends_nothing_deletes_nothing(work):
    reply = work.call("qdel", "-USR1", "12")
    assert (reply.exit_code, reply.err) == (
        1, "Request 12.testsite is queued, not running: there is nothing to signal.\n",
    )  # fmt: skip
    assert work.request(12).state == "QUEUED"


@pytest.mark.parametrize("options", [(), ("-k",), ("-9",)])
def test_an_ended_request(work, options):
    work.call("qdel", "12")
    reply = work.call("qdel", *options, "12")
    assert (reply.exit_code, reply.err) == (1, "Request 12.testsite has ended already.\n")


@pytest.mark.parametrize("options", [(), ("-k",), ("-9",)])
def test_an_exiting_request(work, options):
    claimed = running(work)
    claimed.outcome, claimed.started_s, claimed.ended_s = "exited", 1.0, 2.0
    work.store.run(work.store.finish(claimed, "w", 60, work.now()))
    reply = work.call("qdel", *options, "12")
    assert reply.exit_code == 1
    assert "is exiting" in reply.err


@pytest.mark.parametrize("said", ["99", "12.elsewhere", "12.elsewhere.example"])
def test_no_such_request(work, said):
    reply = work.call("qdel", said)
    assert reply.exit_code == 1
    assert reply.err == f"Request {said if '.' in said else said + '.testsite'} does not exist.\n"
    assert work.request(12).state == "QUEUED"


def test_only_the_owner(work):
    for options in ((), ("-k",), ("-9",)):
        reply = work.call("qdel", *options, "12", uid=1001, user="jones")
        assert (reply.exit_code, reply.err) == (1, "Not owner of request 12.testsite.\n")
    running(work)
    reply = work.call("qdel", "-k", "12", uid=1001, user="jones")
    assert (reply.exit_code, reply.err) == (1, "Not owner of request 12.testsite.\n")
    assert orders(work) == {}
    assert work.request(12).state == "RUNNING"


def test_a_login_name_alone_makes_no_owner(work):
    assert work.call("qdel", "12", uid=1001, user="smith").err == "Not owner of request 12.testsite.\n"


def test_operators_act_on_anyone_s_and_u_narrows_it(work):
    work.store.run(work.store.set_manager("jones", "o"))
    work.submit(13, uid=1002, user="brown")
    reply = work.call("qdel", "-u", "smith", "12", "13", uid=1001, user="jones")
    assert reply.exit_code == 1
    assert reply.out == "Request 12.testsite has been deleted.\n"
    assert reply.err == "Not owner of request 13.testsite.\n"
    assert work.call("qdel", "13", uid=1001, user="jones").exit_code == 0
    work.submit(14)
    assert work.call("qdel", "14", uid=0, user="root").exit_code == 0


def test_u_is_for_operators(work):
    reply = work.call("qdel", "-u", "smith", "12")
    assert (reply.exit_code, reply.err) == (1, "qdel: smith may not use -u; only an operator may\n")
    assert work.request(12).state == "QUEUED"


def test_several_ids_and_one_that_is_none(work):
    work.submit(13)
    reply = work.call("qdel", "12", "99", "13", "12")
    assert reply.exit_code == 1
    assert reply.out == "Request 12.testsite has been deleted.\nRequest 13.testsite has been deleted.\n"
    assert reply.err == "Request 99.testsite does not exist.\n"


def test_a_word_that_is_no_id_touches_nothing(work):
    reply = work.call("qdel", "12", "all")
    assert (reply.exit_code, reply.err) == (2, "qdel: 'all' is no request id; give 12 or 12.site\n")
    assert work.request(12).state == "QUEUED"


def test_a_request_that_starts_between_the_look_and_the_act(work, monkeypatch):
    """The look says QUEUED, the delete finds it RUNNING: it is looked at again and left alone."""
    delete = work.store.delete

    def late(*args):
        running(work)
        return delete(*args)

    monkeypatch.setattr(work.store, "delete", late)
    reply = work.call("qdel", "12")
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err.startswith("Request 12.testsite is running. ")
    assert work.request(12).state == "RUNNING"


@pytest.mark.parametrize("said", ["12.testsite@elsewhere", "12.elsewhere@elsewhere"])
@pytest.mark.parametrize(
    "command", ["qdel", "qhold", "qsig", "qmove batch", "qalter -p 1", "qwait", "qcat", "qstat", "qstatr"]
)
def test_a_request_at_another_machine_is_refused(work, command, said):
    verb, *words = command.split()
    reply = work.call(verb, *words, said)
    number = said.partition("@")[0]
    assert (reply.exit_code, reply.err) == (
        1 if verb == "qstat" else 2,
        f"{verb}: {said!r} is at another machine, which jcq does not reach; give {number}\n",
    )
    assert work.request(12).state == "QUEUED"


def test_the_machine_that_the_site_runs_on_may_be_named(work):
    assert work.call("qdel", f"12.testsite@{os.uname().nodename}").exit_code == 0


def test_an_empty_host_is_none(work):
    reply = work.call("qdel", "12.testsite@")
    assert (reply.exit_code, reply.err) == (2, "qdel: '12.testsite@' is no request id; give 12 or 12.site\n")

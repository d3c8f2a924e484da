"""The verb qwait: code and line for each way to end."""

import pytest

from jcq.model.lifecycle import WAIT_CODES
from support.deskwork import Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.submit(12)
    return work


def end(work, *args, **fields):
    """What qwait waits for happens: the running request ends."""
    work.register_worker()
    (claimed,) = work.claim()

    def at_end(rid):
        assert rid == "200-12"
        work.finish(claimed, *args, **fields)
        return work.request(12)

    work.at_end = at_end


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exited_is_silent_and_has_its_own_code(work, code):
    end(work, "exited", code)
    reply = work.call("qwait", "12")
    assert (reply.exit_code, reply.out, reply.err) == (code, "", "")
    assert work.call("qwait", "12.testsite").exit_code == code


def test_signalled(work):
    end(work, "signalled", signal=15)
    reply = work.call("qwait", "12")
    assert (reply.exit_code, reply.out) == (143, "Request 12.testsite was ended by signal 15.\n")


def test_deleted(work):
    work.call("qdel", "12")
    reply = work.call("qwait", "12")
    assert (reply.exit_code, reply.out) == (WAIT_CODES["deleted"], "Request 12.testsite was deleted before it ran.\n")


def test_purged(work):
    work.register_worker()
    work.claim()
    work.begin_epoch(2)
    work.store.run(work.store.recover("200-12", "remove", "interrupted", work.now()))
    (left,) = work.store.run(work.store.adopt("t2", work.now()))
    work.store.run(work.store.deliver(left, "", work.now()))
    reply = work.call("qwait", "12")
    assert reply.exit_code == WAIT_CODES["purged"]
    assert reply.out.startswith("Request 12.testsite was purged")


def test_codes_of_their_own_are_distinct_and_no_signal_s():
    assert len(set(WAIT_CODES.values())) == len(WAIT_CODES)
    assert all(2 < code < 128 for code in WAIT_CODES.values())


def test_forgotten_while_waiting(work):
    reply = work.call("qwait", "12")
    assert (reply.exit_code, reply.err) == (1, "qwait: Request 12.testsite does not exist.\n")


@pytest.mark.parametrize("said", ["99", "12.elsewhere"])
def test_no_such_request(work, said):
    reply = work.call("qwait", said)
    assert reply.exit_code == 1
    assert "does not exist." in reply.err


def test_only_the_owner_and_operators(work):
    end(work, "exited", 3)
    reply = work.call("qwait", "12", uid=1001, user="jones")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", "qwait: Not owner of request 12.testsite.\n")
    work.store.run(work.store.set_manager("jones", "o"))
    assert work.call("qwait", "12", uid=1001, user="jones").exit_code == 3

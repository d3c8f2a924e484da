"""qdev, qpr and qchk: the commands are there, and say clearly that what they are for is not."""

import pytest

from support.deskwork import Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.submit(12)
    return work


def test_qdev(work):
    assert work.call("qdev").out == "jcq has no devices.\n"
    reply = work.call("qdev", "lp0")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", "qdev: no device named 'lp0': jcq has no devices\n")
    assert work.call("qdev", "-x").exit_code == 2


def test_qpr(work):
    reply = work.call("qpr", "-n", "2", "-q", "lp", "file")
    assert reply.exit_code == 1
    assert reply.err == "qpr: jcq has no devices and no print queues; nothing was printed\n"
    assert work.call("qpr", "-n", "0", "file").exit_code == 2


def test_qchk(work):
    assert work.call("qchk", "12").err == "Request 12.testsite is queued, not running.\n"
    work.register_worker()
    work.claim()
    reply = work.call("qchk", "12")
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err == (
        "qchk: request 12.testsite: jcq takes no checkpoints;"
        " a restartable request that is interrupted is run again from its beginning\n"
    )
    assert work.call("qchk", "12", uid=1001, user="jones").err == "Not owner of request 12.testsite.\n"
    assert work.call("qchk").exit_code == 2

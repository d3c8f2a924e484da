"""qsub, qalter and qstat with resource limits: what is stored and shown, and what is refused without a trace."""

import json
import os

import pytest

from jcq.jcdbs import keys
from jcq.nqsdaemon.desk import Desk
from support.deskwork import Work

MB = 1 << 20


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path, uid=os.geteuid())


def qsub(work, *args, script=b"#!/bin/sh\n", uid=None):
    uid = os.geteuid() if uid is None else uid
    return work.call("qsub", *args, uid=uid, gid=os.getegid(), script=script, script_name="job.sh")


@pytest.fixture(autouse=True)
def _not_root(monkeypatch):
    monkeypatch.setattr(Desk, "as_root", False)


def own_nice():
    return os.getpriority(os.PRIO_PROCESS, 0)


def long_form(work):
    return [line.strip() for line in work.call("qstat", "-l", "1").out.splitlines()]


def test_options_and_directives(work):
    script = b'# @$-lt "10:00, 9:00" -lm 1800mb\n#@$-lT 1:00:00\n'
    reply = qsub(work, "-lT", "30", "-lE", "unlimited", "-ln", "19", script=script)
    assert reply.exit_code == 0, reply
    request = work.request(1)
    assert request.flaw() == ""
    assert request.limits == (
        "memory_process=1887436800 nice_process=19 cpu_process=600:540 cpu_request=30 elapsed_request=unlimited"
    )
    lines = long_form(work)
    for line in (
        "Per-process memory size limit = 1800 mb",
        "Per-process nice value = 19",
        "Per-process CPU time limit = 0:10:00, warning = 0:09:00",
        "Per-request CPU time limit = 0:00:30",
        "Per-request elapsed time limit = unlimited",
    ):
        assert line in lines
    (record,) = json.loads(work.call("qstat", "--json", "1").out)["requests"]
    assert record["limits"] == {
        "memory_process": {"value": 1800 * MB, "warning": None, "from_queue": False},
        "nice_process": {"value": 19, "warning": None, "from_queue": False},
        "cpu_process": {"value": 600, "warning": 540, "from_queue": False},
        "cpu_request": {"value": 30, "warning": None, "from_queue": False},
        "elapsed_request": {"value": None, "warning": None, "from_queue": False},
    }


def test_without_limits_nothing_is_stored_or_shown(work):
    assert qsub(work).exit_code == 0
    assert not work.connection.hexists(keys.request("200-1"), "limits")
    assert not [line for line in long_form(work) if line.startswith("Per-")]
    (record,) = json.loads(work.call("qstat", "--json", "1").out)["requests"]
    assert record["limits"] == {}


@pytest.mark.parametrize(
    ("words", "script", "start"),
    [
        (["-lm", "many"], b"#\n", "qsub: -lm: needs a number"),
        (["-lt", "9:00, 10:00"], b"#\n", "qsub: -lt: the warning value is above"),
        (["-ln", "-30"], b"#\n", "qsub: -ln: needs a number from -20 to 19"),
        (["-lm"], b"#\n", "qsub: -lm needs a value: -lm size"),
        ([], b"#@$-lt 10:00, 9:00\n", "qsub: script line 1: '9:00' is no option"),
        ([], b"#@$-lT nonsense\n", "qsub: -lT: needs a time"),
    ],
)
def test_bad_values_submit_nothing(work, words, script, start):
    reply = qsub(work, *words, script=script)
    assert (reply.exit_code, reply.out) == (2, "")
    assert reply.err.startswith(start), reply.err
    assert len(reply.err.splitlines()) == 1
    assert os.listdir(work.desk.site.requests) == []


def test_a_better_nice_value_is_roots_at_a_site_of_roots(work, monkeypatch):
    better = str(own_nice() - 1)
    reply = qsub(work, "-ln", better)
    assert reply.exit_code == 2
    assert reply.err.startswith(f"qsub: -ln: a nice value below {own_nice()} is root's")
    assert qsub(work, "-ln", str(own_nice())).exit_code == 0
    monkeypatch.setattr(Desk, "as_root", True)
    reply = qsub(work, "-ln", better, uid=0)
    assert reply.exit_code == 0, reply
    refused = work.call("qalter", "-ln", better, "1", uid=os.geteuid() or 1000)
    assert (refused.exit_code, refused.out) == (2, "")


def test_qalter_changes_the_limits_that_are_given(work):
    work.submit(12)
    for words in (["-lt", "60, 50", "-lm", "1mb"], ["-lt", "70"], ["-lm", "unlimited"]):
        reply = work.call("qalter", *words, "12")
        assert reply.out == "Request 12.testsite has been altered.\n", reply
        assert work.request(12).flaw() == ""
    assert work.request(12).limits == "memory_process=unlimited cpu_process=70"
    before = work.request(12)
    assert work.call("qalter", "-lt", "x", "12").exit_code == 2
    assert work.request(12) == before


def test_qlimit(work):
    reply = work.call("qlimit")
    assert (reply.exit_code, reply.err) == (0, "")
    *rows, last = [" ".join(line.split()) for line in reply.out.splitlines()]
    assert last == "Shell strategy = FREE"
    assert len(rows) == 14
    for row in (
        "Per-process core file size -lc enforced",
        "Per-request permanent file space -lF not enforced",
        "Per-process nice value -ln set at the start",
        "Per-request CPU time -lT enforced, looked at once a second",
        "Per-process working set size -lw not enforced by Linux",
        "Per-request elapsed time -lE enforced",
    ):
        assert row in rows
    for word in ("host", "-x"):
        refused = work.call("qlimit", word)
        assert (refused.exit_code, refused.out, len(refused.err.splitlines())) == (2, "", 1)


def test_damaged_limits_do_not_keep_others_from_being_shown(work):
    work.submit(12, limits="cpu_process=60")
    work.submit(13)
    work.connection.hset(keys.request("200-12"), "limits", "cpu_process=6 0")
    shown = work.call("qstat", "-l")
    assert (shown.exit_code, shown.err) == (0, "")
    assert "Id=13.testsite" in shown.out
    assert work.request(12).flaw() == "field limits of its record is damaged"
    reply = work.call("qalter", "-lt", "70", "12")
    assert (reply.exit_code, reply.out) == (1, "")
    assert "field limits of its record is damaged; nothing was altered" in reply.err
    assert work.request(12).flaw()

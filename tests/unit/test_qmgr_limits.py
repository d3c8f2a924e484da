"""qmgr's resource limits of queues: set, shown, and what users are told who ask for more."""

import json
import os

import pytest

from jcq.model import limits
from jcq.nqsdaemon.desk import Desk
from support.deskwork import NOW_S
from support.qmgr_work import COMPLETE, Manager


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "as_root", False)
    made = Manager(tmp_path)
    made.ok("create batch_queue night")
    made.ok("enable queue night")
    return made


def qsub(manager, *args):
    return manager.call("qsub", *args, uid=os.geteuid(), gid=os.getegid(), script=b"#!/bin/sh\n", script_name="job.sh")


def shown(text):
    return [line.strip() for line in text.splitlines() if line.strip().startswith("Per-")]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("set corefile_limit = (0) night", "core_process=0"),
        ("SET CO=0 night", "core_process=0"),
        ("set data_limit = 2gb night", "data_process=2147483648"),
        ("set stack_limit=( 8192kb ) night", "stack_process=8388608"),
        ("set working_set_limit = (1.5 gb) night", "workset_process=1610612736"),
        ("set nice_value_limit = (19) night", "nice_process=19"),
        ("set per_process cpu_limit = 1:00:00 night", "cpu_process=3600"),
        ("set per_process cpu_limit = (10:00, 9:00) night", "cpu_process=600:540"),
        ("set per_process cpu_limit = 10:00, 9:00 night", "cpu_process=600:540"),
        ("set per_process cpu_limit = '10:00, 9:00' night", "cpu_process=600:540"),
        ("set per_process memory_limit = (1mw) night", "memory_process=8388608"),
        ("set per_process permfile_limit=(99999999b) night", "permfile_process=99999999"),
        ("set per_process tempfile_limit = (unlimited, 1kb) night", "tempfile_process=unlimited:1024"),
        ("set per_request cpu_limit = (0.5) night", "cpu_request=0.5"),
        ("set per_request memory_limit = (1tb) night", "memory_request=1099511627776"),
        ("set per_request permfile_limit = (10b) night", "permfile_request=10"),
        ("set per_request tempfile_limit = (10) night", "tempfile_request=10"),
        ("set elapsed_limit = (1:00:00) night", "elapsed_request=3600"),
    ],
)
def test_a_limit_is_set_reads_back_and_is_taken_away(manager, line, text):
    assert manager.ok(line) == COMPLETE
    assert manager.queue("night").limits == text
    manager.ok("create batch_queue copy")
    for made in limits.qmgr_lines(text, "copy"):
        manager.ok(made)
    assert manager.queue("copy").limits == text
    name = text.partition("=")[0]
    manager.ok(f"set {limits.BY_NAME[name].command} = unlimited night")
    assert manager.queue("night").limits == ""


@pytest.mark.parametrize(
    ("line", "words", "exit_code"),
    [
        ("set data_limit = (2gb) guilb_def", "NQS manager[TCML_WROQUETYP ]: pipe queue guilb_def has no resource", 1),
        ("set data_limit = (2gb) nosuch", "NQS manager[TCML_NOSUCHQUE ]: ", 1),
        ("set data_limit 2gb night", "qmgr: set data_limit: = is missing", 2),
        ("set data_limit = night", "qmgr: set data_limit: needs a number and a unit", 2),
        ("set data_limit = (2gb night", "qmgr: set data_limit: the parenthesis of a limit is not closed", 2),
        ("set data_limit = () night", "qmgr: set data_limit: a limit is missing in the parentheses", 2),
        ("set data_limit = (1kb, 2kb) night", "qmgr: set data_limit: the warning value is above the limit", 2),
        (
            "set data_limit = (2gb)",
            "qmgr: set data_limit: a queue is missing; syntax: SEt DAta_limit = <limit> <queue>",
            2,
        ),
        ("set data_limit = 2gb, night", "qmgr: set data_limit: needs a number and a unit", 2),
        ("set nice_value_limit = (5, 4) night", "qmgr: set nice_value_limit: has no warning value", 2),
        ("set nice_value_limit = (-20) night", "qmgr: set nice_value_limit: this site runs without root", 2),
        ("set elapsed_limit = (0) night", "qmgr: set elapsed_limit: needs a time above 0", 2),
        ("set per_process x = 1 night", "use one of cpu_limit, memory_limit, permfile_limit, tempfile_limit", 2),
    ],
)
def test_a_refusal_is_one_line_and_changes_nothing(manager, line, words, exit_code):
    manager.refused(line, words, exit_code=exit_code)


def test_a_manager_of_a_site_of_root_may_give_a_better_nice_value(manager, monkeypatch):
    monkeypatch.setattr(Desk, "as_root", True)
    manager.ok("set nice_value_limit = (-5) night")
    assert manager.queue("night").limits == "nice_process=-5"


def test_only_a_manager_sets_limits(manager):
    manager.refused("set data_limit = 1gb night", "only a manager may", uid=1001)


def test_they_are_shown_with_the_queue(manager):
    manager.ok("set data_limit = (1.5gb) night")
    manager.ok("set nice_value_limit = 19 night")
    manager.ok("set per_request cpu_limit = (10:00, 9:00) night")
    wanted = [
        "Per-process data segment size limit = 1.5 gb",
        "Per-process nice value = 19",
        "Per-request CPU time limit = 0:10:00, warning = 0:09:00",
    ]
    assert shown(manager.ok("show long queue night")) == shown(manager.call("qstat", "-x").out) == wanted
    assert shown(manager.ok("show queue night")) == []
    queues = {queue["name"]: queue for queue in json.loads(manager.call("qstat", "--json").out)["queues"]}
    assert queues["night"]["limits"] == {
        "data_process": {"value": 3 << 29, "warning": None},
        "nice_process": {"value": 19, "warning": None},
        "cpu_request": {"value": 600, "warning": 540},
    }
    assert queues["batch"]["limits"] == queues["guilb_def"]["limits"] == {}


def test_a_request_shows_what_it_has_of_its_queue(manager):
    manager.ok("set per_request cpu_limit = (10:00, 9:00) night")
    manager.ok("set data_limit = 1gb night")
    assert qsub(manager, "-q", "night", "-ld", "1mb", "-lc", "0").exit_code == 0
    assert shown(manager.call("qstat", "-l", "1").out) == [
        "Per-process core file size limit = 0 b",
        "Per-process data segment size limit = 1 mb",
        "Per-request CPU time limit = 0:10:00, warning = 0:09:00 <DEFAULT>",
    ]
    (record,) = json.loads(manager.call("qstat", "--json", "1").out)["requests"]
    assert record["limits"] == {
        "core_process": {"value": 0, "warning": None, "from_queue": False},
        "data_process": {"value": 1 << 20, "warning": None, "from_queue": False},
        "cpu_request": {"value": 600, "warning": 540, "from_queue": True},
    }


def test_qsub_qmove_and_qalter_name_the_limit_and_both_values(manager):
    manager.ok("set per_request cpu_limit = (10:00) night")
    words = "queue night allows CPU time per request of 0:10:00, but 1:00:00 was asked for (-lT)\n"
    reply = qsub(manager, "-q", "night", "-lT", "1:00:00")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", f"qsub: {words}")
    assert os.listdir(manager.desk.site.requests) == []
    manager.submit(7, uid=1000, limits="cpu_request=3600", due_s=NOW_S + 60)
    reply = manager.call("qmove", "night", "7")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", f"qmove: request 7.testsite: {words}")
    assert manager.call("qalter", "-lT", "5:00", "7").exit_code == 0
    assert manager.call("qmove", "night", "7").exit_code == 0
    reply = manager.call("qalter", "-lT", "1:00:00", "7")
    assert (reply.exit_code, reply.out, reply.err) == (1, "", f"qalter: request 7.testsite: {words}")
    assert manager.request(7).limits == "cpu_request=300"
    manager.refused("move request = 9 night", "does not exist")
    manager.submit(9, limits="cpu_request=3600", due_s=NOW_S + 60)
    manager.refused(
        "move request = 9 night", "NQS manager[TCML_REFUSED   ]: request 9.testsite: queue night allows CPU time"
    )


def test_a_whole_queue_moves_as_far_as_the_limits_allow(manager):
    manager.ok("set elapsed_limit = (60) night")
    for seq, asked in ((1, "elapsed_request=60"), (2, "elapsed_request=61"), (3, "")):
        manager.submit(seq, limits=asked, due_s=NOW_S + 60)
    out = manager.ok("move queue batch night")
    assert "Note: 2 requests of queue batch moved to night.\n" in out
    assert "Note: 1 request stayed, asking for more than the limits of night.\n" in out
    assert [manager.request(seq).queue for seq in (1, 2, 3)] == ["night", "batch", "night"]

"""qstat -b -d -m -o -p -r -s, and qstatq."""

import json

import pytest

from support.deskwork import NOW_S, Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.submit(1)
    work.submit(2, host="host2")
    work.submit(3, due_s=NOW_S + 60)
    return work


def out(work, *args):
    reply = work.call("qstat", *args)
    assert (reply.exit_code, reply.err) == (0, ""), reply
    return reply.out


def queues(text):
    return [line.split("@")[0] for line in text.splitlines() if "type=" in line]


def test_kinds_of_queues(work):
    assert queues(out(work, "-b")) == ["batch"]
    assert queues(out(work, "-p")) == ["guilb_def"]
    assert queues(out(work, "-d")) == []
    assert queues(out(work, "-b", "-p")) == queues(out(work, "-s")) == queues(out(work))
    assert [queue["name"] for queue in json.loads(out(work, "-p", "--json"))["queues"]] == ["guilb_def"]


def test_medium_form_says_why(work):
    lines = [" ".join(line.split()) for line in out(work, "-m", "batch").splitlines()]
    at = lines.index("1: job.sh 1.testsite smith 31 QUEUED")
    assert lines[at + 1] == "no worker is ready yet"
    at = lines.index("3: job.sh 3.testsite smith 31 WAITING")
    assert lines[at + 1] == "waits until 08:01"
    assert "\tNot running = waits until 08:01\n" in out(work, "-l", "3")
    (record,) = json.loads(out(work, "--json", "1"))["requests"]
    assert record["why"] == "no worker is ready yet"


def test_what_was_submitted_elsewhere_is_left_out(work):
    assert "2.testsite" in out(work)
    assert "2.testsite" not in out(work, "-o")
    assert "1.testsite" in out(work, "-o")
    assert [r["id"] for r in json.loads(out(work, "-o", "--json"))["requests"]] == ["1.testsite", "3.testsite"]


def test_routes(work):
    text = out(work, "-r")
    assert "  Destset = {batch@testsite}\n" in text
    assert text.count("Destset") == 1


def test_qstatq(work):
    reply = work.call("qstatq")
    rows = [line.split() for line in reply.out.splitlines()]
    assert rows[0] == "QueueName Type Pri ENA STS Limit TOT ARR WAI HLD QUE RUN EXT".split()
    assert ["batch", "BATCH", "10", "ENA", "INACTIVE", "2", "3", "0", "1", "0", "2", "0", "0"] in rows
    assert ["guilb_def", "PIPE", "10", "ENA", "INACTIVE", "-", "0", "0", "0", "0", "0", "0", "0"] in rows
    reply = work.call("qstatq", "batch", "none")
    assert reply.exit_code == 1
    assert reply.err == "qstatq: no queue named 'none' at this site; qstatq without an operand shows them\n"
    assert len(reply.out.splitlines()) == 3
    assert work.call("qstatq", "-x").exit_code == 2


def test_qstatr(work):
    work.register_worker()
    (claimed,) = work.claim()
    work.clock_s += 7
    lines = work.call("qstatr").out.splitlines()
    assert lines[:2] == [
        "RequestID       ReqName  UserName Queue     Pri STT S   Memory      CPU   Elapse R H M Jobs",
        "--------------- -------- -------- -------- ---- --- - -------- -------- -------- - - - ----",
    ]
    assert {len(line) for line in lines} == {len(lines[0])}
    rows = [line.split() for line in lines[2:]]
    assert rows[0][:6] == ["1.testsite", "job.sh", "smith", "batch", "31", "RUN"]
    assert [row[5] for row in rows] == ["RUN", "QUE", "WAT"]
    work.finish(claimed, "exited")
    (row,) = [line.split() for line in work.call("qstatr", "1").out.splitlines()[2:]]
    assert row[5:] == ["END", "-", "2.93M", "0.25", "2", "Y", "N", "Y", "1"]
    assert work.call("qstatr", uid=1001, user="jones").out.splitlines() == lines[:2]
    assert len(work.call("qstatr", "-a", uid=1001, user="jones").out.splitlines()) == 4
    reply = work.call("qstatr", "99", "none", "batch")
    assert reply.exit_code == 1
    assert sorted(reply.err.splitlines()) == [
        "Request 99.testsite does not exist.",
        "qstatr: no queue named 'none' at this site; qstatq shows them",
    ]

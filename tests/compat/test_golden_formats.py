"""Our formats against what is known of the original's, and against programs that read them.

Golden text comes from the manual (2.5.2) and from nqs-facts.md, by its tags: where that says MEM-*, this
proves agreement with the fact sheet only. Text whose blanks nobody knows is compared squeezed.
"""

import json
import re

import pytest

from jcq.nqsdaemon.desk import Desk
from support.deskwork import Work


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "as_root", True)
    work = Work(tmp_path)
    work.desk.seq = 11
    return work


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def submit(work):
    return work.call("qsub", uid=0, gid=0, user="root", script=b"echo\n", script_name="job.sh", cwd="/root").out


# --- our own text ------------------------------------------------------------------------------


def test_qsub_s_line_byte_for_byte(work):
    assert submit(work) == "Request 12.testsite submitted to queue: batch.\n"


def test_the_manual_s_queue_block_squeezed(work):
    lines = squeezed(work.call("qstat", "guilb_def").out)
    assert lines == [
        "guilb_def@testsite; type=PIPE; [ENABLED, INACTIVE]; pri=10",
        "0 depart; 0 route; 0 queued; 0 wait; 0 hold; 0 arrive;",
    ]


def test_a_batch_queue_and_its_requests_squeezed(work):
    submit(work)
    assert squeezed(work.call("qstat", "batch", uid=0).out) == [
        "batch@testsite; type=BATCH; [ENABLED, INACTIVE]; pri=10",
        "0 exit; 0 run; 0 stage; 1 queued; 0 wait; 0 hold; 0 arrive;",
        "REQUEST NAME REQUEST ID USER PRI STATE PGRP",
        "1: job.sh 12.testsite root 31 QUEUED",
    ]


def test_our_own_blanks_are_stable(work):
    submit(work)
    assert work.call("qstat", "batch", uid=0).out == (
        "batch@testsite;  type=BATCH;  [ENABLED, INACTIVE];  pri=10\n"
        "   0 exit;    0 run;    0 stage;    1 queued;    0 wait;    0 hold;    0 arrive;\n"
        "         REQUEST NAME     REQUEST ID            USER          PRI      STATE     PGRP\n"
        "    1:   job.sh           12.testsite           root           31     QUEUED\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("enabled", "started", "runs", "words"),
    [
        (True, True, False, "[ENABLED, INACTIVE]"),
        (True, True, True, "[ENABLED, RUNNING]"),
        (False, True, False, "[DISABLED, INACTIVE]"),
        (True, False, False, "[ENABLED, STOPPED]"),
        (False, False, True, "[DISABLED, STOPPING]"),
    ],
)
def test_state_words(work, enabled, started, runs, words):
    if runs:
        work.submit(1)
        work.register_worker()
        work.claim()
    work.store.run(work.store.set_queue("batch", "enabled", enabled, work.now()))
    work.store.run(work.store.set_queue("batch", "started", started, work.now()))
    assert words in squeezed(work.call("qstat", "batch").out)[0]


def test_qdel_s_lines_byte_for_byte(work):
    work.submit(12)
    work.submit(13)
    assert work.call("qdel", "12", uid=1001, user="jones").err == "Not owner of request 12.testsite.\n"
    assert work.call("qdel", "12").out == "Request 12.testsite has been deleted.\n"
    assert work.call("qdel", "99").err == "Request 99.testsite does not exist.\n"
    work.register_worker()
    work.claim()
    assert work.call("qdel", "13").err.startswith("Request 13.testsite is running.")
    assert work.call("qdel", "-k", "13").out == "Request 13.testsite has been signalled.\n"


# --- programs that read it (nqs-facts.md section 8) ---------------------------------------------


def test_xcrypt_finds_ids(tmp_path, monkeypatch):
    """Xcrypt's NQS driver, for a site called nqs: ids by /([0-9]*)\\.nqs/ from qsub and /([0-9]+)\\.nqs/ from qstat."""
    monkeypatch.setattr(Desk, "as_root", True)
    work = Work(tmp_path, name="nqs")
    assert re.search(r"([0-9]*)\.nqs", submit(work))[1] == "1"
    submit(work)
    text = work.call("qstat", uid=0).out
    assert re.findall(r"([0-9]+)\.nqs", text) == ["1", "2"]


def test_nextflow_finds_the_id(work):
    """NqsiiExecutor: `Request 143993.ace-ssiox submitted to queue: clexpress.`, perhaps behind an empty line."""
    found = re.fullmatch(r"\s*Request (\d+)\.([\w-]+) submitted to queue: (\w+)\.\s*", submit(work))
    assert found.groups() == ("12", "testsite", "batch")


def test_ecflow_cuts_the_request_id_at_the_first_dot(tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "as_root", True)
    work = Work(tmp_path, name="host.with.dots")
    request_id = re.search(r"Request (\S+) submitted", submit(work))[1]
    assert request_id == "1.host.with.dots"
    assert request_id.split(".")[0] == "1"
    assert work.request(1).id == request_id
    assert work.call("qdel", "1", uid=0).out == "Request 1.host.with.dots has been deleted.\n"


# --- job scripts of others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "fields"),
    [
        (b"#!/bin/csh\n# @$-eo\n# @$-q gh10034\n## @$-lm 1800mb\n#@$\n", {"joined": True, "submitted_to": "gh10034"}),
        (
            b"#!/bin/sh\n#QSUB -eo -o report.nqs\n#QSUB -s /bin/sh\n",
            {"joined": True, "out_path": "/root/report.nqs", "shell": "/bin/sh"},
        ),
    ],
)
def test_directives_seen_in_the_wild(work, script, fields):
    work.add_queue(name="gh10034", enabled=True)
    reply = work.call("qsub", uid=0, user="root", script=script, script_name="run", cwd="/root")
    assert reply.exit_code == 0, reply
    request = work.request(12)
    assert {name: getattr(request, name) for name in fields} == fields


@pytest.mark.parametrize("line", [b"# @$-lP 64", b"# @$-lm 100mb -lP 64"])
def test_options_that_jcq_does_not_have_are_named_with_their_line(work, line):
    reply = work.call("qsub", uid=0, user="root", script=b"#!/bin/sh\n" + line + b"\n", script_name="run")
    assert reply.exit_code == 2
    assert "script line 2: unknown option" in reply.err
    assert work.call("qstat", "--json", uid=0).exit_code == 0
    assert json.loads(work.call("qstat", "--json", "-a", uid=0).out)["requests"] == []

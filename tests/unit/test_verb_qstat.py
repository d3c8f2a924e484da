"""The verb qstat: what is shown to whom, in each form; golden text is in tests/compat."""

import json

import pytest

from jcq.jcdbs import keys
from jcq.nqsdaemon import listing, qstat_json
from support.deskwork import NOW_S, Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.add_queue(name="night", priority=20, enabled=True)
    return work


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def shown(work, *args, **fields):
    reply = work.call("qstat", *args, **fields)
    assert (reply.exit_code, reply.err) == (0, ""), reply
    return squeezed(reply.out)


def document(work, *args, **fields):
    reply = work.call("qstat", "--json", *args, **fields)
    return json.loads(reply.out), reply


def listed(work, *args, **fields):
    return [request["id"] for request in document(work, *args, **fields)[0]["requests"]]


def test_one_s_own_requests_by_default_everyone_s_with_a_one_user_s_with_u(work):
    work.submit(1)
    work.submit(2, uid=1001, user="jones")
    work.submit(3, queue="night", uid=1001, user="jones")
    work.submit(4, queue="night")
    assert listed(work) == ["4.testsite", "1.testsite"]
    assert listed(work, uid=1001, user="smith") == ["3.testsite", "2.testsite"]
    assert listed(work, "-a") == ["3.testsite", "4.testsite", "1.testsite", "2.testsite"]
    assert listed(work, "-u", "jones") == ["3.testsite", "2.testsite"]
    assert listed(work, "-u", "1001") == ["3.testsite", "2.testsite"]
    assert listed(work, "-u", "nobody") == []
    assert listed(work, "-a", "batch") == ["1.testsite", "2.testsite"]


@pytest.mark.parametrize("command", ["qstat", "qstatr"])
def test_u_says_whose_a_request_is_that_is_named_by_its_id(work, command):
    work.submit(1)
    work.submit(2, uid=1001, user="jones")
    for user in ("jones", "1001"):
        reply = work.call(command, "-u", user, "1", "2", "7")
        assert reply.exit_code == 1
        assert "2.testsite" in reply.out
        assert "1.testsite" not in reply.out
        assert reply.err == f"{command}: {user} has no request 1.testsite\nRequest 7.testsite does not exist.\n"
    reply = work.call(command, "-a", "1", "2")
    assert (reply.exit_code, "1.testsite" in reply.out, "2.testsite" in reply.out) == (0, True, True)
    assert work.call(command, "-u", "a:b", "1").exit_code == 2


@pytest.mark.parametrize("form", [(), ("-l",), ("-x",), ("--json",)])
def test_every_form_is_filtered_alike(work, form):
    work.submit(1, name="mine")
    work.submit(2, uid=1001, user="jones", name="theirs")
    reply = work.call("qstat", *form)
    assert "mine" in reply.out
    assert "theirs" not in reply.out
    assert "theirs" in work.call("qstat", "-a", *form).out


def test_counts_are_everyone_s(work):
    work.submit(1, uid=1001, user="jones")
    assert "0 exit; 0 run; 0 stage; 1 queued; 0 wait; 0 hold; 0 arrive;" in shown(work)


def test_order_in_a_queue_is_what_leaves_first(work):
    for seq, fields in enumerate(
        ({}, {"priority": 40}, {"due_s": NOW_S + 60}, {}, {"priority": 40}, {"priority": 63}), start=1
    ):
        work.submit(seq, **fields)
    work.store.run(work.store.hold("200-1", "by hand", 1000, NOW_S))
    work.register_worker()
    work.claim()
    rows = [line.split()[1:3] + line.split()[4:6] for line in shown(work, "batch")[3:]]
    assert rows == [
        ["job.sh", "6.testsite", "63", "RUNNING"],
        ["job.sh", "2.testsite", "40", "QUEUED"],
        ["job.sh", "5.testsite", "40", "QUEUED"],
        ["job.sh", "4.testsite", "31", "QUEUED"],
        ["job.sh", "3.testsite", "31", "WAITING"],
        ["job.sh", "1.testsite", "31", "HELD"],
    ]


def test_positions_are_places_in_the_queue_not_in_the_list(work):
    work.submit(1, uid=1001, user="jones")
    work.submit(2)
    assert shown(work, "batch")[3].startswith("2: job.sh 2.testsite")


def test_a_running_request_shows_its_process_group(work):
    work.submit(1)
    work.register_worker()
    work.claim()
    assert shown(work, "batch")[3] == "1: job.sh 1.testsite smith 31 RUNNING 4711"


def test_queue_operands(work):
    assert [line.split(";")[0] for line in shown(work) if "type=" in line] == [
        "night@testsite", "batch@testsite", "guilb_def@testsite",
    ]  # fmt: skip
    lines = shown(work, "guilb_def", "night@testsite", "guilb_def")
    assert [line.split(";")[0] for line in lines if "type=" in line] == [
        "guilb_def@testsite", "night@testsite",
    ]  # fmt: skip


def test_what_is_unknown_has_a_line_and_the_rest_is_shown(work):
    work.submit(1)
    reply = work.call("qstat", "none", "batch", "7", "1", "batch@elsewhere", "1x", "1.elsewhere")
    assert reply.exit_code == 1
    assert "batch@testsite;" in reply.out
    assert "1.testsite" in reply.out
    assert squeezed(reply.err) == [
        "qstat: 'batch@elsewhere' is at another site; set NQS_SITE to ask that one",
        "qstat: '1x' is no request id; give 12 or 12.site",
        "Request 1.elsewhere does not exist.",
        "qstat: no queue named 'none' at this site; qstat without an operand shows them",
        "Request 7.testsite does not exist.",
    ]


def test_a_queue_name_with_control_characters_is_one_line(work):
    reply = work.call("qstat", "a\nb\x1b[2J")
    assert reply.err[:-1].isprintable()


def test_an_ended_request_is_shown_when_its_id_is_asked_for(work):
    work.submit(1)
    work.register_worker()
    (claimed,) = work.claim()
    work.finish(claimed, "exited", 3, note="delivered to /home/smith/job.sh.o1, since /x cannot be written")
    assert listed(work, "-a") == []
    (record,) = document(work, "1")[0]["requests"]
    assert (record["state"], record["outcome"], record["exit_code"], record["signal"]) == ("DONE", "exited", 3, None)
    assert (record["started_s"], record["ended_s"], record["cpu_s"], record["maxrss_kb"]) == (
        NOW_S,
        NOW_S + 2,
        0.25,
        3000,
    )
    lines = shown(work, "-l", "1")
    assert "Owner=smith Priority=31 DONE" in lines
    assert "Outcome = exited, exit code 3" in lines
    assert "CPU time = 0.25 seconds, largest resident set = 3000 kB" in lines
    assert "Ended at Fri Jan 15 08:00:02 UTC 2027" in lines
    assert "Note = delivered to /home/smith/job.sh.o1, since /x cannot be written" in lines
    assert not any("type=" in line for line in lines)


def test_signalled_and_deleted_records(work):
    work.submit(1)
    work.submit(2)
    work.register_worker()
    (claimed,) = work.claim()
    work.finish(claimed, "signalled", signal=9)
    work.call("qdel", "2")
    first, second = document(work, "1", "2.testsite")[0]["requests"]
    assert (first["outcome"], first["signal"], first["exit_code"]) == ("signalled", 9, None)
    assert (second["outcome"], second["signal"], second["exit_code"], second["cpu_s"]) == ("deleted", None, None, None)
    assert "Outcome = signalled, signal 9" in shown(work, "-l", "1")
    assert "Outcome = deleted" in shown(work, "-l", "2")


def test_the_long_form_says_where_output_goes_and_why_it_is_held(work):
    work.submit(1, out_path="/x/out", joined=True)
    work.submit(2, keep_err=True, restartable=False, shell="/bin/bash", umask=0o27, due_s=NOW_S + 3600)
    work.store.run(work.store.hold("200-1", "uid 1000 is unknown on this node", 1000, NOW_S))
    lines = shown(work, "-l", tz="JST-9")
    for line in (
        "Request 1: Name=job.sh Id=2.testsite",
        "Created at Fri Jan 15 17:00:00 JST 2027",
        "Not before Fri Jan 15 18:00:00 JST 2027",
        "Standard-error access mode = KEEP",
        "Standard-error name = ~/job.sh.e2",
        "Standard-output name = /home/smith/job.sh.o2",
        "Shell = /bin/bash",
        "Umask = 027",
        "Restart = DISABLE",
        "Standard-error access mode = EO",
        "Standard-output name = /x/out",
        "Shell = DEFAULT",
        "Note = uid 1000 is unknown on this node",
    ):
        assert line in lines
    assert shown(work, "-l", tz="Nowhere/None")


def test_x_shows_limits_destinations_and_the_restart_attribute(work):
    lines = shown(work, "-x")
    assert "Run_limit = 2;" in lines
    assert {"Restart = RESTART", "Nqsbg = OFF"} <= set(lines)
    assert "Destset = {batch@testsite}" in lines


def test_names_break_no_line_and_no_terminal(work):
    work.submit(1, name="my job\udce9", workdir="/home/\x1b[2J\nx")
    reply = work.call("qstat")
    assert "my_job?" in reply.out
    for form in ((), ("-l",)):
        for line in work.call("qstat", *form).out.split("\n"):
            assert line.replace("\t", "").isprintable()
    (record,) = document(work)[0]["requests"]
    assert record["name"] == "my job\ufffd"


def test_json_keys_are_documented(work):
    work.submit(1)
    found, _ = document(work)
    assert (found["version"], found["site"]) == (1, "testsite")
    text = qstat_json.__doc__
    for key in {*found, *found["queues"][0], *found["requests"][0]} - {"version", "site", "queues", "requests"}:
        assert f"`{key}`" in text
    assert [queue["name"] for queue in found["queues"]] == ["night", "batch", "guilb_def"]
    queue = found["queues"][1]
    assert queue["state"] == ["ENABLED", "INACTIVE"]
    assert queue["counts"]["QUEUED"] == 1
    assert (found["queues"][2]["destinations"], found["queues"][2]["run_limit"]) == (["batch"], None)


def test_many_requests_are_read_in_chunks(work, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 7)
    for seq in range(1, 31):
        work.submit(seq)
    read = []
    requests = work.store.requests
    monkeypatch.setattr(work.store, "requests", lambda rids: read.append(len(rids)) or requests(rids))
    assert listed(work) == [f"{seq}.testsite" for seq in range(1, 31)]
    assert read == [7, 7, 7, 7, 2]


def test_a_request_that_moves_on_while_it_is_read_is_listed_once(work, monkeypatch):
    work.submit(1)
    work.submit(2)
    work.register_worker()
    members = work.store.members

    def late(queue, state):
        if (queue, state) == ("batch", "RUNNING"):
            work.claim(1)
        return members(queue, state)

    monkeypatch.setattr(work.store, "members", late)
    assert listed(work) == ["1.testsite", "2.testsite"]


def test_a_request_that_is_forgotten_while_it_is_read_is_left_out(work, monkeypatch):
    work.submit(1)
    work.submit(2)
    requests = work.store.requests

    def late(rids):
        work.connection.delete(keys.request(rids[0]))
        return requests(rids)

    monkeypatch.setattr(work.store, "requests", late)
    assert listed(work) == ["2.testsite"]

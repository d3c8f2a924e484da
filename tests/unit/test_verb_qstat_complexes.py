"""qstat -c, qstatc and qstata; complexes, access lists and user limits in qstat -x, --json and qmgr's show all."""

import json

import pytest

from support.deskwork import Work


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    store = work.store
    work.add_queue(name="night", priority=20, enabled=True, started=True, run_limit=5, user_limit=2)
    work.add_queue(name="shut", priority=1)
    store.run(store.edit_complex("small", "create", work.now(), ["night"], 1))
    store.run(store.edit_complex("big", "create", work.now(), ["night", "batch"], 3))
    store.run(store.edit_complex("empty", "create", work.now(), [], 1))
    for queue in ("night", "shut"):
        store.run(store.edit_access(queue, "none"))
    store.run(store.edit_access("night", "users", "add", ["alice:1001", "77:77"]))
    store.run(store.edit_access("night", "groups", "add", ["staff:50"]))
    return work


def ok(work, verb, *args):
    reply = work.call(verb, *args)
    assert (reply.exit_code, reply.err) == (0, ""), reply
    return reply.out


BIG = "big@testsite;  Run_limit = 3;  0 run;\n  Queues = {night, batch}\n"
EMPTY = "empty@testsite;  Run_limit = 1;  0 run;\n  Queues = {}\n"
SMALL = "small@testsite;  Run_limit = 1;  0 run;\n  Queues = {night}\n"


def test_c_shows_complexes_and_ignores_every_other_option(work):
    work.submit(1)
    assert ok(work, "qstat", "-c") == BIG + EMPTY + SMALL
    assert ok(work, "qstat", "-a", "-c", "-l", "-x", "--json", "-u", "smith") == BIG + EMPTY + SMALL
    assert ok(work, "qstat", "-c", "small", "big", "small") == SMALL + BIG


def test_c_shows_what_is_there_and_says_what_is_not(work):
    reply = work.call("qstat", "-c", "nosuch", "big", "batch", "a\nb")
    assert (reply.exit_code, reply.out) == (1, BIG)
    assert reply.err.splitlines() == [
        "qstat: no complex named 'nosuch' at this site; qstat -c without an operand shows them",
        "qstat: no complex named 'batch' at this site; qstat -c without an operand shows them",
        "qstat: no complex named 'a\\nb' at this site; qstat -c without an operand shows them",
    ]


def test_a_site_without_complexes(tmp_path):
    work = Work(tmp_path)
    assert ok(work, "qstat", "-c") == ""
    assert len(ok(work, "qstatc").splitlines()) == 2
    assert json.loads(ok(work, "qstat", "--json"))["complexes"] == []


def test_qstatc(work):
    work.register_worker()
    work.submit(1)
    assert ok(work, "qstatc").splitlines() == [
        "ComplexName      Limit   RUN Queues",
        "---------------- ----- ----- ----------------",
        "big                  3     1 night,batch",
        "empty                1     0 -",
        "small                1     0 night",
    ]
    reply = work.call("qstatc", "nosuch", "small")
    assert (reply.exit_code, len(reply.out.splitlines())) == (1, 3)
    assert reply.err == "qstatc: no complex named 'nosuch' at this site; qstatc without an operand shows them\n"
    assert work.call("qstatc", "-x").exit_code == 2


def test_qstata(work):
    assert ok(work, "qstata").splitlines() == [
        "QueueName        Access",
        "---------------- ----------------",
        "night            users=alice,77 groups=staff",
        "batch            unrestricted",
        "guilb_def        unrestricted",
        "shut             none",
    ]
    reply = work.call("qstata", "nosuch", "shut", "shut")
    assert (reply.exit_code, reply.out.splitlines()[2:]) == (1, ["shut             none"])
    assert reply.err == "qstata: no queue named 'nosuch' at this site; qstata without an operand shows them\n"
    assert work.call("qstata", "-x").exit_code == 2


def test_x_shows_access_and_user_limit(work):
    lines = [" ".join(line.split()) for line in ok(work, "qstat", "-x").splitlines()]
    for line in (
        "Run_limit = 5; User_limit = 2;",
        "Run_limit = 2;",
        "Restricted access; Users = {alice, 77}; Groups = {staff}",
        "Unrestricted access",
        "No access",
    ):
        assert line in lines


def test_show_all_has_the_complexes(work):
    reply = work.call("qmgr", "show all")
    assert reply.out.endswith("\nComplexes:\n" + BIG + EMPTY + SMALL)


def test_json(work):
    found = json.loads(ok(work, "qstat", "--json", "night", "shut", "guilb_def"))
    night, shut, pipe = found["queues"]
    assert (night["user_limit"], shut["user_limit"], pipe["user_limit"]) == (2, None, None)
    assert night["access"] == {"unrestricted": False, "users": ["alice", "77"], "groups": ["staff"]}
    assert shut["access"] == {"unrestricted": False, "users": [], "groups": []}
    assert pipe["access"] == {"unrestricted": True, "users": [], "groups": []}
    assert (night["complexes"], shut["complexes"], pipe["complexes"]) == (["big", "small"], [], [])
    assert found["complexes"] == [
        {"name": "big", "run_limit": 3, "queues": ["night", "batch"]},
        {"name": "empty", "run_limit": 1, "queues": []},
        {"name": "small", "run_limit": 1, "queues": ["night"]},
    ]

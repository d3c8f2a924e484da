"""The verb spoolconv of nqsdaemon: who may, what a step is, and that it stages and completes."""

import json

import pytest

from support.deskwork import NOW_S, Work


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path)


def step(work, name, *arguments, uid=0):
    return work.call("spoolconv", name, uid=uid, script=json.dumps(arguments).encode())


def done(work, name, *arguments):
    reply = step(work, name, *arguments)
    assert reply.exit_code == 0, reply.err
    return json.loads(reply.out)


ROW = [
    "200-1",
    "origin",
    "17\x00200-1\x00t\x00where",
    {"seq": "1", "site": "testsite", "queue": "batch", "submitted_to": "batch", "state": "HELD", "old_id": "17"},
]


def test_root_and_the_sites_own_uid_may(work):
    assert done(work, "facts")["record"]["name"] == "testsite"
    assert step(work, "facts", uid=4242).exit_code == 0
    reply = step(work, "facts", uid=1000)
    assert (reply.exit_code, reply.out) == (1, "")
    assert "only root and uid 4242" in reply.err


def test_a_conversion_in_steps(work):
    assert done(work, "clear") is None
    assert done(work, "reserve", "t", 3) == 1
    assert work.desk.seq == 3, "a submission meanwhile takes the next"
    assert done(work, "stage", "t", [ROW]) == 1
    assert done(work, "known", ["origin", "other"]) == ["200-1", None]
    assert done(work, "part", "t", "manager", "alice", ["m"]) == 1
    assert done(work, "requests", ["200-1"]) == [None]
    assert done(work, "commit", "t", 1, 17, "{}") == 1
    assert work.desk.seq == 17
    assert done(work, "requests", ["200-1"])[0]["old_id"] == "17"
    found = [json.loads(line) for line in "".join(part.out for part in _history(work)).splitlines()]
    assert [(row["old_id"], row["id"], row["state"], row["where"]) for row in found] == [
        ("17", "1.testsite", "HELD", "where")
    ]
    assert json.loads(work.call("qstat", "--json", "--old-id", "17").out)["requests"][0]["id"] == "1.testsite"


def _history(work):
    work.call("history")
    return work.parts


def test_what_was_not_completed_is_cleared(work):
    done(work, "reserve", "t", 3)
    done(work, "stage", "t", [ROW])
    assert done(work, "clear") == [1, 3]
    assert not done(work, "clear")
    assert work.desk.seq == 3
    assert work.call("qstat", "--old-id", "17").exit_code == 1


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("nonsense", [], 2),
        ("stage", ["t"], 2),
        ("stage", ["t", []], 2),
        ("stage", ["t", [ROW] * 1001], 2),
        ("reserve", ["t", 0], 2),
        ("reserve", ["t", 1001], 2),
        ("commit", ["t", 1, 0, "{}"], 1),
    ],
)
def test_what_is_no_step_changes_nothing(work, name, arguments, code):
    before = work.connection.dbsize()
    assert step(work, name, *arguments).exit_code == code
    assert work.connection.dbsize() == before


@pytest.mark.parametrize("script", [b"", b"{", b'"x"', b"\xff"])
def test_what_is_no_json_is_refused(work, script):
    reply = work.call("spoolconv", "stage", uid=0, script=script)
    assert reply.exit_code == 2
    assert reply.err.count("\n") == 1


def test_a_full_disk_takes_no_conversion(work):
    work.desk.room = type("Full", (), {"short": True})()
    assert "nothing is converted" in step(work, "reserve", "t", 1).err
    assert work.now() == NOW_S

"""The verb qselect: which requests fit which options, in qstat's order, and what it refuses."""

import json

import pytest

from jcq.nqsdaemon import listing
from support.deskwork import NOW_S, Work


@pytest.fixture
def work(tmp_path):
    """Requests 1 to 7 of smith and 8 of jones, in each common state."""
    work = Work(tmp_path)
    work.add_queue(name="night", priority=20, enabled=True)
    work.submit(1, priority=5)
    work.submit(2, priority=10, name="sim[1]")
    work.submit(3, due_s=NOW_S + 60)
    work.submit(4)
    work.store.run(work.store.hold("200-4", "by hand", 1000, NOW_S))
    work.submit(5, priority=63, name="simulation")
    work.submit(6, priority=62)
    work.submit(7, queue="night")
    work.submit(8, uid=1001, user="jones")
    work.register_worker()
    work.claim(2)
    work.call("qspnd", "6")
    return work


def selected(work, *args, **fields):
    reply = work.call("qselect", *args, **fields)
    assert (reply.exit_code, reply.err) == (0, ""), reply
    assert all(line.endswith(".testsite") for line in reply.out.splitlines())
    return [int(line.split(".")[0]) for line in reply.out.splitlines()]


def test_the_order_is_that_of_qstat(work):
    shown = [request["id"] for request in json.loads(work.call("qstat", "--json").out)["requests"]]
    assert work.call("qselect").out.split() == shown
    assert sorted(selected(work)) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("-q", "night"), [7]),
        (("-q", "night@testsite"), [7]),
        (("-s", "held"), [4]),
        (("-s", "HELD,waiting"), [3, 4]),
        (("-s", "h, W"), [3, 4]),
        (("-s", "RUNNING"), [5]),
        (("-s", "sus"), [6]),
        (("-s", "EXITING"), []),
        (("-r", "sim*"), [2, 5]),
        (("-r", "sim[[]1]"), [2]),
        (("-r", "SIM*"), []),
        (("-r", ""), []),
        (("-p", "63"), [5]),
        (("-p", "5-10"), [1, 2]),
        (("-p", "0-63", "-q", "night", "-s", "queued", "-r", "job.sh"), [7]),
        (("-p", "0"), []),
        (("-u", "jones"), [8]),
        (("-u", "1001"), [8]),
        (("-u", "nobody"), []),
        (("-a",), [1, 2, 3, 4, 5, 6, 7, 8]),
        (("-a", "-s", "queued", "-q", "batch"), [1, 2, 8]),
    ],
)
def test_what_fits_every_option(work, args, found):
    assert sorted(selected(work, *args)) == found


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("-s", "NOSUCH"), "-s: 'NOSUCH' is no state; there are ARRIVING, DEPARTING,"),
        (("-s", "DONE"), "-s: 'DONE' is no state"),
        (("-s", ""), "-s: '' is no state"),
        (("-s", "held,"), "-s: '' is no state"),
        (("-s", "r"), "-s: 'R' may be ROUTING or RUNNING"),
        (("-s", "he\nld"), "-s: 'HE\\nLD' is no state"),
        (("-p", "64"), "-p needs numbers from 0 to 63, the lower one first, not '64'"),
        (("-p", "9-5"), "the lower one first"),
        (("-p", "-5"), "-p needs a priority, 5, or a range of them, 5-10, not '-5'"),
        (("-p", "5-"), "-p needs a priority"),
        (("-p", "1-2-3"), "-p needs a priority"),
        (("-p", "٣"), "-p needs a priority"),
        (("-p", "9" * 5000), "-p needs a priority"),
        (("-q", "nowhere"), "-q: no queue named 'nowhere' at this site; qstat shows the queues"),
        (("-q", "batch@elsewhere"), "'elsewhere' is another machine"),
        (("-r", "*" * 256), "-r needs a value of at most 255 characters"),
        (("-s", "h," * 128), "-s needs a value of at most 255 characters"),
        (("-q",), "-q needs a value"),
        (("-r",), "-r needs a value"),
        (("-u",), "-u needs a value"),
        (("word",), "unexpected word 'word'"),
        (("-x",), "unknown option '-x'"),
    ],
)
def test_wrong_use(work, args, words):
    reply = work.call("qselect", *args)
    assert (reply.exit_code, reply.out) == (2, "")
    assert len(reply.err.splitlines()) == 1
    assert reply.err.startswith("qselect: ")
    assert words in reply.err


def test_what_has_ended_is_not_selected(work):
    work.call("qdel", "1", "2", "3", "4", "7")
    assert sorted(selected(work)) == [5, 6]


def test_more_than_one_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "CHUNK", 7)
    monkeypatch.setattr(listing, "_OWNERS_CHUNK", 11)
    work = Work(tmp_path)
    for seq in range(1, 51):
        work.submit(seq, uid=1000 + seq % 2)
    assert selected(work) == list(range(2, 51, 2))
    assert selected(work, "-a") == list(range(1, 51))

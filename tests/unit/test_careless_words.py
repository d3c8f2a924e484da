"""Careless and hostile words in every place of every users' command: one clear line each, and no terminal is harmed."""

import pytest

from jcq.model.request import Request
from jcq.options import TABLES
from support.deskwork import Work

WORDS = (
    "",
    " ",
    "x" * 300,
    "a\x01\x1b[31mb\nc",
    "\x9b31m",
    "\udcff\udcfe",
    "nowhere",
    "1.othersite",
    "-",
    "99",
    "0",
    "²",
)


@pytest.fixture
def work(tmp_path):
    work = Work(tmp_path)
    work.submit(1)
    return work


def answered(work, verb, *args):
    """The Reply, which must be data, or a refusal that a person can read, one line for each thing that was wrong."""
    reply = work.call(verb, *args, uid=1000, user="smith")
    lines = reply.err.splitlines()
    assert bool(lines) == (reply.exit_code != 0), (verb, args, reply)
    for line in lines:
        assert line.startswith((f"{verb}: ", "Request ", "Not owner of request ")), (verb, args, line)
        assert not any(c < " " or "\x7f" <= c < "\xa0" for c in line), (verb, args, line)
        assert "named  " not in line, (verb, args, line)
    return reply


@pytest.mark.parametrize("verb", sorted(TABLES))
@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_as_operands(work, verb, word):
    for args in ((word,), (word, "1"), ("--", word)):
        before = work.request(1)
        reply = answered(work, verb, *args)
        if verb not in ("qsub", "qmsg", "qpr") and word not in ("0", "99"):
            assert reply.exit_code in (1, 2), (args, reply)
        if args[-1] != "1" or reply.exit_code == 2:
            assert work.request(1) == before


@pytest.mark.parametrize(
    ("verb", "row"), [(verb, row) for verb, table in TABLES.items() for row in table[5] if row[1] and verb != "qpr"],
    ids=lambda value: value if isinstance(value, str) else value[0],
)  # fmt: skip
def test_as_values(work, verb, row):
    operands = {"qsub": (), "qselect": (), "qstat": ("batch",), "qstatr": ("batch",), "qmove": ("batch", "1")}
    operands = operands.get(verb, ("hello", "1") if verb == "qmsg" else ("1",))
    for word in WORDS:
        reply = answered(work, verb, row[0], word, *operands)
        name = row[2] in ("name", "queue", "user", "shell", "out_path", "err_path", "priority", "states", "mail_to")
        if word in ("", "a\x01\x1b[31mb\nc") or not name:
            fine = (verb, row[0]) == ("qselect", "-r") or (row[0].startswith("-l") and word in ("0", "99"))
            assert fine or reply.exit_code in (1, 2), (word, reply)
    assert isinstance(work.request(1), Request)
    assert work.request(1).flaw() == ""

"""The environment that qsub -x spooled: netstrings in, names and values out, damage named by its place."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.environment import parse_environment

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: not set(b"=\0") & set(name))
VALUES = st.binary(max_size=200).filter(lambda value: b"\0" not in value)


def netstrings(pairs):
    texts = [name + b"=" + value for name, value in pairs]
    return b"".join(b"%d:%s," % (len(text), text) for text in texts)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_whatever_an_environment_holds(pairs):
    found = parse_environment(netstrings(pairs))
    assert {os.fsencode(name): os.fsencode(value) for name, value in found.items()} == dict(pairs)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"A=1", "no netstring at byte 0"),
        (b"3:A=1,x", "no netstring at byte 6"),
        (b":A=1,", "no netstring at byte 0"),
        (b"-3:A=1,", "no netstring at byte 0"),
        (b"99999999999:A=1,", "no netstring at byte 0"),
        (b"3:A=1", "netstring at byte 0 has no end"),
        (b"4:A=1,", "netstring at byte 0 has no end"),
        (b"2:A=1,", "netstring at byte 0 has no end"),
        (b"1:A,", "no NAME=VALUE at byte 0"),
        (b"3:A=1,2:=1,", "no NAME=VALUE at byte 6"),
        (b"3:A=\0,", "no NAME=VALUE at byte 0"),
        (b"4:A\0=1,", "no NAME=VALUE at byte 0"),
    ],
)
def test_damage(data, problem):
    with pytest.raises(ValueError, match=f"^{problem}$"):
        parse_environment(data)


@given(st.binary(max_size=200))
def test_garbage_is_parsed_or_refused_by_name(data):
    with contextlib.suppress(ValueError):
        assert all(parse_environment(data))

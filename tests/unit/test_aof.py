"""A torn tail is told from damage in the middle, whatever the bytes are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.cluster.aof import TAIL_BYTES_MAX, command_end, tear


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


MULTI, EXEC = command(b"MULTI"), command(b"EXEC")
SET = command(b"HSET", b"jcq:request:200-1", b"workdir", b"/home/alice")
WHOLE = MULTI + SET + SET + EXEC


def test_a_command_ends_where_the_next_one_begins():
    assert command_end(SET + EXEC, 0) == len(SET)
    assert command_end(SET + EXEC, len(SET)) == len(SET + EXEC)


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_any_beginning_of_a_transaction_is_a_tear(cut):
    assert tear(WHOLE[:cut]) == ""


@pytest.mark.parametrize("cut", [0, 3, len(MULTI), len(MULTI) + 20, len(MULTI + SET)])
@pytest.mark.parametrize("tail", [b"\n", b"\0", b"\0" * 4096, b"rubbish", b"*", b"*1\r\n", b"\xff" * 600])
def test_so_is_rubbish_behind_it(cut, tail):
    assert tear(WHOLE[:cut] + tail) == ""


def test_a_hole_that_was_never_written_is_a_tear_whatever_follows():
    assert tear(WHOLE[:30] + b"\0" * 4096 + WHOLE) == ""


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_none_when_whole_transactions_follow(place, bit):
    flipped = bytearray(WHOLE)
    flipped[place] ^= 1 << bit
    data = bytes(flipped) + WHOLE + WHOLE
    # What is well-formed in spite of it is found by the checksum of the request, or is a command nobody knows.
    if _well_formed(bytes(flipped)):
        return
    assert "follow the damage" in tear(data)


def _well_formed(data):
    at = 0
    while at < len(data):
        at = command_end(data, at)
        if at < 0:
            return False
    return True


@pytest.mark.parametrize("word", [b"EXEB", b"MULTI"])
def test_a_transaction_whose_end_is_damaged_is_no_tear(word):
    assert "follow the damage" in tear(MULTI + SET + command(word) + WHOLE)


def test_neither_is_one_whose_beginning_is_damaged():
    # The checker has counted its commands as good, and meets EXEC.
    assert "follow the damage" in tear(EXEC + WHOLE)


def test_nor_is_more_rubbish_than_a_tail_has():
    assert tear(b"x" * TAIL_BYTES_MAX) == ""
    assert "more than a torn tail has" in tear(b"x" * (TAIL_BYTES_MAX + 1))


def test_half_a_transaction_may_be_as_long_as_it_likes():
    assert tear(MULTI + SET * 5000) == ""
    assert tear(MULTI + SET * 5000 + SET[:-5]) == ""


def test_a_length_that_points_behind_the_end_is_no_cut_when_commands_follow():
    grown = SET.replace(b"$7\r\n", b"$70000\r\n")
    assert "follow the damage" in tear(MULTI + grown + SET + EXEC + WHOLE * 3)


def test_damage_and_a_cut_end_together_are_no_tear():
    assert "follow the damage" in tear(MULTI + b"?" + SET[1:] + WHOLE * 3 + WHOLE[:50])

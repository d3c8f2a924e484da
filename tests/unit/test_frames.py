"""Netstrings, as they arrive: in any pieces, and as garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import BadFrame
from jcq.frames import Decoder, netstring, split

PAYLOADS = st.lists(st.binary(max_size=200), max_size=12)


@given(PAYLOADS, st.lists(st.integers(1, 40), min_size=1))
def test_any_cutting_gives_the_same_payloads(payloads, sizes):
    stream = b"".join(map(netstring, payloads))
    decoder = Decoder(1000)
    found, start, turn = [], 0, 0
    while start < len(stream):
        size = sizes[turn % len(sizes)]
        found += decoder.feed(stream[start : start + size])
        start, turn = start + size, turn + 1
    assert found == payloads
    assert not decoder.partial


@given(PAYLOADS)
def test_split_is_the_inverse_of_joining(payloads):
    assert split(b"".join(map(netstring, payloads)), 12) == payloads


@given(PAYLOADS.filter(bool), st.data())
def test_split_refuses_what_is_cut_off(payloads, data):
    stream = b"".join(map(netstring, payloads))
    whole = {0}
    for payload in payloads:
        whole.add(max(whole) + len(netstring(payload)))
    end = data.draw(st.integers(1, len(stream) - 1).filter(lambda n: n not in whole))
    with pytest.raises(BadFrame):
        split(stream[:end], 12)


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_is_netstrings(data):
    decoder = Decoder(100)
    try:
        found = decoder.feed(data)
    except BadFrame:
        return
    assert data.startswith(b"".join(map(netstring, found)))


@pytest.mark.parametrize(
    "data", [b"x", b":", b" 3:abc,", b"-1:", b"03:abc,", b"3:abcd", b"1234567890", b"101:", b"+3:abc,", b"3 :abc,"]
)
def test_no_netstring(data):
    with pytest.raises(BadFrame):
        Decoder(100).feed(data)


def test_limit_is_exact_and_is_seen_before_the_payload():
    assert Decoder(100).feed(netstring(b"a" * 100)) == [b"a" * 100]
    with pytest.raises(BadFrame, match="limit of 100"):
        Decoder(100).feed(b"101:")


def test_header_in_single_bytes():
    decoder = Decoder(100)
    for byte in b"12:hello world!":
        assert decoder.feed(bytes([byte])) == []
        assert decoder.partial
    assert decoder.feed(b",") == [b"hello world!"]


def test_number_of_parts_is_limited():
    assert len(split(netstring(b"") * 3, 3)) == 3
    with pytest.raises(BadFrame, match="more than 3"):
        split(netstring(b"") * 4, 3)


def test_a_byte_is_moved_a_constant_number_of_times():
    """A million single bytes into one payload: quadratic work would need 5e11 byte moves and minutes."""
    decoder = Decoder(1 << 20)
    decoder.feed(b"1048576:")
    for _ in range(1 << 20):
        assert not decoder.feed(b"a")
    assert len(decoder.feed(b",")[0]) == 1 << 20

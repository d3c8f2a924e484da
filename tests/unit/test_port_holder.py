"""Who has a port: the lines of /proc/net/tcp and tcp6, and which of them are in the way of an address."""

import os
import socket
import subprocess
import sys

import pytest

from jcq import port_holder

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = "   0: {}:025F 00000000:0000 {} 00000000:00000000 00:00000000 00000000    33        0 4711 1 0000 100 0 0 10 0\n"
LISTEN, ESTABLISHED, TIME_WAIT = "0A", "01", "06"
HERE, ELSEWHERE, EVERY = "0905007F", "0A05007F", "00000000"
MAPPED = "0000000000000000FFFF00000905007F"
EVERY_6, LOOPBACK_6 = "0" * 32, "00000000000000000000000001000000"
ADDRESS = bytes([127, 0, 5, 9])


def rows(*lines):
    text = HEADING + "".join(LINE.format(address, state) for address, state in lines)
    return port_holder.parse(text, "little")


def test_a_line_is_understood():
    assert rows((HERE, LISTEN)) == [port_holder.Row(ADDRESS, 607, 0x0A, 33, 4711)]


def test_the_kernel_prints_addresses_as_numbers_of_the_machine():
    [row] = port_holder.parse(LINE.format("7F000509", LISTEN), "big")
    assert row.address == ADDRESS
    [row] = rows((LOOPBACK_6, LISTEN))
    assert row.address == socket.inet_pton(socket.AF_INET6, "::1")


@pytest.mark.parametrize("line", ["", "x", "0: 1:2", "0: zz:025F 0 0A", LINE.format("09", LISTEN)])
def test_what_is_not_understood_is_passed_over(line):
    assert port_holder.parse(HEADING + line) == []


@pytest.mark.parametrize(
    ("local", "state", "expected"),
    [
        (HERE, LISTEN, True),
        (HERE, ESTABLISHED, True),
        (HERE, TIME_WAIT, False),
        (ELSEWHERE, LISTEN, False),
        (EVERY, LISTEN, True),
        (EVERY_6, LISTEN, True),
        (MAPPED, LISTEN, True),
        (LOOPBACK_6, LISTEN, False),
    ],
)
def test_what_is_in_the_way_of_one_address(local, state, expected):
    found = rows((local, state))
    assert bool(port_holder.in_the_way(found, ADDRESS, 607)) is expected
    assert port_holder.in_the_way(found, ADDRESS, 608) == []


def test_every_address_is_free_only_where_none_is_taken_and_listeners_come_first():
    found = rows((ELSEWHERE, ESTABLISHED), (HERE, LISTEN))
    assert [row.state for row in port_holder.in_the_way(found, bytes(4), 607)] == [0x0A, 0x01]


_HOLDER = """\
import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_the_holder_of_a_real_port_is_named():
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(holder.stdout.readline())
        assert port_holder.has(holder.pid, "127.0.0.1", port)
        assert not port_holder.has(os.getpid(), "127.0.0.1", port)
        described = port_holder.describe("127.0.0.1", port)
    finally:
        holder.communicate()
    assert described.endswith(f"[{holder.pid}]")
    assert len(described) < 64
    assert not port_holder.has(holder.pid, "127.0.0.1", port)
    assert port_holder.describe("127.0.0.1", port) == "a process that the system does not name"

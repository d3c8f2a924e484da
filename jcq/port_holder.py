"""Who has a TCP port of this node: the tables /proc/net/tcp and tcp6, and whose descriptor a socket is."""

import os
import sys
from dataclasses import dataclass

from jcq.site import packed_address

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = 0x0A
#: A connection that is closed for both sides: no process has it any more.
_TIME_WAIT = 0x06
_COMMAND_MAX = 50


@dataclass(frozen=True)
class Row:
    """A socket, as a line of /proc/net/tcp shows it."""

    #: Local address, 4 or 16 bytes.
    address: bytes
    port: int
    state: int
    uid: int
    inode: int


def parse(text, byteorder=sys.byteorder):
    """The sockets of /proc/net/tcp or tcp6.

    Args:
        text: what the file holds.
        byteorder: of the machine: the kernel prints addresses as numbers of 32 bits.
    Returns:
        A list of `Row`; lines that are not understood, such as the heading, are passed over.
    """
    rows = []
    for line in text.splitlines():
        words = line.split()
        try:
            address, port = words[1].split(":")
            raw = bytes.fromhex(address)
            row = Row(_in_order(raw, byteorder), int(port, 16), int(words[3], 16), int(words[7]), int(words[9]))
        except (IndexError, ValueError):
            continue
        rows.append(row)
    return rows


def in_the_way(rows, address, port):
    """Those sockets that keep another one from this address and port, listening ones first.

    Args:
        rows: of both tables.
        address: 4 or 16 bytes; all zero is every address.
        port: its number.
    Returns:
        A list of `Row`.
    """
    found = [row for row in rows if row.port == port and row.state != _TIME_WAIT and overlap(row.address, address)]
    return sorted(found, key=lambda row: row.state != _LISTEN)


def overlap(one, other):
    """Whether a port can be bound for one of two addresses (4 or 16 bytes) only: they are the same, or one is every."""
    return _plain(one) == _plain(other) or not any(one) or not any(other)


def describe(address, port):
    """Who keeps others from an address and port, as far as the system tells.

    A socket that is bound and does not listen is in no table; another user's process is shown by its uid only.

    Args:
        address: as text.
        port: its number.
    Returns:
        `command[pid]`, or words for what is not known.
    """
    found = in_the_way(_rows(), packed_address(address), port)
    inodes = {row.inode: row for row in found if row.inode}
    for pid in sorted(_pids()):
        if not inodes.keys().isdisjoint(_socket_inodes(pid)):
            return f"{_command(pid)}[{pid}]"
    if found:
        return f"a process of uid {found[0].uid}"
    return "a process that the system does not name"


def has(pid, address, port):
    """Whether a process has a socket at this address (as text) and port."""
    inodes = {row.inode for row in in_the_way(_rows(), packed_address(address), port)}
    return not inodes.isdisjoint(_socket_inodes(pid))


def _in_order(raw, byteorder):
    if len(raw) not in (4, 16):
        raise ValueError(raw)
    if byteorder == "big":
        return raw
    return b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))


def _plain(address):
    """An IPv4 address that is written as an IPv6 one is the IPv4 address."""
    return address[12:] if address[:12] == bytes(10) + b"\xff\xff" else address


def _rows():
    rows = []
    for path in _TABLES:
        try:
            with open(path, encoding="ascii") as file:
                rows += parse(file.read())
        except OSError:
            continue
    return rows


def _pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _socket_inodes(pid):
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1])


def _command(pid):
    """Its command line, as far as it fits into a message."""
    for name, blank in (("cmdline", "\0"), ("comm", "\n")):
        try:
            with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                words = " ".join(file.read().replace(blank, " ").split())
        except OSError:
            continue
        if words:
            return words if len(words) <= _COMMAND_MAX else words[: _COMMAND_MAX - 3] + "..."
    return "a process"

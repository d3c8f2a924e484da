"""A client that keeps no process per command: what a measurement of the daemons uses in the place of qsub and qmgr."""

import os
import socket

_READ_BYTES = 1 << 16


def netstring(data):
    """One netstring."""
    return b"%d:%b," % (len(data), data)


def ask(site, verb, *args, script=None, cwd=None):
    """Send one command to nqsdaemon as the users' commands do.

    Returns:
        The bytes of the answer.
    """
    parts = [b"verb=" + verb.encode(), *[b"arg=" + arg.encode() for arg in args]]
    parts += [b"cwd=" + os.fsencode(cwd or site.node.home), b"umask=22", b"tz=", b"host=" + os.fsencode(site.name)]
    if script is not None:
        parts += [b"script-name=bench", b"script=" + script, b"env=HOME=" + os.fsencode(site.node.home)]
    answer = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.path.join(site.directory, "run", "nqsdaemon.sock"))
        client.sendall(netstring(b"".join(netstring(part) for part in parts)))
        while data := client.recv(_READ_BYTES):
            answer += data
    assert answer.endswith(b"x0,"), (verb, args, answer)
    return answer


def submit(site, script, *options, cwd=None, uid=None):
    """qsub by `ask`, as another uid if given; returns the sequence number."""
    own = os.geteuid()
    if uid is not None:
        # The daemon is told the effective uid at the moment of the connection.
        os.seteuid(uid)
    try:
        answer = ask(site, "qsub", *options, script=script, cwd=cwd)
    finally:
        os.seteuid(own)
    return int(answer.split(b"Request ", 1)[1].split(b".", 1)[0])

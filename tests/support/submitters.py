"""Many submissions in little time: processes that stay, and speak to nqsdaemon's socket as qsub does.

Started as a program it reads one submission a line, a JSON list of qsub's words, and prints the answer of each,
a JSON text a line, in the same order. It imports nothing of jcq, and works at `_AT_ONCE` submissions together,
so that the daemon can share one write to the disk among them.
"""

import json
import os
import socket
import subprocess
import sys

_AT_ONCE = 64
_READ_BYTES = 1 << 16


class Submitters:
    """Some processes that submit one script with many different options to one site."""

    def __init__(self, site, script, count=2):
        """Start them.

        Args:
            site: a running `SiteHarness`.
            script: its text, the same for all.
            count: how many.
        """
        words = [sys.executable, "-I", __file__, os.path.join(site.directory, "run"), site.node.home, script]
        self._children = [
            site.node.popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]

    def submit(self, submissions):
        """Submit them, a list of lists of qsub's words, each by one of the processes.

        Returns:
            What each printed, in the order of `submissions`.
        """
        count = len(self._children)
        shares = [submissions[number::count] for number in range(count)]
        for child, share in zip(self._children, shares, strict=True):
            # Read whole before the first is submitted: no pipe can fill on both sides.
            child.stdin.write("".join(f"{json.dumps(words)}\n" for words in share))
            child.stdin.close()
        answers = [None] * len(submissions)
        for number, child in enumerate(self._children):
            answers[number::count] = [json.loads(line) for line in child.stdout]
            child.stdout.close()
            assert child.wait() == 0
        return answers


def _netstring(data):
    return b"%d:%b," % (len(data), data)


def _begin(words, home, script):
    """A connection on which one submission has been sent."""
    parts = [b"verb=qsub", *[b"arg=" + os.fsencode(word) for word in words]]
    parts += [b"cwd=" + os.fsencode(home), b"umask=22", b"tz=UTC", b"host=" + os.fsencode(os.uname().nodename)]
    parts += [b"env=HOME=" + os.fsencode(home), b"script-name=many.sh", b"script=" + os.fsencode(script)]
    connection = socket.socket(socket.AF_UNIX)
    # Relative, whatever the length of the whole path.
    connection.connect("nqsdaemon.sock")
    connection.sendall(_netstring(b"".join(map(_netstring, parts))))
    return connection


def _end(connection):
    """The answer, as it came, without the frames of an accepted one."""
    answer = b""
    with connection:
        while data := connection.recv(_READ_BYTES):
            answer += data
    text = answer.decode()
    return text.partition(":o")[2].partition("\n")[0] if text.endswith("2:x0,") else text


def main():
    """Submit what standard input says."""
    run, home, script = sys.argv[1:]
    os.chdir(run)
    submissions = [json.loads(line) for line in sys.stdin]
    for start in range(0, len(submissions), _AT_ONCE):
        connections = [_begin(words, home, script) for words in submissions[start : start + _AT_ONCE]]
        for connection in connections:
            print(json.dumps(_end(connection)))


if __name__ == "__main__":
    main()

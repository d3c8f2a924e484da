"""An acknowledged submission is never lost: daemons are killed under clients that submit in a loop."""

import os
import re
import shlex
import signal

import pytest

from support import processes
from support.waiting import wait_until

CLIENTS = 4
_ID = re.compile(r"Request (\d+\.testsite) submitted to queue: batch\.\n")
#: Each submission leaves out, err and code; the number of the last whole one stands in `count`.
_LOOP = """\
number=0
while [ ! -e stop ]; do
  number=$((number + 1))
  echo true | {qsub} > $number.out 2> $number.err
  echo $? > $number.code
  echo $number > count
done
"""


class Client:
    """A shell that submits again and again."""

    def __init__(self, site, number):
        self.directory = site.node.make_directory(f"client{number}")
        qsub = shlex.join(site.node.argv("qsub"))
        self.child = site.node.popen(
            ["/bin/sh", "-c", _LOOP.format(qsub=qsub)],
            env={"NQS_SITE": site.name, "NQS_TIMEOUT": "0"},
            cwd=self.directory,
        )

    def count(self):
        """How many submissions it has made."""
        text = self._text("count")
        return int(text) if text.strip() else 0

    def finish(self):
        """Stop after the submission that is under way; returns its answers, [(out, err, exit code)]."""
        with open(os.path.join(self.directory, "stop"), "w", encoding="ascii"):
            pass
        assert self.child.wait(30) == 0
        return [
            tuple(self._text(f"{number}.{what}") for what in ("out", "err", "code"))
            for number in range(1, self.count() + 1)
        ]

    def _text(self, name):
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""


def check_answer(out, err, code):
    """An id and nothing else, or one line that says what is wrong; returns the id or None."""
    assert "Traceback" not in out + err, (out, err)
    if code == "0\n":
        found = _ID.fullmatch(out)
        assert found, (out, err, code)
        assert err == "", (out, err, code)
        return found[1]
    assert out == "", (out, err, code)
    assert re.fullmatch(r"qsub: [^\n]+\n", err), (out, err, code)
    return None


def spooled(site):
    """Ids of the requests that have a script on disk."""
    names = os.listdir(os.path.join(site.directory, "requests"))
    return {f"{name.removeprefix('200-')}.testsite" for name in names}


@pytest.mark.parametrize("victim", ["jcdbs", "nqsdaemon"])
def test_every_id_that_was_printed_exists_after_the_next_start(cluster_site, victim):
    site = cluster_site
    # Nothing is delivered and removed meanwhile: what is on disk is what was submitted.
    site.qmgr("stop queue batch")
    printed, refused = [], 0
    for _ in range(2):
        clients = [Client(site, f"{len(printed)}-{number}") for number in range(CLIENTS)]
        wait_until(
            lambda every=clients: all(c.count() >= 3 for c in every), 60, lambda e=clients: [c.count() for c in e]
        )
        os.kill(site.daemon(victim), signal.SIGKILL)
        before = [client.count() for client in clients]
        assert site.cjcpw.wait(5) == 1
        assert not site.processes(), processes.table(site.processes())
        wait_until(
            lambda every=clients, old=before: all(c.count() > n + 1 for c, n in zip(every, old, strict=True)),
            60,
            lambda every=clients: [client.count() for client in every],
        )
        answers = [answer for client in clients for answer in client.finish()]
        ids = [check_answer(*answer) for answer in answers]
        printed += [request for request in ids if request]
        refused += ids.count(None)
        site.start()
    assert refused >= 2 * CLIENTS
    assert len(set(printed)) == len(printed) >= 6 * CLIENTS
    listed = {request["id"]: request["state"] for request in site.qstat()["requests"]}
    assert set(printed) <= set(listed), set(printed) - set(listed)
    assert {listed[request] for request in printed} == {"QUEUED"}
    # A client whose answer was lost may have its request all the same; a script without one is an orphan.
    assert spooled(site) == set(listed)
    assert len(listed) - len(printed) <= 2 * CLIENTS
    site.qmgr("start queue batch")
    assert {site.qwait(request) for request in printed[:3]} == {0}

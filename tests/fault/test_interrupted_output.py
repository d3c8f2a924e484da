"""What an interrupted attempt had written: apart from the next one's, delivered and explained where there is none."""

import glob
import os

import pytest

from support.two_nodes import TwoNodes
from support.waiting import wait_until

_PURGED = 125
#: More than a FIFO holds.
_MUCH = 200_000


@pytest.fixture
def two():
    with TwoNodes(site_conf="FENCE_TIMEOUT=4\nFORCEKILL_TIME=1\n") as made:
        yield made


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def says(site, path, text):
    """Wait until a job has written something."""
    wait_until(lambda: os.path.exists(path) and text in read(path), 20, site.log_text)


def spooled(two, request, ending):
    """The spooled files of all attempts of a request."""
    return sorted(glob.glob(os.path.join(two.directory, "output", f"200-{request.split('.')[0]}.*.{ending}")))


def test_each_interrupted_request_answers_for_its_output(two):
    a, b = two.node_a.site, two.node_b.site
    work = two.make_directory("work", 0o777)
    marks = two.make_directory("marks", 0o777)
    gate = os.path.join(two.scratch, "gate")
    script = (
        f"echo out of $JCQ_EPOCH\necho err of $JCQ_EPOCH >&2\nprintf 'no newline' >&2\ntouch {marks}/$QSUB_REQID\n"
        f"while [ ! -e {gate} ]; do sleep 0.1; done\n"
    )
    a.start()
    for name, restart in (("purging", "PURGE"), ("again", "RESTART")):
        a.qmgr(
            f"create batch_queue {name} run_limit=9", f"enable queue {name}", f"start queue {name}",
            f"set restart = ({restart}) {name}",
        )  # fmt: skip
    again = a.qsub(script, "-q", "again", cwd=work)
    purged = a.qsub(script, "-q", "purging", cwd=work)
    joined = a.qsub(script, "-q", "again", "-nr", "-eo", cwd=work)
    ended = os.path.join(work, "fifo")
    os.mkfifo(ended)
    reader = os.open(ended, os.O_RDONLY | os.O_NONBLOCK)
    try:
        much = a.qsub(f"echo ran >> {marks}/much\nhead -c {_MUCH} /dev/zero | tr '\\0' x\n", "-q", "again", "-o", ended,
                      cwd=work)  # fmt: skip
        for request in (again, purged, joined):
            wait_until(lambda mark=request: os.path.exists(os.path.join(marks, mark)), 20, a.log_text)
        wait_until(lambda: a.qstat(much)["requests"][0]["state"] == "EXITING", 20, a.log_text)
        node = a.qstat(again)["requests"][0]["node"]
        two.node_a.kill()
        a.cjcpw = None
        b.start()
        received = b""
        while len(received) < _MUCH:
            wait_until(lambda: b.qstat(much)["requests"][0]["state"] in ("EXITING", "DONE"), 20, b.log_text)
            try:
                received += os.read(reader, 65536)
            except BlockingIOError:
                assert b.qstat(much)["requests"][0]["state"] == "EXITING", (len(received), b.log_text())
    finally:
        os.close(reader)
    # What had ended is delivered and was not run again.
    assert b.qwait(much) == 0
    assert read(os.path.join(marks, "much")) == "ran\n"
    # What is purged: its output as far as it came, and why there is no more.
    assert [b.qwait(request) for request in (purged, joined)] == [_PURGED] * 2
    (out,), (err,) = (glob.glob(os.path.join(work, f"*.{letter}{purged.split('.')[0]}")) for letter in "oe")
    assert read(out).startswith("out of ")
    verdict = "and is purged: queue restart=PURGE, request restartable"
    why = f"interrupted on node {node} when its site stopped, {verdict}"
    assert read(err).splitlines()[1:] == ["no newline", f"jcq: request {purged} was {why}"]
    (out,) = glob.glob(os.path.join(work, f"*.o{joined.split('.')[0]}"))
    assert read(out).splitlines()[-1].startswith(f"jcq: request {joined} was interrupted on node ")
    assert read(out).splitlines()[-1].endswith("queue restart=RESTART, request not restartable")
    assert b.qstat(purged)["requests"][0]["reason"] == why
    # What runs again begins a file of its own, and what the first attempt wrote stays.
    wait_until(lambda: len(spooled(two, again, "out")) == 2, 20, b.log_text)
    kept = spooled(two, again, "out")[0]
    assert ".a1." in kept
    assert kept in b.log_text()
    with open(gate, "w", encoding="ascii"):
        pass
    assert b.qwait(again) == 0
    (out,) = glob.glob(os.path.join(work, f"*.o{again.split('.')[0]}"))
    assert len(read(out).splitlines()) == 1
    assert read(out) != read(kept)
    wait_until(lambda: spooled(two, again, "out") == [kept], 20, b.log_text)

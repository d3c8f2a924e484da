"""What cjcpw ends with when a daemon has ended."""

import os

import pytest

from jcq.cluster.verdict import describe, verdict
from jcq.site import Site


@pytest.fixture
def site(tmp_path):
    for name in ("log", "database/e4"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "database" / "e4" / "jcdbs.log").write_text("loading\nBad file format\n\n")
    (tmp_path / "log" / "worker.err").write_text("Traceback\nboom\n")
    return Site(str(tmp_path), str(tmp_path), name="testsite")


def exited(code):
    return code << 8


@pytest.mark.parametrize(
    ("name", "status", "while_starting", "exit_code", "words"),
    [
        ("jcdbs", exited(1), True, 5, "jcdbs ended with exit code 1: Bad file format"),
        ("jcdbs", exited(1), False, 1, "jcdbs[77] of site testsite ended with exit code 1"),
        ("jcdbs", 9, False, 1, "jcdbs[77] of site testsite was killed by signal 9"),
        ("nqsdaemon", exited(5), True, 5, "nqsdaemon[77] of site testsite ended with exit code 5"),
        ("nqsdaemon", exited(6), False, 6, "ended with exit code 6"),
        ("worker", exited(0), False, 1, "ended with exit code 0"),
        ("worker", exited(3), True, 1, "ended with exit code 3: boom"),
        ("worker", exited(3), False, 1, "ended with exit code 3"),
    ],
)
def test_verdict(site, name, status, while_starting, exit_code, words):
    failure = verdict(site, 4, name, 77, status, while_starting)
    assert failure.exit_code == exit_code
    assert words in str(failure)


def test_the_words_for_a_real_end():
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert describe(os.waitpid(child, 0)[1]) == "ended with exit code 7"

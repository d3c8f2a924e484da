"""Crash points: those in the code are those of the table, nothing happens unless one is armed, and then SIGKILL."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import jcq
from jcq import crash_points

_ROOT = Path(jcq.__file__).parent.parent
_REACHED = re.compile(r"\breach\(\"([^\"]+)\"\)")
_PROGRAM = """\
import sys
from jcq import crash_points
crash_points.arm(sys.argv[1])
for name in sys.argv[2:]:
    crash_points.reach(name)
    print(name, flush=True)
"""


def in_the_code():
    sources = [*(_ROOT / "jcq").rglob("*.py"), *(_ROOT / "worker").rglob("*.py")]
    return [name for path in sources for name in _REACHED.findall(path.read_text(encoding="utf-8"))]


def test_the_code_and_the_table_have_the_same_points():
    found = in_the_code()
    names = [name for name, _ in crash_points.POINTS]
    assert sorted(found) == sorted(names)
    assert len(set(names)) == len(names)
    assert all(meaning for _, meaning in crash_points.POINTS)


def passed(root, *names):
    """(exit code, points that were passed) of a process that arms itself and comes by these points."""
    argv = [sys.executable, "-c", _PROGRAM, str(root), *names]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(_ROOT)})
    return done.returncode, done.stdout.splitlines()


def test_without_the_file_nothing_happens(tmp_path):
    assert passed(tmp_path, "epoch begin", "epoch copied") == (0, ["epoch begin", "epoch copied"])


@pytest.mark.parametrize(("text", "survived"), [("epoch file", 0), ("epoch file 1\n", 0), ("epoch file 3\n", 2)])
def test_the_armed_point_kills(tmp_path, text, survived):
    (tmp_path / "crash_at").write_text(text, encoding="ascii")
    code, names = passed(tmp_path, "epoch begin", *["epoch file"] * 4, "epoch copied")
    assert code == -signal.SIGKILL
    assert names == ["epoch begin", *["epoch file"] * survived]


def test_a_name_that_is_no_point_is_refused(tmp_path):
    (tmp_path / "crash_at").write_text("epoch nowhere", encoding="ascii")
    with pytest.raises(ValueError, match="no crash point"):
        crash_points.arm(str(tmp_path))


def test_another_process_may_not_be_killed_by_a_file_that_is_no_text(tmp_path):
    (tmp_path / "crash_at").mkdir()
    assert passed(tmp_path, "epoch begin") == (0, ["epoch begin"])

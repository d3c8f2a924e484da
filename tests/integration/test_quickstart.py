"""`jcq quickstart` does what it prints, and what it prints can be pasted into a shell."""

import os
import re
import signal
from pathlib import Path

import pytest

from support.waiting import wait_until


@pytest.fixture
def alone(node):
    """The node with TMPDIR inside its scratch place, so that nothing of quickstart can stay unseen."""
    tmpdir = node.make_directory("tmp")
    return node, {"TMPDIR": tmpdir, "JCQ_ROOT": None}, tmpdir


def test_it_ends_well_and_leaves_nothing(alone):
    node, env, tmpdir = alone
    out = node.run("jcq", "quickstart", env=env).ok()
    host = os.uname().nodename
    for wanted in (
        f"#>  Request 1.{host} submitted to queue: batch.",
        f"#>  hello from request 1.{host}",
        "#>  this one fails on purpose",
        "#>  exit code 3",
        "# quickstart: every step did what it should.",
    ):
        assert wanted in out, out
    assert re.search(r"#>  .*\bRUNNING\b", out), out
    assert os.listdir(tmpdir) == []
    assert node.left_over() == []


def test_what_it_prints_gives_the_same_when_pasted(alone):
    node, env, tmpdir = alone
    place = os.path.join(tmpdir, "try")
    printed = node.run("jcq", "quickstart", "--dir", place, env=env).ok()
    assert f"# Kept: {place}" in printed
    kept = sorted(os.listdir(os.path.join(place, "work")))
    assert "hello.o1" in kept
    assert "fails.e2" in kept
    node.run(["/bin/rm", "-rf", place]).ok()

    pasted = node.run(["/bin/sh"], stdin=printed, env={**env, "NQS_SITE": "elsewhere", "PATH": "/usr/bin:/bin"})

    shown = [line.removeprefix("#>  ") for line in printed.splitlines() if line.startswith("#>  ")]
    seen = [line.rstrip() for line in (pasted.out + pasted.err).splitlines() if line]
    # Columns are as wide as the longest number in them: pids begin anew after the greatest.
    assert [re.sub(" *[0-9]+ *", " N ", line) for line in seen] == (
        [re.sub(" *[0-9]+ *", " N ", line) for line in shown]
    ), str(pasted)
    assert sorted(os.listdir(os.path.join(place, "work"))) == kept
    assert node.left_over() == []


def test_a_step_that_differs_ends_it_and_leaves_nothing(alone):
    node, env, tmpdir = alone
    # A `cat` that shows something else: the delivered output is then not what it should be.
    fakes = node.make_directory("fakes")
    with open(os.path.join(fakes, "cat"), "w", encoding="ascii") as file:
        file.write('#!/bin/sh\ncase $1 in hello.o1) echo something else;; *) exec /bin/cat "$@";; esac\n')
    os.chmod(os.path.join(fakes, "cat"), 0o755)
    result = node.run("jcq", "quickstart", env={**env, "PATH": f"{fakes}:/usr/bin:/bin"})
    result.refused("cat hello.o1")
    assert os.listdir(tmpdir) == []
    assert node.left_over() == []


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_nothing(alone, signum, code):
    node, env, tmpdir = alone
    child = node.spawn("jcq", "quickstart", env=env)
    wait_until(lambda: "qsub fails.sh" in Path(child.log).read_text(), 30, Path(child.log).read_text)
    child.send_signal(signum)
    assert child.wait(60) == code, Path(child.log).read_text()
    assert os.listdir(tmpdir) == []
    assert node.left_over() == []


def test_a_directory_in_use_is_refused(alone):
    node, env, tmpdir = alone
    with open(os.path.join(tmpdir, "precious"), "w", encoding="ascii"):
        pass
    node.run("jcq", "quickstart", "--dir", tmpdir, env=env).refused("not empty", tmpdir, exit_code=2)
    assert os.listdir(tmpdir) == ["precious"]

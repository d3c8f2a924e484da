"""Signs that an old system still uses its spool, and that looking for them leaves none."""

import fcntl
import os
import subprocess

import pytest

from jcq.spoolconv import alive
from support.waiting import wait_until


@pytest.fixture
def spool(tmp_path):
    (tmp_path / "spool" / "below" / "deeper").mkdir(parents=True)
    return tmp_path / "spool"


@pytest.fixture
def other():
    """A process that is none of the tester's ancestors."""
    with subprocess.Popen(["/bin/sleep", "1000"]) as child:
        yield child
        child.kill()


def write(path, text):
    path.write_text(text)
    return path


def test_a_spool_that_nobody_uses(spool):
    write(spool / "master.pid", "1 and more than a number\n" * 9)
    write(spool / "empty.pid", "")
    write(spool / "words.pid", "none")
    (spool / "link.pid").symlink_to("/proc/self/stat")
    os.mkfifo(spool / "fifo.pid")
    assert alive.users_of(spool) == []
    assert alive.users_of(spool / "nowhere") == []


def test_the_callers_own_ancestors_do_not_count(spool, monkeypatch):
    monkeypatch.chdir(spool)
    write(spool / "own.pid", f"{os.getpid()}\n")
    write(spool / "parents.pid", f"{os.getppid()}\n")
    with open(write(spool / "file", "x"), encoding="ascii"):
        assert alive.users_of(spool) == []


@pytest.mark.parametrize("how", ["directory", "file"])
def test_a_process_in_it(spool, how):
    path = spool / "below" / ("file" if how == "file" else "")
    if how == "file":
        write(path, "x")
    with open(path if how == "file" else "/dev/null", "rb") as opened:
        where = {"cwd": path} if how == "directory" else {"stdin": opened}
        child = subprocess.Popen(["/bin/sleep", "1000"], **where)
    try:
        sign = f"sleep[{child.pid}] has {path} open"
        wait_until(lambda: alive.users_of(spool) == [sign], 10, lambda: str(alive.users_of(spool)))
        assert alive.users_of(spool / "below" / "deeper") == []
        assert alive.users_of(f"{spool}-other") == []
        assert alive.users_of(spool, spool / "below") == [], "the new site may stand in it"
    finally:
        child.kill()
        child.wait()


def test_a_pid_file_that_its_process_may_have_written(spool, other):
    path = write(spool / "below" / "deeper" / "master.pid", f"{other.pid}\n")
    wait_until(lambda: any("names sleep" in sign for sign in alive.users_of(spool)), 10, lambda: "it is not seen")
    assert alive.users_of(spool) == [f"{path} names sleep[{other.pid}], which lives"]
    os.utime(path, (1, 1))
    assert alive.users_of(spool) == [], "the number was another process's then"
    deep = spool / "below" / "deeper" / "deepest"
    deep.mkdir()
    write(deep / "master.pid", f"{other.pid}\n")
    assert alive.users_of(spool) == [], "so deep nobody looks"


def test_a_lock(spool):
    path = write(spool / "lock", "")
    with open(path, "r+", encoding="ascii") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert alive.users_of(spool) == [f"{path} is locked"]
    assert alive.users_of(spool) == []


def test_no_more_signs_than_fit_a_line(spool, other):
    for number in range(9):
        write(spool / f"{number}.pid", f"{other.pid}\n")
    wait_until(lambda: alive.users_of(spool), 10, lambda: "it is not seen")
    assert len(alive.users_of(spool)) == 5


def test_looking_leaves_no_time_behind(spool):
    write(spool / "below" / "master.pid", "1\n")
    places = [spool / "below" / "master.pid", spool / "below" / "deeper", spool / "below", spool]
    for path in places:
        # As far as relatime goes the next reader is to be seen.
        os.utime(path, (1, 2_000_000_000))
    alive.users_of(spool)
    assert [os.stat(path).st_atime for path in places] == [1] * 4

"""An old spool is read without being touched, and only what is its own."""

import os

import pytest

from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.source import Source


@pytest.fixture
def spool(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "one").write_bytes(b"caf\xe9\0")
    (tmp_path / "outside").symlink_to("/etc")
    (tmp_path / "jobs" / "link").symlink_to("one")
    os.mkfifo(tmp_path / "jobs" / "pipe")
    with Source(tmp_path) as source:
        yield source


def test_files_and_names(spool):
    found = spool.read("jobs/one")
    assert (found.data, found.status.st_size) == (b"caf\xe9\0", 5)
    assert spool.names() == ["jobs", "outside"]
    assert spool.names("jobs") == ["link", "one", "pipe"]
    assert spool.is_directory("jobs")
    assert spool.is_file("jobs/one")
    assert spool.status("jobs/none") is None
    assert spool.status("none/none") is None
    assert not spool.is_directory("outside")
    assert not spool.is_file("jobs/link")


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("jobs/link", "it is a symbolic link"),
        ("outside/passwd", "Not a directory"),
        ("jobs/pipe", "it is no regular file"),
        ("jobs", "it is no regular file"),
        ("jobs/none", "No such file or directory"),
        ("../secret", "it leads out of the spool"),
        ("jobs/\0", "it leads out of the spool"),
    ],
)
def test_what_is_not_the_spools_own_file_is_not_read(spool, where, reason):
    with pytest.raises(Unreadable) as caught:
        spool.read(where)
    assert caught.value.fields == {"path": where, "reason": reason}


def test_a_sparse_file_is_not_read(spool):
    with open(os.path.join(spool.path, "jobs", "sparse"), "wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(Unreadable, match="4398046511104 bytes, more than"):
        spool.read("jobs/sparse")


def test_reading_leaves_the_access_time(spool):
    path = os.path.join(spool.path, "jobs", "one")
    os.utime(path, (1, 2))
    spool.read("jobs/one")
    assert os.stat(path).st_atime == 1


@pytest.mark.parametrize("at_once", [1, 3, 4, 10, 100])
def test_a_great_directory_is_read_in_parts(spool, at_once):
    os.mkdir(os.path.join(spool.path, "many"))
    names = sorted(f"{number:03}" for number in range(10))
    for name in names:
        open(os.path.join(spool.path, "many", name), "wb").close()
    assert list(spool.names_in_order("many", at_once)) == names
    assert sorted(spool.scan("many")) == names
    with pytest.raises(Unreadable, match="No such file"):
        list(spool.names_in_order("none"))


def test_a_spool_that_is_none(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        Source(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreadable, match="Not a directory"):
        Source(tmp_path / "file")

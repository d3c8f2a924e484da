"""The spool directory of links."""

import os

import pytest

from jcq.cluster import links


@pytest.fixture
def overtaken(monkeypatch):
    """Another command makes each directory just before this one does."""
    make = os.mkdir

    def late(path, *args):
        make(path, 0o755)
        make(path, *args)

    monkeypatch.setattr(os, "mkdir", late)


def test_a_spool_directory_is_passable_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        links.make_spool(tmp_path / "usr" / "spool" / "nqs")
    finally:
        os.umask(before)
    for path in ("usr", "usr/spool", "usr/spool/nqs"):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o755


def test_two_that_make_a_spool_directory_at_once(tmp_path, overtaken):
    links.make_spool(tmp_path / "usr" / "spool")
    assert (tmp_path / "usr" / "spool").is_dir()


def test_a_file_in_the_way_of_a_spool_directory(tmp_path):
    (tmp_path / "usr").write_text("")
    with pytest.raises(OSError, match="usr"):
        links.make_spool(tmp_path / "usr" / "spool")

"""Copies of spooled files: every byte, holes as holes, and bounded by what was told."""

import os

import pytest

from worker.file_copy import copy

KIB = 1024


@pytest.fixture
def files(tmp_path):
    source = os.open(tmp_path / "source", os.O_RDWR | os.O_CREAT)
    target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    yield source, target
    os.close(source)
    os.close(target)


def copied(target):
    size = os.fstat(target).st_size
    return os.pread(target, size + 1, 0)


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3_000_001])
def test_every_byte(files, size):
    source, target = files
    data = os.urandom(size)
    os.pwrite(source, data, 0)
    copy(source, target, size, lambda: None)
    assert copied(target) == data


@pytest.mark.parametrize("missing", ["copy_file_range", "copy_file_range gives nothing", "SEEK_DATA"])
def test_without_what_a_file_system_may_lack(files, monkeypatch, missing):
    source, target = files
    data = os.urandom(1_000_000)
    os.pwrite(source, data, 0)

    def refuse(*_):
        raise OSError(22 if missing == "SEEK_DATA" else 18, "not served")

    if missing == "SEEK_DATA":
        monkeypatch.setattr(os, "lseek", refuse)
    else:
        monkeypatch.setattr(os, "copy_file_range", refuse if missing == "copy_file_range" else lambda *_: 0)
    copy(source, target, len(data), lambda: None)
    monkeypatch.undo()
    assert copied(target) == data


def test_holes_stay_holes(files):
    source, target = files
    size = 64 * KIB * KIB
    os.pwrite(source, b"head", 0)
    os.pwrite(source, b"middle", size // 2)
    os.ftruncate(source, size)
    copy(source, target, size, lambda: None)
    assert os.fstat(target).st_size == size
    assert os.fstat(target).st_blocks <= os.fstat(source).st_blocks
    assert (os.pread(target, 5, 0), os.pread(target, 7, size // 2)) == (b"head\0", b"middle\0")


def test_no_more_than_was_there_at_first(files):
    source, target = files
    os.pwrite(source, b"x" * 300_000, 0)
    copy(source, target, 200_000, lambda: None)
    assert os.fstat(target).st_size == 200_000


def test_source_that_shrinks_ends_the_copy(files):
    source, target = files
    os.pwrite(source, b"x" * 100_000, 0)
    copy(source, target, 500_000, lambda: None)
    assert copied(target).rstrip(b"\0") == b"x" * 100_000


def test_interest_that_is_lost_ends_the_copy(files):
    source, target = files
    os.pwrite(source, os.urandom(200_000), 0)

    def lose():
        raise KeyError("lost")

    with pytest.raises(KeyError):
        copy(source, target, 200_000, lose)

"""Exit records: what was written is read again, and what is torn is none."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq import exit_record

RECORD = {
    "rid": "200-12",
    "attempt": 2,
    "epoch": 7,
    "exit_code": 137,
    "signal": 9,
    "started_s": 1700000000.25,
    "ended_s": 1700000001.5,
    "cpu_s": 0.125,
    "maxrss_kb": 1024,
    "stragglers": 3,
}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "200-12.a2.e7.exit")


def test_read_gives_what_was_written(path):
    exit_record.write(path, RECORD | {"note": "is not kept"})
    assert exit_record.read(path) == RECORD
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def test_write_replaces(path):
    exit_record.write(path, RECORD)
    exit_record.write(path, RECORD | {"exit_code": 0})
    assert exit_record.read(path)["exit_code"] == 0


def test_there_is_none(path):
    assert exit_record.read(path) is None


def test_every_cut_is_torn(path):
    exit_record.write(path, RECORD)
    with open(path, "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        for padding in (b"", b"\0" * (len(whole) - length)):
            with open(path, "wb") as file:
                file.write(whole[:length] + padding)
            assert exit_record.read(path) is None, (length, padding)


@given(st.binary(max_size=300))
def test_garbage_is_none(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "garbage.exit"
    path.write_bytes(data)
    assert exit_record.read(str(path)) is None


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        exit_record.write(str(tmp_path / "missing" / "x.exit"), RECORD)
    assert os.listdir(tmp_path) == []

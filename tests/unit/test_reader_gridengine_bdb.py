"""The Berkeley DB form of Grid Engine's spools: what stands in the log only, and damaged databases."""

import os
import random
import shutil

import pytest

from jcq.errors import JcqError
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers import gridengine
from jcq.spoolconv.readers.sge import berkeleydb
from jcq.spoolconv.records import OldQueue, OldRequest, Skip
from jcq.spoolconv.source import Source
from support import old_spools, skips

pytestmark = pytest.mark.skipif(not shutil.which("db5.3_dump"), reason=skips.NEEDS_DB_DUMP)

NOW_S = 1795337914
DATABASE = "var/spool/gridengine/spooldb"


@pytest.fixture
def sample(tmp_path):
    with old_spools.unpack("sge-bdb-small", str(tmp_path)) as source:
        yield source


def requests(source):
    return [record for record in gridengine.read(source, NOW_S) if isinstance(record, OldRequest)]


def test_the_old_files_are_not_touched_and_the_copy_goes(sample, tmp_path, monkeypatch):
    place = tmp_path / "copies"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    directory = os.path.join(sample.path, DATABASE)
    before = {name: os.stat(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}
    assert len(requests(sample)) == 7
    assert os.listdir(place) == []
    reading = gridengine.read(sample, NOW_S)
    assert isinstance(next(reading), OldQueue)
    assert len(os.listdir(place)) == 1
    reading.close()
    assert os.listdir(place) == []
    after = {name: os.stat(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}
    assert [tuple(one) for one in before.values()] == [tuple(one) for one in after.values()]


@pytest.mark.parametrize("below", ["", "var/spool/gridengine", DATABASE])
def test_the_directory_that_is_given_may_be_one_of_many(sample, below):
    with Source(os.path.join(sample.path, below)) as source:
        assert gridengine.evidence(source).startswith("Berkeley DB spool of Grid Engine, by ")
        assert len(requests(source)) == 7


def test_without_the_log_the_files_are_read_as_they_are(sample):
    os.unlink(os.path.join(sample.path, DATABASE, "log.0000000001"))
    assert len(requests(sample)) == 7


def test_a_log_that_is_damaged_is_told(sample):
    with open(os.path.join(sample.path, DATABASE, "log.0000000001"), "r+b") as file:
        file.write(b"\xff" * 4096)
    records = list(gridengine.read(sample, NOW_S))
    told = [one for one in records if isinstance(one, Skip) and "log" in one.reason]
    assert len(told) == 1
    assert len([one for one in records if isinstance(one, OldRequest)]) == 7


def test_a_file_that_is_no_database(sample):
    with open(os.path.join(sample.path, DATABASE, "sge_job"), "wb") as file:
        file.write(b"x" * 8192)
    with pytest.raises(Unreadable, match=r"db5\.3_dump cannot read it: "):
        requests(sample)


def test_mutated_databases_give_records_only(sample, battery, monkeypatch):
    monkeypatch.setattr(berkeleydb, "CPU_LIMIT_S", 5)
    os.unlink(os.path.join(sample.path, DATABASE, "log.0000000001"))
    chance = random.Random(battery.seed)
    paths = [os.path.join(sample.path, DATABASE, name) for name in ("sge", "sge_job")]
    originals = []
    for path in paths:
        with open(path, "rb") as file:
            originals.append(file.read())
    for _ in range(200 if battery.full else 8):
        for path, data in zip(paths, originals, strict=True):
            with open(path, "wb") as file:
                file.write(old_spools.mutated(data, chance) if chance.random() < 0.7 else data)
        try:
            for record in gridengine.read(sample, NOW_S):
                if isinstance(record, OldRequest):
                    assert record.user
        except JcqError:
            continue

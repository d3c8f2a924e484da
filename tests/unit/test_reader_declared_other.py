"""A spool of quite another form, written by another C program: what the first one does not use."""

import json
import os
import shutil
import subprocess

import pytest

from jcq.spoolconv.readers.declared import reader
from jcq.spoolconv.records import OldRequest, Skip
from jcq.spoolconv.source import Source
from support import skips

DATA = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", "declared")
DESCRIPTION = os.path.join(DATA, "other-layout.toml")
CLOCK_S = 1_800_000_000.0
EPOCH_S = 315_532_800


@pytest.fixture(scope="module")
def spool(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip(skips.NEEDS_COMPILER)
    directory = tmp_path_factory.mktemp("other")
    program, place = directory / "write_other", directory / "spool"
    place.mkdir()
    command = [compiler, "-std=gnu11", "-o", program, os.path.join(DATA, "write_other.c")]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if built.returncode and ".h: No such file" in built.stderr:
        pytest.skip(skips.NEEDS_COMPILER)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program, place], capture_output=True, text=True, timeout=120, check=True)
    for path, _, names in os.walk(place):
        for name in names:
            os.utime(os.path.join(path, name), (1_000_000_000, 1_000_000_000))
    return place, {truth["number"]: truth for truth in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def records(spool):
    with Source(spool[0]) as source:
        return {record.where: record for record in reader.read(source, CLOCK_S, DESCRIPTION)}


def test_requests_of_a_table(spool, records):
    found = [record for where, record in records.items() if where.startswith("table/requests")]
    truth = spool[1]
    assert found == [
        OldRequest(
            old_id="7",
            where="table/requests.db#1",
            queue="batch",
            script=truth[7]["text"].encode(),
            user="bob",
            uid=501,
            due_s=EPOCH_S + 60.0 * truth[7]["minutes"],
            priority=5,
            restartable=False,
            after=("5", "sixsix"),
        ),
        # The second is free.
        OldRequest(
            old_id=str(0x01020304),
            where="table/requests.db#3",
            queue="batch",
            script=b"sleep 1",
            state="RUNNING",
            user="bob",
            uid=0,
            due_s=EPOCH_S + 60.0 * truth[0x01020304]["minutes"],
            priority=5,
            restartable=False,
        ),
        Skip("table/requests.db#4", "uid: it is -1, which is nobody", "9", "request"),
        Skip("table/requests.db#5", "script: 250 bytes are told, and there are 201", "10", "request"),
    ]


def test_requests_in_directories_of_their_states(records):
    owner = {"uid": os.geteuid(), "gid": os.getegid(), "submitted_s": 1e9}
    assert records["jobs/wait/1f.job"] == OldRequest(
        old_id="31:wait",
        where="jobs/wait/1f.job",
        queue="high",
        script=b"echo one\n",
        state="WAITING",
        keep_out=True,
        environment={b"A": b"1", b"B": b"two words"},
        **owner,
    )
    assert records["jobs/run/ff0.job"] == OldRequest(
        old_id="4080:run",
        where="jobs/run/ff0.job",
        queue="low",
        script=b"echo two\n",
        state="RUNNING",
        environment={},
        **owner,
    )
    held = records["jobs/hold/a.job"]
    assert (held.queue, held.state, held.environment) == ("other", "HELD", None)
    assert held.notes == (
        "environment: it has the entry b'no line'; left out",
        "held until this is looked at",
    )
    assert records["jobs/odd/b.job"] == Skip(
        "jobs/odd/b.job", "state: 'odd' is not in the enumeration directory", "11:odd", "request"
    )
    assert records["jobs/wait/1F.job"] == Skip("jobs/wait/1F.job", "the description does not name it", kind="file")
    assert len(records) == 10


def test_a_hole_in_a_table(spool, records, tmp_path):
    (found,) = [record for where, record in records.items() if where.startswith("table/hole")]
    assert (found.old_id, found.script) == ("77", b"id")
    with open(DESCRIPTION, encoding="utf-8") as file:
        text = file.read().replace('free = { field = "state_number", equals = 0 }', "")
    path = tmp_path / "nothing-is-free.toml"
    path.write_text(text)
    with Source(spool[0]) as source:
        found = [record for record in reader.read(source, CLOCK_S, path) if record.where.startswith("table/hole")]
    assert [getattr(record, "reason", "") for record in found] == ["20000 records hold nothing but NUL bytes", ""]


def test_links_are_not_followed(spool, tmp_path):
    os.symlink(spool[0] / "table", tmp_path / "table")
    os.symlink(spool[0] / "jobs" / "wait" / "1f.job", tmp_path / "loose")
    os.makedirs(tmp_path / "jobs" / "wait")
    os.symlink(spool[0] / "jobs" / "wait" / "1f.job", tmp_path / "jobs" / "wait" / "1.job")
    with Source(tmp_path) as source:
        found = {record.where: record.reason for record in reader.read(source, CLOCK_S, DESCRIPTION)}
    assert found == {
        "table": "it is no directory; a link is not followed",
        "loose": "the description does not name it",
        "jobs/wait/1.job": "it is a symbolic link",
    }

"""`jcq dump`: a site that runs, and the same site stopped, written as the neutral layout."""

import json
import os
import stat

import pytest

from jcq.spoolconv.readers.neutral import read
from jcq.spoolconv.records import OldRequest, Skip
from jcq.spoolconv.source import Source
from support.gate import Gate
from support.harness import Node
from support.waiting import wait_until

CONFIGURATION = ("settings.jsonl", "managers.jsonl", "queues.jsonl", "complexes.jsonl")
LINES = (
    "set global_run_limit = 9",
    "set retention = 2",
    "set shell_strategy fixed = (/bin/sh)",
    "create batch_queue night priority=20 run_limit=4 user_limit=2",
    "create pipe_queue way priority=5 dest=(night, batch)",
    "set restart = STOP night",
    "set per_process cpu_limit = (600, 540) night",
    "set no_access night",
    "add users = (0, 54321) night",
    "create complex = (night, batch) big",
    "enable queue night",
)
LONG = "# " + "x" * 70_000 + "\ndate\n"


@pytest.fixture(scope="module")
def site():
    """A site with some of everything, running."""
    with Node() as node:
        site = node.cluster_site("one", 200).start()
        site.qmgr(*LINES, "start queue batch")
        yield site


@pytest.fixture
def place(site, tmp_path):
    """Where a dump may go."""
    return str(tmp_path / "dump")


def read_all(path):
    with Source(path) as source:
        found = list(read(source, 0.0))
    assert not [record for record in found if isinstance(record, Skip)]
    return {record.old_id: record for record in found if isinstance(record, OldRequest)}


def text_of(path, name):
    with open(os.path.join(path, name), "rb") as file:
        return file.read()


def modes(top):
    found = {stat.S_IMODE(os.lstat(top).st_mode)}
    for base, directories, files in os.walk(top):
        found |= {stat.S_IMODE(os.lstat(os.path.join(base, name)).st_mode) for name in directories}
        assert {stat.S_IMODE(os.lstat(os.path.join(base, name)).st_mode) for name in files} <= {0o600}
    return found


def test_a_site_that_runs_and_the_same_stopped(site, place):
    gate = Gate(site.node.make_directory("gate"))
    running = site.qsub(gate.script("one"), "-q", "batch")
    wait_until(gate.started, 20, site.log_text)
    held = site.qsub("date\n", "-q", "batch", "-r", "held", "-x", "-lt", "10:00, 9:00", env={"WORD": "caf\udce9\n"})
    site.run("qhold", held).ok()
    waiting = site.qsub(LONG, "-q", "batch", "-a", "tomorrow", "-eo", "-mb", "-p", "7")
    result = site.run("jcq", "dump", place)
    assert result.ok() == "settings: 9, managers: 0, queues: 4, complexes: 1, requests: 3\n"
    assert result.err == ""
    assert modes(place) == {0o700}
    found = read_all(place)
    assert {rid: record.state for rid, record in found.items()} == {
        running: "RUNNING",
        held: "HELD",
        waiting: "WAITING",
    }
    assert found[held].environment[b"WORD"] == b"caf\xe9\n"
    assert (found[held].name, found[held].limits) == ("held", {"cpu_process": (600, 540)})
    assert (found[waiting].script, found[waiting].joined, found[waiting].priority) == (LONG.encode(), True, 7)
    marker = json.loads(text_of(place, "jcq-dump.json"))
    assert (marker["site"], marker["counts"]["requests"]) == ("one", 3)

    site.stop()
    before = text_of(site.directory, "database/site"), sorted(os.listdir(os.path.join(site.directory, "database")))
    again = f"{place}2"
    assert site.run("jcq", "dump", again).ok() == result.out
    assert not site.processes()
    after = text_of(site.directory, "database/site"), sorted(os.listdir(os.path.join(site.directory, "database")))
    assert after == before
    for name in CONFIGURATION:
        assert text_of(again, name) == text_of(place, name), name
    later = read_all(again)
    assert later[held] == found[held]
    assert later[waiting] == found[waiting]
    assert later.keys() == found.keys()
    assert later[running].state in ("RUNNING", "QUEUED")
    # It starts as if nothing had been.
    site.start()
    gate.open()
    assert site.qwait(running) == 0
    assert {one["id"] for one in site.qstat("-a")["requests"]} == {held, waiting}


def test_what_is_there_is_not_overwritten(site, place, tmp_path):
    os.mkdir(place, 0o755)
    site.run("jcq", "dump", place).ok()
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    before = sorted(os.listdir(place))
    site.run("jcq", "dump", place).refused("exists already", "nothing was written", exit_code=1)
    assert sorted(os.listdir(place)) == before
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    site.run("jcq", "dump", str(tmp_path / "file")).refused("exists already")
    site.run("jcq", "dump", str(tmp_path / "link")).refused("exists already")
    site.run("jcq", "dump", str(tmp_path / "none" / "dump")).refused("No such file or directory")
    site.run("jcq", "dump", "").refused("DIR is empty", exit_code=2)
    site.run("jcq", "dump").refused("Missing argument", exit_code=2)
    site.run("jcq", "dump", place, env={"NQS_SITE": "nosuchsite"}).refused("Unable to setup NQS rootdir")
    assert sorted(os.listdir(tmp_path)) == ["dump", "file", "link"]


def test_a_disk_that_is_full_leaves_nothing(site, place, tmp_path):
    held = site.qsub(LONG, "-q", "batch", "-a", "tomorrow")
    # A limit of the file's size, in blocks of 512 bytes, is the same to a writer.
    argv = ["/bin/sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *site.node.argv("jcq", "dump", place)]
    site.run(argv).refused("cannot be written", "File too large", "nothing was written")
    assert os.listdir(tmp_path) == []
    site.run("qdel", held).ok()


def test_a_request_that_cannot_be_dumped_is_told(site, place):
    lost = site.qsub("date\n", "-q", "batch", "-a", "tomorrow")
    os.unlink(os.path.join(site.directory, "requests", f"200-{lost.split('.')[0]}"))
    result = site.run("jcq", "dump", place)
    result.refused(f"jcq: request {lost} is not in the dump", exit_code=1)
    assert lost not in read_all(place)
    site.run("qdel", lost).ok()


def test_a_site_in_maintenance(site, place, tmp_path):
    site.node.run("nqsstop", "one").ok()
    site.run("jcq", "dump", place).refused("nqsdaemon does not answer", "nothing was written")
    assert os.listdir(tmp_path) == []
    site.node.run("nqsstart", "one").ok()
    site.wait_up()

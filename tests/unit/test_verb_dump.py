"""The verb dump: who may ask it, and that what it says is what the reader of the neutral layout reads."""

import json
import os

import pytest

from jcq.frames import netstring
from jcq.jcdbs import dump as parts
from jcq.model import lifecycle, limits, neutral
from jcq.model.neutral_lines import rid_of_file
from jcq.spoolconv.readers.neutral import read
from jcq.spoolconv.records import OldComplex, OldQueue, OldSetting
from jcq.spoolconv.source import Source
from support.deskwork import NOW_S, Work

ME = os.getuid()
MAKER = {"uid": 4242, "user": "maker"}


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path / "site")


def add(work, seq, script=b"date\n", environment=None, **fields):
    work.submit(seq, uid=ME, has_environment=environment is not None, **fields)
    path = os.path.join(work.desk.site.requests, f"200-{seq}")
    with open(path, "wb") as file:
        file.write(script)
    if environment is not None:
        with open(f"{path}.env", "wb") as file:
            file.write(b"".join(netstring(b"%b=%b" % pair) for pair in environment.items()))


def ask(work, *words):
    reply = work.call("dump", *words, **MAKER)
    assert (reply.exit_code, reply.err) == (0, "")
    return reply.out.encode("utf-8", "surrogateescape")


def records(work, top):
    """What spoolconv reads of all parts, written as `jcq dump` writes them."""
    top.mkdir()
    top.joinpath("files").mkdir()
    top.joinpath(neutral.MARKER).write_text('{"format": "jcq-dump", "version": 1}')
    site, *texts = ask(work, "configuration").split(b"\0")
    assert site == b"testsite"
    for stem, text in zip(parts.CONFIGURATION, texts, strict=True):
        top.joinpath(f"{stem}.jsonl").write_bytes(text)
    rids = ask(work, "live").decode().split()
    lines = ask(work, "requests", *rids) if rids else b""
    top.joinpath("requests.jsonl").write_bytes(lines)
    for line in map(json.loads, lines.splitlines()):
        for key in ("script_file", "environment_file"):
            if key in line:
                top.joinpath(line[key]).write_bytes(ask(work, "file", line[key]))
    with Source(top) as source:
        return list(read(source, NOW_S))


def requests(work, top):
    return {record.old_id: record for record in records(work, top) if hasattr(record, "old_id")}


@pytest.mark.parametrize("words", [("configuration",), ("live",), ("requests", "200-1"), ("file", "files/200-1")])
def test_only_managers_may(work, words):
    add(work, 1)
    reply = work.call("dump", *words)
    assert (reply.exit_code, reply.out) == (1, "")
    assert reply.err == "dump: smith may not dump site testsite; its managers, root and the user who made it may\n"
    work.store.run(work.store.set_manager("smith", "o"))
    assert work.call("dump", *words).exit_code == 1
    work.store.run(work.store.set_manager("smith", "m"))
    assert work.call("dump", *words).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [(), ("live", "x"), ("requests",), ("requests", *["200-1"] * 101), ("file",), ("configuration", "x")],
)
def test_what_is_no_part(work, words):
    reply = work.call("dump", *words, **MAKER)
    assert reply.exit_code == 2
    assert "is no part of a dump; use jcq dump" in reply.err


@pytest.mark.parametrize("name", ["files/200-9", "../site", "files/../../etc/passwd", ""])
def test_a_file_that_is_no_requests(work, name):
    reply = work.call("dump", "file", name, **MAKER)
    assert (reply.exit_code, reply.err) == (1, f"dump: there is no request {rid_of_file(name)[0]!r}\n")


def test_the_whole_configuration(work, tmp_path):
    run = work.store.run
    work.add_queue(
        name="night", priority=20, run_limit=4, user_limit=2, pipeonly=True, restart="STOP", background=True,
        restricted=True, users=("root:0", "gone:54321", "54322:54322"), groups=("root:0",), enabled=True,
    )  # fmt: skip
    run(work.store.edit_limit("night", {"cpu_process": (600, 540.5)}, NOW_S))
    run(work.store.edit_limit("night", {"memory_request": (1 << 40, None)}, NOW_S))
    work.add_queue(name="way", type="PIPE", destinations=("night", "batch"), started=True)
    run(work.store.edit_complex("both", "create", NOW_S, queues=("night", "batch"), run_limit=3))
    run(work.store.set_manager("bob", "o"))
    run(work.store.set_manager("al", "m"))
    run(work.store.set_param("shell_strategy", "/bin/sh", NOW_S))
    found = records(work, tmp_path / "d")
    settings = {record.name: record.value for record in found if isinstance(record, OldSetting)}
    assert {name: value for name, value in settings.items() if name.startswith("manager")} == {
        "manager:al": "m",
        "manager:bob": "o",
    }
    assert (settings["shell_strategy"], settings["run_limit"], settings["default_priority"]) == ("/bin/sh", "0", "31")
    assert neutral.SETTINGS.keys() <= settings.keys()
    queues = {record.name: record for record in found if isinstance(record, OldQueue)}
    assert sorted(queues) == ["batch", "guilb_def", "night", "way"]
    assert queues["night"] == OldQueue(
        "night", queues["night"].where, priority=20, run_limit=4, user_limit=2, enabled=True, started=False,
        pipeonly=True, restart="STOP", background=True, restricted=True, users=("54321", "54322", "root"),
        groups=("root",), limits={"cpu_process": (600, 540.5), "memory_request": (1 << 40, None)},
    )  # fmt: skip
    assert (queues["way"].type, queues["way"].destinations) == ("PIPE", ("night", "batch"))
    assert [record for record in found if isinstance(record, OldComplex)] == [
        OldComplex("both", "complexes.jsonl:1", 3, ("batch", "night"))
    ]


def test_all_that_a_submission_said(work, tmp_path):
    work.store.run(work.store.edit_limit("batch", {"cpu_request": (9, None)}, NOW_S))
    add(
        work, 12, b"\xff\0script", {b"A": b"1", b"B": b"\xe9\n="}, name="caf\udce9", priority=40, due_s=NOW_S + 60,
        restartable=False, umask=0o77, tz="CET", shell="/bin/ksh", out_path="/o", err_path="/e\udcff", keep_err=True,
        direct_out=True, mail_begin=True, mail_to="x@y", limits="cpu_process=60:50.5 memory_request=unlimited",
        variables="HOME=/h\0PATH=/bin:/usr/bin", home="/h",
    )  # fmt: skip
    add(work, 9)
    found = requests(work, tmp_path / "d")
    assert list(found) == ["9.testsite", "12.testsite"]
    record = found["12.testsite"]
    assert (record.script, record.environment) == (b"\xff\0script", {b"A": b"1", b"B": b"\xe9\n="})
    request = work.request(12)
    for name in (
        "name user uid gid queue submitted_to priority submitted_s due_s restartable workdir host umask tz shell"
        " out_path err_path joined keep_out keep_err direct_out direct_err mail_begin mail_end mail_to variables home"
        " attempt operator_hold suspended retried_s reason"
    ).split():
        assert getattr(record, name) == getattr(request, name), name
    assert record.limits == {"cpu_process": (60, 50.5), "memory_request": (None, None)}
    assert record.queue_limits == limits.from_text(request.queue_limits) != {}
    assert (record.state, record.nqs, record.identity, record.notes) == ("WAITING", True, "200-12", ())


def test_states_and_what_has_ended(work, tmp_path):
    for seq in range(1, 6):
        add(work, seq)
    work.store.run(work.store.hold(rid="200-1", reason="by an operator", uid=-1, now_s=NOW_S))
    work.register_worker()
    first, second = work.claim(2)
    work.finish(first, lifecycle.EXITED)
    found = requests(work, tmp_path / "d")
    ended = first.id
    assert ended not in found
    assert len(found) == 4
    assert (found["1.testsite"].state, found["1.testsite"].operator_hold) == ("HELD", True)
    assert (found[second.id].state, found[second.id].attempt) == ("RUNNING", 1)
    assert sorted(record.state for record in found.values()) == ["HELD", "QUEUED", "QUEUED", "RUNNING"]


def test_long_scripts_and_environments_are_files(work, tmp_path):
    script, environment = os.urandom(16 << 20), {b"A": os.urandom(neutral.INLINE_BYTES_MAX).replace(b"\0", b"x")}
    add(work, 1, script, environment)
    add(work, 2, b"x" * neutral.INLINE_BYTES_MAX, {})
    found = requests(work, tmp_path / "d")
    assert (found["1.testsite"].script, found["1.testsite"].environment) == (script, environment)
    assert (len(found["2.testsite"].script), found["2.testsite"].environment) == (neutral.INLINE_BYTES_MAX, {})
    assert sorted(os.listdir(tmp_path / "d" / "files")) == ["200-1", "200-1.env"]


def test_a_request_without_its_script_is_told_and_the_others_are_dumped(work):
    add(work, 1)
    add(work, 2)
    add(work, 3, environment={b"A": b"1"})
    os.unlink(os.path.join(work.desk.site.requests, "200-1"))
    with open(os.path.join(work.desk.site.requests, "200-3.env"), "wb") as file:
        file.write(b"3:A=1")
    reply = work.call("dump", "requests", "200-1", "200-2", "200-3", "200-99", **MAKER)
    assert reply.exit_code == 1
    assert [json.loads(line)["id"] for line in reply.out.splitlines()] == ["2.testsite"]
    first, second = reply.err.splitlines()
    assert first.startswith("request 1.testsite is not in the dump: ")
    assert first.endswith("/200-1: No such file or directory")
    assert second == "request 3.testsite is not in the dump: its environment file is damaged: a netstring is cut off"


def test_a_damaged_request_is_not_dumped(work):
    add(work, 1)
    work.connection.hset("jcq:request:200-1", "uid", ME + 1)
    reply = work.call("dump", "requests", "200-1", **MAKER)
    assert reply.out == ""
    assert reply.err == "request 1.testsite is not in the dump: the checksum of its record is wrong\n"

"""The reader of the neutral layout: one record a line, whatever stands in it."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from jcq.conf_files import conf_path
from jcq.model import neutral
from jcq.model.neutral_schema import schema
from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.readers.neutral import evidence, read
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.seen import Seen
from jcq.spoolconv.source import Source

README = Path(__file__).parents[2] / "README.md"
MARKER = {"format": "jcq-dump", "version": 1}
REQUEST = {"id": 17, "queue": "night", "user": "alice", "script": "date\n"}


def write(top, marker=MARKER, **files):
    """A dump; each file is bytes, or a list of what one line each is made of."""
    top.mkdir(exist_ok=True)
    top.joinpath(neutral.MARKER).write_text(json.dumps(marker))
    for stem, lines in files.items():
        if not isinstance(lines, bytes):
            lines = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        top.joinpath(f"{stem}.jsonl").write_bytes(lines)
    return top


def records(top):
    with Source(top) as source:
        assert evidence(source)
        return list(read(source, 0.0))


def one(top, line):
    (record,) = records(write(top, requests=[line]))
    return record


def refused(top):
    with pytest.raises(WrongLayout) as caught:
        records(top)
    return str(caught.value)


def test_the_published_schema_is_the_tables():
    assert json.loads(Path(conf_path("spoolconv", "neutral.schema.json")).read_bytes()) == schema()


def test_the_example_of_the_readme_is_a_dump(tmp_path):
    (example,) = re.findall(r"^```bash\n(mkdir old.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(example.splitlines()) == 5
    subprocess.run(["sh", "-ec", example], cwd=tmp_path, check=True)
    queue, request = records(tmp_path / "old")
    assert (queue.name, queue.run_limit) == ("night", 4)
    assert (request.old_id, request.user, request.script) == ("17", "alice", b"#!/bin/sh\ndate\n")


def test_the_least_of_each_kind(tmp_path):
    top = write(
        tmp_path / "d",
        settings=[{"name": "run_limit", "value": 7}, {"name": "mail_account", "value": "ops"}],
        managers=[{"name": "bob", "role": "o"}],
        queues=[{"name": "night"}],
        complexes=[{"name": "all", "run_limit": 3, "queues": ["night"]}],
        requests=[REQUEST],
    )
    assert records(top) == [
        OldSetting("run_limit", "7", "settings.jsonl:1"),
        OldSetting("mail_account", "ops", "settings.jsonl:2"),
        OldSetting("manager:bob", "o", "managers.jsonl:1"),
        OldQueue("night", "queues.jsonl:1"),
        OldComplex("all", "complexes.jsonl:1", 3, ("night",)),
        OldRequest("17", "requests.jsonl:1", "night", b"date\n", user="alice"),
    ]


def test_all_that_a_request_may_say(tmp_path):
    said = {
        "id": "12.old", "queue": "q", "user": "al", "uid": 1000, "gid": 4294967294, "state": "HELD",
        "script": "#!/bin/sh\n", "operator_hold": True, "suspended": False, "reason": "why",
        "name": "n\udce9", "priority": 63,
        "submitted_to": "pipe", "submitted_s": 1.5, "due_s": 2000000000, "retried_s": 3, "attempt": 2,
        "restartable": False, "workdir": "/w\udcff", "host": "h", "umask": "077", "tz": "CET", "shell": "/bin/sh",
        "stdout": "/o", "stderr": "/e", "joined": True, "keep_stdout": True, "keep_stderr": True,
        "direct_stdout": True, "direct_stderr": True, "mail_begin": True, "mail_end": True, "mail_to": "x@y",
        "limits": {"cpu_process": {"value": 60.5, "warning": 50}, "memory_request": {"value": None}},
        "queue_limits": {"cpu_request": {"value": 9}},
        "environment": {"A": "1", "B\udcff": "\udce9"}, "variables": {"HOME": "/h", "PATH": "/bin"}, "home": "/h",
        "after": [11, "9.old"], "nqs": True, "identity": "x",
    }  # fmt: skip
    assert one(tmp_path / "d", said) == OldRequest(
        "12.old", "requests.jsonl:1", "q", b"#!/bin/sh\n", "HELD", operator_hold=True, reason="why", name="n\udce9",
        user="al", uid=1000, gid=4294967294, priority=63, submitted_to="pipe", attempt=2, submitted_s=1.5,
        due_s=2e9, restartable=False, workdir="/w\udcff", host="h", umask=0o77, tz="CET", shell="/bin/sh",
        out_path="/o", err_path="/e", joined=True, keep_out=True, keep_err=True, direct_out=True, direct_err=True,
        mail_begin=True, mail_end=True, mail_to="x@y",
        limits={"cpu_process": (60.5, 50), "memory_request": (None, None)}, queue_limits={"cpu_request": (9, None)},
        environment={b"A": b"1", b"B\xff": b"\xe9"}, variables="HOME=/h\0PATH=/bin", home="/h", after=("11", "9.old"),
        retried_s=3.0, nqs=True, identity="x",
    )  # fmt: skip
    # Every key of the table was said, but for the other forms of script and environment.
    other = {*neutral.SCRIPT_KEYS[1:], *neutral.ENVIRONMENT_KEYS[1:]}
    assert said.keys() | other == neutral.BY_STEM["requests"].by_name.keys()


def test_scripts_and_environments_of_any_bytes(tmp_path):
    script, environment = bytes(range(256)), b"A=\xff\n\0B==\0"
    plain = {key: value for key, value in REQUEST.items() if key != "script"}
    coded = plain | {
        "script_base64": base64.b64encode(script).decode(),
        "environment_base64": base64.b64encode(environment).decode(),
    }
    filed = plain | {"id": 18, "script_file": "sub/18", "environment_file": "sub/18.env"}
    top = write(tmp_path / "d", requests=[coded, filed, REQUEST | {"id": 19, "script": "caf\udce9 \udcc3\udca9 \0"}])
    top.joinpath("sub").mkdir()
    top.joinpath("sub/18").write_bytes(script)
    top.joinpath("sub/18.env").write_bytes(environment)
    first, second, third = records(top)
    assert (first.script, first.environment) == (script, {b"A": b"\xff\n", b"B": b"="})
    assert (second.script, second.environment) == (first.script, first.environment)
    assert (third.script, third.environment) == (b"caf\xe9 \xc3\xa9 \0", None)


def test_null_is_as_not_there(tmp_path):
    line = REQUEST | {"uid": None, "script_file": None, "environment": None, "limits": None, "after": None}
    assert one(tmp_path / "d", line) == OldRequest("17", "requests.jsonl:1", "night", b"date\n", user="alice")


def test_what_is_not_known_is_noted(tmp_path):
    line = REQUEST | {"colour": "red", "limits": {"beer": {"value": 1}, "cpu_process": {"value": 5, "warning": 6}}}
    record = one(tmp_path / "d", line)
    assert record.limits == {"cpu_process": (5, None)}
    assert record.notes == (
        "key 'colour' is not known",
        "limit 'beer' is not known",
        "the warning value of cpu_process is above the limit",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": None}, "neither user nor uid is given"),
        ({"script": None}, "exactly one of script, script_base64, script_file must be given"),
        ({"script_file": "x"}, "exactly one of script, script_base64, script_file must be given"),
        ({"environment": {}, "environment_file": "x"}, "only one of environment, environment_base64, environment_file"),
        ({"id": None}, "id must be a number"),
        ({"id": "two words"}, "id has a value that it may not have: 'two words'"),
        ({"id": True}, "id must be a number"),
        ({"queue": ""}, "queue must have from 1 to 4096 characters"),
        ({"queue": "q\0"}, r"queue has a value that it may not have: 'q\x00'"),
        ({"uid": 4294967295}, "uid must be from 0 to 4294967294"),
        ({"uid": -1}, "uid must be from 0 to 4294967294"),
        ({"uid": 1.5}, "uid must be a whole number"),
        ({"priority": 64}, "priority must be from 0 to 63"),
        ({"submitted_s": 1e30}, "submitted_s must be from 0 to 253402300799"),
        ({"joined": 1}, "joined must be true or false"),
        ({"state": "DONE"}, "state must be one of QUEUED, WAITING, HELD, RUNNING"),
        ({"state": ["QUEUED"]}, "state must be one of QUEUED, WAITING, HELD, RUNNING"),
        ({"workdir": "home"}, "workdir has a value that it may not have: 'home'"),
        ({"umask": "1000"}, "umask has a value that it may not have: '1000'"),
        ({"umask": 22}, "umask must be a text"),
        ({"name": "\ud800"}, r"name has a value that it may not have: '\ud800'"),
        ({"script": "\ud800"}, "script has half a character"),
        ({"environment": {"A=": "1"}}, "environment has a value that it may not have: 'A='"),
        ({"environment": {"A": 1}}, "environment: 'A' must be a text"),
        ({"environment": []}, "environment must be an object in braces"),
        ({"environment_base64": "QQA="}, "the environment has a part that is no NAME=VALUE: b'A'"),
        ({"environment_base64": "Q Q=="}, "environment_base64 has a value that it may not have: 'Q Q=='"),
        ({"limits": {"cpu_process": 5}}, 'limits: cpu_process must be {"value": ...}'),
        ({"limits": {"cpu_process": {"value": 0}}}, "limits: cpu_process must be from 0.001 to"),
        ({"limits": {"nice_process": {"value": None}}}, "limits: nice_process must be a number"),
        ({"limits": {"nice_process": {"value": 1, "warning": 1}}}, "limits: nice_process has no warning"),
        ({"after": "11"}, "after must be a list"),
        ({"script": None, "script_file": "../x"}, "script_file has a value that it may not have: '../x'"),
        ({"script": None, "script_file": "/etc/passwd"}, "script_file has a value that it may not have: '/etc/passwd'"),
        ({"script": None, "script_file": "none"}, "none: No such file or directory"),
        ({"script": None, "script_file": "a\ufeff"}, r"'a\ufeff': No such file or directory"),
        ({"script": None, "script_file": "link"}, "link: it is a symbolic link"),
        ({"script": None, "script_file": "huge"}, "huge: it has 16777217 bytes, more than 16777216"),
    ],
)
def test_a_wrong_value_is_a_skip(tmp_path, change, reason):
    top = write(tmp_path / "d", requests=[REQUEST | change, REQUEST | {"id": 2}])
    top.joinpath("link").symlink_to("huge")
    with open(top / "huge", "wb") as file:
        file.truncate((1 << 24) + 1)
    bad, good = records(top)
    assert isinstance(bad, Skip)
    assert (bad.where, bad.kind) == ("requests.jsonl:1", "request")
    assert reason in bad.reason
    assert good.old_id == "2"
    assert bad.old_id == ("17" if "id" not in change else "two words" if change["id"] == "two words" else "")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "there is nothing in it"),
        (b'{"id": \n', "it is no JSON: Expecting value at character"),
        (b'{"id": "\xff"}\n', "it is no UTF-8 at byte 8"),
        (b"[]\n", "it is no object in braces"),
        (b'"x"\n', "it is no object in braces"),
        (b'{"id": 1, "id": 2}\n', "key 'id' stands twice"),
        (b'{"id": NaN}\n', "it is no JSON: NaN is no number"),
        (b'{"id": ' + b"9" * 5000 + b"}\n", "Exceeds the limit"),
        (b"[" * 100_000 + b"\n", "it is no JSON: its braces are too deep"),
        (b'"' + b"x" * neutral.LINE_BYTES_MAX + b'"\n', "the line has more than 4194304 bytes"),
    ],
)
def test_a_line_that_is_none_is_a_skip(tmp_path, line, reason):
    before, bad, after = records(write(tmp_path / "d", requests=[REQUEST, line, REQUEST | {"id": 18}]))
    assert (before.old_id, after.old_id) == ("17", "18")
    assert (bad.where, bad.kind) == ("requests.jsonl:2", "request")
    assert reason in bad.reason


def test_the_second_of_two_is_a_skip(tmp_path):
    top = write(
        tmp_path / "d",
        queues=[{"name": "a"}, {"name": "a"}],
        requests=[REQUEST | {"script": None}, REQUEST, REQUEST | {"id": "17"}],
    )
    found = records(top)
    assert [(type(record), getattr(record, "reason", "")) for record in found[:2]] == [
        (OldQueue, ""),
        (Skip, "name 'a' stood in a line before"),
    ]
    assert [type(record) for record in found[2:]] == [Skip, OldRequest, Skip]
    assert found[4].reason == "id '17' stood in a line before"


def test_a_last_line_without_its_newline_and_one_that_is_cut(tmp_path):
    whole = json.dumps(REQUEST).encode()
    (found,) = records(write(tmp_path / "d", requests=whole))
    assert found.old_id == "17"
    (found,) = records(write(tmp_path / "d", requests=whole[:-3]))
    assert isinstance(found, Skip)


def test_counts_of_the_marker(tmp_path):
    lines = [REQUEST, REQUEST | {"id": 18}]
    marker = MARKER | {"counts": {"requests": 2, "queues": 0}}
    assert len(records(write(tmp_path / "d", marker, requests=lines))) == 2
    write(tmp_path / "d", marker, requests=lines[:1])
    assert refused(tmp_path / "d").startswith("requests.jsonl has 1 lines, and jcq-dump.json says 2: copy")
    os.unlink(tmp_path / "d" / "requests.jsonl")
    assert "requests.jsonl is missing, and jcq-dump.json says 2" in refused(tmp_path / "d")
    assert records(write(tmp_path / "e", MARKER | {"counts": {"requests": 0}})) == []


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ({}, 'jcq-dump.json does not say "format": "jcq-dump"'),
        ([], 'jcq-dump.json does not say "format": "jcq-dump"'),
        ({"format": "jcq-dump"}, "jcq-dump.json has version 'None'; this jcq reads version 1"),
        (MARKER | {"version": 2}, "jcq-dump.json has version '2'; this jcq reads version 1"),
        (MARKER | {"version": True}, "jcq-dump.json has version 'True'; this jcq reads version 1"),
        (MARKER | {"counts": []}, 'jcq-dump.json: "counts" must have numbers of lines'),
        (MARKER | {"counts": {"requests": "2"}}, 'jcq-dump.json: "counts" must have numbers of lines'),
        (MARKER, "beside jcq-dump.json there is none of settings.jsonl, managers.jsonl"),
    ],
)
def test_a_marker_that_is_none(tmp_path, marker, reason):
    assert refused(write(tmp_path / "d", marker)).startswith(reason)


def test_a_marker_that_cannot_be_read(tmp_path):
    write(tmp_path / "d")
    tmp_path.joinpath("d", neutral.MARKER).write_bytes(b"\xff")
    assert refused(tmp_path / "d") == "jcq-dump.json: it is no UTF-8 at byte 0"
    tmp_path.joinpath("d", neutral.MARKER).write_text("{")
    assert refused(tmp_path / "d").startswith("jcq-dump.json: it is no JSON")
    os.unlink(tmp_path / "d" / neutral.MARKER)
    os.symlink("/dev/zero", tmp_path / "d" / neutral.MARKER)
    assert refused(tmp_path / "d") == "jcq-dump.json: it is a symbolic link"


def test_files_that_are_none_of_the_layout(tmp_path):
    top = write(tmp_path / "d", requests=[REQUEST], request=[REQUEST])
    top.joinpath("notes.txt").write_text("x")
    os.mkfifo(top / "queues.jsonl")
    stray, pipe, found = records(top)
    assert (stray.where, stray.kind) == ("request.jsonl", "file")
    assert stray.reason.startswith("no file of this layout; there are settings.jsonl, managers.jsonl")
    assert pipe == Skip("queues.jsonl", "it is no regular file", kind="file")
    assert found.old_id == "17"


def test_another_directory_is_no_evidence(tmp_path):
    with Source(tmp_path) as source:
        assert evidence(source) == ""


def test_a_file_that_grows_while_it_is_read(tmp_path):
    top = write(tmp_path / "d", requests=[REQUEST, REQUEST | {"id": 18}])
    with Source(top) as source:
        found = []
        for record in read(source, 0.0):
            found.append(record)
            with open(top / "requests.jsonl", "ab") as file:
                file.write(b"{}\n")
    assert [record.where for record in found] == ["requests.jsonl:1", "requests.jsonl:2", "requests.jsonl"]
    assert found[-1] == Skip("requests.jsonl", "it changed while it was read", kind="file")


def test_seen_knows_ten_thousand_names():
    seen = Seen()
    names = [f"{number}.host" for number in range(10_000)]
    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1000])
def test_lines_whatever_the_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr("jcq.spoolconv.source._BLOCK_BYTES", block)
    (tmp_path / "f").write_bytes(b"one\n\ntoolong\nfour\nrest")
    with Source(tmp_path) as source:
        assert list(source.lines("f", 4)) == [(1, b"one"), (2, b""), (3, None), (4, b"four"), (5, b"rest")]

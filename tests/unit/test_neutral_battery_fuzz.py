"""A fuzzer over the reader of the neutral layout: broken dumps give records, skips or one clean error, soon."""

import json
import os
import random
import time

import pytest

from jcq.model import neutral
from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.readers.neutral import evidence, read
from jcq.spoolconv.records import STATES, OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.source import Source

FILES = {
    neutral.MARKER: b'{"format": "jcq-dump", "version": 1, "counts": {"requests": 3, "queues": 2}}\n',
    "settings.jsonl": b'{"name": "run_limit", "value": 7}\n{"name": "shell_strategy", "value": "FREE"}\n',
    "managers.jsonl": b'{"name": "bob", "role": "o"}\n',
    "queues.jsonl": b'{"name": "night", "priority": 3, "limits": {"cpu_process": {"value": 60.5, "warning": 50}}}\n'
    b'{"name": "way", "type": "PIPE", "destinations": ["night"]}\n',
    "complexes.jsonl": b'{"name": "all", "run_limit": 3, "queues": ["night"]}\n',
    "requests.jsonl": b'{"id": 17, "queue": "night", "user": "al", "script": "w\\n", "environment": {"A": "\\udce9"}}\n'
    b'{"id": "18.h", "queue": "night", "uid": 0, "script_file": "18", "environment_file": "18.env", "due_s": 1.5e9}\n'
    b'{"id": "19.h", "queue": "way", "uid": 1, "script_base64": "ZGF0ZQo=", "state": "HELD", "umask": "077"}\n',
    "18": b"#!/bin/sh\ndate\n",
    "18.env": b"A=1\0B=\xff\0",
}
#: What is put in the place of something else.
PIECES = (
    b"", b"\n", b"\0", b"{", b"}", b"[", b'"', b"\\u0000", b"\\ud800", b"\xff", b"-1", b"1e999", b"NaN", b"null",
    b"true", b"9" * 400, b"[" * 5000, b'"a"', b"{}", b"[]", b"..", b"/", b"18", b": ", b", ", b"A" * 5000, b"\r\n",
    b"\xef\xbb\xbf",
)  # fmt: skip
#: One broken dump is read within this, by far.
LIMIT_S = 60
CHARACTERS_MAX = 1000


def mutated(data, dice):
    """The bytes with one to four changes."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(data))
        kind = dice.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at : at + dice.randint(0, 20)] = dice.choice(PIECES)
        elif kind == 2:
            data[at:at] = dice.choice(PIECES)
        elif kind == 3:
            del data[at:]
        else:
            start = dice.randint(0, len(data))
            data[at:at] = data[start : start + dice.randint(0, 60)]
    return bytes(data)


def sound(record):
    """Whether it is a record that a converter can take as it is."""
    if isinstance(record, Skip):
        return record.where and (record.reason + record.old_id).isprintable() and len(record.reason) < CHARACTERS_MAX
    notes = all(note.isprintable() and len(note) < CHARACTERS_MAX for note in record.notes)
    if isinstance(record, OldSetting):
        return notes and type(record.value) is str
    if isinstance(record, OldQueue | OldComplex):
        return notes and record.name and type(record.run_limit) is int
    assert isinstance(record, OldRequest)
    assert record.state in STATES
    assert record.user or record.uid >= 0
    assert type(record.script) is bytes
    for name, value in (record.environment or {}).items():
        assert name
        assert b"=" not in name
        assert b"\0" not in name + value
    for text in (record.name, record.user, record.workdir, record.host, record.out_path, record.reason):
        assert "\0" not in text
        os.fsencode(text)
    return notes and not set(record.old_id) & {"\0", "\n", "\x1b", " ", "\x7f", "\x9b"}


@pytest.fixture
def dump(tmp_path):
    """A dump that is right."""
    for name, data in FILES.items():
        tmp_path.joinpath(name).write_bytes(data)
    return tmp_path


def lines_of(top):
    """How many lines each file has."""
    found = {}
    for kind in neutral.KINDS:
        data = top.joinpath(kind.file).read_bytes()
        found[kind.file] = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return found


def test_broken_dumps(dump, battery):
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    outcomes = {"whole": 0, "skips": 0, "refused": 0}
    for round_ in range(20_000 if battery.full else 400):
        name = dice.choice(list(FILES))
        dump.joinpath(name).write_bytes(mutated(FILES[name], dice))
        begun = time.monotonic()
        try:
            with Source(dump) as source:
                assert evidence(source)
                found = list(read(source, 0.0))
        except WrongLayout as error:
            outcomes["refused" if str(error).isprintable() else "a line that is none"] += 1
        except Exception as error:
            raise AssertionError(
                f"seed {seed}, round {round_}, {name}: {dump.joinpath(name).read_bytes()!r}"
            ) from error
        else:
            what = f"seed {seed}, round {round_}, {name}: {found}"
            assert all(sound(record) for record in found), what
            counts = dict.fromkeys(lines_of(dump), 0)
            for record in found:
                counts[record.where.partition(":")[0]] += 1
            assert counts == lines_of(dump), what
            skips = [record for record in found if isinstance(record, Skip)]
            outcomes["skips" if skips else "whole"] += 1
        assert time.monotonic() - begun < LIMIT_S, f"seed {seed}, round {round_}"
        dump.joinpath(name).write_bytes(FILES[name])
    assert all(outcomes.values()), outcomes


def test_the_dump_itself_is_right(dump):
    with Source(dump) as source:
        found = list(read(source, 0.0))
    assert len(found) == 9
    assert not [record for record in found if isinstance(record, Skip) or record.notes]
    assert json.loads(FILES[neutral.MARKER])["counts"]["requests"] == 3

"""Damaged spools and damaged descriptions: only clean errors, skips or valid records, in bounded time and memory."""

import math
import os
import re
import time
import tracemalloc

import pytest

from jcq.model import limits
from jcq.model.queue import PRIORITY_MAX, TYPES
from jcq.model.request import SCRIPT_BYTES_MAX
from jcq.model.restart import ATTRIBUTES
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.declared import reader
from jcq.spoolconv.readers.declared.probe import probe
from jcq.spoolconv.records import STATES, OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.source import Source
from support.declared_spool import LAYOUTS, Writer

CLOCK_S = 1_800_000_000.0
#: One reading of the small sample takes some hundredths of a second of processor time and a few megabytes.
LIMIT_S, LIMIT_BYTES = 60, 100 * 1024 * 1024
#: Bytes that make trouble in numbers and texts.
ODD = [b"\0", b"\xff", b"\x7f", b"\x80", b"/", b"\n", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x80", b"\0" * 8]


@pytest.fixture(scope="module", params=["32 bit big-endian", "64 bit little-endian"])
def sample(request, tmp_path_factory):
    assert request.param in LAYOUTS
    return Writer(tmp_path_factory.mktemp("declared"), request.param).write()


def check_text(*texts):
    for text in texts:
        assert isinstance(text, str)
        assert "\0" not in text
        os.fsencode(text)


def check(record):
    """A record is what its class promises."""
    assert isinstance(record, OldRequest | OldQueue | OldComplex | OldSetting | Skip)
    check_text(record.where)
    assert record.where
    if isinstance(record, Skip):
        check_text(record.reason, record.old_id)
        assert record.reason
        assert record.kind in ("request", "queue", "complex", "setting", "file")
        return
    for note in record.notes:
        check_text(note)
    if isinstance(record, OldSetting):
        check_text(record.name, record.value)
        assert record.name
        return
    if isinstance(record, OldRequest):
        check_request(record)
        return
    check_text(record.name)
    assert record.name
    assert 1 <= record.run_limit <= 100_000
    if isinstance(record, OldQueue):
        assert record.type in TYPES
        assert record.restart in ATTRIBUTES
        assert 0 <= record.priority <= PRIORITY_MAX
        assert 0 <= record.user_limit <= 100_000
        check_text(*record.destinations, *record.users, *record.groups)
        check_limits(record.limits)
    else:
        check_text(*record.queues)


def check_request(record):
    check_text(record.old_id, record.queue, record.name, record.user, record.host, record.tz, record.mail_to)
    assert record.old_id
    assert record.queue
    assert record.user or record.uid >= 0
    assert -1 <= record.uid < 2**32 - 1
    assert -1 <= record.gid < 2**32 - 1
    assert record.state in STATES
    assert record.priority is None or 0 <= record.priority <= PRIORITY_MAX
    assert record.umask is None or 0 <= record.umask <= 0o777
    for seconds in (record.submitted_s, record.due_s, record.retried_s):
        assert isinstance(seconds, float)
        assert math.isfinite(seconds)
        assert 0 <= seconds < 4_102_444_800
    for path in (record.workdir, record.shell, record.out_path, record.err_path):
        check_text(path)
        assert path == "" or path.startswith("/")
    assert 0 < len(record.script) <= SCRIPT_BYTES_MAX
    assert b"\0" not in record.script
    for name, value in (record.environment or {}).items():
        assert isinstance(name, bytes)
        assert isinstance(value, bytes)
        assert b"\0" not in name + value
    check_text(*record.after)
    check_limits(record.limits)


def check_limits(found):
    # They are stored as text, and what is stored must be readable again.
    assert limits.from_text(limits.to_text(found)) == found


def read(directory, description):
    """Read all, within the bounds; -> how many records of each class."""
    begun = time.process_time()
    counts, refused = {}, None
    with Source(directory) as source:
        try:
            for record in reader.read(source, CLOCK_S, description):
                check(record)
                counts[type(record)] = counts.get(type(record), 0) + 1
                assert time.process_time() - begun < LIMIT_S
        except (WrongLayout, Unreadable) as error:
            refused = str(error)
    assert refused is None or (refused and not counts)
    assert time.process_time() - begun < LIMIT_S
    return counts


def damage(chance, data):
    """The bytes of a file, changed somewhere."""
    data = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(5)
        if what == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif what == 1:
            piece = chance.choice(ODD)
            data[at : at + len(piece)] = piece
        elif what == 2:
            del data[at : at + chance.randrange(1, 40)]
        elif what == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 40))
        else:
            del data[at:]
    return bytes(data)


def files_of(directory):
    for place, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 1 << 20:
                yield path


def test_damaged_spools(sample, battery):
    chance = battery.random("declared spools")
    paths = sorted(files_of(sample.directory))
    whole = read(sample.directory, sample.description)
    tracemalloc.start()
    for _ in range(battery.count(15, 3000)):
        kept = {}
        for path in chance.sample(paths, chance.randrange(1, 12)):
            with open(path, "rb") as file:
                kept[path] = file.read(), os.stat(path)
            with open(path, "wb") as file:
                file.write(damage(chance, kept[path][0]))
        moved = chance.choice(paths), chance.choice(paths) + chance.choice(["0", "\udcff", " "])
        os.rename(*moved)
        try:
            read(sample.directory, sample.description)
        finally:
            os.rename(*reversed(moved))
            for path, (data, status) in kept.items():
                with open(path, "wb") as file:
                    file.write(data)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert tracemalloc.get_traced_memory()[1] < LIMIT_BYTES
    tracemalloc.stop()
    assert read(sample.directory, sample.description) == whole


_WORD = re.compile(rb"[\w.@]+|\"[^\"\n]*\"|\{[^{}\n]*\}")
_NUMBER = re.compile(rb"(?<== )\d+")
_NAME = re.compile(rb"\"[\w@]+\"")


def damaged_description(chance, text):
    """The text of a description, changed somewhere; half of the changes are of a kind that a checker may accept."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        pattern = chance.choice([_NUMBER, _NUMBER, _NAME, _WORD])
        match = chance.choice(list(pattern.finditer(text)))
        odd = str(chance.choice([0, 1, 7, 64, 255, 4096, 2**31, 2**64, -1])).encode()
        if pattern is _NUMBER:
            new = chance.choice([str(max(0, int(match[0]) + chance.randrange(-8, 9))).encode(), odd])
        elif pattern is _NAME:
            new = chance.choice(_NAME.findall(text))
        else:
            words = [odd, b"", b'"*"', b"true", b"[1]", damage(chance, match[0]), chance.choice(_WORD.findall(text))]
            new = chance.choice(words)
        text = text[: match.start()] + new + text[match.end() :]
    return text


def test_damaged_descriptions(sample, battery, tmp_path):
    chance = battery.random("declared descriptions")
    with open(sample.description, "rb") as file:
        whole = re.sub(rb"(?m)^#.*\n", b"", file.read())
    path = tmp_path / "damaged.toml"
    accepted = 0
    for _ in range(battery.count(60, 5000)):
        path.write_bytes(damaged_description(chance, whole))
        accepted += bool(read(sample.directory, path))
    # Not all of the damage is refused at once, or this shows nothing about the reader.
    assert accepted > 0


def test_noise_in_place_of_each_file(sample, battery):
    chance = battery.random("declared noise")
    for path in sorted(files_of(sample.directory))[:: battery.count(7, 1)]:
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(chance.randbytes(chance.choice([0, 1, 100, 5000])))
        try:
            read(sample.directory, sample.description)
        finally:
            with open(path, "wb") as file:
                file.write(data)


def test_a_large_table_of_noise_is_read_in_bounded_time(sample, battery):
    path = os.path.join(sample.directory, "database", "queues")
    with open(path, "rb") as file:
        data = file.read()
    size = battery.count(1, 32) << 20
    for content in (battery.random("declared table").randbytes(size), b"\0" * size, b"\xff" * size):
        with open(path, "wb") as file:
            file.write(content)
        read(sample.directory, sample.description)
    with open(path, "wb") as file:
        file.write(data)


def test_memory_does_not_grow_with_the_requests(battery, tmp_path):
    writer, peaks = Writer(tmp_path, "32 bit big-endian"), []
    more = battery.count(800, 50_000)
    for count in (200, more):
        spool = writer.write(count)
        tracemalloc.start()
        assert read(spool.directory, spool.description)[OldRequest] > count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Names of one directory and eight bytes for each id and file; a request itself has a kilobyte and more.
    assert peaks[1] - peaks[0] < 200 * more, peaks


def test_probe_of_damaged_spools(sample, battery):
    chance = battery.random("declared probe")
    paths = sorted(files_of(sample.directory))
    for _ in range(battery.count(3, 200)):
        path = chance.choice(paths)
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(damage(chance, data))
        try:
            with Source(sample.directory) as source:
                for line in [*probe(source), *probe(source, sample.description, CLOCK_S)]:
                    assert line.isprintable()
        finally:
            with open(path, "wb") as file:
                file.write(data)

"""Spools of C structures, written by a C program in four layouts, are read as it says that it wrote them."""

import os
import stat

import pytest

from jcq.spoolconv import source as source_module
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.declared import description, look, reader
from jcq.spoolconv.readers.declared.probe import probe
from jcq.spoolconv.readers.declared.recognition import signs
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.source import Source
from support import skips
from support.declared_spool import LAYOUTS, Writer, example

CLOCK_S = 1_800_000_000.0
STATES = {1: "QUEUED", 2: "RUNNING", 3: "WAITING", 4: "HELD"}
MEMORY_UNITS = {1: 1, 2: 1024, 3: 1024 * 1024}


@pytest.fixture(scope="module", params=LAYOUTS)
def writer(request, tmp_path_factory):
    return Writer(tmp_path_factory.mktemp("declared"), request.param)


@pytest.fixture(scope="module")
def written(writer):
    return writer.write()


@pytest.fixture(scope="module")
def one_writer(tmp_path_factory):
    return Writer(tmp_path_factory.mktemp("declared"), "32 bit big-endian")


@pytest.fixture
def spool(one_writer):
    return one_writer.write()


@pytest.fixture
def records(written):
    return read(written)


def read(spool, told=None):
    with Source(spool.directory) as source:
        return list(reader.read(source, CLOCK_S, told or spool.description))


def text(truth, key):
    return os.fsdecode(bytes.fromhex(truth[key]))


def told(spool, what):
    return [one for one in spool.truth if one["what"] == what]


def one_at(records, where):
    (found,) = [record for record in records if record.where == where]
    return found


def environment_of(truth):
    entries = bytes.fromhex(truth["environment"]).split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if entry)


def expected(truth):
    """What a request of this truth must be."""
    flags, due = truth["flags"], truth["after_time"]
    limits = {}
    if truth["limits_set"] & 1:
        value = None if truth["cpu"] == -1 else truth["cpu"]
        limits["cpu_process"] = (value, truth["cpu_warn"] or None)
    if truth["limits_set"] & 2:
        limits["memory_process"] = (truth["memory"] * MEMORY_UNITS[truth["memory_unit"]], None)
    return OldRequest(
        old_id=f"{truth['seqno']}.{text(truth, 'host').rstrip()}",
        where=truth["where"],
        queue=text(truth, "queue"),
        script=bytes.fromhex(truth["script"]),
        state=STATES[truth["status"]],
        operator_hold=bool(flags & 8),
        name=text(truth, "reqname"),
        user=text(truth, "user"),
        uid=truth["uid"],
        gid=truth["gid"],
        priority=truth["priority"],
        submitted_s=float(truth["created"]),
        due_s=float(due),
        restartable=not flags & 4,
        workdir=text(truth, "workdir"),
        host=text(truth, "host").rstrip(),
        umask=truth["mask"],
        shell=text(truth, "shell"),
        out_path=text(truth, "out"),
        err_path=text(truth, "err"),
        joined=bool(flags & 16),
        mail_begin=bool(flags & 1),
        mail_end=bool(flags & 2),
        mail_to=text(truth, "mail_to"),
        limits=limits,
        environment=environment_of(truth),
        after=(str(truth["waits_for"]),) if truth["waits_for"] else (),
    )


# --- what was written is read ----------------------------------------------------------------


def test_the_example_describes_one_of_the_layouts(one_writer):
    assert one_writer.description() == example()


def test_every_field_of_a_request(written, records):
    good = [one for one in told(written, "request") if one["expect"] == "same"]
    assert len(good) == 5
    for truth in good:
        assert one_at(records, truth["where"]) == expected(truth)


def test_every_field_of_a_queue(written, records):
    found = [record for record in records if isinstance(record, OldQueue)]
    told_queues = told(written, "queue")
    assert [queue.name for queue in found] == [text(one, "name") for one in told_queues]
    for queue, truth in zip(found, told_queues, strict=True):
        flags = truth["flags"]
        if queue.name == "bad":
            assert (queue.enabled, queue.started, queue.limits, queue.run_limit) == (False, False, {}, 1)
            assert [note.split(":")[0] for note in queue.notes] == [
                "priority",
                "run_limit",
                "restart",
                "limit cpu_request",
                "closed until this is looked at",
            ]
            continue
        cpu = {0: {}, -1: {"cpu_request": (None, None)}}
        assert queue == OldQueue(
            name=text(truth, "name"),
            where=queue.where,
            type="PIPE" if flags & 8 else "BATCH",
            priority=truth["priority"],
            run_limit=truth["run_limit"],
            enabled=bool(flags & 1),
            started=bool(flags & 2),
            pipeonly=bool(flags & 4),
            destinations=("batch", "night")[: truth["destinations"]],
            restart=("RESTART", "PURGE", "STOP")[truth["restart"]],
            limits=cpu.get(truth["cpu"], {"cpu_request": (truth["cpu"], None)}),
            restricted=bool(flags & 16),
            users=("501", "0", "4000000000")[: truth["users"]],
        )


def test_complexes_settings_and_what_is_no_queue(records):
    assert [one for one in records if isinstance(one, OldComplex)] == [
        OldComplex("both", "database/queues#4", 5, ("batch", "night"))
    ]
    assert [(one.name, one.value) for one in records if isinstance(one, OldSetting)] == [
        ("manager:root", "m"),
        ("manager:oper", "o"),
        ("seq", "4711"),
    ]
    skips_of_tables = [one for one in records if isinstance(one, Skip) and one.where.startswith("database")]
    assert [(one.kind, one.reason.split(":")[0]) for one in skips_of_tables] == [
        ("file", "a device"),
        ("queue", "name"),
        ("queue", "there is another queue batch"),
        ("file", "1024 bytes at 2048 begin with a size of 5000, which cannot be"),
        ("setting", "value"),
        ("setting", "5 bytes at its end are no manager of 20"),
    ]


# --- what cannot be carried is told ----------------------------------------------------------


def test_each_trouble_is_a_note_a_hold_or_a_skip(written, records):
    for truth in told(written, "request"):
        verdict, _, about = truth["expect"].partition(" ")
        found = one_at(records, truth["where"])
        if verdict == "skip":
            assert isinstance(found, Skip), found
            assert (found.kind, found.reason.startswith(about)) == ("request", True), found
        elif verdict in ("note", "held"):
            assert isinstance(found, OldRequest), found
            assert found.notes[0].startswith(f"{about}: "), found
            assert (found.state, found.operator_hold) == (("QUEUED", False) if verdict == "note" else ("HELD", True))
            # What is in doubt is left out, and the rest is as it was.
            assert (found.user, found.uid, found.queue) == (text(truth, "user"), truth["uid"], text(truth, "queue"))
            assert found.script == bytes.fromhex(truth["script"])


def test_every_file_is_in_exactly_one_record(written, records):
    for truth in told(written, "file") + told(written, "second request"):
        assert isinstance(one_at(records, truth["where"]), Skip)
    for directory, _, names in os.walk(os.path.join(written.directory, "control")):
        for name in names:
            where = os.path.relpath(os.path.join(directory, name), written.directory)
            assert len([one for one in records if one.where == where]) == 1, where
    assert len({one.where for one in records}) == len(records)


def test_the_wrong_byte_order_makes_no_request(writer, written, tmp_path):
    other = "little" if writer.order == "big" else "big"
    path = tmp_path / "other.toml"
    path.write_text(writer.description().replace(f'byte_order = "{writer.order}"', f'byte_order = "{other}"'))
    records = read(written, path)
    assert not [one for one in records if isinstance(one, OldRequest | OldQueue | OldComplex)]
    assert "its byte order is another" in one_at(records, "control/1/00001000003").reason


def test_the_wrong_word_size_makes_no_wrong_owner(writer, written, tmp_path):
    path = tmp_path / "other.toml"
    path.write_text(writer.description().replace(f"long_bits = {writer.bits}", f"long_bits = {96 - writer.bits}"))
    if writer.bits == 32:
        with pytest.raises(WrongLayout, match="correct an offset, a length or long_bits"):
            read(written, path)
        return
    truth = {one["where"]: one for one in told(written, "request")}
    for record in read(written, path):
        if isinstance(record, OldRequest):
            assert (record.user, record.uid) == (text(truth[record.where], "user"), truth[record.where]["uid"])


def test_two_control_files_with_one_script(spool, tmp_path):
    path = tmp_path / "any.toml"
    text = example().replace("control/{sub}/{seq}{mid}", "control/*/{seq}{mid}")
    path.write_text(text.replace("data/{sub}/{seq}{mid}{file}", "data/*/{seq}{mid}{file}"))
    records = read(spool, path)
    assert isinstance(one_at(records, "control/1/00001000003"), OldRequest)
    second = one_at(records, "control/2/00001000003")
    assert isinstance(second, Skip)
    assert second.reason == "script: data/1/00001000003000 is another request's too"


def test_two_control_files_of_one_id(spool, tmp_path):
    path = tmp_path / "any.toml"
    path.write_text(example().replace('"{seqno}.{host}"', '"{machine}.{host}"'))
    records = read(spool, path)
    assert [one.old_id for one in records if isinstance(one, OldRequest)] == ["3.oldhost"]
    assert len([one for one in records if "there is another request 3.oldhost" in getattr(one, "reason", "")]) > 5


def test_a_file_that_changes_while_it_is_read(spool, monkeypatch):
    whole = source_module._whole

    def grows(fd, bytes_max):
        data = whole(fd, bytes_max)
        with open(f"/proc/self/fd/{fd}", "rb") as file:
            path = os.path.realpath(file.name)
        if path.endswith("/control/1/00001000003"):
            with open(path, "ab") as file:
                file.write(b"x")
        return data

    monkeypatch.setattr(source_module, "_whole", grows)
    found = one_at(read(spool), "control/1/00001000003")
    assert found == Skip("control/1/00001000003", "it changed while it was read", kind="request")


def test_files_that_may_not_be_read(spool):
    if os.geteuid() == 0:
        pytest.skip(skips.NEEDS_ORDINARY_USER)
    os.chmod(f"{spool.directory}/control/1/00001000003", 0)
    os.chmod(f"{spool.directory}/data/2/00002000003000", 0)
    os.chmod(f"{spool.directory}/control/0", 0)
    records = read(spool)
    assert one_at(records, "control/1/00001000003").reason == "Permission denied"
    assert one_at(records, "control/2/00002000003").reason.endswith("Permission denied")
    assert one_at(records, "control/0").reason == "Permission denied"
    os.chmod(f"{spool.directory}/control/0", 0o700)
    os.chmod(f"{spool.directory}/database", 0)
    assert one_at(read(spool), "database/queues").reason == "Permission denied"
    os.chmod(f"{spool.directory}/database", 0o700)
    with Source(spool.directory) as source:
        os.chmod(spool.directory, 0)
        with pytest.raises(Unreadable, match="Permission denied"):
            reader.read(source, CLOCK_S, spool.description)
        os.chmod(spool.directory, 0o700)


def test_an_environment_that_breaks_off(spool, tmp_path):
    path = tmp_path / "to-the-end.toml"
    path.write_text(example().replace('{ start = 392, length_field = "env_bytes" }', "{ start = 392 }"))
    whole = one_at(read(spool, path), "control/1/00001000003")
    assert whole.environment == {b"HOME": b"/home/alice", b"LANG": b"C"}
    with open(f"{spool.directory}/control/1/00001000003", "r+b") as file:
        file.truncate(os.fstat(file.fileno()).st_size - 2)
    broken = one_at(read(spool, path), "control/1/00001000003")
    assert (broken.state, broken.environment) == ("HELD", None)
    assert broken.notes[0] == "environment: it breaks off in an entry; left out"


def test_what_the_description_names_is_not_there(spool):
    os.unlink(f"{spool.directory}/database/managers")
    reason = "the description names it, and it is not there"
    assert one_at(read(spool), "database/managers") == Skip("database/managers", reason, kind="setting")


def test_reading_changes_nothing(spool):
    def picture():
        found = []
        for directory, _, names in os.walk(spool.directory):
            for name in (".", *names):
                status = os.lstat(os.path.join(directory, name))
                # Walking here touches the access times of directories and of links.
                touched = (status.st_atime_ns,) if stat.S_ISREG(status.st_mode) else ()
                found.append((directory, name, status.st_mode, status.st_size, status.st_ctime_ns, *touched))
        return found

    before = picture()
    read(spool)
    with Source(spool.directory) as source:
        list(probe(source, spool.description))
    assert picture() == before


# --- which description -----------------------------------------------------------------------


def test_a_description_in_the_spool(spool):
    with Source(spool.directory) as source:
        assert reader.evidence(source) == ""
    with open(f"{spool.directory}/jcq-layout.toml", "w", encoding="utf-8") as file:
        file.write(example())
    with Source(spool.directory) as source:
        assert reader.evidence(source) == "jcq-layout.toml is there"
        assert list(reader.read(source, CLOCK_S)) == read(spool)


def test_nqs_without_description_is_refused_with_what_to_do(spool):
    with Source(spool.directory) as source, pytest.raises(WrongLayout) as caught:
        reader.read(source, CLOCK_S)
    for words in ("looks like a spool of NQS or JobCenter", "database/{managers,queues,seqno}", "spoolconv --probe DIR",
                  "--from FILE.toml"):  # fmt: skip
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "looks"),
    [
        ("private/root/control private/root/data private/root/database private/root/transact", True),
        ("nqs/control nqs/data nqs/database nqs/output", True),
        ("database/queues database/params database/seqno", True),
        # A site of jcq, a site page, and anything else.
        ("nqs/database nqs/output nqs/run nqs/requests nqs/log", False),
        ("jobs spool", False),
        ("", False),
    ],
)
def test_what_looks_like_nqs(tmp_path, names, looks):
    for name in names.split():
        (tmp_path / name).mkdir(parents=True)
    with Source(tmp_path) as source:
        assert bool(signs(source)) == looks
        with pytest.raises(WrongLayout, match="looks like" if looks else "there is no jcq-layout.toml"):
            reader.read(source, CLOCK_S)


def test_a_description_of_another_spool(tmp_path, spool):
    with Source(tmp_path) as source, pytest.raises(WrongLayout, match="nothing is there of database/queues"):
        reader.read(source, CLOCK_S, spool.description)
    with Source(tmp_path) as source, pytest.raises(Unreadable, match="No such file"):
        reader.read(source, CLOCK_S, tmp_path / "none.toml")


# --- probe -----------------------------------------------------------------------------------


def test_probe_shows_sizes_texts_and_times(writer):
    spool = writer.write(20)
    for directory, _, names in os.walk(spool.directory):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.utime(path, (1_000_000_000, 1_000_000_000))
    with Source(spool.directory) as source:
        text = "\n".join(probe(source))
    assert "It looks like a spool of NQS or JobCenter: control, data" in text
    assert "control/3: " in text
    assert "alice\n" in text
    word = f"{writer.order}-endian, {writer.bits} bits: "
    assert word in text
    assert f"records of {128 if writer.bits == 32 else 136} bytes?" in text
    assert "2001-09-09 01:4" in text
    assert "No description is given" in text
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))


def test_probe_finds_where_a_uid_and_a_time_are(writer, written):
    with open(f"{written.directory}/control/1/00001000003", "rb") as file:
        found = look.numbers(file.read(), 1_000_000_000, {501})
    fields = description.parse(writer.description().encode()).structures["header"].fields
    assert found[f"{writer.order}-endian, 32 bits", fields["uid"].offset] == ("id", 501)
    assert found[f"{writer.order}-endian, {writer.bits} bits", fields["created"].offset] == ("time", 1_000_000_001)


def test_probe_checks_a_description(spool):
    with Source(spool.directory) as source:
        text = "\n".join(probe(source, spool.description, CLOCK_S))
    assert "control/0/0001e000003, record 0, bytes 0 to " in text
    assert "user = 'alice'" in text
    assert "seqno = 104 (0x68)" in text
    assert "\n  18 requests\n" in text
    assert "What does not fit" in text
    assert "first database/managers#4: 5 bytes at its end are no manager of 20" in text


def test_probe_of_odd_directories(tmp_path, spool):
    (tmp_path / "a\nb\udcff").mkdir()
    (tmp_path / "a\nb\udcff" / "f\x1b[2J").write_bytes(b"\x1b[31mred and more text\0" * 9)
    os.mkfifo(tmp_path / "pipe")
    with Source(tmp_path) as source:
        lines = list(probe(source))
        assert all(line.isprintable() for line in lines)
        assert any("the description does not fit" in line for line in probe(source, spool.description))

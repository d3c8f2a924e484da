"""The spool of at: every fact of the sample, every state, at's quoting, and files that are no jobs."""

import hashlib
import os
import random
import resource
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import JcqError
from jcq.model import queue, restart
from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.origin import origin_of
from jcq.spoolconv.readers import at, at_job
from jcq.spoolconv.records import HELD, QUEUED, WAITING, OldQueue, OldRequest, Skip
from jcq.spoolconv.source import Source
from support import old_spools

NOW_S = 1795337116
DUE_MINUTE = 0x1E19122
_PLAIN = frozenset(string.ascii_letters + string.digits)


# --- at's own writing, by the fact sheet -----------------------------------------------------


def quoted(value, plain):
    """As at writes it: a newline in quotes, and a backslash before every other byte that is not plain."""
    parts = []
    for byte in value:
        if byte == 0x0A:
            parts.append(b'"\n"')
        elif chr(byte) in plain:
            parts.append(bytes([byte]))
        else:
            parts.append(b"\\" + bytes([byte]))
    return b"".join(parts)


def job_file(script=b"true\n", environment=None, directory=b"/tmp", uid=None, gid=4, mail=b"alice 0", umask=b"22"):
    uid = os.getuid() if uid is None else uid
    head = b"#!/bin/sh\n# atrun uid=%d gid=%d\n# mail %b\numask %b\n" % (uid, gid, mail, umask)
    for name, value in (environment or {}).items():
        head += b"%b=%b; export %b\n" % (name, quoted(value, _PLAIN | set("%/{[]=}@+#,.:-_")), name)
    tail = b" || {\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\n"
    return head + b"cd " + quoted(directory, _PLAIN | {"/"}) + tail + script + b"\n"


class Spool:
    """A spool that a test fills."""

    def __init__(self, path):
        self.jobs = path / "cron" / "atjobs"
        self.output = path / "cron" / "atspool"
        self.jobs.mkdir(parents=True)
        self.output.mkdir()
        (self.jobs / ".SEQ").write_bytes(b"00011\n")
        self.path = path

    def job(self, name=f"a00011{DUE_MINUTE:08x}", data=None, mode=0o700):
        path = self.jobs / name
        path.write_bytes(job_file() if data is None else data)
        path.chmod(mode)
        os.utime(path, (NOW_S - 5, NOW_S - 5))
        return path

    def records(self):
        with Source(self.path) as source:
            return list(at.read(source, NOW_S))

    def only(self):
        """The one record that is no queue."""
        (record,) = [record for record in self.records() if not isinstance(record, OldQueue)]
        return record


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path)


# --- the sample ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with old_spools.unpack("at-small", str(tmp_path_factory.mktemp("at"))) as source:
        assert at.evidence(source) == "jobs of at in var/spool/cron/atjobs"
        yield list(at.read(source, NOW_S))


def test_every_fact_of_the_sample(sample):
    truth = old_spools.truth("at-small")
    requests = {record.old_id: record for record in sample if isinstance(record, OldRequest)}
    assert len(requests) + len([record for record in sample if isinstance(record, OldQueue)]) == len(sample)
    assert requests.keys() == {str(one["job"]) for one in truth["submitted"]}
    listed = {line.split("\t")[0]: line.split("\t")[1].split(" ") for line in truth["atq_root"]}
    for one in truth["submitted"]:
        made = requests[str(one["job"])]
        due, _, letter, user = listed[made.old_id]
        assert (made.uid, made.gid, made.user) == (one["uid"], one["gid"], "")
        assert truth["users"][user][0] == made.uid
        assert made.where == f"var/spool/cron/atjobs/{one['new_files'][0]}"
        assert (made.workdir, made.umask) == (one["cwd"], int(one["umask"], 8))
        assert hashlib.sha256(made.script).hexdigest() == one["script_sha256"]
        given_by_user = {name: value for name, value in one["env_given"].items() if name != "SHELL"}
        found = {os.fsdecode(name): os.fsdecode(value) for name, value in made.environment.items()}
        assert found == given_by_user | ({"PWD": one["cwd"]} if one["argv"] == ["batch"] else {})
        assert (made.queue, made.due_s, made.submitted_s) == (f"at_{letter}", float(due), one["submitted"])
        assert made.state == (WAITING if float(due) > NOW_S else QUEUED)
        assert made.mail_end == ("-m" in one["argv"])
        assert (made.mail_to, made.shell, made.joined) == (user, "/bin/sh", True)
        assert made.limits == {"a": {}, "b": {"nice_process": (2, None)}, "c": {"nice_process": (4, None)},
                               "z": {"nice_process": (19, None)}}[letter]  # fmt: skip
        assert len(made.notes) == (0 if "-M" in one["argv"] else 1)


def test_queues_of_the_sample(sample):
    queues = [record for record in sample if isinstance(record, OldQueue)]
    assert sample[: len(queues)] == queues
    assert {one.name: (one.run_limit, one.limits.get("nice_process")) for one in queues} == {
        "at_a": (queue.RUN_LIMIT_MAX, None),
        "at_b": (1, (2, None)),
        "at_c": (queue.RUN_LIMIT_MAX, (4, None)),
        "at_z": (queue.RUN_LIMIT_MAX, (19, None)),
    }
    assert all(queue.valid_name(one.name) and one.restart == restart.RESTART for one in queues)


@pytest.mark.parametrize("below", ["", "var", "var/spool", "var/spool/cron", "var/spool/cron/atjobs"])
def test_the_directory_that_is_given_may_be_one_of_many(tmp_path, below):
    old_spools.unpack("at-small", str(tmp_path)).close()
    with Source(tmp_path / below) as source:
        assert at.evidence(source)
        assert len(list(at.read(source, NOW_S))) == 9


def test_no_spool_of_at(tmp_path):
    (tmp_path / "atjobs").mkdir()
    (tmp_path / "atjobs" / "a0001101e19122").write_text("#!/bin/sh\n")
    with Source(tmp_path) as source:
        assert at.evidence(source) == ""
        with pytest.raises(WrongLayout, match="no spool of at"):
            list(at.read(source, NOW_S))


# --- states ----------------------------------------------------------------------------------


def test_a_job_that_was_never_finished_is_skipped(spool):
    spool.job(mode=0)
    assert spool.only().reason.startswith("at never finished writing it")
    assert spool.only().old_id == "17"


def test_a_job_that_had_begun_is_held_in_its_queue(spool):
    spool.job(f"=00011{1:08x}")
    (spool.output / f"c00011{1:08x}").write_text("Subject: Output\n")
    made = spool.only()
    assert (made.state, made.operator_hold, made.queue, made.due_s) == (HELD, True, "at_c", 60.0)
    assert made.notes[:2] == (
        "it had begun, and perhaps half of it is done: it is held; release it to run it again, or delete it",
        f"its output until then is in cron/atspool/c00011{1:08x}",
    )
    (spool.output / f"c00011{1:08x}").unlink()
    made = spool.only()
    assert (made.state, made.queue) == (HELD, "at_a")
    assert "its queue is not known any more: a is taken" in made.notes


def test_both_names_of_a_crash_are_one_job_that_had_not_begun(spool):
    path = spool.job()
    os.link(path, path.with_name("=" + path.name[1:]))
    made = spool.only()
    assert (made.state, made.where.rpartition("/")[2]) == (WAITING, path.name)
    assert made.notes[0].startswith("atd broke off while it started it")


def test_a_linked_job_is_not_run(spool):
    path = spool.job()
    os.link(path, spool.path / "elsewhere")
    assert spool.only().reason == "its file has 2 names: atd refuses a linked job"
    os.link(path, path.with_name("=" + path.name[1:]))
    assert spool.only().reason == "its file has 3 names: atd refuses a linked job"


def test_a_number_may_stand_twice(spool):
    spool.job()
    spool.job(f"Z00011{DUE_MINUTE:08x}")
    spool.job(f"b00000{1:08x}")
    found = [record for record in spool.records() if isinstance(record, OldRequest)]
    assert [(one.queue, one.old_id) for one in found] == [("at_Z", "17"), ("at_a", "17"), ("at_b", "0")]
    assert len({origin_of(at.NAME, one) for one in found}) == 3


def test_a_job_is_known_again_by_its_whole_name(spool):
    """Numbers begin anew, and a job that has begun is still the one that it was."""

    def origins():
        return [origin_of(at.NAME, one) for one in spool.records() if isinstance(one, OldRequest)]

    path = spool.job(f"c00011{DUE_MINUTE:08x}")
    (first,) = origins()
    path = path.rename(spool.jobs / f"=00011{DUE_MINUTE:08x}")
    (spool.output / f"c00011{DUE_MINUTE:08x}").write_text("")
    assert origins() == [first]
    path.rename(spool.jobs / f"c00011{DUE_MINUTE + 1:08x}")
    assert origins() != [first]


def test_output_without_a_job_is_told(spool):
    (spool.output / f"c00011{1:08x}").write_text("")
    assert spool.only() == Skip(f"cron/atspool/c00011{1:08x}", "it is output of a job that is gone", kind="file")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": b""}, "its file is empty"),
        ({"data": job_file()[:30]}, "it does not begin with a header of at"),
        ({"data": job_file(uid=os.getuid() + 1)}, "its header says uid"),
        ({"data": job_file(uid=-1)}, "its header names the id -1"),
        ({"data": job_file(gid=-1)}, "its header names the id -1"),
        ({"data": job_file(directory=b"tmp")}, "its directory is not written"),
        ({"data": job_file().replace(b"cd /", b"X=$HOME; export X\ncd /")}, "the value of variable X is not written"),
        ({"data": job_file().replace(b"cd /", b"X=y; export Y\ncd /")}, "the value of variable X is not written"),
        ({"data": job_file().replace(b"cd /", b"rm -r x\ncd /")}, "is neither a variable of the environment nor"),
        ({"data": job_file(b"x" * (17 << 20))}, "its script has 17825792 bytes"),
        ({"data": job_file(environment={b"X": b"x" * (2 << 20)})}, "its environment has"),
        ({"name": "a00011ffffffff"}, "its time lies before 1970 or beyond the year 9999"),
        ({"name": "a0001"}, "it is no job of at"),
        ({"name": "core"}, "it is no job of at"),
    ],
)
def test_what_is_no_job_is_skipped(spool, changes, reason):
    spool.job(**changes)
    spool.job(f"a00012{DUE_MINUTE:08x}")
    made, skipped = spool.records()[-2:]
    if isinstance(made, Skip):
        made, skipped = skipped, made
    assert (made.old_id, made.state) == ("18", WAITING)
    assert reason in skipped.reason


def test_files_that_are_none(spool):
    os.symlink("/etc/passwd", spool.jobs / f"a00001{1:08x}")
    os.mkfifo(spool.jobs / f"a00002{1:08x}")
    os.mkdir(spool.jobs / f"a00003{1:08x}")
    with open(spool.jobs / f"a00004{1:08x}", "wb") as file:
        file.truncate(1 << 42)
    (spool.jobs / f"a00004{1:08x}").chmod(0o700)
    found = [record for record in spool.records() if not isinstance(record, OldQueue)]
    assert [type(one) for one in found] == [Skip] * 4
    assert [one.reason[:23] for one in found] == ["it is no regular file"] * 3 + ["it has 4398046511104 by"]


def test_odd_values_are_noted(spool):
    path = spool.job(f"a00011{1:08x}.tail", job_file(mail=b"x;y 1", umask=b"7022"))
    os.utime(path, (NOW_S + 100, NOW_S + 100))
    made = spool.only()
    assert (made.umask, made.mail_to, made.mail_end, made.submitted_s) == (0o022, "", True, NOW_S)
    assert [note.partition(":")[0][:30] for note in made.notes] == [
        "its file's name goes on behind",
        "its umask 7022 is cut to 22",
        "its mail would go to 'x;y', wh",
        "at mailed its output",
        "the time of its submission (th",
    ]


def test_ids_that_wrapped(tmp_path):
    spool = Spool(tmp_path)
    path = spool.job(data=job_file(uid=3000000000 - (1 << 32), gid=4000000000 - (1 << 32)))
    with old_spools.OwnedSource(tmp_path, {f"cron/atjobs/{path.name}": (3000000000, 1)}) as source:
        made = list(at.read(source, NOW_S))[-1]
    assert (made.uid, made.gid) == (3000000000, 4000000000)


def test_red_hats_form(spool):
    spool.job(data=job_file(b"${SHELL:-/bin/sh} << 'marcinDELIMITER4f1d'\necho a\n\nmarcinDELIMITER4f1d"))
    made = spool.only()
    assert (made.script, made.shell) == (b"echo a\n", "/bin/sh")
    environment = {b"SHELL": b"/bin/tcsh"}
    spool.job(data=job_file(b"${SHELL:-/bin/sh} << 'marcinDELIMITER4f1d'\necho a\nmarcinDELIMITER4f1d", environment))
    made = spool.only()
    assert (made.script, made.shell) == (b"echo a", "/bin/tcsh")
    spool.job(data=job_file(b"${SHELL:-/bin/sh} << 'marcinDELIMITER4f1d'\necho a"))
    assert spool.only().notes[0].startswith("its here-document has no end")


def test_red_hats_directories(tmp_path):
    jobs = tmp_path / "at"
    (jobs / "spool").mkdir(parents=True)
    (jobs / ".SEQ").write_bytes(b"00001\n")
    (jobs / f"a00001{1:08x}").write_bytes(job_file())
    (jobs / f"a00001{1:08x}").chmod(0o700)
    for place in (tmp_path, jobs):
        with Source(place) as source:
            assert [type(record) for record in at.read(source, NOW_S)] == [OldQueue, OldRequest]


# --- at's quoting ----------------------------------------------------------------------------

_BYTES = st.binary(max_size=60).map(lambda value: value.replace(b"\0", b"\n"))
_HARD = st.sampled_from([b"cd / || {\n\t", b"; export A\n", b'"', b"\\", b"\n}\n", b"umask 22\n", b"\xff\xc3\xa9", b""])
_VALUES = st.one_of(_BYTES, st.lists(st.one_of(_HARD, _BYTES), max_size=4).map(b"".join))
_NAMES = st.from_regex(rb"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)


@given(st.dictionaries(_NAMES, _VALUES, max_size=5), _VALUES, st.one_of(st.binary(max_size=200), st.just(job_file())))
def test_environment_directory_and_script_of_any_bytes(environment, directory, script):
    job = at_job.parse(job_file(script, environment, b"/" + directory))
    assert job.environment == environment
    assert job.directory == b"/" + directory
    assert job.script == script
    assert (job.uid, job.gid, job.mail_to, job.mail, job.umask) == (os.getuid(), 4, b"alice", 0, 0o022)


# --- a fuzzer --------------------------------------------------------------------------------


def test_mutated_spools_give_records_only(tmp_path, battery):
    chance = random.Random(battery.seed)
    source = old_spools.unpack("at-small", str(tmp_path))
    jobs = tmp_path / "var/spool/cron/atjobs"
    originals = {path: path.read_bytes() for path in sorted(jobs.iterdir()) if path.name != ".SEQ"}
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with source:
        for _ in range(5_000 if battery.full else 200):
            for path, data in originals.items():
                path.write_bytes(old_spools.mutated(data, chance))
            try:
                found = [record for record in at.read(source, NOW_S) if not isinstance(record, OldQueue)]
            except JcqError:
                continue
            assert len(found) == len(originals)
            for record in found:
                assert isinstance(record, OldRequest | Skip)
                if isinstance(record, OldRequest):
                    assert record.uid == source.owners[record.where][0]
                    assert not any(b"\0" in part for pair in record.environment.items() for part in pair)
                    assert record.workdir.startswith("/")
                    assert "\0" not in record.workdir
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 64 * 1024

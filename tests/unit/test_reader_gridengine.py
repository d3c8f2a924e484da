"""Classic spools of Grid Engine: every fact of the sample, states of jobs and queues, and damaged files."""

import hashlib
import os
import random
import re
import shutil

import pytest

from jcq.errors import JcqError
from jcq.model import queue as queue_model
from jcq.model import restart
from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.origin import origin_of
from jcq.spoolconv.readers import gridengine
from jcq.spoolconv.readers.names import QueueNames
from jcq.spoolconv.readers.sge import cull, resources
from jcq.spoolconv.records import HELD, QUEUED, RUNNING, WAITING, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.source import Source
from support import old_spools, skips
from support.cull_writer import cull_list, job, task

NOW_S = 1795337423
QMASTER = "var/spool/gridengine/qmaster"
#: Of jobs without any option.
_USUAL = "Grid Engine had not chosen its queue yet: short.q is taken"


def read(source):
    return list(gridengine.read(source, NOW_S))


def requests(records):
    return {record.old_id: record for record in records if isinstance(record, OldRequest)}


@pytest.fixture
def sample(tmp_path):
    with old_spools.unpack("sge-small", str(tmp_path)) as source:
        yield source


class Spool:
    """The sample's queues, and jobs of the test's own."""

    def __init__(self, source):
        self.source = source
        self.qmaster = os.path.join(source.path, QMASTER)
        shutil.rmtree(os.path.join(self.qmaster, "jobs"))
        os.makedirs(os.path.join(self.qmaster, "jobs/00/0000"))

    def write(self, name, data):
        path = os.path.join(self.qmaster, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def change(self, name, old, new):
        path = os.path.join(self.qmaster, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert re.search(old, text, re.MULTILINE), (old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(old, new, text, flags=re.MULTILINE))

    def records(self):
        """The records of jobs, skipped or not."""
        return [
            one
            for one in read(self.source)
            if isinstance(one, OldRequest) or (isinstance(one, Skip) and one.kind != "setting")
        ]

    def only(self, **given):
        """The record of one job that is written with these fields."""
        self.write("jobs/00/0000/0001", job(**given))
        (record,) = self.records()
        return record

    def queue(self, name):
        (found,) = [one for one in read(self.source) if isinstance(one, OldQueue) and one.name == name]
        return found


@pytest.fixture
def spool(sample):
    return Spool(sample)


# --- the sample ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sge-small", "sge-bdb-small"])
def test_every_fact_of_the_samples(tmp_path, name):
    if name == "sge-bdb-small" and not shutil.which("db5.3_dump"):
        pytest.skip(skips.NEEDS_DB_DUMP)
    truth = old_spools.truth(name)
    with old_spools.unpack(name, str(tmp_path)) as source:
        assert gridengine.evidence(source).endswith("of Grid Engine, by var/lib/gridengine/default/common/bootstrap")
        records = list(gridengine.read(source, truth["captured"]))
    made = requests(records)
    submitted = {one["job"]: one for one in truth["submitted"]}
    assert set(made) == {"1", "2", "3", "4", "5.1", "5.3", "5.5"}
    for old_id, one in made.items():
        was = submitted[int(old_id.partition(".")[0])]
        options = was["argv"]
        assert (one.user, one.uid, one.gid) == (was["user"], was["uid"], was["gid"])
        assert abs(one.submitted_s - was["submitted"]) < 3
        assert hashlib.sha256(one.script).hexdigest() == was["script"]["sha256"]
        assert one.name == options[options.index("-N") + 1]
        assert one.queue == ("long_q" if "-q" in options else "short_q")
        script_says_cwd = b"#$ -cwd" in one.script
        assert one.workdir == (was["cwd"] if "-cwd" in options or script_says_cwd else "")
        assert (one.host, one.umask, one.shell) == ("oldhost", None, "/bin/sh")
        assert one.restartable == {"y": True, "n": False}.get(_option(options, "-r"))
        given = {b"HOME": was["env"]["HOME"], b"LOGNAME": was["user"], b"USER": was["user"]}
        given |= {b"SGE_O_HOST": "oldhost", b"SGE_O_PATH": was["env"]["PATH"], b"SGE_O_WORKDIR": was["cwd"]}
        for word in (_option(options, "-v") or "").split(","):
            if word:
                given[word.partition("=")[0].encode()] = word.partition("=")[2]
        assert given.items() <= {key: value.decode() for key, value in one.environment.items()}.items()
        assert one.environment[b"TERM"] == b""
    assert (made["1"].state, made["1"].limits) == (RUNNING, {"elapsed_request": (36000, None)})
    assert (made["1"].out_path, made["1"].joined) == ("/home/alice/out", True)
    assert (made["2"].state, made["2"].priority, made["2"].mail_to) == (QUEUED, 29, "bob@oldhost")
    assert (made["2"].out_path, made["2"].err_path) == ("/home/bob/r.out", "/home/bob/r.err")
    assert (made["2"].mail_begin, made["2"].mail_end) == (False, True)
    assert made["2"].notes == ("its priority was -50 (-1023 to 1024)",)
    assert (made["3"].state, made["3"].operator_hold) == (HELD, False)
    assert made["3"].limits == {"elapsed_request": (600, None), "memory_request": (500 << 20, None)}
    # 2030-01-02 15:30:15 UTC
    assert (made["4"].state, made["4"].due_s, made["4"].priority) == (WAITING, 1893598215.0, None)
    for number in (1, 3, 5):
        one = made[f"5.{number}"]
        assert (one.state, one.after) == (QUEUED, ("2",))
        assert one.environment[b"SGE_TASK_ID"] == str(number).encode()
        ends = [one.environment[b"SGE_TASK_" + name] for name in (b"FIRST", b"LAST", b"STEPSIZE")]
        assert ends == [b"1", b"6", b"2"]
        assert "it had a limit of tasks at once (-tc) 2" in one.notes
    _check_queues(records, truth)


def _option(options, name):
    return options[options.index(name) + 1] if name in options else None


def _check_queues(records, truth):
    queues = {one.name: one for one in records if isinstance(one, OldQueue)}
    shown = {query.split()[-1]: text for query, text in truth["queries"].items() if query.startswith("qconf -sq ")}
    assert len(shown) == 3
    for name, text in shown.items():
        said = dict(line.split(None, 1) for line in text.splitlines())
        one = queues.pop(name.replace(".", "_"))
        assert queue_model.valid_name(one.name)
        assert one.run_limit == int(said["slots"][0])
        assert one.limits.get("nice_process", (0, None))[0] == int(said["priority"])
        assert one.restart == {"TRUE": restart.RESTART, "FALSE": restart.PURGE}[said["rerun"]]
        assert (one.enabled, one.started, one.restricted) == (True, True, False)
        hard, soft = (None if said[key] == "INFINITY" else resources.seconds(said[key]) for key in ("h_rt", "s_rt"))
        assert one.limits.get("elapsed_request", (None, None)) == (hard, soft)
        assert (f"calendar {said['calendar']} has no counterpart" in one.notes) == (said["calendar"] != "NONE")
    assert not queues
    managers = {one.name: one.value for one in records if isinstance(one, OldSetting)}
    assert managers == {"manager:root": "m", "manager:sgeadmin": "m"}
    skipped = {one.old_id for one in records if isinstance(one, Skip)}
    assert skipped == {"nightcal", "smp"}


@pytest.mark.parametrize("below", ["", "var", QMASTER, "var/spool/gridengine"])
def test_the_directory_that_is_given_may_be_one_of_many(sample, below):
    with Source(os.path.join(sample.path, below)) as source:
        assert "classic spool of Grid Engine" in gridengine.evidence(source)
        assert len(requests(read(source))) == 7


def test_half_a_cell_names_the_other_half(sample):
    for below in ("var/lib/gridengine", "var/lib/gridengine/default", "var/lib/gridengine/default/common"):
        with Source(os.path.join(sample.path, below)) as source:
            assert gridengine.evidence(source)
            with pytest.raises(WrongLayout, match="not /var/spool/gridengine/qmaster, which that names"):
                read(source)


def test_no_spool_of_grid_engine(tmp_path):
    with Source(tmp_path) as source:
        assert gridengine.evidence(source) == ""
        with pytest.raises(WrongLayout, match="neither bootstrap nor cqueues"):
            read(source)


def test_without_db_dump_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with old_spools.unpack("sge-bdb-small", str(tmp_path)) as source:
        assert gridengine.evidence(source)
        with pytest.raises(WrongLayout, match=r"install Debian's package db5\.3-util"):
            read(source)


# --- jobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("described", [True, False])
def test_a_job_as_submitted_and_as_written_again(spool, described):
    spool.write("job_scripts/1", b"caf\xe9\r\n\0end")
    made = spool.only(described=described)
    assert (made.old_id, made.script, made.state, made.notes) == ("1", b"caf\xe9\r\n\0end", QUEUED, (_USUAL,))


@pytest.mark.parametrize(
    ("given", "state", "by_operator", "note"),
    [
        ({"JB_ja_u_h_ids": cull_list("RN", (1, 1, 1))}, HELD, False, "it was held by its owner"),
        ({"JB_ja_o_h_ids": cull_list("RN", (1, 1, 1))}, HELD, True, "it was held by an operator"),
        ({"JB_ja_s_h_ids": cull_list("RN", (1, 1, 1))}, HELD, True, "it was held by the system"),
        ({"JB_ja_a_h_ids": cull_list("RN", (1, 1, 1))}, HELD, False, "it was held by the tasks of another array"),
        ({"JB_execution_time": NOW_S + 1}, WAITING, False, _USUAL),
        ({"JB_execution_time": NOW_S}, QUEUED, False, _USUAL),
        ({"JB_hard_queue_list": cull_list("QR", (b"gone.q",))}, HELD, True, "the queue that it asked for is not there"),
    ],
)
def test_holds_and_times(spool, given, state, by_operator, note):
    none = {} if "JB_ja_n_h_ids" in given or "ids" not in str(given.keys()) else {"JB_ja_n_h_ids": None}
    made = spool.only(**none, **given)
    assert (made.state, made.operator_hold) == (state, by_operator)
    assert any(one.startswith(note) for one in made.notes), made.notes


@pytest.mark.parametrize(
    ("fields", "restart_option", "queue", "state", "note"),
    [
        ({"JAT_status": 128, "JAT_state": 0x80}, 0, b"long.q@oldhost", RUNNING, ""),
        ({"JAT_status": 128, "JAT_state": 0x100}, 0, b"long.q@oldhost", RUNNING, "it was suspended"),
        ({"JAT_status": 128, "JAT_state": 0x80}, 1, b"long.q@oldhost", RUNNING, ""),
        ({"JAT_status": 128, "JAT_state": 0x80}, 1, b"short.q@oldhost", QUEUED, "it had begun, and runs again"),
        ({"JAT_status": 128, "JAT_state": 0x80}, 0, b"gone.q@oldhost", HELD, "the queue where it ran is not there"),
        ({"JAT_state": 0x8840, "JAT_message_list": cull_list("QIM", (1, b"can't chdir"))}, 0, b"", HELD,
         "it was in error: can't chdir"),
        ({"JAT_state": 0x40, "JAT_hold": 1}, 0, b"", HELD, "it was held by its owner"),
        ({"JAT_state": 0x40}, 0, b"", QUEUED, ""),
    ],
)  # fmt: skip
def test_started_tasks(spool, fields, restart_option, queue, state, note):
    tasks = cull_list("JAT", {"JAT_task_number": 1, "JAT_master_queue": queue} | fields)
    made = spool.only(JB_ja_tasks=tasks, JB_ja_n_h_ids=None, JB_restart=restart_option)
    assert made.state == state
    assert note in "\n".join(made.notes)
    assert made.old_id == "1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"JAT_status": 128, "JAT_state": 0x480}, "it had been deleted, and was still ending"),
        ({"JAT_status": 0x10000}, "it had ended"),
    ],
)
def test_tasks_that_are_over(spool, fields, reason):
    made = spool.only(JB_ja_tasks=cull_list("JAT", {"JAT_task_number": 1} | fields), JB_ja_n_h_ids=None)
    assert (made.old_id, made.reason) == ("1", reason)


def test_an_array_with_tasks_of_every_kind(spool):
    spool.write(
        "jobs/00/0000/0001/common",
        job(
            JB_type=0x80,
            JB_ja_structure=cull_list("RN", (1, 20, 3)),
            JB_ja_n_h_ids=cull_list("RN", (13, 19, 3)),
            JB_ja_u_h_ids=cull_list("RN", (10, 10, 1)),
            JB_ja_o_h_ids=cull_list("RN", (10, 10, 1)),
        ),
    )
    running = task(JAT_task_number=4, JAT_status=128, JAT_state=0x80, JAT_master_queue=b"long.q@oldhost")
    spool.write("jobs/00/0000/0001/1-4096/4", running)
    spool.write("jobs/00/0000/0001/1-4096/.7", b"unfinished")
    spool.write("jobs/00/0000/0001/1-4096/7", task(JAT_task_number=7)[:50])
    spool.write("jobs/00/0000/0001/4097-8192/5000/common", task(JAT_task_number=5000, JAT_state=0x40))
    found = [(one.old_id, getattr(one, "state", "skipped")) for one in spool.records()]
    assert found == [
        ("1.4", RUNNING),
        ("1.7", "skipped"),
        ("1.10", HELD),
        ("1.13", QUEUED),
        ("1.16", QUEUED),
        ("1.19", QUEUED),
        ("1.5000", QUEUED),
    ]


def test_commands_and_arguments(spool):
    words = cull_list("ST", (b"it's",), (b"",), (b"a b",))
    made = spool.only(JB_type=0x40, JB_script_file=b"/bin/echo", JB_job_args=cull_list("ST", (b"$HOME",), (b"| cat",)))
    assert (made.script, made.shell) == (b"/bin/echo $HOME | cat\n", "/bin/sh")
    made = spool.only(JB_type=0x140, JB_script_file=b"/bin/echo", JB_job_args=words)
    assert (made.script, made.shell) == (b"exec /bin/echo 'it'\"'\"'s' '' 'a b'\n", "/bin/sh")
    spool.write("job_scripts/1", b"#!/bin/bash\necho $1\n")
    made = spool.only(JB_job_args=words)
    assert made.script == b"#!/bin/bash\nset -- 'it'\"'\"'s' '' 'a b'\necho $1\n"
    made = spool.only(JB_job_args=words, JB_shell_list=cull_list("PN", (b"/usr/bin/python3",)))
    assert (made.state, made.operator_hold, made.shell) == (HELD, True, "/usr/bin/python3")
    assert "its arguments cannot be given to python3: it is held" in made.notes


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        (
            {"JB_stdout_path_list": cull_list("PN", (b"/a/$JOB_NAME.$JOB_ID.$TASK_ID",))},
            "out_path",
            "/a/job.1.undefined",
        ),
        ({"JB_stdout_path_list": cull_list("PN", (b"out",)), "JB_cwd": b"/work"}, "out_path", "/work/out"),
        ({"JB_stderr_path_list": cull_list("PN", (b"$HOME/err/",))}, "err_path", "/home/alice/err/job.e1"),
        ({"JB_stdout_path_list": cull_list("PN", (b"/a/$HOSTNAME",))}, "out_path", ""),
        ({"JB_priority": 1025}, "priority", 32),
        ({"JB_priority": 1023}, "priority", 30),
        ({"JB_priority": 1}, "priority", 0),
        ({"JB_priority": 2048}, "priority", 63),
        ({"JB_priority": 0xFFFFFFFF}, "priority", 63),
        ({"JB_job_name": b"a/b\n"}, "name", "b_"),
        ({"JB_submission_time": 0}, "submitted_s", float(NOW_S)),
        ({"JB_submission_time": 0xFFFFFFFF}, "submitted_s", float(NOW_S)),
        ({"JB_mail_options": 0x80000, "JB_mail_list": cull_list("MR", (b"a;b", b"c"))}, "mail_to", ""),
        ({"JB_mail_options": 0x40000, "JB_mail_list": cull_list("MR", (b"a", b"c"))}, "mail_end", True),
        ({"JB_hard_queue_list": cull_list("QR", (b"n*@oldhost",))}, "queue", "night_q"),
        ({"JB_soft_queue_list": cull_list("QR", (b"night.q",))}, "queue", "night_q"),
        ({"JB_hard_resource_list": cull_list("CE", (b"h_rt", b"", 3, b"7200"))}, "queue", "long_q"),
        ({"JB_cwd": b"/caf\xe9"}, "workdir", "/caf\udce9"),
    ],
)
def test_options(spool, given, field, value):
    made = spool.only(**given)
    assert getattr(made, field) == value, made


def test_the_same_job_of_a_new_cell_is_another(spool):
    def origin(**fields):
        return origin_of(gridengine.NAME, spool.only(**fields))

    assert origin(JB_submission_time=5) == origin(JB_submission_time=5, JB_priority=1000)
    assert origin(JB_submission_time=5) != origin(JB_submission_time=6)


def test_a_parallel_job(spool):
    made = spool.only(
        JB_pe=b"smp",
        JB_pe_range=cull_list("RN", (2, 4, 1)),
        JB_hard_resource_list=cull_list("CE", (b"h_vmem", b"", 4, b"1G"), (b"mem_free", b"", 4, b"2G")),
    )
    assert made.limits == {"memory_request": (4 << 30, None)}
    assert made.environment[b"NSLOTS"] == b"4"
    assert "it asked for slots of parallel environment smp: 2-4" in made.notes
    assert "it asked for mem_free=2G" in made.notes


def test_what_has_no_counterpart_is_noted(spool):
    made = spool.only(
        JB_deadline=5, JB_project=b"p", JB_account=b"x", JB_notify=1, JB_reserve=1, JB_checkpoint_name=b"c",
        JB_context=cull_list("VA", (b"a", b"b")), JB_stdin_path_list=cull_list("PN", (b"/in",)),
        JB_soft_resource_list=cull_list("CE", (b"h_rt", b"", 3, b"60")), JB_binding=cull_list("BN", (b"linear",)),
        JB_jid_request_list=cull_list("JRE", (0, b"gone")),
    )  # fmt: skip
    assert len(made.notes) == 12


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"JB_job_number": 2}, "it says that it is job 2"),
        ({"JB_owner": b""}, "it names no owner"),
        ({"JB_uid": 0xFFFFFFFF}, "its uid or gid is none"),
        ({"JB_type": 0x8}, "it is interactive"),
        ({"JB_cwd": b"here"}, "is not absolute"),
        ({"JB_ja_n_h_ids": None}, "none of its tasks is left to run"),
        ({"JB_ja_n_h_ids": cull_list("RN", (1, 0xFFFFFFFF, 1))}, "tasks, more than 100000"),
        ({"JB_ja_n_h_ids": cull_list("RN", (5, 1, 1))}, "make no sense"),
        ({"JB_ja_n_h_ids": cull_list("RN", (1, 5, 0))}, "make no sense"),
        ({"JB_ja_n_h_ids": cull_list("ST", (b"x",))}, "is not one of RN_min"),
        ({"JB_type": 0x40}, "it is a command (-b y) that is not stored"),
    ],
)
def test_jobs_that_are_skipped(spool, given, reason):
    made = spool.only(**given)
    assert reason in made.reason
    assert made.old_id == "1"


def test_files_that_are_no_jobs(spool):
    spool.write("jobs/00/0000/0001", b"")
    spool.write("jobs/00/0000/0002", job(JB_job_number=2) + b"x")
    spool.write("jobs/00/0000/0003", job(JB_job_number=3).replace(b"\x10\x02\0\0", b"\x10\x01\0\0", 1))
    spool.write("jobs/00/0000/.0004", b"unfinished")
    spool.write("jobs/00/0000/core", b"")
    spool.write("jobs/00/0000/0006", job(JB_job_number=6))
    os.symlink("0006", os.path.join(spool.qmaster, "jobs/00/0000/0007"))
    os.mkfifo(os.path.join(spool.qmaster, "jobs/00/0000/0008"))
    with open(os.path.join(spool.qmaster, "jobs/00/0000/0009"), "wb") as file:
        file.truncate(1 << 40)
    os.mkdir(os.path.join(spool.qmaster, "jobs/00/0000/0010"))
    assert [(one.old_id, one.reason) for one in spool.records()] == [
        ("1", "it ends early, at byte 0"),
        ("2", "1 bytes are left behind its end"),
        ("3", "it is of another version of Grid Engine (0x10010000, not 0x10020000)"),
        ("6", "its script: No such file or directory"),
        ("7", "it is a symbolic link"),
        ("8", "it is no regular file"),
        ("9", "it has 1099511627776 bytes, more than 4194304"),
        ("10", "No such file or directory"),
        ("", "it is no job of Grid Engine"),
    ]


# --- queues ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "value"),
    [
        ("cqueues/short.q", "^slots .*", "slots 2,[oldhost=7]", "run_limit", 7),
        ("cqueues/short.q", "^slots .*", "slots 2,[@allhosts=5]", "run_limit", 5),
        ("hostgroups/@allhosts", "^hostlist .*", "hostlist oldhost h2 @allhosts", "run_limit", 4),
        ("cqueues/short.q", "^slots .*", "slots 0", "started", False),
        ("cqueues/short.q", "^hostlist .*", "hostlist NONE", "started", False),
        ("cqueues/short.q", "^qtype .*", "qtype INTERACTIVE", "enabled", False),
        ("qinstances/short.q/oldhost", "^state .*", "state 4", "started", False),
        ("qinstances/short.q/oldhost", "^state .*", "state 256", "started", False),
        ("qinstances/short.q/oldhost", "^state .*", "state 1024", "started", True),
        ("cqueues/long.q", "^priority .*", "priority 99", "nice", (19, None)),
        ("cqueues/short.q", "^h_rt .*", "h_rt 0:0:0", "limits", {}),
        ("cqueues/short.q", "^h_rt .*", "h_rt nonsense", "limits", {}),
        ("cqueues/short.q", "^user_lists .*", "user_lists none.there", "restricted", True),
        ("cqueues/short.q", "^user_lists .*", "user_lists none.there", "users", ()),
    ],
)  # fmt: skip
def test_queues(spool, file, old, new, field, value):
    spool.change(file, old, new)
    if field == "nice":
        assert spool.queue("long_q").limits["nice_process"] == value
        return
    made = spool.queue("short_q")
    assert getattr(made, field) == value, made
    assert made.notes or field == "started", made


def test_access(spool):
    spool.write("usersets/staff", b"# c\nname staff\ntype ACL\nentries alice,@wheel bob\n")
    spool.change("cqueues/short.q", "^user_lists .*", "user_lists staff")
    spool.change("cqueues/short.q", "^xuser_lists .*", "xuser_lists evil")
    made = spool.queue("short_q")
    assert (made.restricted, made.users, made.groups) == (True, ("alice", "bob"), ("wheel",))
    assert "xuser_lists evil has no counterpart" in made.notes


def test_names_of_queues():
    names = QueueNames()
    long = "x" * 40
    made = {old: names.legal(old) for old in ("long.q", "long_q", "a-b", "1st", "caf\udce9", "", long, long + "y")}
    assert made["long.q"] == "long_q"
    assert made["long_q"] == "long_q_2"
    assert made["a-b"] == "a-b"
    assert all(queue_model.valid_name(name) for name in made.values()), made
    assert len(set(made.values())) == len(made)
    assert names.legal("long_q") == "long_q_2"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5G", 3 << 29), ("500M", 500 << 20), ("2k", 2000), ("10", 10), ("INFINITY", None), ("0x10K", 16384),
     ("1e400", ValueError), ("9" * 39, None), ("G", ValueError), ("-1", ValueError)],
)  # fmt: skip
def test_sizes(text, value):
    if value is ValueError:
        with pytest.raises(ValueError):
            resources.size(text)
    else:
        assert resources.size(text) == value


@pytest.mark.parametrize(
    ("text", "seconds"), [("47:59:00", 172740), ("3600", 3600), (":30:", 1800), ("INFINITY", None)]
)
def test_times(text, seconds):
    assert resources.seconds(text) == seconds


# --- a fuzzer --------------------------------------------------------------------------------


def test_mutated_classic_spools_give_records_only(sample, battery):
    chance = random.Random(battery.seed)
    files = [
        os.path.join(where, name)
        for directory in ("jobs", "cqueues", "qinstances", "hostgroups", "usersets")
        for where, _, names in os.walk(os.path.join(sample.path, QMASTER, directory))
        for name in names
    ]
    originals = {}
    for path in files:
        with open(path, "rb") as file:
            originals[path] = file.read()
    for _ in range(2_000 if battery.full else 60):
        for path, data in originals.items():
            with open(path, "wb") as file:
                file.write(old_spools.mutated(data, chance) if chance.random() < 0.7 else data)
        _check_records(sample)


def _check_records(source):
    try:
        records = read(source)
    except JcqError:
        return
    numbers = {record.old_id.partition(".")[0] for record in records if isinstance(record, OldRequest)}
    numbers |= {record.old_id.partition(".")[0] for record in records if isinstance(record, Skip)}
    assert {"1", "2", "3", "4", "5"} <= numbers
    for record in records:
        assert all(text.isprintable() for text in getattr(record, "notes", ()))
        assert getattr(record, "reason", "").isprintable()
        if isinstance(record, OldQueue):
            assert queue_model.valid_name(record.name)
            assert 1 <= record.run_limit <= queue_model.RUN_LIMIT_MAX
        if isinstance(record, OldRequest):
            assert queue_model.valid_name(record.queue)
            assert record.user
            assert not record.workdir or record.workdir.startswith("/")
            assert record.priority is None or 0 <= record.priority <= 63
            assert not any(b"\0" in part for pair in record.environment.items() for part in pair)


def test_mutated_bytes_are_unpacked_or_refused(sample, battery):
    chance = random.Random(battery.seed)
    where = f"{QMASTER}/jobs/00/0000"
    originals = [sample.read(f"{where}/{name}").data for name in ("0001", "0002", "0005/common")]
    for _ in range(50_000 if battery.full else 1_000):
        data = old_spools.mutated(chance.choice(originals), chance)
        try:
            assert cull.unpack(data, "JB")["JB_env_list"] is not None
        except cull.Damaged:
            continue

"""Each sample of an old spool becomes a site in which every fact of its ground truth is found.

Through the commands only: qstat, qmgr, jcq history, the report, and what each job finds when it runs.

As root: the sample has its owners, and they have their homes. The spool is as it was, to its times of access.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import stat
from datetime import UTC, datetime

import pytest

from support import old_spools, skips
from support.mail_sink import kept, sendmail
from support.old_node import old_node
from support.waiting import wait_until

pytestmark = pytest.mark.root

SUMS = re.compile(r"^(\w+) +(\d+) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)
#: What jcq tells a job beside what the old system did.
_JCQS = re.compile(rb"QSUB_|JCQ_(BOOT|EPOCH|JOB|SITE)$")
LIMIT_S = 60


class Converted:
    """A sample as a site."""

    def __init__(self, name, node):
        self.node, self.users, self.truth = node, node.users, old_spools.truth(name)
        self.submitted = {str(one["job"]): one for one in self.truth["submitted"]}
        self.spool = node.make_directory("old")
        old_spools.unpack_as_it_was(name, self.spool)
        self.before = old_spools.fingerprint(self.spool)
        self.mail = node.make_directory("mail", 0o1777)
        self.site = node.local_site()
        line = f"printf 'sendmail={sendmail(self.mail)}\\n' >>/usr/lib/nqs/rc/daemon.conf"
        self.node.run(["/bin/sh", "-c", line]).ok()

    def convert(self):
        """Run the command; keeps what it said and its report."""
        path = os.path.join(self.node.scratch, "report.json")
        self.out = self.node.run("spoolconv", "-c", self.spool, "-y", "--report", path).ok()
        with open(path, encoding="utf-8") as file:
            self.report = {row["old_id"]: row for row in json.load(file)["records"]}
        self.sums = {kind: tuple(map(int, numbers)) for kind, *numbers in SUMS.findall(self.out)}

    def spool_is_as_it_was(self):
        found = old_spools.fingerprint(self.spool)
        assert {path for path in {*found, *self.before} if found.get(path) != self.before.get(path)} == set()

    def requests(self):
        """{old id: object of qstat --json}; each is what `--old-id` finds."""
        found = {one["old_id"]: one for one in self.site.qstat("-a")["requests"]}
        for old_id, one in found.items():
            (same,) = self.site.qstat("--old-id", old_id)["requests"]
            assert same == {**one, "position": None}
        return found

    def ids(self, old_id):
        """Old ids of all that `--old-id` finds."""
        return [one["old_id"] for one in self.site.qstat("--old-id", old_id)["requests"]]

    def one(self, old_id):
        """The request that was made of an old one, also when it has ended."""
        (found,) = self.site.qstat("--old-id", old_id)["requests"]
        return found

    def queues(self):
        return {one["name"]: one for one in self.site.qstat("-a")["queues"]}

    def shown(self, queue):
        """Lines of `show long queue`, with blanks squeezed."""
        out = self.site.run("qmgr", "show", "long", "queue", queue).ok()
        return [" ".join(line.split()) for line in out.splitlines()]

    def start_queues(self):
        """Do what the summary says, to the letter."""
        lines = re.findall(r"^  (qmgr start queue \S+)$", self.out, re.MULTILINE)
        for line in lines:
            self.node.run(["/bin/sh", "-c", line]).ok()
        return {line.split()[-1] for line in lines}

    def ended(self, old_id):
        """Wait until it has; returns what qstat says then, and how it began."""
        rid = self.one(old_id)["id"]
        self.site.qwait(rid, LIMIT_S)
        return self.one(old_id), self.node.begun(rid)

    def home(self, user, *parts):
        return self.node.home_of(user, *parts)

    def text(self, user, *parts):
        """What a file in a home holds; it is its owner's."""
        path = self.home(user, *parts)
        assert os.stat(path).st_uid == self.users[user].uid
        with open(path, encoding="utf-8") as file:
            return file.read()

    @functools.cached_property
    def history(self):
        """{old id: id} of `jcq history`."""
        rows = [json.loads(line) for line in self.node.run("jcq", "history", "--json").ok().splitlines()]
        assert {row["spool"] for row in rows} == {self.spool}
        return {row["old_id"]: row["id"] for row in rows}


@contextlib.contextmanager
def converted(name, running, verified):
    """Convert a sample into a site, which runs already or is started afterwards; `verified`: what --verify says."""
    with old_node(name) as node:
        sample = Converted(name, node)
        if running:
            sample.site.start()
        sample.convert()
        assert ("start jcdbs temporarily." in sample.out) is not running
        sample.spool_is_as_it_was()
        if not running:
            sample.site.start()
        assert node.run("spoolconv", "-c", sample.spool, "--verify").ok() == f"verified: {verified}\n"
        yield sample
        sample.spool_is_as_it_was()


def came_from(begun, user, one, directory):
    """What every job finds: who it is, where, and jcq's own variables."""
    assert (begun["uids"], begun["gids"]) == ((user.uid,) * 3, (user.gid,) * 3)
    assert set(user.every_group) <= set(begun["groups"])
    assert (begun["directory"], begun["shell"], begun["umask"]) == (directory, one["shell"], int(one["umask"], 8))
    own = {os.fsdecode(key): os.fsdecode(value) for key, value in begun["environment"].items() if _JCQS.match(key)}
    assert own["QSUB_REQID"] == one["id"]
    assert (own["QSUB_WORKDIR"], own["QSUB_HOST"], own["QSUB_REQNAME"]) == (one["workdir"], one["host"], one["name"])
    return {os.fsdecode(key): os.fsdecode(value) for key, value in begun["environment"].items() if not _JCQS.match(key)}


# --- at --------------------------------------------------------------------------------------


def test_every_fact_of_at():
    with converted("at-small", False, "9 the same") as sample:
        queues_of_at(sample)
        requests_of_at(sample)
        jobs_of_at(sample)


def queues_of_at(sample):
    assert sample.sums == {"queues": (4, 3, 1, 0), "requests": (5, 1, 4, 0), "all": (9, 4, 5, 0)}
    found = sample.queues()
    assert set(found) == {"batch", "guilb_def", "at_a", "at_b", "at_c", "at_z"}
    for name, run_limit, nice in (("at_a", 100000, 0), ("at_b", 1, 2), ("at_c", 100000, 4), ("at_z", 100000, 19)):
        one = found[name]
        assert (one["run_limit"], one["enabled"], one["started"], one["restart"]) == (run_limit, True, False, "RESTART")
        assert one["access"] == {"unrestricted": True, "users": [], "groups": []}
        assert one["limits"] == ({"nice_process": {"value": nice, "warning": None}} if nice else {})
        lines = sample.shown(name)
        assert "type=BATCH; [ENABLED, STOPPED]; pri=0" in lines[0]
        expected = {f"Run_limit = {run_limit};", "Unrestricted access", "Restart = RESTART"}
        expected |= {f"Per-process nice value = {nice}"} if nice else set()
        assert expected <= set(lines)
    assert sample.report["at_b"]["notes"] == ["at started its jobs only while the load was low"]


def listed_by_at(sample):
    """{job: (due, letter, user)} as atq said."""
    rows = [line.split("\t") for line in sample.truth["atq_root"]]
    return {number: (float(rest.split()[0]), *rest.split()[2:4]) for number, rest in rows}


def requests_of_at(sample):
    found = sample.requests()
    assert found.keys() == sample.submitted.keys() == sample.history.keys()
    for number, (due_s, letter, user) in listed_by_at(sample).items():
        was, one = sample.submitted[number], found[number]
        later = due_s > datetime.now().timestamp()
        assert (one["user"], one["uid"], one["queue"]) == (user, was["uid"], f"at_{letter}")
        assert (one["state"], one["due_s"]) == ("WAITING" if later else "QUEUED", due_s)
        assert one["why"] == (f"waits until {datetime.fromtimestamp(due_s, UTC):%Y-%m-%d %H:%M}" if later else
                              f"queue at_{letter} is stopped")  # fmt: skip
        assert (one["workdir"], one["umask"]) == (was["cwd"], f"{int(was['umask'], 8):03o}")
        assert (one["submitted_s"], one["shell"]) == (was["submitted"], "/bin/sh")
        assert (one["stdout"], one["stderr"]) == (f"{was['cwd']}/STDIN.o{one['id'].split('.')[0]}", None)
        assert (one["mail"], one["mail_to"]) == (["end"] if "-m" in was["argv"] else [], user)
        file = sample.report[number]["where"]
        assert os.path.basename(file) == was["new_files"][0]
        assert sample.history[number] == one["id"] == sample.report[number]["id"]
        assert len(sample.report[number]["notes"]) == (0 if "-M" in was["argv"] else 1)
    assert "Next available sequence number = 6" in sample.site.run("qmgr", "show", "parameters").ok()


def jobs_of_at(sample):
    node, users = sample.node, sample.users
    os.makedirs(sample.home("alice", "My Data", "run 1"))
    for path in ("My Data", "My Data/run 1"):
        os.chown(sample.home("alice", path), users["alice"].uid, users["alice"].gid)
    node.program(sample.home("bob", "simulate"), '#!/bin/sh\necho "simulated $*"\n', users["bob"])
    make = "printf '#!/bin/sh\\necho \"made $*\"\\n' >/usr/local/bin/make; chmod 755 /usr/local/bin/make"
    node.run(["/bin/sh", "-c", make]).ok()
    assert node.begun_ids() == set(), "nothing runs until it has been looked at"
    assert sample.start_queues() == {"at_a", "at_b", "at_c", "at_z"}
    due = {number for number, row in listed_by_at(sample).items() if row[0] < datetime.now().timestamp()}
    assert due == {"2", "5"}
    for number in due:
        sample.ended(number)
    assert {sample.one(number)["state"] for number in sample.submitted.keys() - due} == {"WAITING"}
    for number in sample.submitted.keys() - due:
        one = sample.one(number)
        sample.site.run("qalter", "-a", "now", one["id"], user=users[one["user"]]).ok()
    for number, (_, letter, user) in listed_by_at(sample).items():
        was = sample.submitted[number]
        one, begun = sample.ended(number)
        assert (one["state"], one["outcome"], one["exit_code"], one["reason"]) == ("DONE", "exited", 0, ""), one
        found = came_from(begun, users[user], one, was["cwd"])
        expected = {name: value for name, value in was["env_given"].items() if name != "SHELL"}
        # batch is a script, which puts PWD there.
        expected |= {"PWD": was["cwd"]} if was["argv"] == ["batch"] else {}
        assert found == {**expected, "ENVIRONMENT": "BATCH"}
        assert hashlib.sha256(begun["script"]).hexdigest() == was["script_sha256"]
        assert len(begun["script"]) == was["script_len"]
        assert begun["umask"] == int(was["umask"], 8)
        assert begun["nice"] == ({"a": os.nice(0), "b": 2, "c": 4, "z": 19}[letter])
        path = sample.home(user, os.path.relpath(one["stdout"], f"/home/{user}"))
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~int(was["umask"], 8)
    names = {number: os.path.basename(sample.one(number)["stdout"]) for number in sample.submitted}
    assert sample.text("alice", names["1"]).startswith("hello\n")
    assert sample.text("bob", "out.log") == "simulated --steps 1000\n"
    assert sample.text("carol", names["3"]) == "not a # comment $HOME\n"
    assert sample.text("alice", "My Data", "run 1", names["4"]) == "made all\n"
    assert sample.text("bob", names["2"]) == sample.text("bob", names["5"]) == ""
    mailed(sample, sample.one("3")["id"], "carol")


def mailed(sample, request_id, recipient):
    """The one mail that was asked for has come."""
    wait_until(lambda: kept(sample.mail), LIMIT_S, sample.site.log_text)
    ((arguments, message),) = kept(sample.mail)
    assert arguments == f"-oi -f nqs {recipient}"
    assert request_id in message["Subject"]
    assert "ended" in message["Subject"]


# --- Grid Engine -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sge-small", "sge-bdb-small"])
def test_every_fact_of_grid_engine(name):
    if name == "sge-bdb-small" and not shutil.which("db5.3_dump"):
        pytest.skip(skips.NEEDS_DB_DUMP)
    with converted(name, name == "sge-small", "12 the same, 2 skipped") as sample:
        queues_of_grid_engine(sample)
        requests_of_grid_engine(sample)
        jobs_of_grid_engine(sample)


def seconds(text):
    """Of INFINITY, 3600 or 48:00:00."""
    if text == "INFINITY":
        return None
    return sum(int(part) * 60**place for place, part in enumerate(reversed(text.split(":"))))


def said_of_queues(sample):
    """{queue here: {attribute: value}} as `qconf -sq` said."""
    queries = sample.truth["queries"].items()
    shown = {query.split()[-1]: text for query, text in queries if query.startswith("qconf -sq ")}
    return {
        name.replace(".", "_"): dict(line.split(None, 1) for line in text.splitlines()) for name, text in shown.items()
    }


def queues_of_grid_engine(sample):
    assert sample.sums["queues"] == (3, 0, 3, 0)
    assert sample.sums["requests"] == (7, 0, 7, 0)
    assert sample.sums["all"][3] == sample.sums["settings"][3] == 3
    assert sample.report["nightcal"]["reason"].startswith("jcq has nothing like a calendar")
    assert sample.report["smp"]["reason"].startswith("jcq has nothing like a parallel environment")
    managers = sample.truth["queries"]["qconf -sm"].split()
    assert sample.site.run("qmgr", "show", "managers").ok() == "".join(f"{name}:m\n" for name in managers)
    found, said = sample.queues(), said_of_queues(sample)
    assert found.keys() - said.keys() == {"batch", "guilb_def"}
    for name, was in said.items():
        one = found[name]
        run_limit, rerun = int(was["slots"][0]), {"TRUE": "RESTART", "FALSE": "PURGE"}[was["rerun"]]
        assert (one["run_limit"], one["restart"], one["enabled"], one["started"]) == (run_limit, rerun, True, False)
        assert one["access"] == {"unrestricted": True, "users": [], "groups": []}
        pairs = {"elapsed_request": (seconds(was["h_rt"]), seconds(was["s_rt"])),
                 "cpu_request": (seconds(was["h_cpu"]), seconds(was["s_cpu"])),
                 "memory_request": ({"INFINITY": None, "2G": 2 << 30}[was["h_vmem"]], None),
                 "nice_process": (int(was["priority"]) or None, None)}  # fmt: skip
        assert one["limits"] == {
            key: {"value": value, "warning": warning} for key, (value, warning) in pairs.items() if value
        }
        assert f"its name was '{was['qname']}'" in sample.report[name]["notes"]
        lines = sample.shown(name)
        assert "[ENABLED, STOPPED]" in lines[0]
        assert {f"Run_limit = {run_limit};", "Unrestricted access", f"Restart = {rerun}"} <= set(lines)
    assert "Per-request elapsed time limit = 48:00:00, warning = 47:59:00" in sample.shown("long_q")
    assert {"Per-process nice value = 10", "Per-request memory size limit = 2 gb"} <= set(sample.shown("long_q"))
    assert "Per-request CPU time limit = 1:00:00" in sample.shown("night_q")
    assert "calendar nightcal has no counterpart" in sample.report["night_q"]["notes"]


def option(options, name):
    return options[options.index(name) + 1] if name in options else None


def directory_of(was, sample):
    """Where a job of Grid Engine ran: -cwd, on the command line or in the script, else HOME."""
    script = was["script"].get("text", "")
    return was["cwd"] if "-cwd" in was["argv"] or "#$ -cwd" in script else was["env"]["HOME"]


def requests_of_grid_engine(sample):
    found = sample.requests()
    assert set(found) == set(sample.history) == {"1", "2", "3", "4", "5.1", "5.3", "5.5"}
    assert sample.ids("5") == ["5.1", "5.3", "5.5"], "by the number that its owner knows"
    for old_id, one in found.items():
        was = sample.submitted[old_id.partition(".")[0]]
        options, number = was["argv"], one["id"].split(".")[0]
        home = was["env"]["HOME"]
        assert (one["user"], one["uid"], one["name"]) == (was["user"], was["uid"], option(options, "-N"))
        assert abs(one["submitted_s"] - was["submitted"]) < 3
        assert one["queue"] == ("long_q" if option(options, "-q") == "long.q" else "short_q")
        assert (one["workdir"], one["umask"]) == (directory_of(was, sample), "022")
        assert (one["host"], one["shell"]) == (sample.truth["host"], "/bin/sh")
        # What nobody said is restarted where the queue restarts, as Grid Engine did.
        assert one["restartable"] is (option(options, "-r") != "n")
        assert one["stdout"] == (option(options, "-o") or f"{home}/{one['name']}.o{number}")
        joined = option(options, "-j") == "y"
        assert one["stderr"] == (None if joined else option(options, "-e") or f"{home}/{one['name']}.e{number}")
        assert (one["mail"], one["mail_to"]) == ((["end"], "bob@oldhost") if "-m" in options else ([], None))
        assert sample.history[old_id] == one["id"] == sample.report[old_id]["id"]
        chosen = "Grid Engine had not chosen its queue yet: short.q is taken"
        assert (chosen in sample.report[old_id]["notes"]) == ("-q" not in options)

    def limits(old_id):
        return {name: (pair["value"], pair["from_queue"]) for name, pair in found[old_id]["limits"].items()}

    of_long = {"elapsed_request": (172800, True), "nice_process": (10, True), "memory_request": (2 << 30, True)}
    states = {old_id: (one["state"], one["priority"]) for old_id, one in found.items()}
    assert states == {"1": ("QUEUED", 31), "2": ("QUEUED", 29), "3": ("HELD", 31), "4": ("WAITING", 31),
                      **{f"5.{task}": ("HELD", 31) for task in (1, 3, 5)}}  # fmt: skip
    assert limits("1") == {**of_long, "elapsed_request": (36000, False)}
    assert limits("2") == of_long
    assert found["2"]["limits"]["elapsed_request"]["warning"] == 172740
    assert limits("3") == {"elapsed_request": (600, False), "memory_request": (500 << 20, False)}
    assert limits("4") == limits("5.1") == {"elapsed_request": (1800, True)}
    # 2030-01-02 15:30:15 UTC
    assert (found["4"]["due_s"], found["4"]["why"]) == (1893598215.0, "waits until 2030-01-02 15:30")
    assert "it had begun to run, and is run again from its beginning" in sample.report["1"]["notes"]
    assert "its priority was -50 (-1023 to 1024)" in sample.report["2"]["notes"]
    assert found["3"]["why"] == "it was held in the old system"
    for task in (1, 3, 5):
        assert found[f"5.{task}"]["why"] == "it is to run after 2, and jcq has no dependencies"
        assert "it had a limit of tasks at once (-tc) 2" in sample.report[f"5.{task}"]["notes"]


def jobs_of_grid_engine(sample):
    node, site, users = sample.node, sample.site, sample.users
    node.program(sample.home("bob", "render"), '#!/bin/sh\necho "rendered $*"\necho bad >&2\n', users["bob"])
    assert node.begun_ids() == set(), "nothing runs until it has been looked at"
    assert sample.start_queues() == {"long_q", "night_q", "short_q"}
    # It had begun, so it runs again; the queue has one slot.
    first = sample.one("1")["id"]
    node.begun(first)
    assert sample.one("2")["state"] == "QUEUED"
    assert sample.shown("long_q")[1].startswith("0 exit; 1 run; 0 stage; 1 queued;")
    site.run("qdel", "-k", first, user=users["alice"]).ok()
    assert sample.ended("1")[0]["outcome"] == "signalled"
    assert sample.ended("2")[0]["exit_code"] == 0
    assert {old_id for old_id, one in sample.requests().items() if one["state"] in ("HELD", "WAITING")} == {
        "3", "4", "5.1", "5.3", "5.5"
    }  # fmt: skip
    site.run("qrls", sample.one("3")["id"], user=users["carol"]).ok()
    site.run("qalter", "-a", "now", sample.one("4")["id"], user=users["alice"]).ok()
    tasks = [sample.one(f"5.{task}")["id"] for task in (1, 3, 5)]
    assert site.run("qrls", *tasks, user=users["bob"]).exit_code != 0, "its owner does not know whether job 2 has run"
    site.run("qmgr", "release", "request", *tasks).ok()
    for old_id in sample.history:
        was = sample.submitted[old_id.partition(".")[0]]
        one, begun = sample.ended(old_id)
        assert one["reason"] == "", one
        found = came_from(begun, users[was["user"]], one, directory_of(was, sample))
        assert found == environment_of(was, one, old_id)
        assert hashlib.sha256(begun["script"]).hexdigest() == was["script"]["sha256"]
        assert begun["nice"] == (10 if one["queue"] == "long_q" else os.nice(0))
        assert begun["umask"] == int(was["umask"], 8)
    names = {old_id: os.path.basename(sample.one(old_id)["stdout"]) for old_id in sample.history}
    assert sample.text("alice", "out") == ""
    assert (sample.text("bob", "r.out"), sample.text("bob", "r.err")) == ("rendered --frames 1-100\n", "bad\n")
    assert sample.text("carol", names["3"]) == "fast\n"
    assert sample.text("alice", names["4"]) == "happy new year\n"
    assert [sample.text("bob", names[f"5.{task}"]) for task in (1, 3, 5)] == ["task 1\n", "task 3\n", "task 5\n"]
    mailed(sample, sample.one("2")["id"], "bob@oldhost")


def environment_of(was, one, old_id):
    """What Grid Engine gave a job, by qsub(1) and by what the submission said."""
    number, _, task = old_id.partition(".")
    given = was["env"]
    names = {"ENVIRONMENT": "BATCH", "JOB_ID": number, "SGE_ACCOUNT": "sge", "TERM": "", "TMPDIR": "/tmp",
             "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
             "QUEUE": one["queue"].replace("_", "."), "RESTARTED": "0"}  # fmt: skip
    names |= {name: given[name] for name in ("HOME", "LOGNAME", "SHELL", "USER")}
    names |= dict.fromkeys(("JOB_NAME", "REQUEST", "REQNAME"), one["name"])
    names |= dict.fromkeys(("NSLOTS", "NHOSTS", "NQUEUES"), "1")
    names |= {f"SGE_O_{name}": given[name] for name in ("HOME", "LOGNAME", "PATH", "SHELL")}
    names |= {"SGE_O_HOST": "oldhost", "SGE_O_WORKDIR": was["cwd"]}
    tasks = (task, "1", "6", "2") if task else ("undefined",) * 4
    names |= dict(zip(("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"), tasks, strict=True))
    for word in (option(was["argv"], "-v") or "").split(","):
        names |= {word.partition("=")[0]: word.partition("=")[2]} if word else {}
    return names

"""spoolconv: old spools into sites that are stopped and that run, what it refuses, and that it only reads."""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys

import pytest

from support import tiny_layout as tiny
from support.harness import Node, free_address
from support.waiting import wait_until

SUMS = re.compile(r"^all +(\d+) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)
ENV = {"NQS_SITE": "testsite"}


@pytest.fixture(scope="module")
def module_node():
    """One node for all tests of this file: each makes its spools, and adds to one of its two sites."""
    with Node() as made:
        yield made


@pytest.fixture(scope="module")
def running(module_node):
    """A site that runs."""
    return module_node.cluster_site("running", 201).start()


@pytest.fixture(scope="module")
def stopped(module_node):
    """A site that does not run."""
    return module_node.cluster_site("stopped", 202)


def spool(site, name, *rows):
    return tiny.make(site.node.make_directory(f"{site.name}-{name}"), rows)


def convert(site, directory, *words, **how):
    """Run spoolconv for a site."""
    return site.node.run(tiny.argv("-c", directory, *words), env={"NQS_SITE": site.name}, **how)


def sums(text):
    """(read, converted, noted, skipped)."""
    return tuple(map(int, SUMS.search(text).groups()))


def snapshot(*directories):
    """{path: (mode, owner, size, times but that of access, contents or target)}."""
    found = {}
    for top in directories:
        for place, subdirectories, files in os.walk(top):
            for path in [place, *(os.path.join(place, name) for name in (*subdirectories, *files))]:
                status = os.lstat(path)
                what = status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns
                if os.path.islink(path):
                    found[path] = (*what, os.readlink(path))
                elif os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[path] = (*what, file.read())
                else:
                    found[path] = what
    return found


def me():
    return os.geteuid()


def test_the_dialogue_of_the_manual(node):
    site = node.cluster_site()
    old = spool(site, "old", tiny.queue("a"), tiny.request(7, me(), "a"), tiny.request(8, 54321, "a"))
    before = snapshot(old)
    sock = os.path.join(node.spool(os.listdir(node.spool())[0]), "database", ".jcdbs.sock")
    out = convert(site, old, stdin="y\n").ok()
    lines = out.splitlines()
    assert lines[:4] == [
        "Do you convert the spool directory for SITE [testsite] ?",
        f"[y/n](default: n) Could not connect to Redis at {sock}: No such file or directory",
        "start jcdbs temporarily.",
        "start convert spool directory.",
    ]
    assert lines[-2:] == ["end convert spool directory.", "temporary jcdbs is stopped."]
    (skip,) = [line for line in lines if line.startswith("Warning")]
    assert skip.startswith('Warning : Convert Skip ([Request]8 where="records:3" reason="uid 54321 has no account')
    assert sums(out) == (3, 2, 0, 1)
    assert "  qmgr start queue a" in lines
    assert snapshot(old) == before
    assert not site.processes()
    (log,) = [name for name in os.listdir(os.path.join(site.directory, "log")) if name.startswith("spoolconv-")]
    with open(os.path.join(site.directory, "log", log), encoding="utf-8") as file:
        assert skip in file.read()
    site.start()
    (request,) = site.qstat("-a")["requests"]
    assert (request["id"], request["old_id"], request["queue"], request["state"]) == ("1.testsite", "7", "a", "QUEUED")
    assert (request["name"], request["uid"], request["submitted_s"]) == ("job7", me(), 1_700_000_007.0)
    assert site.qsub("true\n", "-a", "2099-01-01 00:00") == "8.testsite", "numbers go on above the old ones"


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "Yes please\n"])
def test_every_other_answer_than_yes_is_no(stopped, answer):
    old = spool(stopped, "answer", tiny.queue("answered"))
    before = snapshot(stopped.directory)
    result = convert(stopped, old, stdin=answer)
    assert (result.exit_code, result.err) == (1, "spoolconv: nothing was converted\n")
    assert "start convert" not in result.out
    assert snapshot(stopped.directory) == before


def test_a_dry_run_reports_everything_and_changes_nothing(stopped):
    old = spool(stopped, "dry", tiny.queue("dry"), tiny.request(1, me(), "dry"), tiny.request(2, me(), "no"))
    report = os.path.join(stopped.node.scratch, "dry.json")
    before = snapshot(stopped.directory, old)
    out = convert(stopped, old, "-n", "--report", report).ok()
    assert sums(out) == (3, 2, 0, 1)
    assert "nothing was changed" in out
    after = snapshot(stopped.directory, old)
    apart = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    # Names came and went in these directories, and a daemon may have left last words.
    allowed = {"database", "run", "jcdbs.err", "log", ".owner", ".owner.ofd", ".jcdbs.sock", "requests", "jcdbs.log"}
    assert {os.path.basename(path) for path in apart} <= allowed
    with open(report, encoding="utf-8") as file:
        found = json.load(file)
    assert found["dry_run"] is True
    assert found["totals"] == {"queue": {"converted": 1}, "request": {"converted": 1, "skipped": 1}}
    assert [row["outcome"] for row in found["records"] if row["kind"] == "request"] == ["converted", "skipped"]
    stopped.start()
    assert "dry" not in {queue["name"] for queue in stopped.qstat()["queues"]}
    stopped.stop()


def test_twice_adds_nothing_stopped_or_running(stopped):
    rows = [tiny.queue("twice.q"), *[tiny.request(n, me(), "twice.q") for n in range(1, 301)]]
    old = spool(stopped, "twice", *rows)
    report = os.path.join(stopped.node.scratch, "twice.json")
    assert sums(convert(stopped, old, "-y", "--report", report).ok()) == (301, 300, 1, 0)
    with open(report, encoding="utf-8") as file:
        found = json.load(file)
    assert (found["site"], found["layout"], found["spool"]) == ("stopped", "tiny", old)
    assert len(found["records"]) == 301
    assert sums(convert(stopped, old, "-y").ok()) == (301, 0, 0, 301)
    assert "301 the same" in convert(stopped, old, "--verify").ok()
    stopped.start()
    assert sums(convert(stopped, old, "-y").ok()) == (301, 0, 0, 301)
    assert "301 the same" in convert(stopped, old, "--verify").ok()
    ids = stopped.run("qselect", "-q", "twice_q").ok().split()
    assert len(ids) == 300
    stopped.run("qdel", *ids).ok()
    assert sums(convert(stopped, old, "-y").ok()) == (301, 0, 0, 301), "what has ended is known too"
    stopped.stop()


def test_verify_finds_what_differs(running):
    rest = [tiny.queue("ver", run_limit=3), tiny.queue("ver2"),
            tiny.queue("verpipe", type="PIPE", destinations=["ver2"]),
            {"kind": "complex", "name": "vercomplex", "queues": ["ver", "ver2"], "run_limit": 2},
            {"kind": "setting", "name": "default_priority", "value": "17"}]  # fmt: skip
    old = spool(running, "verify", *rest, *[tiny.request(n, me(), "ver", priority=31) for n in (1, 2, 3)])
    convert(running, old, "-y").ok()
    assert "verified: 8 the same\n" in convert(running, old, "--verify").ok()
    ids = running.run("qselect", "-q", "ver").ok().split()
    for command in ("set run_limit = 4 ver", "set complex run_limit = 1 vercomplex", "set destination = batch verpipe",
                    "set default batch_request priority 31"):  # fmt: skip
        running.run("qmgr", command).ok()
    running.run("qalter", "-p", "5", ids[0]).ok()
    script = os.path.join(running.directory, "requests", f"201-{ids[1].split('.')[0]}")
    os.chmod(script, 0o600)
    with open(script, "a", encoding="ascii") as file:
        file.write("# another\n")
    tiny.make(old, [*rest, tiny.queue("verlater"), *[tiny.request(n, me(), "ver", priority=31) for n in (1, 2, 3, 4)]])
    result = convert(running, old, "--verify")
    assert result.exit_code == 1
    assert f"request 1, now {ids[0]}: priority is 5, not 31" in result.out
    assert f"request 2, now {ids[1]}: the script is another one" in result.out
    assert "request 4: no request of the site was made of it" in result.out
    assert "queue ver: run_limit is 4, not 3" in result.out
    assert "queue verpipe: destinations is ('batch',), not ('ver2',)" in result.out
    assert "complex vercomplex: run_limit is 1, not 2" in result.out
    assert "setting default_priority: value is '31', not '17'" in result.out
    assert "queue verlater: the site has no such queue" in result.out
    assert "verified: 2 the same, 6 different, 2 not converted" in result.out


def test_into_a_running_site_and_its_queues(running):
    """Those in new queues wait for these to be started, those in queues that the site has are held until released."""
    waiting = running.qsub("true\n", "-a", "2099-01-01 00:00")
    old = spool(running, "mixed", tiny.queue("batch", run_limit=99), tiny.queue("fresh", priority=7, run_limit=3),
                tiny.request(31, me(), "batch"), tiny.request(32, me(), "fresh"),
                tiny.request(33, me(), "batch", state="HELD"),
                tiny.request(34, me(), "fresh", state="RUNNING"))  # fmt: skip
    out = convert(running, old, "-y").ok()
    assert "Redis" not in out
    assert sums(out) == (6, 4, 1, 1)
    assert "stays as it is (priority was 0, is 10; run_limit was 99" in out
    found = {r["old_id"]: r for r in running.qstat("-a")["requests"] if r["old_id"] in ("31", "32", "33", "34")}
    assert {old_id: r["state"] for old_id, r in found.items()} == {
        "31": "HELD",
        "32": "QUEUED",
        "33": "HELD",
        "34": "QUEUED",
    }
    queue = next(q for q in running.qstat()["queues"] if q["name"] == "fresh")
    assert (queue["priority"], queue["run_limit"], queue["enabled"], queue["started"]) == (7, 3, True, False)
    held = re.search(r"qmgr <(\S+)", out)[1]
    with open(held, encoding="utf-8") as file:
        commands = file.read()
    assert commands == f"release request {found['31']['id']}\n"
    running.qmgr(commands.strip())
    running.qmgr("start queue fresh")
    for old_id in ("31", "32", "34"):
        assert running.qwait(found[old_id]["id"]) == 0
    assert running.qstat(waiting)["requests"][0]["state"] == "WAITING"


def test_with_start_everything_runs_at_once(running):
    old = spool(running, "start", tiny.queue("startq"), tiny.queue("idle", started=False),
                tiny.queue("pipe", type="PIPE", destinations=["startq"]),
                *[tiny.request(number, me(), name) for number, name in
                  ((41, "startq"), (42, "batch"), (43, "pipe"), (44, "idle"))])  # fmt: skip
    convert(running, old, "-y", "--start", "--map-queue", "pipe=pipeline").ok()
    ids = {n: running.qstat("--old-id", str(n))["requests"][0]["id"] for n in (41, 42, 43, 44)}
    assert [running.qwait(ids[n]) for n in (41, 42, 43)] == [0, 0, 0]
    assert running.qstat(ids[44])["requests"][0]["state"] == "QUEUED"


def test_a_job_runs_as_its_old_system_ran_it(running, tmp_path):
    place = str(tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "WORD": "two words", "BYTES": "\udcff"}
    old = spool(running, "job", tiny.queue("jobs"),
                tiny.request(51, me(), "jobs", workdir=place, umask=0o027, environment=environment,
                             script="#!/bin/sh\nenv -0 >env; pwd >pwd; umask >umask\n"),
                tiny.request(52, me(), "jobs", workdir=f"{place}/gone"))  # fmt: skip
    convert(running, old, "-y", "--start").ok()
    request = running.qstat("--old-id", "51")["requests"][0]
    assert running.qwait(request["id"]) == 0
    found = dict(pair.split(b"=", 1) for pair in (tmp_path / "env").read_bytes().split(b"\0") if pair)
    assert {name: found[name] for name in (b"PATH", b"HOME", b"WORD", b"BYTES")} == {
        b"PATH": b"/usr/bin:/bin", b"HOME": b"/nowhere", b"WORD": b"two words", b"BYTES": b"\xff"
    }  # fmt: skip
    assert found[b"QSUB_REQID"].decode() == request["id"]
    assert (tmp_path / "pwd").read_text() == f"{place}\n"
    assert (tmp_path / "umask").read_text() == "0027\n"
    assert os.stat(tmp_path / "env").st_mode & 0o777 == 0o640

    def lost():
        return running.qstat("--old-id", "52")["requests"][0]["state"] == "HELD"

    wait_until(lost, 20, running.log_text)
    assert "cannot enter its directory" in running.qstat("--old-id", "52")["requests"][0]["reason"]


def test_old_ids_remain_findable(running):
    old = spool(running, "ids", tiny.queue("ids"), tiny.request(61, me(), "ids"), tiny.request("61.7", me(), "ids"))
    convert(running, old, "-y").ok()
    (request,) = running.qstat("--old-id", "61.7")["requests"]
    assert request["old_id"] == "61.7"
    assert request["id"] in running.run("qstat", "--old-id", "61.7").ok()
    assert "Id in the old system = 61.7" in running.run("qstat", "-l", "--old-id", "61.7").ok()
    running.run("qstat", "--old-id", "999").refused("no request was made of '999'", exit_code=1)
    running.run("qdel", request["id"]).ok()
    (row,) = [json.loads(line) for line in running.run("jcq", "history", "--json", "61.7").ok().splitlines()]
    assert (row["id"], row["state"], row["spool"], row["where"]) == (request["id"], "DONE", old, "records:3")
    text = running.run("jcq", "history").ok()
    assert re.search(rf"^61\.7 +{re.escape(request['id'])} +DONE .*{re.escape(old)}/records:3$", text, re.MULTILINE)
    running.run("jcq", "history", "999").refused("no request was made of '999'", exit_code=1)


def test_users_and_queues_are_mapped(running):
    mine = running.qstat(running.qsub("true\n", "-a", "2099-01-01 00:00"))["requests"][0]["user"]
    if not mine:
        pytest.skip("needs root: users of its own and private mounts")
    old = spool(running, "maps", tiny.request(71, -1, "none", user="gone"), tiny.request(72, 54321, "none"))
    words = ("--map-user", f"gone={mine}", "--map-user", f"54321={mine}", "--map-queue", "none=batch")
    assert sums(convert(running, old, "-y", *words).ok()) == (2, 2, 0, 0)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "OLD_SPOOL is missing", 2),
        (("-y", "-c"), "requires an argument", 2),
        (("-c", "{missing}"), "No such file", 1),
        (("-c", "{file}"), "Not a directory", 1),
        (("-c", "{empty}"), "shows no sign of any of the layouts", 1),
        (("-c", "{old}", "--from", "nonsense"), "no such layout", 2),
        (("-c", "{old}", "--from", "{missing}.toml"), ".toml", 2),
        (("-c", "{old}", "--map-user", "x"), "--map-user needs OLD=NEW", 2),
        (("-c", "{old}", "--map-user", "x=no-such-account"), "no account 'no-such-account'", 2),
        (("-c", "{old}", "--map-user", "x=root", "--map-user", "x=daemon"), "gives 'x' twice", 2),
        (("-c", "{old}", "--map-queue", "x=a.b"), "cannot be called 'a.b'", 2),
        (("-c", "{old}", "--report", "{missing}/r"), "no file can be written there", 2),
        (("-c", "{old}", "--report", "{empty}"), "no file can be written there", 2),
        (("-c", "{old}", "--report", "{old}/r"), "the old spool is only read", 2),
        (("-c", "{old}", "--verify", "-n"), "--verify changes nothing", 2),
        (("-c", "{old}", "--probe", "{old}"), "--probe goes with --from only", 2),
        (("--probe", "{old}", "--from", "tiny"), "--probe checks a description", 2),
        (("-c", "{old}", "surplus"), "unexpected extra argument", 2),
        (("-c", "{old}", "--colour"), "no such option", 2),
    ],
)
def test_bad_input(stopped, words, said, code):
    old = spool(stopped, "bad", tiny.queue("bad"))
    places = {"old": old, "missing": f"{old}-missing", "file": f"{old}/TINY",
              "empty": stopped.node.make_directory("empty")}  # fmt: skip
    before = snapshot(stopped.directory, old)
    argv = tiny.argv("-y", *(word.format(**places) for word in words))
    stopped.node.run(argv, env={"NQS_SITE": stopped.name}).refused("spoolconv: ", said, exit_code=code)
    assert snapshot(stopped.directory, old) == before


def test_an_unknown_site_is_said_as_nqs_says_it(stopped):
    old = spool(stopped, "unknown", tiny.queue("a"))
    result = stopped.node.run(tiny.argv("-c", old, "-y"), env={"NQS_SITE": "nowhere"})
    assert (result.exit_code, result.err) == (1, "Spoolconv(FATAL): Unable to setup NQS rootdir\n")


def test_two_layouts_that_fit_are_named(stopped):
    old = spool(stopped, "two", tiny.queue("a"))
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from support import tiny_layout; import types\n"
        "from jcq.spoolconv import layouts\n"
        "twin = types.ModuleType('twin'); twin.NAME = 'twin'; twin.evidence = tiny_layout.evidence\n"
        "layouts.READERS = (tiny_layout, twin)\n"
        "from jcq.cli.spoolconv import main; sys.exit(main())"
    )
    tests = os.path.dirname(os.path.dirname(os.path.abspath(tiny.__file__)))
    argv = [sys.executable, "-I", "-c", code, tests, "-c", old, "-y"]
    result = stopped.node.run(argv, env={"NQS_SITE": stopped.name})
    result.refused("tiny: it holds TINY; twin: it holds TINY", "--from LAYOUT", exit_code=1)


@contextlib.contextmanager
def user_of(path, how):
    """A process that uses a spool."""
    if how == "directory":
        child = subprocess.Popen(["sleep", "60"], cwd=path)
    else:
        with open(os.path.join(path, "TINY"), "rb") as file:
            if how == "lock":
                fcntl.flock(file, fcntl.LOCK_EX)
            child = subprocess.Popen(["sleep", "60"], stdin=file)
        if how == "pid file":
            child.kill()
            child.wait()
            child = subprocess.Popen(["sleep", "60"])
            with open(os.path.join(path, "old.pid"), "w", encoding="ascii") as file:
                file.write(f"{child.pid}\n")
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("how", ["directory", "file", "lock", "pid file"])
def test_an_old_system_that_lives_is_not_converted(stopped, how):
    old = spool(stopped, "alive", tiny.queue("alive"))
    with user_of(old, how) as child:
        convert(stopped, old, "-y").refused("still uses", f"[{child.pid}]", "--old-system-stopped", exit_code=1)
        assert sums(convert(stopped, old, "-n", "--old-system-stopped").ok()) == (1, 1, 0, 0)
    if how == "pid file":
        assert sums(convert(stopped, old, "-n").ok()) == (1, 1, 0, 0)
        os.unlink(os.path.join(old, "old.pid"))


def test_two_conversions_at_once_are_not_mixed(stopped):
    old = spool(stopped, "lock", tiny.queue("locked"))
    path = os.path.join(stopped.directory, "database", ".spoolconv.lock")
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        convert(stopped, old, "-y").refused("another conversion", exit_code=1)


def test_dbpath_itself_may_be_the_old_spool(node):
    """cjcpw says what to do with a path that has an old spool and no site; the site is made beside the old files."""
    site = node.cluster_site("first", 7)
    db_path = node.make_directory("second.db")
    tiny.make(db_path, [tiny.queue("inplace"), tiny.request(1, me(), "inplace")])
    before = snapshot(db_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from jcq.spoolconv import layouts\n"
        "from support import tiny_layout; layouts.READERS = (tiny_layout,)\n"
        "from jcq.cli.cjcpw import main; sys.exit(main())"
    )
    tests = os.path.dirname(os.path.dirname(os.path.abspath(tiny.__file__)))
    result = node.run([sys.executable, "-I", "-c", code, tests, "second", db_path])
    result.refused("holds the spool of an old system (tiny: it holds TINY)", f"spoolconv -c {db_path}", exit_code=5)
    assert snapshot(db_path) == before
    assert site.row()[1] == "SHUT"


def neutral_spool(directory, *names):
    """A spool of the neutral layout with a queue and a request, and files of these names."""
    files = {
        "jcq-dump.json": '{"format": "jcq-dump", "version": 1}\n',
        "queues.jsonl": '{"name": "night", "run_limit": 4}\n',
        "requests.jsonl": json.dumps({"id": 17, "queue": "night", "uid": me(), "script": "true\n"}) + "\n",
    }
    os.makedirs(directory)
    for name in (*files, *names):
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write(files.get(name, "old\n"))
    return directory


def test_an_old_spool_may_have_the_place_of_the_site(node):
    """The site's files come beside the old ones, which stay as they are, also when the site cannot be made."""
    db_path = node.make_directory("inplace.db")
    directory = neutral_spool(os.path.join(db_path, "nqs"), "note")
    before = snapshot(directory)
    node.add_name(free_address(), "inplace")
    result = node.run("cjcpw", "inplace", db_path)
    result.refused(f"{directory} holds the spool of an old system", f"spoolconv -c {directory}", exit_code=5)
    with open(node.lib("rc", "daemon.conf"), encoding="ascii") as file:
        conf = file.read()
    node.write_daemon_conf("jcdbs_server=/nowhere\n")
    node.run("cjcmksite", "inplace", "9", db_path).refused("/nowhere")
    # The directory's own time is another: names came and went.
    assert {**snapshot(directory), directory: None} == {**before, directory: None}
    node.write_daemon_conf(conf)
    node.run("cjcmksite", "inplace", "9", db_path).ok()
    env = {"NQS_SITE": "inplace"}
    for spool_path in (directory, db_path):
        result = node.run("spoolconv", "-c", spool_path, "-n", env=env)
        assert spool_path == db_path or sums(result.ok()) == (2, 2, 0, 0), str(result)
    assert sums(node.run("spoolconv", "-c", directory, "-y", env=env).ok()) == (2, 2, 0, 0)
    assert "verified: 2 the same\n" in node.run("spoolconv", "-c", directory, "--verify", env=env).ok()
    after = snapshot(directory)
    assert {path: after[path] for path in before if path != directory} == {
        path: what for path, what in before.items() if path != directory
    }


def test_an_old_spool_that_has_a_sites_names_is_left_alone(node):
    db_path = node.make_directory("names.db")
    directory = neutral_spool(os.path.join(db_path, "nqs"), "requests", "log")
    before = snapshot(directory)
    node.add_name(free_address(), "names")
    result = node.run("cjcmksite", "names", "9", db_path)
    result.refused(f"{directory} is an old spool with log, requests of its own", "another path")
    assert snapshot(directory) == before

"""The verb qsub: what becomes of a submission, and what is refused without a trace."""

import os
import pwd
import types

import pytest

from jcq.frames import split
from jcq.nqsdaemon.call import Part, Reply
from jcq.nqsdaemon.desk import Desk
from support.deskwork import NOW_S, Work

SCRIPT = b"#!/bin/sh\necho\n"


@pytest.fixture
def root_site(tmp_path, monkeypatch):
    """A site that root runs, where uid 1000 is smith, of group 100, and nobody else has an account."""

    def getpwuid(uid):
        if uid != 1000:
            raise KeyError(uid)
        return types.SimpleNamespace(pw_name="smith", pw_gid=100, pw_dir="/home/smith")

    monkeypatch.setattr(Desk, "as_root", True)
    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    return Work(tmp_path)


def submit(work, *args, script=SCRIPT, **fields):
    """Submit as smith; the request's record."""
    reply = work.call("qsub", *args, script=script, **{"script_name": "job.sh", **fields})
    assert (reply.exit_code, reply.err) == (0, ""), reply
    return work.request(work.desk.seq)


def spooled(work):
    return sorted(os.listdir(work.desk.site.requests))


def test_the_line_is_exact_and_the_script_is_on_disk(root_site):
    root_site.desk.seq = 11
    reply = root_site.call("qsub", script=SCRIPT, script_name="job.sh")
    assert (reply.exit_code, reply.out, reply.err) == (0, "Request 12.testsite submitted to queue: batch.\n", "")
    assert spooled(root_site) == ["200-12"]
    path = root_site.desk.site.path("requests", "200-12")
    with open(path, "rb") as file:
        assert file.read() == SCRIPT
    assert os.stat(path).st_mode & 0o7777 == 0o400


def test_what_a_plain_request_is(root_site):
    env = {"HOME": "/home/smith", "PATH": "/bin", "SECRET": "1", "QSUB_QUEUE": ""}
    request = submit(root_site, env=env, umask=0o27, tz="JST-9", host="host9", gid=4)
    assert (request.rid, request.id, request.state, request.queue) == ("200-1", "1.testsite", "QUEUED", "batch")
    assert (request.uid, request.gid, request.user) == (1000, 100, "smith")
    assert (request.name, request.workdir, request.host, request.umask) == ("job.sh", "/home/smith", "host9", 0o27)
    assert (request.priority, request.restartable, request.tz) == (31, True, "JST-9")
    assert (request.out_path, request.err_path, request.shell, request.home) == ("", "", "", "")
    assert not any((request.joined, request.keep_out, request.keep_err, request.has_environment))
    assert request.variables == "HOME=/home/smith\0PATH=/bin"
    assert request.submitted_s == NOW_S


def test_every_option(root_site):
    request = submit(
        root_site, "-q", "guilb_def", "-p", "63", "-r", "7up", "-nr", "-s", "/bin/bash", "-x",
        "-o", "out/a", "-e", "/tmp/b", env={"A": "b\nc", "HOME": "/home/smith"},
    )  # fmt: skip
    assert (request.submitted_to, request.queue) == ("guilb_def", "batch")
    assert (request.priority, request.name, request.restartable, request.shell) == (63, "R7up", False, "/bin/bash")
    assert (request.out_path, request.err_path) == ("/home/smith/out/a", "/tmp/b")
    assert request.has_environment
    assert spooled(root_site) == ["200-1", "200-1.env"]
    with open(root_site.desk.site.path("requests", "200-1.env"), "rb") as file:
        assert sorted(split(file.read(), 9)) == [b"A=b\nc", b"HOME=/home/smith"]


def test_eo_ke_ko(root_site):
    assert submit(root_site, "-eo").joined
    request = submit(root_site, "-ke", "-ko")
    assert request.keep_err
    assert request.keep_out


def test_directives_and_the_command_line_above_them(root_site):
    script = b"#!/bin/sh\n#@$-r inside -p 5 -eo\n# @$-o here\n## @$-q none\n#@$\n#@$-q none\n"
    request = submit(root_site, "-p", "6", script=script)
    assert (request.name, request.priority, request.joined, request.out_path) == ("inside", 6, True, "/home/smith/here")
    assert submit(root_site, script=b"#QSUB -x\n", env={"A": "b"}).has_environment


def test_z_is_silent(root_site):
    reply = root_site.call("qsub", "-z", script=SCRIPT, script_name="x")
    assert (reply.exit_code, reply.out, reply.err) == (0, "", "")
    assert root_site.request(1).state == "QUEUED"


def test_a_in_the_future_waits_and_in_the_past_does_not(root_site):
    later = submit(root_site, "-a", "tomorrow 8:00", tz="UTC")
    assert (later.state, later.due_s) == ("WAITING", 1_800_000_000.0 + 86400)
    assert submit(root_site, "-a", "2020-01-01").state == "QUEUED"


def test_order_of_default_queues(root_site):
    root_site.add_queue(name="night", enabled=True)
    root_site.add_queue(name="day", enabled=True)
    assert submit(root_site, env={"QSUB_QUEUE": "night"}).queue == "night"
    assert submit(root_site, "-q", "day", env={"QSUB_QUEUE": "night"}).queue == "day"
    assert submit(root_site, "-q", "day@testsite").queue == "day"
    root_site.store.run(root_site.store.set_param("default_queue", "", 0.0))
    reply = root_site.call("qsub", script=SCRIPT)
    assert (reply.exit_code, reply.err) == (
        1, "qsub: No request queue specified, and no local default has been defined.\n",
    )  # fmt: skip


def test_default_priority_is_the_site_s(root_site):
    root_site.store.run(root_site.store.set_param("default_priority", "7", 0.0))
    assert submit(root_site).priority == 7
    assert submit(root_site, "-p", "31").priority == 31
    assert submit(root_site, "-p", "0").priority == 0


@pytest.mark.parametrize("host", ["testsite", "TESTSITE", "testsite.example", "host1", "127.0.0.50"])
def test_a_path_on_this_site(root_site, host):
    assert submit(root_site, "-o", f"{host}:a/b:c").out_path == "/home/smith/a/b:c"


def test_a_colon_behind_a_slash_belongs_to_the_path(root_site):
    assert submit(root_site, "-o", "./a:b").out_path == "/home/smith/./a:b"


def test_bytes_that_are_no_utf8(root_site):
    name = "caf\udce9"
    request = submit(root_site, "-o", f"{name}.out", script_name=f"{name}.sh", cwd=f"/home/{name}")
    assert (request.name, request.out_path) == (f"{name}.sh", f"/home/{name}/{name}.out")


@pytest.mark.parametrize(
    ("args", "script", "fields", "words"),
    [
        ((), b"", {}, "script is empty"),
        (("-Q",), SCRIPT, {}, "unknown option '-Q'"),
        ((), b"#@$-lP 5\n", {}, "script line 1: unknown option '-lP'"),
        (("-q", "none"), SCRIPT, {}, "no queue named none"),
        (("-q", "../x"), SCRIPT, {}, "'../x' is no queue name"),
        (("-q", "batch@elsewhere"), SCRIPT, {}, "'elsewhere' is another machine"),
        (("-q", "shut"), SCRIPT, {}, "queue shut is disabled"),
        (("-q", "inner"), SCRIPT, {}, "from pipe queues only"),
        (("-r", "a/b"), SCRIPT, {}, "request name"),
        (("-s", "bash"), SCRIPT, {}, "-s needs the absolute path"),
        (("-o", "elsewhere:a"), SCRIPT, {}, "'elsewhere' is another machine"),
        (("-o", "testsite:"), SCRIPT, {}, "-o needs a path"),
        (("-o", ""), SCRIPT, {}, "-o needs a path"),
        (("-o", "dir/"), SCRIPT, {}, "not of a directory"),
        (("-e", "a\nb"), SCRIPT, {}, "control characters"),
        (("-o", "x" * 4090), SCRIPT, {}, "longer than 4095 bytes"),
        (("-e", "a", "-eo"), SCRIPT, {}, "-e and -eo exclude each other"),
        (("-a", "soon"), SCRIPT, {}, "no date and time"),
        (("-a", "8:00"), SCRIPT, {"tz": "Nowhere"}, "time zone 'Nowhere' is not known"),
        ((), SCRIPT, {"uid": 1001, "user": ""}, "uid 1001 has no account"),
    ],
)
def test_refused_without_a_trace(root_site, args, script, fields, words):
    root_site.add_queue(name="shut")
    root_site.add_queue(name="inner", enabled=True, pipeonly=True)
    reply = root_site.call("qsub", *args, script=script, **{"script_name": "job.sh", **fields})
    assert reply.exit_code in (1, 2)
    assert reply.out == ""
    assert words in reply.err
    assert reply.err.startswith("qsub: ")
    assert reply.err[:-1].isprintable()
    assert spooled(root_site) == []
    assert not [key for key in root_site.connection.scan_iter() if key.startswith(b"jcq:request:")]
    assert submit(root_site).seq == 1, "a refusal has used up a number"


def test_a_disk_that_is_full(root_site, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jcq.nqsdaemon.spool.write_all", full)
    reply = root_site.call("qsub", script=SCRIPT, script_name="x")
    assert (reply.exit_code, reply.err) == (1, "qsub: the site cannot store the script: No space left on device\n")
    assert spooled(root_site) == []
    monkeypatch.undo()
    monkeypatch.setattr(Desk, "as_root", False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert submit(root_site).seq == 1


def test_without_root_only_the_site_s_own_uid(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    work = Work(tmp_path)
    reply = work.call("qsub", script=SCRIPT, script_name="x")
    assert reply.exit_code == 1
    assert "runs without root and serves its own user maker only" in reply.err
    assert work.call("qsub", script=SCRIPT, script_name="x", uid=0, user="root").exit_code == 1
    request = submit(work, uid=4242, gid=55, user="", env={"HOME": "/tmp/h"})
    assert (request.uid, request.gid, request.user, request.home) == (4242, 55, "", "/tmp/h")
    assert submit(work, uid=4242, user="", env={"HOME": "not absolute"}).home == "/home/smith"


def test_numbers_are_given_to_accepted_requests_in_order(root_site):
    submit(root_site)
    assert root_site.call("qsub", "-q", "none", script=SCRIPT).exit_code == 1
    assert [submit(root_site).seq for _ in range(2)] == [2, 3]


# --- --parsable, --wait, -d --------------------------------------------------------------------


def test_parsable_is_the_id_alone(root_site):
    assert root_site.call("qsub", "--parsable", script=SCRIPT).out == "1.testsite\n"
    assert root_site.parts == []


def test_what_asked_for_it_is_told_that_it_is_accepted(root_site):
    reply = root_site.call("qsub", "-d", script=SCRIPT)
    assert root_site.parts == [Part(out="Request 1.testsite submitted to queue: batch.\n", accepted=True)]
    assert reply == Reply()
    assert root_site.call("qsub", "-d", "-q", "nowhere", script=SCRIPT).exit_code == 1
    assert root_site.parts == []


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ((), "Request 1.testsite submitted to queue: batch.\n", "Request 1.testsite was ended by signal 15.\n"),
        (("--parsable",), "1.testsite\n", ""),
        (("-z",), "", ""),
    ],
)
def test_wait_answers_twice_as_qwait_in_the_end(root_site, options, first, last):
    def at_end(rid):
        assert rid == "200-1"
        root_site.register_worker()
        (claimed,) = root_site.claim()
        root_site.finish(claimed, "signalled", signal=15)
        return root_site.request(1)

    root_site.at_end = at_end
    reply = root_site.call("qsub", "--wait", *options, script=SCRIPT)
    assert root_site.parts == [Part(out=first, accepted=True)]
    assert reply == Reply(143, out=last)


def test_wait_for_what_is_forgotten_meanwhile(root_site):
    reply = root_site.call("qsub", "--wait", script=SCRIPT)
    assert reply == Reply(1, err="qsub: Request 1.testsite does not exist.\n")


# --- repeated submissions ----------------------------------------------------------------------


def test_the_same_submission_again_is_the_same_request(root_site):
    work = root_site
    how = {"script": SCRIPT, "script_name": "job.sh", "token": "a1"}
    first = work.call("qsub", **how)
    assert first.out == "Request 1.testsite submitted to queue: batch.\n"
    assert work.call("qsub", again=True, **how) == first
    # Also where it is refused now, or where the daemon does not know that it is asked again.
    work.store.run(work.store.set_queue("batch", "enabled", False, NOW_S))
    assert work.call("qsub", again=True, **how) == first
    work.store.run(work.store.set_queue("batch", "enabled", True, NOW_S))
    assert work.call("qsub", **how) == first
    assert spooled(work) == ["200-1"]
    assert work.desk.seq == 1
    # Another user's token, and another one.
    work.call("qsub", **{**how, "token": "a2"})
    assert spooled(work) == ["200-1", "200-2"]


def test_a_repeated_submission_that_never_came_is_made(root_site):
    reply = root_site.call("qsub", script=SCRIPT, script_name="job.sh", token="a1", again=True)
    assert reply.out == "Request 1.testsite submitted to queue: batch.\n"

"""The verb qmgr: what each command does to a site's database, and how it is answered."""

import logging
import os

import pytest

from jcq.jcdbs.errors import NoSuchQueue, StaleEpoch
from jcq.model import lifecycle
from jcq.model.queue import Queue
from jcq.model.restart import ATTRIBUTES
from jcq.nqsdaemon.call import Call
from jcq.nqsdaemon.qmgr import site as site_actions
from jcq.nqsdaemon.verbs import qmgr
from support.deskwork import NOW_S
from support.qmgr_work import COMPLETE, Manager


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


# --- queues ----------------------------------------------------------------------------------


def test_the_scripts_of_the_issue_make_a_queue_of_three(manager):
    """Shows 5: create, enable and start, each answered in NQS's words."""
    lines = ["create batch_queue night priority = 10 run_limit= 3", "enable queue night", "start queue night"]
    assert [manager.ok(line) for line in lines] == [COMPLETE] * 3
    assert manager.queue("night") == Queue("night", "BATCH", 10, True, True, 3)


def test_a_new_queue_is_disabled_and_stopped_with_defaults(manager):
    manager.ok("create batch_queue night")
    assert manager.queue("night") == Queue("night", "BATCH", 0, False, False, 1, restart="RESTART")


def test_a_pipe_queue_takes_its_destinations_and_says_what_has_no_effect(manager):
    out = manager.ok(
        "create pipe_queue p pri=5 pipeonly run_limit=40 dest=(batch@testsite) server=(/usr/lib/pipeclient)"
    )
    assert out.startswith(COMPLETE)
    assert "Note: server is not used" in out
    assert "Note: run_limit is not used" in out
    assert manager.queue("p") == Queue("p", "PIPE", 5, False, False, 1, ("batch",), True)


@pytest.mark.parametrize("host", ["testsite", "TESTSITE", "127.0.0.50"])
def test_a_destination_may_name_this_site(manager, host):
    manager.ok(f"create pipe_queue p dest=batch@{host}")
    assert manager.queue("p").destinations == ("batch",)


def test_a_destination_at_another_host_is_refused(manager):
    manager.refused("create pipe_queue p dest=batch@other", "another machine", "queues of testsite", exit_code=2)


def test_queue_commands_change_one_attribute_each(manager):
    manager.ok("create batch_queue night priority=1 run_limit=1")
    for line, field, value in (
        ("enable queue night", "enabled", True),
        ("start queue night", "started", True),
        ("set priority = 63 night", "priority", 63),
        ("set run_limit = (7) night", "run_limit", 7),
        *[(f"set restart = ({name}) night", "restart", name) for name in ATTRIBUTES],
        ("set nqsbg = (ON) night", "background", True),
        ("set nq=off night", "background", False),
        ("disable queue night", "enabled", False),
        ("stop queue night", "started", False),
    ):
        before = manager.queue("night")
        assert manager.ok(line) == COMPLETE
        setattr(before, field, value)
        assert manager.queue("night") == before, line


def test_destinations_are_added_deleted_and_replaced_in_order(manager):
    for name in ("a", "b", "c"):
        manager.ok(f"create batch_queue {name}")
    manager.ok("create pipe_queue p dest=a")
    for line, wanted in (
        ("add destination = (b, c) p", ("a", "b", "c")),
        ("delete destination = b p", ("a", "c")),
        ("set destination = (c, b) p", ("c", "b")),
        ("delete dest=(c,b) p", ()),
    ):
        manager.ok(line)
        assert manager.queue("p").destinations == wanted


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("create batch_queue batch", "TCML_ALREADEXI ", "exists already"),
        ("create pipe_queue p dest=nosuch", "TCML_NOSUCHQUE ", "nosuch"),
        ("create pipe_queue p dest=p", "TCML_NOSUCHQUE ", "queue named p"),
        ("delete queue nosuch", "TCML_NOSUCHQUE ", "no queue named nosuch"),
        ("delete queue batch", "TCML_QUEENABLE ", "disable it first"),
        ("enable queue nosuch", "TCML_NOSUCHQUE ", "nosuch"),
        ("start queue nosuch", "TCML_NOSUCHQUE ", "nosuch"),
        ("set run_limit = 2 guilb_def", "TCML_WROQUETYP ", "pipe queue guilb_def has no run_limit"),
        ("set restart = PURGE guilb_def", "TCML_WROQUETYP ", "pipe queue guilb_def has no restart"),
        ("set nqsbg = ON guilb_def", "TCML_WROQUETYP ", "pipe queue guilb_def has no nqsbg"),
        ("set destination = batch batch", "TCML_WROQUETYP ", "batch queue batch has no destinations"),
        ("add destination = guilb_def guilb_def", "TCML_SELFREFDES", "guilb_def"),
        ("add destination = batch guilb_def", "TCML_ALREADEXI ", "already"),
        ("add destination = nosuch guilb_def", "TCML_NOSUCHQUE ", "nosuch"),
        ("delete destination = (batch, nosuch) guilb_def", "TCML_NOSUCHDES ", "nosuch"),
        ("set default batch_request queue nosuch", "TCML_NOSUCHQUE ", "nosuch"),
        ("show queue nosuch", "TCML_NOSUCHQUE ", "nosuch"),
        ("show long queue nosuch", "TCML_NOSUCHQUE ", "nosuch"),
    ],
)
def test_a_refusal_has_its_code_and_changes_nothing(manager, line, code, words):
    error = manager.refused(line, words)
    assert error.startswith(f"NQS manager[{code}]: ")
    assert error.endswith(".\n")


def test_a_destination_given_twice_is_refused(manager):
    manager.refused("set destination = (batch, batch) guilb_def", "batch is given twice", exit_code=2)


def test_a_queue_is_deleted_only_disabled_empty_and_named_nowhere(manager):
    manager.ok("create batch_queue night")
    manager.ok("enable queue night")
    manager.refused("delete queue night", "TCML_QUEENABLE")
    manager.submit(1, queue="night")
    manager.ok("disable queue night")
    manager.refused("delete queue night", "TCML_QUEHASREQ")
    manager.store.run(manager.store.delete("200-1", -1, NOW_S))
    manager.ok("add dest=night guilb_def")
    manager.refused("delete queue night", "named elsewhere")
    manager.ok("delete dest=night guilb_def")
    manager.ok("set default batch_request queue night")
    manager.refused("delete queue night", "named elsewhere")
    manager.ok("set no_default batch_request queue")
    assert manager.ok("delete queue night") == COMPLETE
    with pytest.raises(NoSuchQueue):
        manager.queue("night")


# --- the site --------------------------------------------------------------------------------


def test_parameters_are_set_unset_and_shown(manager):
    manager.ok("create batch_queue night")
    for line, shown in (
        ("set default batch_request queue night", "Default batch_request queue = night"),
        ("set no_default batch_request queue", "Default batch_request queue = NONE"),
        ("set default batch_request priority 5", "Default batch_request priority = 5"),
        ("set global_run_limit = 4", "Global run_limit = 4"),
        ("set global_run_limit = 0", "Global run_limit = NONE"),
    ):
        assert manager.ok(line) == COMPLETE
        assert f"  {shown}\n" in manager.ok("show parameters")
    manager.desk.seq = 7
    text = manager.ok("show parameters", uid=1001)
    assert "Site = testsite, machine id 200" in text
    assert "Next available sequence number = 8" in text
    assert "Retention of ended requests = 168 hours" in text


def test_managers_are_added_replaced_and_deleted(manager, monkeypatch):
    monkeypatch.setattr(site_actions.pwd, "getpwnam", lambda name: {"alice": 1, "bob": 2, "root": 0, "maker": 3}[name])
    assert manager.ok("show managers") == "maker:m\nroot:m\n"
    manager.ok("add managers alice:m bob:o")
    assert manager.ok("show managers") == "alice:m\nbob:o\nmaker:m\nroot:m\n"
    manager.refused("add managers (bob:m, nobody:o)", "TCML_NOSUCHACC", "no account named nobody")
    manager.refused("delete managers alice:m bob:m", "TCML_NOSUCHMAN", "bob:m")
    manager.ok("delete managers alice:m")
    assert manager.ok("show managers") == "bob:o\nmaker:m\nroot:m\n"
    manager.ok("set managers alice:o")
    assert manager.ok("show managers") == "alice:o\nmaker:m\nroot:m\n"
    for line in ("delete managers root:m", "delete managers maker:m", "add managers maker:o", "set managers root:o"):
        manager.refused(line, "TCML_ROOTINDEL", "always a manager")


def test_a_manager_whose_account_is_gone_can_be_deleted(manager):
    manager.store.run(manager.store.set_manager("left_long_ago", "m"))
    manager.ok("delete managers left_long_ago:m")
    assert "left_long_ago" not in manager.ok("show managers")


def test_shutdown_starts_cjcpw_stop_outside_the_site(manager, monkeypatch):
    started = []

    def spawn(path, argv, environment, **options):
        started.append((path, argv, environment, options))
        return 4242

    monkeypatch.setattr(os, "posix_spawn", spawn)
    monkeypatch.setitem(os.environ, "JCQ_SITE", "/somewhere")
    monkeypatch.setitem(os.environ, "JCQ_EPOCH", "1")
    monkeypatch.setitem(os.environ, "JCQ_ROOT", "/scratch")
    assert manager.ok("shutdown") == COMPLETE
    assert "FORCEKILL_TIME" in manager.ok("shutdown 60")
    path, argv, environment, options = started[0]
    assert argv == [path, "-I", "-m", "jcq.cli.cjcpw", "-stop", "testsite"]
    assert options["setsid"] is True
    assert environment["JCQ_ROOT"] == "/scratch"
    # A stop kills whatever carries the site's markers.
    assert not {"JCQ_SITE", "JCQ_EPOCH"} & set(environment)


# --- requests --------------------------------------------------------------------------------


def test_an_operator_holds_and_releases_requests_of_others(manager):
    manager.store.run(manager.store.set_manager("bob", "o"))
    manager.submit(1)
    manager.submit(2)
    assert manager.ok("hold request=(1, 2.testsite)", uid=1002) == COMPLETE
    assert [manager.state(seq) for seq in (1, 2)] == [lifecycle.HELD] * 2
    assert manager.request(1).reason == "held by bob"
    assert manager.ok("release request 1 2", uid=1002) == COMPLETE
    assert [manager.state(seq) for seq in (1, 2)] == [lifecycle.QUEUED] * 2


def test_of_several_requests_those_that_can_be_held_are_and_the_others_are_named(manager):
    manager.submit(1)
    reply = manager.run("hold request=(7.other, 1, 9)")
    assert reply.exit_code == 1
    assert reply.err == (
        "NQS manager[TCML_NOSUCHREQ ]: Request 7.other does not exist.\n"
        "NQS manager[TCML_NOSUCHREQ ]: Request 9.testsite does not exist.\n"
    )
    assert manager.state(1) == lifecycle.HELD
    manager.refused("hold request 1", "Request 1.testsite is held.")


# --- the frame of things ---------------------------------------------------------------------


@pytest.mark.parametrize("args", [(), ("show", "queue")])
def test_anything_but_one_line_is_refused(manager, args):
    reply = manager.run(*args)
    assert (reply.exit_code, reply.err) == (2, "qmgr: one command line is expected\n")


@pytest.mark.parametrize("line", ["", "  # a comment"])
def test_nothing_asked_is_nothing_done(manager, line):
    assert manager.ok(line) == ""


def test_a_line_that_is_not_understood_has_the_words_of_the_grammar(manager):
    manager.refused("set runlimit=1 batch", "qmgr: set: unknown word 'runlimit'", exit_code=2)
    manager.refused("set data_limit=(2hb) batch", "qmgr: set data_limit: needs a number and a unit", exit_code=2)


def test_a_change_is_logged_with_who_asked(manager, caplog):
    with caplog.at_level(logging.INFO):
        manager.ok("create batch_queue night", uid=4711)
        manager.ok("show queue", uid=1001)
    assert [record.getMessage() for record in caplog.records] == ["qmgr: maker (uid 4711): create batch_queue night"]


def test_a_stale_epoch_ends_the_daemon_and_is_no_refusal(manager):
    manager.connection.set("jcq:epoch", "2")
    call = Call(verb="qmgr", args=["create batch_queue night"], uid=0, user="root")
    with pytest.raises(StaleEpoch):
        manager.drive(qmgr.handle(call, manager.desk))


def test_a_line_of_any_length_is_answered_at_once(manager):
    reply = manager.run("create batch_queue " + "x" * 70_000)
    assert (reply.exit_code, reply.err) == (2, "qmgr: the line is longer than 65536 characters; split the command\n")

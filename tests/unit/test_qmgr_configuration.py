"""qmgr's `show configuration`: fed to qmgr at a new site it makes the same configuration, to the last byte."""

import pytest

from jcq.model.qmgr_grammar import FORMS, join_lines, parse
from jcq.model.qmgr_tokens import Tokens
from jcq.nqsdaemon.qmgr import access, site
from jcq.nqsdaemon.qmgr.configuration import quoted
from support.qmgr_work import Manager

IDS = {"root": 0, "alice": 1001, "bob": 1002, "o'neil": 1003, "a#b": 1004, "(x)": 1005, "staff": 50, "x=y": 51}


class Entry:
    def __init__(self, name):
        self.pw_uid = self.gr_gid = IDS[name]


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    for name in IDS:
        monkeypatch.setitem(IDS, name, IDS[name])
    monkeypatch.setattr(access.pwd, "getpwnam", Entry)
    monkeypatch.setattr(access.grp, "getgrnam", Entry)
    monkeypatch.setattr(site.pwd, "getpwnam", Entry)


def make(directory, name):
    path = directory / name
    path.mkdir()
    return Manager(path)


@pytest.fixture
def manager(tmp_path):
    return make(tmp_path, "one")


def configuration(manager):
    return manager.ok("show configuration", uid=1001)


def feed(manager, script):
    for _, line, whole in join_lines(script.splitlines()):
        assert whole
        manager.ok(line)


def of_everything(directory):
    """Lines that use every kind of object and every value that is not the default."""
    shell = directory / "my 'own' \"sh\" # \\"
    shell.write_text("")
    shell.chmod(0o755)
    return f"""
set default batch_request priority = 12
set default destination_retry time = 5
set default destination_retry wait = 7
set global_run_limit = 9
set mail = a#b=c@example.com
set lifetime = 24
set retention = 2
set shell_strategy fixed = {quoted(str(shell))}
set run_limit = 3 batch
set user_limit = 2 batch
create batch_queue night priority=20 pipeonly run_limit=4 user_limit=2
create batch_queue Day priority=63
create pipe_queue a_pipe priority=5 pipeonly dest=night
create pipe_queue z-pipe dest=(night, batch, a_pipe)
add destination = z-pipe a_pipe
set restart = MIGRATION_PURGE night
set nqsbg = ON night
set corefile_limit = (0) night
set data_limit = (2gb, 1gb) night
set nice_value_limit = 5 night
set per_process cpu_limit = (1:00:00, 50:00) night
set per_process memory_limit = 1.5gw night
set per_process permfile_limit = 1tb night
set per_process tempfile_limit = 1tb night
set per_request cpu_limit = 10:00.25 night
set per_request memory_limit = (5gb) night
set per_request permfile_limit = 1b night
set per_request tempfile_limit = (unlimited, 1gb) night
set elapsed_limit = 2:00:00 night
set stack_limit = 8mb night
set working_set_limit = 1gb night
set no_access Day
set no_access night
add users = ("(x)", 77, 'a#b', alice, bob, "o'neil") night
add groups = (88, staff, "x=y") night
set no_access z-pipe
add groups = staff z-pipe
create complex = (Day, batch, night) big
set complex run_limit = 3 big
create complex = night small
create complex = () empty
disable queue batch
enable queue night
start queue Day
enable queue z-pipe
start queue z-pipe
add managers alice:m "o'neil:o" "a#b:o"
set default batch_request queue = z-pipe
""".strip()


# --- the same again ----------------------------------------------------------------------------


def test_a_new_site_s_configuration_is_written_so(manager):
    assert configuration(manager) == (
        "# Configuration of a jcq site, format 1: a script for qmgr at a new site.\n"
        "# The first command deletes the queues that cjcmksite makes. It is not for a site that has others.\n"
        "delete default_queues\n"
        "\n"
        "set default batch_request priority = 31\n"
        "set default destination_retry time = 72\n"
        "set default destination_retry wait = 5\n"
        "set global_run_limit = 0\n"
        "set lifetime = 168\n"
        "set mail = nqs\n"
        "set shell_strategy free\n"
        "\n"
        "create batch_queue batch priority = 10 run_limit = 2 user_limit = 0\n"
        "set nqsbg = OFF batch\n"
        "set restart = RESTART batch\n"
        "set unrestricted_access batch\n"
        "\n"
        "create pipe_queue guilb_def priority = 10\n"
        "set unrestricted_access guilb_def\n"
        "\n"
        "add destination = batch guilb_def\n"
        "\n"
        "set default batch_request queue = batch\n"
        "\n"
        "set managers root:m\n"
        "\n"
        "enable queue batch\n"
        "start queue batch\n"
        "\n"
        "enable queue guilb_def\n"
        "start queue guilb_def\n"
    )


@pytest.mark.parametrize("state", ["as made", "changed", "batch alone", "none"])
def test_everything_comes_back_whatever_the_default_queues_have_become(manager, tmp_path, state):
    feed(manager, of_everything(tmp_path))
    script = configuration(manager)
    other = make(tmp_path, "other")
    if state != "as made":
        feed(other, "set no_access batch\nset run_limit = 7 batch\nset global_run_limit = 3\nset managers bob:m")
    if state in ("batch alone", "none"):
        feed(other, "disable queue guilb_def\ndelete queue guilb_def")
    if state == "none":
        feed(other, "set no_default batch_request queue\ndisable queue batch\ndelete queue batch")
    feed(other, script)
    assert configuration(other) == script
    assert other.ok("show all").replace("other", "one") == manager.ok("show all")


def test_the_default_queues_need_not_be_there(manager, tmp_path):
    feed(manager, "create batch_queue mine\ndisable queue guilb_def\ndelete queue guilb_def")
    feed(manager, "set no_default batch_request queue\ndisable queue batch\ndelete queue batch")
    script = configuration(manager)
    other = make(tmp_path, "other")
    feed(other, script)
    assert configuration(other) == script
    assert [queue.name for queue in other.store.run(other.store.queues())] == ["mine"]


def test_who_made_the_site_is_not_named_and_keeps_the_right(manager, tmp_path):
    feed(manager, "add managers alice:m")
    script = configuration(manager)
    assert "maker" not in script
    assert "add managers alice:m\n" in script
    other = make(tmp_path, "other")
    feed(other, script)
    assert other.ok("show managers") == "alice:m\nmaker:m\nroot:m\n"


def test_the_order_in_which_things_were_made_does_not_show(manager, tmp_path):
    other = make(tmp_path, "other")
    lines = ["create batch_queue b", "create batch_queue a"]
    feed(manager, "\n".join(lines))
    feed(other, "\n".join(reversed(lines)))
    feed(manager, "set no_access a\nadd users = (alice, bob) a\ncreate complex = (a, b) c")
    feed(other, "set no_access a\nadd users = (bob, alice) a\ncreate complex = (b, a) c")
    assert configuration(manager) == configuration(other)


def test_whose_account_has_gone_or_has_another_id_is_written_as_an_id(manager, tmp_path):
    feed(manager, "set no_access batch\nadd users = (alice, bob, 1002) batch\nadd groups = staff batch")
    IDS.pop("bob")
    IDS["staff"] = 60
    script = configuration(manager)
    assert "add groups = 50 batch\nadd users = 1002 batch\nadd users = alice batch\n" in script
    other = make(tmp_path, "other")
    feed(other, script)
    assert configuration(other) == script
    assert other.queue("batch").groups == ("50:50",)


def test_a_hundred_queues_in_a_list_are_a_hundred_short_lines(manager, tmp_path):
    names = [f"queue_with_quite_a_long_name_{number}" for number in range(100)]
    feed(manager, "\n".join(f"create batch_queue {name}" for name in names) + "\ncreate complex = () all")
    feed(manager, "\n".join(f"add queues = {name} all\nadd destination = {name} guilb_def" for name in names))
    script = configuration(manager)
    assert max(map(len, script.splitlines())) < 200
    other = make(tmp_path, "other")
    feed(other, script)
    assert configuration(other) == script


# --- what is complete and what is refused ------------------------------------------------------


def test_every_command_that_sets_something_is_written(manager, tmp_path):
    """Who adds a command must say here that it needs no line, or write one."""
    feed(manager, of_everything(tmp_path))
    script = configuration(manager) + configuration(make(tmp_path, "other"))
    feed(manager, "set no_default batch_request queue\nset shell_strategy login")
    script += configuration(manager)
    written = {command.verb for line in script.splitlines() if (command := parse(line))}
    changing = set()
    for form in FORMS:
        unkept = "without effect" in form.help and "Kept" not in form.help
        if not unkept and "so this is refused" not in form.help:
            changing |= {form.verb} if form.verb.split()[0] in ("add", "create", "set", "enable", "start") else set()
    by_create = {"set priority", "set run_limit", "set user_limit", "set destination"}
    assert changing - by_create - written == set()


@pytest.mark.parametrize("line", ["create batch_queue night", "create complex = batch big", "create complex = () big"])
def test_the_default_queues_of_a_site_that_is_configured_stay(manager, line):
    manager.ok(line)
    manager.refused("delete default_queues", "this site has", line.split()[-1], "use a new site")


def test_default_queues_that_hold_requests_stay(manager):
    manager.submit(1)
    manager.refused("delete default_queues", "TCML_QUEHASREQ", "batch")
    manager.refused("delete default_queues", "TCML_INSUFFPRV", uid=1001)


def test_an_empty_list_is_for_create_complex_only(manager):
    manager.refused("add queues = () big", "a queue is missing", exit_code=2)
    manager.refused("create complex = (batch,) big", "a queue is missing", exit_code=2)
    manager.refused("create complex = big", "is missing", exit_code=2)


@pytest.mark.parametrize(
    "text", ["a", "a b", "", "it's", 'say "x"', "\"'", "#", "a=b", "(a, b)", "back\\", "\u00e9", "x\" y'", "a@b:c/d"]
)
def test_what_is_quoted_is_read_back_as_one_word(text):
    tokens = Tokens(f"{quoted(text)} end")
    assert (tokens.next().text, tokens.next().text, tokens.left()) == (text, "end", 0)
    assert next(join_lines([f"set mail = {quoted(text)}"]))[2]


def test_a_damaged_record_is_one_line(manager):
    manager.connection.hset("jcq:queue:batch", "run_limit", "x")
    reply = manager.run("show configuration")
    assert reply.exit_code == 1
    assert len(reply.err.splitlines()) == 1

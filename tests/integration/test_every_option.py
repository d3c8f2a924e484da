"""Every option of every users' command has its effect, and is refused where it makes no sense.

`@shows` names the options whose effect a test here asserts, SHOWN_ELSEWHERE those of other tests; together they are
the tables of jcq/options.py, which a test compares: who adds an option must show what it does.
"""

import json
import os
import re
import signal

import pytest

from jcq.options import TABLES
from support.gate import Gate
from support.harness import Node
from support.waiting import wait_until

ROWS = {(command, row[0]) for command, table in TABLES.items() for row in table[5]}
TESTS = os.path.dirname(os.path.dirname(__file__))
LIMITS = {row[0] for row in TABLES["qsub"][5] if row[0].startswith("-l")}

_JOBS = "integration/test_limits_of_jobs.py::"
_RLIMITS = _JOBS + "test_the_job_has_every_rlimit"
SHOWN_ELSEWHERE = {
    **{("qsub", word): _RLIMITS for word in ("-lc", "-ld", "-lf", "-lm", "-ls", "-lt", "-lv", "-lw")},
    ("qsub", "-lE"): _JOBS + "test_elapsed_time",
    ("qsub", "-lM"): _JOBS + "test_memory_of_all_processes",
    ("qsub", "-lT"): _JOBS + "test_cpu_time_of_three_processes",
    ("qsub", "-ln"): _JOBS + "test_the_job_has_its_nice_value",
    **{("qsub", word): "integration/test_mail.py::test_begin_and_end_by_smtp" for word in ("-mb", "-me", "-mu")},
    ("qsub", "-nr"): "integration/test_orders.py::test_what_is_not_restartable_is_not_rerun",
    ("qsub", "-re"): "integration/test_direct_output.py::test_it_is_there_while_the_request_runs",
    ("qsub", "-ro"): "integration/test_direct_output.py::test_it_is_there_while_the_request_runs",
    ("qsub", "-d"): "integration/test_qsub_options.py::test_d_deletes_what_was_accepted_with_the_callers_rights",
    ("qsub", "--parsable"): "integration/test_qsub_options.py::test_parsable_prints_what_every_other_command_takes",
    ("qsub", "--wait"): "integration/test_qsub_options.py::test_wait_says_at_once_what_was_submitted",
    ("qstat", "-a"): "integration/test_two_users.py::test_each_sees_the_own_requests_and_all_with_a",
    ("qstat", "--old-id"): "integration/test_spoolconv.py::test_old_ids_remain_findable",
    ("qstat", "--watch"): "integration/test_watch.py::test_watch",
    ("qcat", "-f"): "integration/test_qcat.py::test_follow_prints_all_until_the_end_is_delivered",
    ("qmsg", "-e"): "unit/test_verb_qmsg.py::test_where_it_goes",
    ("qmsg", "-o"): "integration/test_qmsg.py::test_messages_stand_between_the_jobs_own_lines",
}
SHOWS = []


def shows(command, *words):
    """Of a test here: the options whose effect it asserts."""

    def mark(test):
        SHOWS.extend((command, word) for word in words)
        return test

    return mark


@pytest.fixture(scope="module")
def site():
    """A cluster site; queue `night` takes requests and starts none, `narrow` one at a time."""
    with Node() as node:
        site = node.cluster_site().start()
        site.qmgr(
            "set run_limit = 9 batch",
            "create batch_queue night",
            "enable queue night",
            "create batch_queue narrow",
            "enable queue narrow",
            "create complex = (batch, night) both",
        )
        yield site


def of(site, request):
    (found,) = site.qstat(request)["requests"]
    return found


def text(site, name):
    with open(f"{site.node.scratch}/{name}", encoding="utf-8") as file:
        return file.read()


def running(site, script="", *options):
    """(id of a request that runs until its gate opens, the gate)."""
    gate = Gate(site.node.make_directory(f"gate{len(os.listdir(site.node.scratch))}", 0o777))
    request = site.qsub(gate.script().replace("#!/bin/sh\n", f"#!/bin/sh\n{script}\n"), "-s", "/bin/sh", *options)
    wait_until(gate.started, 30, site.log_text)
    return request, gate


def queues(shown):
    return re.findall(r"^(\w+)@", shown, re.MULTILINE)


# --- the tables ------------------------------------------------------------------------------


def test_every_option_is_shown_by_a_test_that_exists():
    assert not set(SHOWS) & set(SHOWN_ELSEWHERE)
    assert set(SHOWS) | set(SHOWN_ELSEWHERE) == ROWS
    for place in set(SHOWN_ELSEWHERE.values()):
        path, name = place.split("::")
        with open(os.path.join(TESTS, path), encoding="utf-8") as file:
            assert f"\ndef {name}" in file.read(), place


# --- qsub ------------------------------------------------------------------------------------


@shows("qsub", "-a", "-ke", "-ko", "-q", "-r")
def test_what_json_says_of_a_request(site):
    request = site.qsub("true\n", "-q", "night", "-r", "named", "-ke", "-ko", "-a", "2099-01-01 00:00")
    found = of(site, request)
    assert (found["queue"], found["name"], found["state"], found["due_s"]) == ("night", "named", "WAITING", 4070908800)
    number = request.split(".")[0]
    assert (found["stdout"], found["stderr"]) == (f"~/named.o{number}", f"~/named.e{number}")


@shows("qsub", "-e", "-eo", "-o", "-s", "-x", "-z")
def test_what_a_job_sees_and_leaves(site):
    shell = os.path.join(site.node.scratch, "shell")
    with open(shell, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\necho by its shell\nexec /bin/sh "$@"\n')
    os.chmod(shell, 0o755)
    script = "echo fruit=$FRUIT; echo trouble >&2\n"
    env = {"FRUIT": "pear"}
    first = site.qsub(script, "-x", "-s", shell, "-o", "o1", "-e", "e1", env=env)
    second = site.qsub(script, "-s", "/bin/sh", "-o", "o2", "-eo", env=env)
    result = site.run("qsub", "-z", "-o", "o3", "-s", "/bin/sh", stdin=script)
    assert (result.exit_code, result.out, result.err) == (0, "", "")
    assert [site.qwait(request) for request in (first, second)] == [0, 0]
    assert (text(site, "o1"), text(site, "e1")) == ("by its shell\nfruit=pear\n", "trouble\n")
    assert text(site, "o2") == "fruit=\ntrouble\n"
    wait_until(lambda: os.path.exists(f"{site.node.scratch}/o3"), 30, site.log_text)


@shows("qsub", "-p")
@shows("qalter", "-p")
def test_priority_is_the_order_of_starts(site):
    script = 'echo $QSUB_REQNAME >>"$QSUB_WORKDIR/order"\n'
    low, high, least = (site.qsub(script, "-q", "narrow", "-r", f"p{p}", "-p", p) for p in ("5", "60", "9"))
    site.run("qalter", "-p", "0", least).ok()
    site.qmgr("start queue narrow")
    assert [site.qwait(request) for request in (low, high, least)] == [0, 0, 0]
    assert text(site, "order").split() == ["p60", "p5", "p9"]


@shows("qsub", "-lF", "-lV")
def test_what_cannot_be_enforced_is_kept_shown_and_said(site):
    request = site.qsub("true\n", "-q", "night", "-lF", "2gb, 1gb", "-lV", "1mb")
    found = of(site, request)["limits"]
    assert found["permfile_request"] == {"value": 2 << 30, "warning": 1 << 30, "from_queue": False}
    assert found["tempfile_request"] == {"value": 1 << 20, "warning": None, "from_queue": False}
    said = [line for line in site.run("qlimit").ok().splitlines() if "-lF" in line or "-lV" in line]
    assert len(said) == 2, said
    assert all("not" in line.lower() for line in said), said


# --- qalter ----------------------------------------------------------------------------------

#: Option and value -> key of the JSON, and what it is then.
ALTERED = {
    ("-a", "2099-01-01 00:00"): ("due_s", 4070908800),
    ("-e", "/tmp/err"): ("stderr", "/tmp/err"),
    ("-eo",): ("stderr", None),
    ("-ke",): ("stderr", "~/STDIN.e{}"),
    ("-ko",): ("stdout", "~/STDIN.o{}"),
    ("-mb",): ("mail", ["begin"]),
    ("-me",): ("mail", ["begin", "end"]),
    ("-mu", "ops@example.com"): ("mail_to", "ops@example.com"),
    ("-nr",): ("restartable", False),
    ("-o", "/tmp/out"): ("stdout", "/tmp/out"),
    ("-r", "other"): ("name", "other"),
    ("-rr",): ("restartable", True),
    ("-s", "/bin/sh"): ("shell", "/bin/sh"),
}


@shows("qalter", *(words[0] for words in ALTERED), *LIMITS)
def test_qalter_changes_what_it_names_and_nothing_else(site):
    request = site.qsub("true\n", "-q", "night")
    before = of(site, request)
    for words, (key, value) in ALTERED.items():
        assert site.run("qalter", *words, request).ok() == f"Request {request} has been altered.\n"
        after = of(site, request)
        value = value.format(request.split(".")[0]) if isinstance(value, str) else value
        assert after[key] == value, words
        # A new time makes it wait, a new name is that of its files.
        moved = {"-a": {"state", "why", "position"}, "-r": {"stdout", "stderr"}}.get(words[0], set())
        assert {name for name in after if after[name] != before[name]} <= {key, *moved}, words
        before = after
    numbers = {"-ln": "12"}
    for number, row in enumerate(row for row in TABLES["qalter"][5] if row[0] in LIMITS):
        site.run("qalter", row[0], numbers.get(row[0], "3600"), request).ok()
        found = of(site, request)["limits"]
        assert len(found) == number + 1
        assert found[row[2]]["value"] == int(numbers.get(row[0], 3600))


@shows("qalter", "-re", "-ro")
def test_output_that_is_to_be_direct_is_there_while_it_runs(site):
    gate = Gate(site.node.make_directory("direct", 0o777))
    script = gate.script().replace("#!/bin/sh\n", "#!/bin/sh\necho now; echo trouble >&2\n")
    request = site.qsub(script, "-s", "/bin/sh", "-o", "now.o", "-e", "now.e", "-a", "2099-01-01 00:00")
    site.run("qalter", "-ro", "-re", "-a", "now", request).ok()
    wait_until(gate.started, 30, site.log_text)
    assert (text(site, "now.o"), text(site, "now.e")) == ("now\n", "trouble\n")
    gate.open()
    assert site.qwait(request) == 0


# --- qstat and its kin -----------------------------------------------------------------------


@shows("qstat", "-b", "-c", "-d", "-p", "-r", "-s", "-x")
def test_forms_of_queues(site):
    plain = site.run("qstat").ok()
    assert sorted(queues(site.run("qstat", "-b").ok())) == ["batch", "narrow", "night"]
    assert queues(site.run("qstat", "-p").ok()) == ["guilb_def"]
    assert queues(site.run("qstat", "-d").ok()) == []
    assert queues(site.run("qstat", "-s").ok()) == queues(plain)
    assert "Destset = {batch@testsite}" in site.run("qstat", "-r").ok()
    assert "Run_limit = 9;" in site.run("qstat", "-x", "batch").ok()
    assert "Destset" not in plain
    assert "Run_limit" not in plain
    assert queues(site.run("qstat", "-c").ok()) == ["both"]


@shows("qstat", "-l", "-m", "-o", "-u", "--json")
@shows("qstatr", "-a", "-u")
def test_forms_of_requests(site):
    request = site.qsub("true\n", "-q", "night", "-r", "shown")
    assert json.loads(site.run("qstat", "--json", request).ok())["requests"][0]["name"] == "shown"
    long = site.run("qstat", "-l", "night").ok()
    assert "Name=shown" in long
    assert f"Id={request}" in long
    assert "queue night is stopped" in site.run("qstat", "-m", "night").ok()
    assert "is stopped" not in site.run("qstat", "night").ok()
    assert request in site.run("qstat", "-o", "night").ok()
    me = str(os.getuid())
    for command in ("qstat", "qstatr"):
        assert request in site.run(command, "-u", me, "night").ok()
        assert request not in site.run(command, "-u", "nobody-else", "night").ok()
        assert request in site.run(command, "-a", "night").ok()
        site.run(command, "-u", "", "night").refused("-u needs the login name", exit_code=2)


@shows("qselect", "-a", "-p", "-q", "-r", "-s", "-u")
def test_selection(site):
    first = site.qsub("true\n", "-q", "night", "-r", "pick1", "-p", "3")
    second = site.qsub("true\n", "-q", "night", "-r", "pick2", "-p", "4", "-a", "2099-01-01 00:00")
    for options, found in (
        (("-a", "-r", "pick*"), [first, second]),
        (("-r", "pick1"), [first]),
        (("-p", "4", "-r", "pick*"), [second]),
        (("-q", "night", "-r", "pick*"), [first, second]),
        (("-q", "batch", "-r", "pick*"), []),
        (("-s", "WAIT", "-r", "pick*"), [second]),
        (("-u", str(os.getuid()), "-r", "pick*"), [first, second]),
        (("-u", "nobody-else"), []),
    ):
        assert site.run("qselect", *options).ok().split() == found, options


# --- orders ----------------------------------------------------------------------------------


@shows("qdel", "-k", "-signo", "-u")
@shows("qsig", "-s", "-signo", "-u")
def test_signals_arrive(site):
    trap = 'trap "echo usr2" USR2; trap "echo usr1" USR1; trap "echo winch" WINCH'
    request, _ = running(site, trap, "-o", "signals")
    site.run("qdel", request).refused("running")
    heard = []
    for words, word in ((("qsig", "-s", "USR2"), "usr2"), (("qsig", "-USR1"), "usr1"), (("qdel", "-WINCH"), "winch")):
        site.run(*words, request).ok()
        heard.append(word)
        wait_until(lambda: site.run("qcat", request).ok().split() == heard, 20, site.log_text)
    for command, option in (("qsig", ("-s", "TERM")), ("qdel", ("-k",))):
        site.run(command, *option, "-u", "nobody-else", request).refused("Not owner of request")
    site.run("qsig", "-u", str(os.getuid()), "-s", "0", request).refused("-s", exit_code=2)
    site.run("qdel", "-k", "-u", str(os.getuid()), request).ok()
    assert site.qwait(request) == 128 + signal.SIGKILL
    request, _ = running(site)
    site.run("qsig", "-u", str(os.getuid()), request).ok()
    assert site.qwait(request) == 128 + signal.SIGTERM


@shows("qhold", "-u")
@shows("qrls", "-u")
@shows("qmove", "-u")
@shows("qalter", "-u")
@shows("qrerun", "-u")
@shows("qspnd", "-u")
@shows("qrsm", "-u")
@shows("qmsg", "-u")
@shows("qchk", "-u")
def test_u_narrows_an_order_to_one_users_requests(site):
    me = ("-u", str(os.getuid()))
    idle = site.qsub("true\n", "-q", "night")
    busy, gate = running(site, "", "-e", "busy.err")
    orders = {
        "qhold": ((), idle, ("state", "HELD")),
        "qrls": ((), idle, ("state", "QUEUED")),
        "qalter": (("-p", "7"), idle, ("priority", 7)),
        "qmove": (("narrow",), idle, ("queue", "narrow")),
        "qmsg": (("hello",), busy, ("state", "RUNNING")),
        "qspnd": ((), busy, ("suspended", True)),
        "qrsm": ((), busy, ("suspended", False)),
    }
    site.qmgr("stop queue narrow")
    for command, (words, request, (key, value)) in orders.items():
        site.run(command, "-u", "nobody-else", *words, request).refused("Not owner of request")
        site.run(command, "-u", "a b", *words, request).refused("-u needs the login name", exit_code=2)
        site.run(command, *me, *words, request).ok()
        assert of(site, request)[key] == value, command
    assert site.run("qcat", "-e", busy).ok() == "hello\n"
    site.run("qchk", *me, busy).refused("jcq takes no checkpoints")
    site.run("qchk", "-u", "nobody-else", busy).refused("Not owner of request")
    site.run("qrerun", "-u", "nobody-else", busy).refused("Not owner of request")
    site.run("qrerun", *me, busy).ok()
    wait_until(lambda: of(site, busy)["attempt"] == 2, 30, site.log_text)
    gate.open()
    assert site.qwait(busy) == 0


@shows("qcat", "-e", "-i", "-o")
def test_what_a_request_has_written(site):
    request, gate = running(site, "echo out; echo err >&2")
    assert site.run("qcat", "-o", request).ok() == "out\n"
    assert site.run("qcat", "-e", request).ok() == "err\n"
    assert "echo out; echo err >&2\n" in site.run("qcat", "-i", request).ok()
    gate.open()
    assert site.qwait(request) == 0


@shows("qpr", *(row[0] for row in TABLES["qpr"][5]))
def test_qpr_reads_its_options_and_prints_nothing(site):
    words = [word for row in TABLES["qpr"][5] for word in (row[0], *(["1"] if row[1] else []))]
    site.run("qpr", *words, "/etc/hosts").refused("jcq has no devices", exit_code=1)


# --- misuse ----------------------------------------------------------------------------------

#: Bad values of options that take one, for every command that has the option.
BAD = {
    "-a": "the day after never",
    "-e": "elsewhere:/tmp/err",
    "-mu": "two, people",
    "-o": "/tmp/",
    "-p": "64",
    "-q": "nowhere",
    "-r": "a/b",
    "-s": "NEITHER",
    "-u": "a b",
    "-ln": "20",
    "--old-id": "999",
    **dict.fromkeys(LIMITS - {"-ln"}, "many"),
}
#: Flags that contradict another one.
CONTRARY = {
    "-z": "--parsable",
    "--parsable": "-z",
    "-re": "-ke",
    "-ro": "-ko",
    "-ke": "-eo",
    "-ko": "-ro",
    "-eo": "-e=x",
}


@pytest.mark.parametrize("command", sorted({command for command, _ in ROWS}))
def test_each_option_is_refused_where_it_is_wrong(site, command):
    """Without its value, with a bad one, glued to one; a flag with a value or together with its contrary."""
    request = site.qsub("true\n", "-q", "night")
    operands = {"qmove": ("batch", request), "qmsg": ("hello", request), "qsub": (), "qpr": (), "qselect": ()}
    operands = operands.get(command, ("night",) if command in ("qstat", "qstatr") else (request,))
    for word, value_name, *_ in TABLES[command][5]:
        if word == "-signo":
            site.run(command, "-NOSUCH", *operands).refused(f"{command}: unknown option '-NOSUCH'", exit_code=2)
            continue
        site.run(command, f"{word}=x", *operands, stdin="true\n").refused("unknown option", f"{word}=x", exit_code=2)
        if not value_name:
            if command in ("qsub", "qalter") and word in CONTRARY:
                words = CONTRARY[word].split("=")
                site.run(command, word, *words, *operands, stdin="true\n").refused(f"{command}: ", exit_code=2)
            continue
        site.run(command, *operands, word, stdin="true\n").refused(f"{word} needs a value", exit_code=2)
        if (command == "qpr" and word not in ("-n", "-p")) or (command, word) == ("qselect", "-r"):
            continue
        site.run(command, word, BAD[word] if word != "-n" else "0", *operands, stdin="true\n").refused(f"{command}: ")
    assert of(site, request)["state"] == "QUEUED"
    assert of(site, request)["name"] == "STDIN"

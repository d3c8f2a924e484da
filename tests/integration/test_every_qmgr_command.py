"""Every command of qmgr in one long session on a real site: what each changes, and a misuse of each that is refused.

EFFECTS is worked through in order; a test compares it, and MISUSES, with the table of jcq/model/qmgr_commands.py: who
adds a command must show what it does.
"""

import os
import re
import subprocess

import pytest

from jcq.model.qmgr_grammar import FORMS, parse
from support.harness import Node
from support.waiting import wait_until

#: (command, what is then true): `{...}` fields of a queue or request of qstat --json, text of the answer or of a show
#: command, or None where what follows shows it.
NOTE = "answer"
EFFECTS = [
    ("create batch_queue night priority=5 pipeonly run_limit=2 user_limit=1",
     ("night", {"priority": 5, "pipeonly": True, "run_limit": 2, "user_limit": 1, "enabled": False, "started": False})),
    ("create batch_queue day", ("day", {"priority": 0, "pipeonly": False, "user_limit": None})),
    ("create pipe_queue evening priority=9 server=(/x) destination=(batch)",
     ("evening", {"type": "PIPE", "priority": 9, "destinations": ["batch"]})),
    ("enable queue day", ("day", {"enabled": True})),
    ("disable queue day", ("day", {"enabled": False})),
    ("start queue day", ("day", {"started": True})),
    ("stop queue day", ("day", {"started": False})),
    ("add destination = (night, day) evening", ("evening", {"destinations": ["batch", "night", "day"]})),
    ("delete destination = night evening", ("evening", {"destinations": ["batch", "day"]})),
    ("set destination = day evening", ("evening", {"destinations": ["day"]})),
    ("set priority = 7 night", ("night", {"priority": 7})),
    ("set run_limit = 4 night", ("night", {"run_limit": 4})),
    ("set user_limit = 3 night", ("night", {"user_limit": 3})),
    ("set restart = purge night", ("night", {"restart": "PURGE"})),
    ("set nqsbg = on night", ("night", {"background": True})),
    *((f"{words} night", ("night", {"access": {"unrestricted": free, "users": users, "groups": groups}}))
      for words, free, users, groups in (
        ("set no_access", False, [], []),
        ("add users = (root, 4711)", False, ["root", "4711"], []),
        ("add groups = 4712", False, ["root", "4711"], ["4712"]),
        ("delete users = 4711", False, ["root"], ["4712"]),
        ("delete groups = 4712", False, ["root"], []),
        ("set unrestricted_access", True, [], []),
    )),
    ("create complex = (night) both", ("night", {"complexes": ["both"]})),
    ("add queues = day both", ("day", {"complexes": ["both"]})),
    ("set complex run_limit = 5 both", ("show complex", "Run_limit = 5;")),
    ("remove queues = day both", ("day", {"complexes": []})),
    ("delete complex both", ("night", {"complexes": []})),
    *((f"set {words} = {value} night", ("night limit", {key: number})) for words, key, value, number in (
        ("corefile_limit", "core_process", "1mb", 1 << 20),
        ("data_limit", "data_process", "(2gb)", 2 << 30),
        ("stack_limit", "stack_process", "8mb", 8 << 20),
        ("working_set_limit", "workset_process", "1gb", 1 << 30),
        ("nice_value_limit", "nice_process", "15", 15),
        ("elapsed_limit", "elapsed_request", "(1:00)", 60),
        ("per_process cpu_limit", "cpu_process", "90", 90),
        ("per_process memory_limit", "memory_process", "1gb", 1 << 30),
        ("per_process permfile_limit", "permfile_process", "50mb", 50 << 20),
        ("per_process tempfile_limit", "tempfile_process", "60mb", 60 << 20),
        ("per_request cpu_limit", "cpu_request", "1:00:00", 3600),
        ("per_request memory_limit", "memory_request", "2gb", 2 << 30),
        ("per_request permfile_limit", "permfile_request", "5gb", 5 << 30),
        ("per_request tempfile_limit", "tempfile_request", "6gb", 6 << 30),
    )),
    # Requests: REQ is one that waits in queue keep, RUNS one that runs in batch.
    ("modify request REQ priority=4 name=other", ("REQ", {"priority": 4, "name": "other"})),
    ("hold request REQ", ("REQ", {"state": "HELD"})),
    ("release request REQ", ("REQ", {"state": "QUEUED"})),
    ("enable queue day", ("day", {"enabled": True})),
    ("move request = REQ day", ("REQ", {"queue": "day"})),
    ("move queue day keep", ("REQ", {"queue": "keep"})),
    ("delete request REQ", ("REQ", {"state": "DONE", "outcome": "deleted"})),
    ("purge queue keep", ("WAITS", {"outcome": "deleted"})),
    ("suspend request RUNS", ("RUNS", {"suspended": True})),
    ("resume request RUNS", ("RUNS", {"suspended": False})),
    ("abort queue batch 60", ("RUNS", {"outcome": "signalled", "signal": 15})),
    # The site.
    ("set default batch_request priority 12", ("show parameters", "Default batch_request priority = 12\n")),
    ("set no_default batch_request queue", ("show parameters", "Default batch_request queue = NONE\n")),
    ("set default batch_request queue day", ("show parameters", "Default batch_request queue = day\n")),
    ("set default destination_retry time 5", ("show parameters", "Default destination_retry time = 5 hours\n")),
    ("set default destination_retry wait 7", ("show parameters", "Default destination_retry wait = 7 minutes\n")),
    ("set global_run_limit = 6", ("show parameters", "Global run_limit = 6\n")),
    ("set lifetime 9", ("show parameters", "Lifetime = 9 hours\n")),
    ("set mail batch@example.com", ("show parameters", "Mail account = batch@example.com\n")),
    ("set retention = 3", ("show parameters", "Retention of ended requests = 3 hours\n")),
    ("set shell_strategy fixed = /bin/sh", ("show parameters", "strategy = FIXED: /bin/sh\n")),
    ("set shell_strategy login", ("show parameters", "strategy = LOGIN\n")),
    ("set shell_strategy free", ("show parameters", "strategy = FREE\n")),
    ("add managers daemon:o", ("show managers", "daemon:o")),
    ("delete managers daemon:o", ("show managers", "root:m")),
    ("set managers bin:m", ("show managers", "bin:m")),
    # What NQS has and jcq has not: accepted without effect.
    *((line, (NOTE, note)) for line, note in (
        ("set debug 3", "debug is not used"),
        ("set log_file /x", "log_file is not used, the log is /"),
        ("set maximum copies 2", "this is not used"),
        ("set maximum open_retries 2", "this is not used"),
        ("set maximum print_size 2", "this is not used"),
        ("set network client = (/x)", "this is not used"),
        ("set network daemon = (/x)", "this is not used"),
        ("set network server = (/x)", "this is not used"),
        ("set no_network_daemon", "this is not used"),
        ("set open_wait 5", "this is not used"),
        ("set pipe_client = (/x) evening", "pipe_client is not used"),
        ("lock local_daemon", "jcq keeps no daemon locked"),
        ("unlock local_daemon", "jcq keeps no daemon locked"),
    )),
    # What only shows something.
    ("show all", (NOTE, "night@testsite")),
    ("show complex", (NOTE, "")),
    ("show configuration", (NOTE, "create batch_queue night")),
    ("show device", (NOTE, "No devices")),
    ("show forms", (NOTE, "No devices")),
    ("show limits_supported", (NOTE, "-lE")),
    ("show long queue night", (NOTE, "Restart = PURGE")),
    ("show lost_found", (NOTE, "")),
    ("show managers", (NOTE, "bin:m")),
    ("show parameters", (NOTE, "Lifetime")),
    ("show queue night", (NOTE, "night@testsite")),
    ("help set run_limit", (NOTE, "So many requests of the queue run at once.")),
    ("delete queue night", None),
]  # fmt: skip
#: Verb -> the test that shows it.
ELSEWHERE = {
    "exit": "integration/test_qmgr.py::test_exit_ends_a_script",
    "shutdown": "integration/test_qmgr.py::test_shutdown_answers_stops_the_site_and_interrupts_what_runs",
    "delete default_queues": "integration/test_qmgr_configuration.py::test_a_second_site_is_configured_as_the_first",
}
NONE_OF_JCQ = {form.verb for form in FORMS if form.help.endswith("so this is refused.")}
#: Verb -> what is written behind it, and refused.
MISUSES = {
    **{form.verb: "" for form in FORMS if form.parts and not form.parts[0].optional},
    **{form.verb: "unexpected words" for form in FORMS if not form.parts},
    "set default batch_request queue": "nosuch",
    "set shell_strategy fixed": "= (/nosuch/shell)",
    "delete queue": "batch",
    "delete managers": "root:m",
    "add managers": "nobody-of-that-name:m",
    "add users": "= nobody-of-that-name batch",
    "add groups": "= nobody-of-that-name batch",
    "create batch_queue": "batch",
    "create complex": "= (guilb_def) x",
    "create pipe_queue": "new destination=batch@elsewhere",
    "move queue": "batch batch",
    "set destination": "= batch batch",
    "set run_limit": "= 3 guilb_def",
    "delete default_queues": "now",
    "show queue": "nosuch",
    "show long queue": "nosuch",
    "shutdown": "at once",
    "help": "nonsense",
}


class Session:
    """One qmgr at work: its answers are read command by command."""

    _MARK = "    Leave qmgr; so does end of file.\n"

    def __init__(self, site):
        env = {"NQS_SITE": site.name, "PYTHONUNBUFFERED": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._child = site.node.popen(site.node.argv("qmgr"), env=env, text=True, bufsize=1, **pipes)

    def ask(self, line):
        """What it answers; what stands behind it is the help of exit."""
        self._child.stdin.write(f"{line}\nhelp exit\n")
        answer = ""
        while not answer.endswith(self._MARK):
            more = self._child.stdout.readline()
            assert more, answer
            answer += more
        return answer.removesuffix(f"EXit\n{self._MARK}")

    def exit(self):
        """End it; all must have been carried out."""
        self._child.stdin.write("exit\n")
        assert self._child.wait(20) == 0
        self._child.stdin.close()
        self._child.stdout.close()


@pytest.fixture(scope="module")
def site():
    """A running cluster site."""
    with Node() as node:
        yield node.cluster_site().start()


def test_every_command_is_here():
    shown = {parse(re.sub("[A-Z]{3,}", "1", line)).verb for line, _ in EFFECTS} | set(ELSEWHERE)
    verbs = {form.verb for form in FORMS}
    assert verbs - shown == NONE_OF_JCQ
    optional = {"show device", "show forms"}
    assert verbs - set(MISUSES) <= optional
    root = os.path.dirname(os.path.dirname(__file__))
    for place in ELSEWHERE.values():
        path, name = place.split("::")
        with open(os.path.join(root, path), encoding="utf-8") as file:
            assert f"\ndef {name}" in file.read(), place


def test_each_has_its_effect(site):
    site.qmgr("create batch_queue keep", "enable queue keep")
    waiting, other = (site.qsub("true\n", "-q", "keep") for _ in range(2))
    runs = site.qsub("exec sleep 600\n")
    wait_until(lambda: of(site, runs)["pid"], 30, site.log_text)
    session = Session(site)
    names = {"REQ": waiting, "WAITS": other, "RUNS": runs}
    for line, effect in EFFECTS:
        typed = line
        for name, request in names.items():
            typed = typed.replace(name, request)
        what, wanted = effect or (NOTE, "Transaction complete")
        answer = session.ask(typed) + (session.ask(what) if what.startswith("show") else "")
        if isinstance(wanted, dict):
            request = names.get(what)
            wait_until(lambda: fields(site, what, request, wanted) == wanted, 30, lambda: f"{line}: {answer}{wanted}")  # noqa: B023
        else:
            assert wanted in answer, (line, answer)
        if line.split()[0] not in ("show", "help"):
            assert answer.startswith("NQS manager[TCML_COMPLETE  ]: Transaction complete at local host.\n"), line
    site.run("qstat", "night").refused("no queue named 'night'")
    session.exit()


def of(site, request):
    (found,) = site.qstat(request)["requests"]
    return found


def fields(site, what, request, wanted):
    """Those of the wanted fields as they are."""
    if request:
        found = of(site, request)
    else:
        (found,) = site.qstat(what.split()[0])["queues"]
        if what.endswith("limit"):
            return {key: found["limits"].get(key, {}).get("value") for key in wanted}
    return {key: found[key] for key in wanted}


def test_a_misuse_of_each_is_refused_and_changes_nothing(site):
    before = site.run("qmgr", "show all").ok()
    lines = [f"{verb} {rest}".rstrip() for verb, rest in MISUSES.items()] + [f"{verb} x" for verb in NONE_OF_JCQ]
    lines += [
        "create batch_queue x priority=64",
        "set run_limit = many batch",
        "hold request 99",
        "set nqsbg = on nosuch",
    ]
    result = site.run("qmgr", stdin="".join(f"{line}\n" for line in lines))
    assert (result.exit_code, result.out) == (2, "")
    refused = result.err.splitlines()
    assert len(refused) == len(lines)
    for number, (line, said) in enumerate(zip(lines, refused, strict=True), 1):
        assert said.startswith(f"qmgr: line {number}: "), (line, said)
        assert len(said) > 30, (line, said)
    assert site.run("qmgr", "show all").ok() == before

"""qmgr as people use it: at a prompt, as arguments, as a script; and without a site to talk to."""

import contextlib
import itertools
import os
import pty
import re
import select
import sys
import termios

import pytest

from support.processes import of_pids, table
from support.waiting import wait_until

COMPLETE = "NQS manager[TCML_COMPLETE  ]: Transaction complete at local host.\n"


@pytest.fixture(scope="module")
def site():
    """A cluster site for all tests here; each makes queues of its own name."""
    from support.harness import Node

    with Node() as node:
        yield node.cluster_site().start()


# --- as arguments ----------------------------------------------------------------------------


def test_one_command_as_arguments_in_any_cut(site):
    assert site.run("qmgr", "create", "batch_queue", "words", "priority=3").ok() == COMPLETE
    assert site.run("qmgr", "ENA QUEUE words").ok() == COMPLETE
    shown = " ".join(site.run("qmgr", "show", "queue", "words").ok().split())
    assert shown.startswith("words@testsite; type=BATCH; [ENABLED, STOPPED]; pri=3 0 exit; 0 run;")


def test_what_show_queue_says_is_what_qstat_says(site):
    def squeezed(text):
        return [" ".join(line.split()) for line in text.splitlines() if line.strip()]

    assert squeezed(site.run("qmgr", "show queue").ok()) == squeezed(site.run("qstat").ok())
    assert squeezed(site.run("qmgr", "show long queue").ok()) == squeezed(site.run("qstat", "-x").ok())


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("delete queue nosuch", 1, ["NQS manager[TCML_NOSUCHQUE ]: ", "nosuch"]),
        ("set data_limit = (2hb) batch", 2, ["qmgr: set data_limit: needs a number and a unit"]),
        ("set priority = 64 batch", 2, ["qmgr: set priority: ", "from 0 to 63"]),
        ("create pipe_queue p dest=batch@elsewhere", 2, ["qmgr: ", "another machine"]),
    ],
)
def test_a_refusal_is_one_line_with_its_exit_code(site, line, code, words):
    text = site.run("qmgr", line).refused(*words, exit_code=code)
    assert text.startswith(words[0])


def test_refusals_and_changes_are_in_the_log_with_who_asked(site):
    site.run("qmgr", "delete queue nosuch").refused()
    site.run("qmgr", "create batch_queue logged").ok()
    log = site.log_text()
    assert re.search(r"refused root.* qmgr 'delete queue nosuch'", log) or os.geteuid() != 0
    assert re.search(r"refused .*\(uid \d+, pid \d+\): qmgr 'delete queue nosuch'", log)
    assert re.search(r"qmgr: .*\(uid \d+\): create batch_queue logged", log)


# --- as a script -----------------------------------------------------------------------------


def test_a_script_goes_on_after_a_failure_and_names_its_line(site):
    script = (
        "# queues of the night\n"
        "\n"
        "Create Batch_queue night \\\n"
        "  PRiority = 10 \\\n"
        "  Run_limit= 3   # three\n"
        "enable queue nihgt\n"
        "enable queue night\n"
        "set nonsense\n"
        "start queue night\n"
    )
    result = site.run("qmgr", stdin=script)
    assert result.exit_code == 2
    assert result.out == COMPLETE * 3
    first, second = result.err.splitlines()
    assert first.startswith("qmgr: line 6: NQS manager[TCML_NOSUCHQUE ]: ")
    assert second.startswith("qmgr: line 8: set: unknown word 'nonsense'")
    (queue,) = site.qstat("night")["queues"]
    assert (queue["enabled"], queue["started"], queue["run_limit"], queue["priority"]) == (True, True, 3, 10)


def test_the_exit_code_of_a_refusal_alone_is_1_and_of_a_good_script_0(site):
    assert site.run("qmgr", stdin="show queue\nenable queue nosuch\nshow queue\n").exit_code == 1
    assert site.run("qmgr", stdin="show queue\n\n# done").exit_code == 0
    assert site.run("qmgr", stdin="").exit_code == 0


def test_exit_ends_a_script(site):
    assert site.run("qmgr", stdin="show queue batch\nexit\nset nonsense\n").exit_code == 0


def test_a_script_that_ends_in_the_middle_of_a_line_is_refused(site):
    result = site.run("qmgr", stdin="create batch_queue half \\")
    result.refused("line 1", "no line follows", exit_code=2)
    site.run("qstat", "half").refused()


def test_a_script_of_garbage_is_refused_line_by_line(site):
    result = site.run("qmgr", stdin=b"\xff\xfe\x00\nshow queue batch\n" + b"x" * 20_000 + b"\n")
    assert result.exit_code == 2
    assert "batch@testsite" in result.out
    assert [line.split(": ")[1] for line in result.err.splitlines()] == ["line 1", "line 3"]
    assert "Traceback" not in result.err


# --- at a prompt -----------------------------------------------------------------------------


class Terminal:
    """qmgr at a pseudo-terminal, which shows what is typed where `echo` is true."""

    def __init__(self, site, echo=False, **env):
        self._master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        # Else the kernel may throw away with what was typed what qmgr has answered to a Ctrl-C by then.
        attributes[3] |= termios.NOFLSH | (termios.ECHO if echo else 0)
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        env = {"NQS_SITE": site.name, "TERM": "dumb", **env}
        # Ctrl-C is a signal only where the terminal is the session's own.
        own = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        argv = [sys.executable, "-IS", "-c", own, *site.node.argv("qmgr")]
        self.child = site.node.popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        self.text = ""

    def type(self, text):
        os.write(self._master, text if isinstance(text, bytes) else text.encode())

    def interrupt(self):
        """Type Ctrl-C as a person does, to whom qmgr has shown its prompt or their line, and who sees it wait.

        One that comes while readline works on a key is raised at the next key only, by Python's own loop.
        """

        def shown():
            return of_pids([self.child.pid], "qmgr")

        wait_until(lambda: [process.state for process in shown()] == ["S"], 20, lambda: table(shown()))
        self.type("\x03")

    def wait_for(self, words, limit_s=20):
        """Read until `words` have been printed; returns what came before them, and forgets both."""

        wait_until(lambda: words in self.rest(), limit_s, lambda: f"{words!r} is missing in {self.text!r}")
        before, _, self.text = self.text.partition(words)
        return before

    def rest(self):
        """All that has been printed and was not waited for yet."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.text += os.read(self._master, 4096).decode(errors="replace")
            except OSError:
                break
        return self.text

    def close(self):
        os.close(self._master)


@pytest.fixture
def terminal(site):
    made = Terminal(site)
    yield made
    made.close()


def test_a_session_at_the_prompt(terminal):
    terminal.wait_for("Mgr: ")
    terminal.type("sh q batch\n")
    assert "'sh' is ambiguous: show, shutdown" in terminal.wait_for("Mgr: ")
    terminal.type("show q batch\n")
    assert "batch@testsite" in terminal.wait_for("Mgr: ")
    terminal.type("show \\\n")
    terminal.wait_for("Mgr> ")
    terminal.type("queue guilb_def\n")
    assert "type=PIPE" in terminal.wait_for("Mgr: ")
    terminal.type("set nonsense\n")
    assert "unknown word 'nonsense'" in terminal.wait_for("Mgr: ")
    terminal.type("help set run\n")
    assert "SEt Run_limit" in terminal.wait_for("Mgr: ")
    terminal.type("exit\n")
    assert terminal.child.wait(20) == 0


def test_end_of_file_ends_a_session(terminal):
    terminal.wait_for("Mgr: ")
    terminal.type("\x04")
    assert terminal.child.wait(20) == 0


def test_tab_completes_keywords_and_what_is_ambiguous_is_left(site):
    pytest.importorskip("readline")
    with contextlib.closing(Terminal(site, echo=True)) as terminal:
        terminal.wait_for("Mgr: ")
        terminal.type("show par\t\n")
        assert "Next available sequence number" in terminal.wait_for("Mgr: ")
        terminal.type("set def\tba\t\tpr\t= 7\n")
        assert COMPLETE.strip() in terminal.wait_for("Mgr: ").replace("\r", "")
        assert "Default batch_request priority = 7\n" in site_parameters(terminal)
        terminal.type("set r\t\t")
        assert "restart" in terminal.wait_for("run_limit")
        terminal.wait_for("Mgr: set r")
        terminal.interrupt()
        terminal.wait_for("Mgr: ")
        terminal.type("exit\n")
        assert terminal.child.wait(20) == 0


def site_parameters(terminal):
    terminal.type("show parameters\n")
    return terminal.wait_for("Mgr: ").replace("\r\n", "\n")


UP = "\x1b[A"


def test_arrow_up_brings_back_what_was_typed_in_this_session_and_the_one_before(site, tmp_path):
    pytest.importorskip("readline")
    for typed in (["show queue batch\n", "help exit\n", f"{UP}{UP}\n"], [f"{UP}{UP}{UP}{UP}\n"]):
        with contextlib.closing(Terminal(site, HOME=str(tmp_path))) as terminal:
            terminal.wait_for("Mgr: ")
            for line in typed:
                terminal.type(line)
                answer = terminal.wait_for("Mgr: ")
            assert "batch@testsite" in answer
            terminal.type("exit\n")
            assert terminal.child.wait(20) == 0
    history = tmp_path / ".qmgr_history"
    assert history.read_text().splitlines() == (
        ["show queue batch", "help exit", "show queue batch", "exit", "show queue batch", "exit"]
    )
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("home", ["/proc/self", "/nonexistent", "/dev/null", "relative", "", None])
def test_a_home_where_nothing_can_be_kept_is_no_failure(site, home):
    with contextlib.closing(Terminal(site, HOME=home)) as terminal:
        terminal.wait_for("Mgr: ")
        terminal.type("show q batch\n")
        assert "batch@testsite" in terminal.wait_for("Mgr: ")
        terminal.type("exit\n")
        assert terminal.child.wait(20) == 0
        assert terminal.rest().strip() in ("", "exit")
    assert not os.path.exists(os.path.join(site.node.scratch, ".qmgr_history"))


def test_ctrl_c_gives_up_a_line_and_its_continuation_not_the_session(site):
    with contextlib.closing(Terminal(site, echo=True)) as terminal:
        terminal.wait_for("Mgr: ")
        terminal.type("create batch_queue never")
        terminal.wait_for("create batch_queue never")
        terminal.interrupt()
        terminal.wait_for("Mgr: ")
        terminal.type("create batch_queue never \\\n")
        terminal.wait_for("Mgr> ")
        terminal.interrupt()
        terminal.wait_for("Mgr: ")
        terminal.type("show queue never\n")
        assert "TCML_NOSUCHQUE" in terminal.wait_for("Mgr: ")
        # The exit code is that of the last command.
        terminal.type("\x04")
        assert terminal.child.wait(20) == 1


def test_bytes_that_are_no_text_are_one_line(terminal):
    terminal.wait_for("Mgr: ")
    for line in (b"show queue \xff\xfe\n", b"x" * 3000 + b"\n", b"show queue \x16\x01\n"):
        terminal.type(line)
        assert "Traceback" not in terminal.wait_for("Mgr: ")
    terminal.type("show q batch\n")
    assert "batch@testsite" in terminal.wait_for("Mgr: ")
    terminal.type("exit\n")
    assert terminal.child.wait(20) == 0


def test_help_of_every_command_at_the_prompt_and_as_a_script_is_the_same(site):
    listed = [line.strip() for line in site.run("qmgr", "help").ok().splitlines() if line.startswith("  ")]
    assert len(listed) > 100
    topics = [" ".join(itertools.takewhile(lambda word: word[0].isalpha(), line.split())) for line in listed]
    text = site.run("qmgr", stdin="".join(f"help {topic}\n" for topic in topics)).ok()
    for line in listed:
        assert f"{line}\n    " in text, line


# --- shutdown, and no site -------------------------------------------------------------------


def test_shutdown_answers_stops_the_site_and_interrupts_what_runs(cluster_site):
    site = cluster_site
    request = site.qsub("sleep 600\n")
    wait_until(lambda: site.qstat(request)["requests"][0]["state"] == "RUNNING", 20, site.log_text)
    assert site.run("qmgr", "shutdown").ok() == COMPLETE
    assert site.cjcpw.wait(60) == 0, site.log_text()
    site.cjcpw = None
    wait_until(lambda: not site.processes(), 20, site.log_text)
    site.run("qmgr", "show queue").refused("qmgr: ", "is not running", exit_code=1)
    script = site.run("qmgr", stdin="help exit\nshow queue\nshow queue\n")
    assert (script.exit_code, len(script.err.splitlines())) == (1, 1)
    assert "line 2: " in script.err
    assert "what follows was not tried" in script.err
    site.start()
    wait_until(lambda: site.qstat(request)["requests"][0]["state"] == "RUNNING", 20, site.log_text)
    assert site.qstat(request)["requests"][0]["attempt"] == 2


@pytest.mark.parametrize("name", ["nosuchsite", "192.0.2.1"])
def test_a_wrong_site_is_refused_in_nqss_words(node, name):
    text = node.run("qmgr", "show queue", env={"NQS_SITE": name}).refused(exit_code=1)
    assert text == "Qmgr(FATAL): Unable to setup NQS rootdir\n"
    script = node.run("qmgr", stdin="show queue\n", env={"NQS_SITE": name})
    assert script.err == text


def test_help_needs_no_site(node):
    text = node.run("qmgr", "help").ok()
    assert "Create Batch_queue <queue> [PRiority = <priority>] [PIpeonly] [Run_limit = <run_limit>] [User_lim" in text
    assert node.run("qmgr", stdin="help set pri\n").ok() in node.run("qmgr", "help", "set").ok()
    node.run("qmgr", "help", "nonsense").refused("no command begins with 'nonsense'", exit_code=2)
    assert "COMMAND" in node.run("qmgr", "--help").ok()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_closed_or_full_streams_give_no_traceback(site, closed):
    words = " ".join(site.node.argv("qmgr", "show", "queue"))
    result = site.run(["sh", "-c", f"exec {words} {closed}"])
    assert "Traceback" not in result.err, str(result)
    assert result.exit_code == (1 if closed == ">/dev/full" else 0), str(result)


def test_the_fixed_shell_runs_scripts_that_name_none(cluster_site):
    site = cluster_site
    shell = os.path.join(site.node.scratch, "shell")
    with open(shell, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\necho fixed\nexec /bin/sh "$@"\n')
    os.chmod(shell, 0o755)
    site.qmgr(f"set shell_strategy fixed = ({shell})")
    for options, wanted in (((), "fixed\nran\n"), (("-s", "/bin/sh"), "ran\n")):
        request = site.qsub("echo ran\n", "-r", "job", *options)
        assert site.qwait(request) == 0
        with open(f"{site.node.scratch}/job.o{request.split('.')[0]}", encoding="utf-8") as file:
            assert file.read() == wanted

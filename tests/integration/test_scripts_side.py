"""What stands in a script, and qsub as cron, pipes and careless callers run it: as meant, or one line, no request."""

import os

import pytest

from support.harness import BIN, Node

#: What cron gives.
CRON = {"LANG": None, "TZ": None, "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def site():
    """A running cluster site with a queue `night`."""
    with Node() as node:
        site = node.cluster_site().start()
        site.qmgr("create batch_queue night run_limit=2", "enable queue night", "start queue night")
        yield site


@pytest.fixture
def place(site):
    """An empty directory of its own."""
    return site.node.make_directory(f"place{len(os.listdir(site.node.scratch))}")


def of(site, request):
    (found,) = site.qstat(request)["requests"]
    return found


def output(place, name, request, kind="o"):
    with open(os.path.join(place, f"{name}.{kind}{request.split('.')[0]}"), encoding="utf-8") as file:
        return file.read()


def shell(site, line, place, **how):
    """Run a line of shell as a user types it; `$qsub` is the command."""
    return site.run(["/bin/sh", "-c", line], cwd=place, env={"qsub": os.path.join(BIN, "qsub"), **how.pop("env", {})})


def live(site):
    return site.qstat("-a")["requests"]


# --- directives ------------------------------------------------------------------------------

TELL = 'echo "$QSUB_REQNAME"; ulimit -t; ulimit -f; nice; ps -o args= -p $$; echo err >&2\n'


@pytest.mark.parametrize(
    "block",
    [
        "#@$-q night\n#@$-r told\n#@$-eo\n#@$-lt 100\n#@$-lf 1mb\n#@$-ln 5\n#@$-s /bin/bash\n#@$-nr\n#@$-p 9\n",
        "# @$-q night\n#  @$ -r told\n# @$-eo\n# @$-lt 1:40\n#\t@$-lf 1024kb\n# @$-ln 5\n# @$-s /bin/bash\n"
        "# @$-nr -p 9\n",
        "#QSUB -q night\n#QSUB -r told\n#QSUB -eo\n#QSUB -lt 100\n#QSUB -lf 1mb\n#QSUB -ln 5\n#QSUB -s /bin/bash\n"
        "#QSUB -nr\n#QSUB -p 9\n",
        "# QSUB -q night -r told -eo -lt 100 -lf 1mb -ln 5\n\n: a label\n# words\n# QSUB\t-s /bin/bash -nr -p 9\n",
        "#@$-q night -r told -eo -lt \"100, 100\" -lf '1 mb' # as much as it needs\n## @$-lt 1\n"
        "#@$-s '/bin/bash' -ln 5 -n\"r\" -p 9\n",
        "#@$-q night -r told -eo -lt 100 -lf 1mb -ln 5 -s /bin/bash -nr -p 9\n#@$\n#@$-q nowhere\n#@$-nonsense\n",
    ],
)
@pytest.mark.parametrize("first", ["#!/bin/false\n", ""])
def test_each_style_of_directives_means_the_same(site, place, block, first):
    request = site.qsub(first + block + TELL, cwd=place)
    assert site.qwait(request) == 0
    found = of(site, request)
    assert (found["queue"], found["name"], found["priority"], found["shell"]) == ("night", "told", 9, "/bin/bash")
    assert (found["restartable"], found["stderr"]) == (False, None)
    assert found["stdout"] == f"{os.path.join(place, 'told')}.o{request.split('.')[0]}"
    assert {name: limit["value"] for name, limit in found["limits"].items()} == {
        "cpu_process": 100,
        "permfile_process": 1 << 20,
        "nice_process": 5,
    }
    told = output(place, "told", request).splitlines()
    # Without root a job gets its nice value when it runs already.
    assert told[:4] == ["told", "100", "1024", "5" if os.geteuid() == 0 else told[3]]
    assert "bash" in told[4]
    assert told[5:] == ["err"]
    assert not os.path.exists(os.path.join(place, f"told.e{request.split('.')[0]}"))


def test_the_command_line_wins_over_the_script(site, place):
    request = site.qsub("#@$-q night -r told -lt 100\nulimit -t\n", "-q", "batch", "-lt", "50", cwd=place)
    assert site.qwait(request) == 0
    assert (of(site, request)["queue"], of(site, request)["name"]) == ("batch", "told")
    assert output(place, "told", request) == "50\n"


def test_what_stands_behind_the_block_is_the_shells(site, place):
    request = site.qsub("#!/bin/sh\necho first\n#@$-q nowhere\n#QSUB -nonsense\n", "-r", "late", cwd=place)
    assert site.qwait(request) == 0
    assert of(site, request)["queue"] == "batch"
    assert output(place, "late", request) == "first\n"


# --- who calls it ----------------------------------------------------------------------------


def test_as_cron_calls_it(site):
    home = site.node.home
    with open(os.path.join(home, "nightly.sh"), "w", encoding="ascii") as file:
        file.write('echo "$QSUB_WORKDIR"; echo "$QSUB_PATH"; echo "$QSUB_SHELL"; tty -s || echo no terminal\n')
    result = shell(site, "$qsub nightly.sh", home, env=CRON)
    request = result.ok().split()[1]
    assert result.err == ""
    assert site.qwait(request) == 0
    assert output(home, "nightly", request).splitlines() == [home, "/usr/bin:/bin", "/bin/sh", "no terminal"]


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/null 2>&1"])
def test_a_script_file_needs_no_open_stream(site, place, closed):
    with open(os.path.join(place, "job.sh"), "w", encoding="ascii") as file:
        file.write("exit 0\n")
    before = {one["id"] for one in live(site)}
    result = shell(site, f"$qsub -a '2099-01-01' job.sh {closed}", place)
    assert (result.exit_code, result.err) == (0, ""), str(result)
    (request,) = {one["id"] for one in live(site)} - before
    assert result.out == (
        "" if ">" in closed.replace("2>&-", "") else f"Request {request} submitted to queue: batch.\n"
    )
    site.run("qdel", request).ok()


def test_from_a_pipe_and_from_standard_input_that_is_closed(site, place):
    request = shell(site, "(echo 'echo one'; sleep 0.2; echo 'echo two') | $qsub", place).ok().split()[1]
    assert site.qwait(request) == 0
    assert output(place, "STDIN", request) == "one\ntwo\n"
    shell(site, "$qsub <&-", place).refused("qsub: the script from standard input is empty", exit_code=2)
    shell(site, "true | $qsub", place).refused("qsub: the script from standard input is empty", exit_code=2)


def test_an_answer_that_cannot_be_printed_is_said_though_the_request_is_accepted(site, place):
    before = {one["id"] for one in live(site)}
    shell(site, "echo true | $qsub -a 2099-01-01 >/dev/full", place).refused("qsub: cannot write to standard output")
    (request,) = {one["id"] for one in live(site)} - before
    site.run("qdel", request).ok()


# --- where and what --------------------------------------------------------------------------


def test_in_a_directory_that_has_been_deleted(site, place):
    line = "mkdir gone; cd gone; rmdir ../gone; echo true | $qsub"
    shell(site, line, place).refused("qsub: the current directory cannot be named", exit_code=2)
    assert live(site) == []


@pytest.mark.parametrize("mode", [0o000, 0o300])
def test_in_a_directory_that_cannot_be_read(site, place, mode):
    """It can be named, so the request is accepted; where its output cannot go there, it goes home."""
    os.mkdir(os.path.join(place, "closed"))
    line = f"cd closed; chmod {mode:o} .; echo 'echo out' | $qsub -r closed"
    request = shell(site, line, place).ok().split()[1]
    assert site.qwait(request) == 0
    os.chmod(os.path.join(place, "closed"), 0o700)
    name = f"closed.o{request.split('.')[0]}"
    assert [os.path.exists(os.path.join(where, name)) for where in (f"{place}/closed", site.node.home)].count(True) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("mkdir job.sh", "Is a directory"),
        (": >job.sh", "is empty"),
        ("ln -s job.sh job.sh", "Too many levels of symbolic links"),
        ("ln -s nothing job.sh", "No such file or directory"),
        ("head -c 16777217 /dev/zero >job.sh", "larger than 16 MiB"),
        ("ln -s /dev/zero job.sh", "larger than 16 MiB"),
        ("ln -s /proc/self/mem job.sh", "Input/output error"),
        ("printf '#@$-q' >job.sh", "script line 1: -q needs a value"),
    ],
)
def test_a_script_that_is_none(site, place, made, words):
    shell(site, f"{made}; $qsub job.sh", place).refused("qsub: ", words, exit_code=2)
    assert live(site) == []


def test_a_script_of_nul_bytes_ends_with_a_code_of_its_shell(site, place):
    request = shell(site, "head -c 5000 /dev/zero >job.sh; $qsub job.sh", place).ok().split()[1]
    assert site.qwait(request) not in (124, 125)
    assert of(site, request)["state"] == "DONE"
    assert site.qwait(site.qsub("exit 3\n", cwd=place)) == 3

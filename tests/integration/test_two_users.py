"""Two users of one site, as root: what one may not do to the other, and what no symlink can make the site do."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from support.gate import Gate
from support.harness import Node
from support.users import ALICE, BOB, NOBODY_KNOWN
from support.waiting import wait_until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def site(namespace):
    """A local site at the manual's paths, running."""
    with Node(namespace) as node:
        yield node.local_site().start()


@pytest.fixture
def place(site):
    """A directory where everybody may write, with its sticky bit."""
    return site.node.make_directory(f"place{len(os.listdir(site.node.scratch))}", 0o1777)


def home(site, user):
    return f"{site.node.namespace.home}/{user.name}"


def inside(site, *words, user=None, **options):
    """Run a plain program in the namespace."""
    return site.node.run(["/usr/bin/env", *words], user=user, **options)


def write_as(site, user, path, text):
    inside(site, "sh", "-c", f'cat > "{path}"', user=user, stdin=text).ok()


def readable(site, user, *texts):
    """Which of the texts this user can find in any file of the site, path by path as root knows them."""
    tool = """
import os, sys
paths = [os.path.join(base, name) for base, _, names in os.walk("/usr/spool/nqs") for name in names]
user = int(sys.argv[1])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
for path in paths:
    try:
        data = open(path, "rb").read() if os.path.isfile(path) else b""
    except OSError:
        continue
    for text in sys.argv[2:]:
        if text.encode() in data:
            print(text)
"""
    uid = str(user.uid if user else 0)
    return set(site.node.run([sys.executable, "-I", "-c", tool, uid, *texts]).ok().splitlines())


def held_request(site, user, place, *options):
    """A request of this user that waits until the year 2099."""
    return site.qsub("echo secret of $(id -un)\n", "-a", "2099-01-01 00:00", *options, user=user, cwd=place)


def test_bob_cannot_look_into_or_write_to_what_is_alices(site, place):
    gate = Gate(site.node.make_directory(os.path.join(place, "gate"), 0o777))
    request = site.qsub(gate.script().replace("#!/bin/sh\n", "#!/bin/sh\necho secret\n"), user=ALICE, cwd=place)
    wait_until(gate.started, 20, site.log_text)
    for words in (("qcat",), ("qcat", "-e"), ("qcat", "-i"), ("qcat", "-f"), ("qmsg", "hello")):
        site.run(*words, request, user=BOB).refused("Not owner", exit_code=1)
    assert site.run("qcat", request, user=ALICE).ok() == "secret\n"
    assert site.run("qcat", request).ok() == "secret\n"
    site.run("qmsg", "from alice", request, user=ALICE).ok()
    site.run("qmsg", "from root", request).ok()
    assert site.run("qcat", "-e", request, user=ALICE).ok() == "from alice\nfrom root\n"
    assert site.run("qselect", user=BOB).ok() == ""
    assert site.run("qselect", "-u", "alice", user=BOB).ok() == f"{request}\n"
    gate.open()
    assert site.qwait(request, user=ALICE) == 0


def test_a_script_is_deleted_with_the_rights_of_who_submits_it(site):
    directory = site.node.make_directory("others-scripts", 0o755)
    path = os.path.join(directory, "job.sh")
    write_as(site, None, path, "true\n")
    result = site.run("qsub", "-d", "--wait", path, user=BOB, cwd=home(site, BOB))
    assert result.exit_code == 0, str(result)
    assert result.err == f"qsub: warning: the script '{path}' was not deleted: Permission denied\n"
    assert os.path.exists(path)


def test_bob_cannot_delete_kill_or_signal_what_is_alices(site, place):
    waiting = held_request(site, ALICE, place)
    gate = Gate(site.node.make_directory(os.path.join(place, "gate"), 0o777))
    running = site.qsub(gate.script(), user=ALICE, cwd=place)
    wait_until(gate.started, 20, site.log_text)
    for words in ((waiting,), ("-k", running), ("-15", running), ("-u", "alice", waiting)):
        result = site.run("qdel", *words, user=BOB)
        assert result.exit_code != 0, str(result)
        assert len(result.err.splitlines()) == 1, str(result)
    gate.open()
    assert site.qwait(running, user=ALICE) == 0
    assert waiting in site.run("qstat", user=ALICE).ok()
    assert "has been deleted" in site.run("qdel", waiting, user=ALICE).ok()


def test_bob_cannot_read_alices_script_environment_or_output(site, place):
    gate = Gate(site.node.make_directory(os.path.join(place, "gate"), 0o777))
    request = site.qsub(
        "echo output of alice\n" + gate.script(), "-x", "-r", "private", user=ALICE, cwd=place, env={"SECRET": "word"}
    )
    wait_until(gate.started, 20, site.log_text)
    number = request.split(".")[0]
    # The positive control: root finds both, so that not to find them means something.
    assert readable(site, None, "output of alice", "SECRET=word") == {"output of alice", "SECRET=word"}
    assert readable(site, BOB, "output of alice", "SECRET=word") == set()
    for user, answer in ((BOB, False), (ALICE, True)):
        script = f"/usr/spool/nqs/requests/1-{number}"
        assert (inside(site, "test", "-r", script, user=user).exit_code == 0) == answer
    gate.open()
    assert site.qwait(request, user=ALICE) == 0
    delivered = os.path.join(place, f"private.o{number}")
    assert Path(delivered).read_text() == "output of alice\n"
    assert os.stat(delivered).st_uid == ALICE.uid


def test_no_user_reaches_the_database(site):
    tool = """
import os, socket
base = "/usr/spool/nqs/database/"
for name in [".jcdbs.sock", *[f"e{n}.sock" for n in range(9)], *[f"e{n}/e{n}.sock" for n in range(9)]]:
    try:
        socket.socket(socket.AF_UNIX).connect(base + name)
    except OSError as error:
        assert error.errno in (2, 13), error
    else:
        print("connected to", name)
try:
    print(os.listdir(base))
except PermissionError:
    pass
"""
    assert site.node.run([sys.executable, "-I", "-c", tool], user=BOB).ok() == ""


def test_a_symlink_as_output_path_does_not_reach_another_users_file(site, place):
    victim = os.path.join(home(site, BOB), "precious")
    write_as(site, BOB, victim, "bob's own\n")
    for options in (("-o",), ("-e",)):
        link = os.path.join(place, f"link{options[0]}")
        inside(site, "ln", "-s", victim, link, user=ALICE).ok()
        request = site.qsub("echo overwritten; echo overwritten >&2\n", options[0], link, user=ALICE, cwd=place)
        assert site.qwait(request, user=ALICE) == 0
    assert inside(site, "cat", victim, user=BOB).ok() == "bob's own\n"


def test_a_job_that_plants_a_symlink_where_its_output_goes_wins_nothing(site, place):
    target = os.path.join(site.node.scratch, "roots-file")
    with open(target, "w", encoding="ascii") as file:
        file.write("root's own\n")
    os.chmod(target, 0o600)
    request = site.qsub(
        f'n=${{QSUB_REQID%%.*}}\nln -s {target} "$QSUB_WORKDIR/trick.o$n"\n'
        f'ln -s {target}.new "$QSUB_WORKDIR/trick.e$n"\necho overwritten; echo overwritten >&2\n',
        "-r",
        "trick",
        user=ALICE,
        cwd=place,
    )
    assert site.qwait(request, user=ALICE) == 0
    assert Path(target).read_text() == "root's own\n"
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o600
    assert os.stat(target).st_uid == 0
    made = f"{target}.new"
    assert not os.path.exists(made), "a file was made through a dangling link in root's directory"


def test_output_that_cannot_be_delivered_goes_home_and_is_said(site, place):
    closed = site.node.make_directory("closed", 0o755)
    request = site.qsub("echo found at home\n", "-r", "homing", user=ALICE, cwd=closed)
    assert site.qwait(request, user=ALICE) == 0
    number = request.split(".")[0]
    assert os.listdir(closed) == []
    found = inside(site, "cat", os.path.join(home(site, ALICE), f"homing.o{number}"), user=ALICE)
    assert found.ok() == "found at home\n"
    assert home(site, ALICE) in site.run("qstat", "-l", request, user=ALICE).ok()


def test_each_sees_the_own_requests_and_all_with_a(site, place):
    alices, bobs = held_request(site, ALICE, place), held_request(site, BOB, place)
    own = site.run("qstat", user=ALICE).ok()
    assert alices in own
    assert not re.search(rf"\b{re.escape(bobs)}\b", own)
    everybodys = site.run("qstat", "-a", user=ALICE).ok()
    assert alices in everybodys
    assert bobs in everybodys
    for request, user in ((alices, ALICE), (bobs, BOB)):
        site.run("qdel", request, user=user).ok()


def test_a_uid_without_an_account_is_refused_or_held_and_never_run_as_someone_else(site, place):
    result = site.run("qsub", stdin="id -u\n", user=NOBODY_KNOWN, cwd=place, env={"HOME": place})
    if result.exit_code != 0:
        assert len(result.err.splitlines()) == 1, str(result)
        return
    request = re.search(r"Request (\S+) ", result.out)[1]
    shown = wait_until(
        lambda: (lambda text: text if "HELD" in text else "")(site.run("qstat", "-l", request).out), 20, site.log_text
    )
    assert str(NOBODY_KNOWN.uid) in shown
    assert not [name for name in os.listdir(place) if name.startswith("STDIN.")]
    site.run("qdel", "-u", str(NOBODY_KNOWN.uid), request)


def test_operators_may_act_on_others_requests_and_managers_make_them(site, place):
    request = held_request(site, ALICE, place)
    site.run("qdel", "-u", "alice", request, user=BOB).refused()
    site.qmgr("add managers bob:o")
    assert "has been deleted" in site.run("qdel", "-u", "alice", request, user=BOB).ok()
    result = site.run("qmgr", stdin="create batch_queue bobs priority = 1\n", user=BOB)
    assert result.exit_code != 0, str(result)
    site.qmgr("delete managers bob:o")

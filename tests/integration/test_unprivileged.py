"""A user without any right tries everything: each attempt is one line and one entry in the log, and changes nothing."""

import json
import os
import sys

import pytest

from jcq.model.qmgr_commands import MANAGER, OPERATOR, USER
from jcq.model.qmgr_grammar import FORMS
from support.gate import Gate
from support.harness import Node
from support.qmgr_samples import SAMPLES
from support.users import ALICE, BOB
from support.waiting import wait_until

pytestmark = pytest.mark.root

#: Orders for a request: words before its id, and whether -u may be said.
ORDERS = (
    (("qdel",), True),
    (("qdel", "-k"), True),
    (("qdel", "-15"), True),
    (("qhold",), True),
    (("qrls",), True),
    (("qalter", "-p", "1"), True),
    (("qmove", "other"), True),
    (("qrerun",), True),
    (("qspnd",), True),
    (("qrsm",), True),
    (("qsig", "-s", "TERM"), True),
    (("qmsg", "hello"), False),
    (("qcat",), False),
    (("qcat", "-i"), False),
    (("qcat", "-f"), False),
)
_SEND = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect("/usr/spool/nqs/run/nqsdaemon.sock")
try:
    client.sendall(sys.stdin.buffer.read())
    # The end of what is sent is for nqsdaemon the end of its client.
    if sys.argv[1:] == ["end"]:
        client.shutdown(socket.SHUT_WR)
except (BrokenPipeError, ConnectionResetError):
    pass
answer = b""
try:
    while data := client.recv(65536):
        answer += data
except ConnectionResetError:
    pass
sys.stdout.buffer.write(answer)
"""


@pytest.fixture(scope="module")
def site(namespace):
    """A local site at the manual's paths with a queue `other`; alice has a held, a waiting and a running request."""
    with Node(namespace) as node:
        site = node.local_site().start()
        site.qmgr("create batch_queue other", "enable queue other", "set run_limit = 4 batch")
        place = node.make_directory("place", 0o1777)
        site.gate = Gate(node.make_directory("place/gate", 0o777))
        site.running = site.qsub(site.gate.script(), user=ALICE, cwd=place)
        site.waiting = site.qsub("true\n", "-a", "2099-01-01 00:00", user=ALICE, cwd=place)
        site.held = site.qsub("true\n", "-q", "other", user=ALICE, cwd=place)
        site.run("qhold", site.held, user=ALICE).ok()
        wait_until(site.gate.started, 20, site.log_text)
        yield site
        # Whatever was tried, alice's requests are hers and end as she wants.
        site.gate.open()
        assert site.qwait(site.running, user=ALICE) == 0
        for request in (site.waiting, site.held):
            site.run("qdel", request, user=ALICE).ok()


def everything(site):
    """All that a user could change, as two commands show it."""
    shown = site.qstat("-a")
    for request in shown["requests"]:
        # It grows while the request runs.
        request.pop("cpu_s")
    return json.dumps(shown, sort_keys=True), site.qmgr("show all")


class Watched:
    """The end of nqsdaemon's log since some moment."""

    def __init__(self, site):
        # As its supervisor sees it, which runs in the namespace.
        self._path = f"/proc/{site.cjcpw.pid}/root{site.directory}/log/nqsdaemon.log"
        self._start = os.path.getsize(self._path)

    def refusals(self):
        """Lines that say that bob was refused."""
        with open(self._path, encoding="utf-8") as file:
            file.seek(self._start)
            lines = file.read().splitlines()
        assert not [line for line in lines if "Traceback" in line or "internal error" in line], lines
        return [line for line in lines if "refused" in line and f"uid {BOB.uid}" in line]


def refused_and_logged(site, attempts):
    """Carry out [(what it is, function)] as bob; each function returns the one line. All are logged with his uid."""
    before = everything(site)
    log = Watched(site)
    for number, (what, attempt) in enumerate(attempts, 1):
        attempt()
        refusals = log.refusals()
        assert len(refusals) == number, (what, refusals[-2:])
        # A reason stands behind who it was.
        assert refusals[-1].rpartition(": ")[2], what
    assert everything(site) == before


# --- qmgr ------------------------------------------------------------------------------------


def line_of(form, site):
    """A line of qmgr that would do something."""
    words = [form.verb, form.equals.strip("[]")]
    for part in form.parts:
        if not part.optional:
            words.append(site.waiting if part.kind.startswith("request") else SAMPLES[part.kind][0])
    return " ".join(words)


def lines(site, *rights):
    """One line for each command of the table that these rights allow."""
    return [line_of(form, site) for form in FORMS if form.right in rights]


def qmgr_as_bob(site, line):
    result = site.run("qmgr", stdin=f"{line}\n", user=BOB)
    assert result.exit_code != 0, (line, str(result))
    assert "TCML_INSUFFPRV" in result.out + result.err, (line, str(result))
    assert "Traceback" not in result.err, str(result)


def test_no_command_of_qmgr_that_changes_anything_is_a_users(site):
    tried = lines(site, OPERATOR, MANAGER)
    assert len(tried) > 20
    refused_and_logged(site, [(line, lambda line=line: qmgr_as_bob(site, line)) for line in tried])
    for line in (line for line in lines(site, USER) if line.startswith("show ")):
        site.run("qmgr", stdin=f"{line}\n", user=BOB).ok()


def test_an_operator_does_the_operators_part_and_not_the_managers(site):
    site.qmgr("add managers bob:o")
    try:
        tried = lines(site, MANAGER)
        refused_and_logged(site, [(line, lambda line=line: qmgr_as_bob(site, line)) for line in tried])
        for line in (
            "disable queue other",
            "enable queue other",
            "start queue other",
            "stop queue other",
            f"hold request {site.waiting}",
            f"release request {site.waiting}",
        ):
            site.run("qmgr", stdin=f"{line}\n", user=BOB).ok()
        site.run("qalter", "-p", "9", "-u", "alice", site.waiting, user=BOB).ok()
        site.run("qalter", "-p", "0", site.waiting, user=BOB).ok()
    finally:
        site.qmgr("delete managers bob:o")
    site.run("qalter", "-p", "9", site.waiting, user=BOB).refused("Not owner")


# --- requests of another user ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["running", "waiting", "held"])
def test_no_order_reaches_another_users_request(site, kind):
    request = getattr(site, kind)
    attempts = []
    for words, may_name_user in ORDERS:
        forms = [(*words, request), *([(*words, "-u", "alice", request)] if may_name_user else [])]
        for form in forms:
            said = "not owner" if "-u" not in form else "may not use -u"

            def attempt(form=form, said=said):
                site.run(*form, user=BOB).refused(said, exit_code=1)

            attempts.append((form, attempt))
    refused_and_logged(site, attempts)


def test_waiting_for_another_users_request_is_refused(site):
    attempts = [(("qwait", site.waiting), lambda: site.run("qwait", site.waiting, user=BOB).refused("not owner"))]
    refused_and_logged(site, attempts)
    site.run("qwait", "-u", "alice", site.waiting, user=BOB).refused("qwait", exit_code=2)


# --- forged messages -------------------------------------------------------------------------


def netstring(payload):
    return b"%d:%b," % (len(payload), payload)


def message(*parts):
    return netstring(b"".join(map(netstring, parts)))


def forged(request):
    """(name, bytes, words of the answer); without words the connection may just be closed."""
    order = (b"verb=qdel", b"arg=" + request, b"cwd=/", b"umask=22")
    unknown = b"is not understood"
    for key in (b"uid=0", b"gid=0", b"user=root", b"pid=1", b"role=m", b"", b"=", b"\xff=\xff", b"VERB=qdel"):
        yield f"key {key!r}", message(*order, key), unknown
    yield "a second verb", message(b"verb=qstat", *order), b"Not owner"
    verbs = (b"shutdown", b"../qdel", b"/bin/sh", b"qdel/../qmgr", b"QDEL", b"__class__", b"qdel ", b"", b"q" * 300)
    for verb in verbs:
        yield f"verb {verb[:20]!r}", message(b"verb=" + verb, *order[1:]), b""
    yield "a NUL byte in a word", message(b"verb=qdel", b"arg=" + request + b"\0", b"cwd=/", b"umask=22"), b"NUL"
    yield "a NUL byte in the verb", message(b"verb=qdel\0", *order[1:]), b"NUL"
    yield "a user in the environment", message(*order, b"env=USER=root", b"env=LOGNAME=alice"), b"Not owner"
    yield "a relative directory", message(b"verb=qdel", b"cwd=../..", b"umask=22"), unknown
    yield "a mask that is none", message(b"verb=qdel", b"cwd=/", b"umask=99999"), unknown
    yield "a host with a newline", message(*order, b"host=a\nrefused root (uid 0)"), unknown
    yield "a huge length", b"99999999999999999999:" + b"x" * 100, unknown
    yield "a length above the limit", b"99999999:x", unknown
    yield "an inner length too long", netstring(b"900:verb=qdel,"), unknown
    yield "a leading zero", b"007:xxxxxxx,", unknown
    yield "a negative length", b"-1:x,", unknown
    yield "binary garbage", bytes(range(255, -1, -1)) * 16, unknown
    yield "NUL bytes", bytes(4096), unknown


def test_forged_messages_are_refused_with_one_line_and_logged(site):
    attempts = []
    for name, data, words in forged(os.fsencode(site.waiting)):

        def attempt(name=name, data=data, words=words):
            result = site.node.run([sys.executable, "-I", "-c", _SEND], stdin=data, user=BOB)
            assert result.exit_code == 0, str(result)
            answer = result.out.encode(errors="replace")
            assert answer.count(b"\n") == 1, (name, answer)
            assert words in answer, (name, answer)
            assert answer.endswith((b"2:x1,", b"2:x2,")), (name, answer)

        attempts.append((name, attempt))
    refused_and_logged(site, attempts)


def test_truncated_messages_are_dropped_and_disturb_nobody(site):
    before = everything(site)
    whole = message(b"verb=qdel", b"arg=" + os.fsencode(site.waiting), b"cwd=/", b"umask=22")
    log = Watched(site)
    for length in (0, 1, 2, 5, len(whole) // 2, len(whole) - 1):
        result = site.node.run([sys.executable, "-I", "-c", _SEND, "end"], stdin=whole[:length], user=BOB)
        assert (result.exit_code, result.out) == (0, ""), str(result)
    # Whoever connects and says nothing asks for nothing.
    wait_until(lambda: len(log.refusals()) == 5, 20, log.refusals)
    assert everything(site) == before


def test_a_uid_in_a_submission_is_not_believed(site):
    place = site.node.make_directory("bobs", 0o1777)
    forged = message(b"verb=qsub", b"uid=0", b"cwd=" + os.fsencode(place), b"umask=22", b"script=id -u\n")
    result = site.node.run([sys.executable, "-I", "-c", _SEND], stdin=forged, user=BOB)
    assert "this is no command of jcq" in result.out
    request = site.qsub("id -un\n", "-r", "who", user=BOB, cwd=place)
    assert site.qwait(request, user=BOB) == 0
    with open(os.path.join(place, f"who.o{request.split('.')[0]}"), encoding="ascii") as file:
        assert file.read() == "bob\n"


# --- what only a user without root meets -----------------------------------------------------


def test_a_script_that_bob_cannot_read_is_refused_by_his_own_rights(site):
    path = os.path.join(site.node.make_directory("scripts", 0o1777), "secret.sh")
    site.node.run(["/bin/sh", "-c", f"umask 077; echo true >{path}"], user=ALICE).ok()
    before = everything(site)
    site.run("qsub", path, user=BOB).refused("qsub: cannot read the script from", "Permission denied", exit_code=2)
    assert everything(site) == before


def test_in_a_directory_that_bob_cannot_read_or_write_output_goes_home(site):
    line = f"cd {site.node.make_directory('bobs-way', 0o755, BOB)}; chmod 000 .; echo 'echo out' | qsub -r closed"
    result = site.node.run(["/bin/sh", "-c", line], user=BOB, cwd="/")
    request = result.ok().split()[1]
    assert site.qwait(request, user=BOB) == 0
    name = f"{site.node.namespace.home}/bob/closed.o{request.split('.')[0]}"
    assert site.node.run(["/usr/bin/env", "cat", name], user=BOB).ok() == "out\n"

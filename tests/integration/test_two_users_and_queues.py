"""Two users and the limits and access lists of queues: who may submit, move and be routed, and who runs beside whom."""

import os
from pathlib import Path

import pytest

from support.gate import Gate, greatest_overlap
from support.harness import Node
from support.users import ALICE, BOB
from support.waiting import wait_until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def site(namespace):
    """A local site at the manual's paths; nobody but its test uses a queue that is made here."""
    with Node(namespace) as node:
        site = node.local_site().start()
        site.qmgr("set run_limit = 12 batch")
        yield site


@pytest.fixture
def place(site):
    """A directory where everybody may write, with its sticky bit."""
    return site.node.make_directory(f"place{len(os.listdir(site.node.scratch))}", 0o1777)


def make(site, *names, **attributes):
    """Batch queues that take and run requests."""
    words = " ".join(f"{key}={value}" for key, value in attributes.items())
    for name in names:
        site.qmgr(f"create batch_queue {name} {words}", f"enable queue {name}", f"start queue {name}")


def of(site, request):
    (found,) = site.qstat(request)["requests"]
    return found


def routed_to(site, request):
    """The queue in which it stays."""

    def found():
        queue = of(site, request)["queue"]
        return "" if queue in ("door", "two") else queue

    return wait_until(found, 20, site.log_text)


def gate_in(site, place):
    return Gate(site.node.make_directory(os.path.join(place, "gate"), 0o777))


# --- access ----------------------------------------------------------------------------------


def test_who_may_submit_move_and_be_routed_to_a_restricted_queue(site, place):
    make(site, "inner", "open_one")
    site.qmgr("create pipe_queue door destination=(inner)", "enable queue door", "start queue door")
    site.qmgr("create pipe_queue two destination=(inner, open_one)", "enable queue two", "start queue two")
    site.qmgr("stop queue inner", "stop queue open_one")
    everyone = {ALICE: True, BOB: True, None: True}
    for lines, may in (
        (["set no_access inner"], dict.fromkeys(everyone, False)),
        (["add users = alice inner"], {ALICE: True, BOB: False, None: False}),
        # Both are in this group too, but what counts is the group of the account.
        (["delete users = alice inner", "add groups = project inner"], dict.fromkeys(everyone, False)),
        (["delete groups = project inner", f"add groups = {BOB.gid} inner"], {ALICE: False, BOB: True, None: False}),
        (["add users = root inner"], {ALICE: False, BOB: True, None: True}),
        (["set unrestricted_access inner"], everyone),
    ):
        site.qmgr(*lines)
        for user, allowed in may.items():
            options = {"user": user, "cwd": place}
            elsewhere = site.qsub("true\n", "-q", "open_one", **options)
            submitted = site.run("qsub", "-q", "inner", stdin="true\n", **options)
            moved = site.run("qmove", "inner", elsewhere, user=user)
            if allowed:
                submitted.ok()
                assert moved.ok() == f"Request {elsewhere} has been moved to queue: inner.\n"
            else:
                submitted.refused("qsub: ", "inner", exit_code=1)
                moved.refused("inner", exit_code=1)
            routed = site.qsub("true\n", "-q", "two", **options)
            assert routed_to(site, routed) == ("inner" if allowed else "open_one"), (lines, user)
            through = site.run("qsub", "-q", "door", stdin="true\n", **options)
            if allowed:
                assert routed_to(site, through.ok().split()[1]) == "inner", (lines, user)
            else:
                through.refused("qsub: queue inner accepts", exit_code=1)
    # The access list is asked even when root moves another's request.
    site.qmgr("set no_access inner", "add users = alice inner")
    bobs = site.qsub("true\n", "-q", "open_one", user=BOB, cwd=place)
    site.run("qmove", "inner", bobs).refused("inner", exit_code=1)
    assert "TCML_REFUSED" in site.run("qmgr", f"move request = {bobs} inner").refused(bobs, exit_code=1)
    shown = site.run("qstata", "inner", user=BOB).ok()
    assert "users=alice" in shown
    site.qmgr("purge queue inner", "purge queue open_one")


# --- limits ----------------------------------------------------------------------------------


def test_a_user_limit_holds_back_one_user_and_not_the_other(site, place):
    make(site, "shared", run_limit=6, user_limit=2)
    gate = gate_in(site, place)
    alices = [site.qsub(gate.script("alice"), "-q", "shared", user=ALICE, cwd=place) for _ in range(5)]
    bobs = [site.qsub(gate.script("bob"), "-q", "shared", user=BOB, cwd=place) for _ in range(4)]
    wait_until(lambda: len(gate.started("alice")) == len(gate.started("bob")) == 2, 30, site.log_text)
    why = of(site, alices[-1])["why"]
    assert "user" in why, why
    assert "2" in why, why
    assert sorted(gate.started()) == sorted([*alices[:2], *bobs[:2]])
    gate.open()
    assert [site.qwait(request) for request in (*alices, *bobs)] == [0] * 9
    for user in ("alice", "bob"):
        assert greatest_overlap([record for record in gate.records() if record.label == user]) == 2


def test_a_complex_bounds_what_runs_in_its_queues_together(site, place):
    make(site, "left", "right", run_limit=3)
    site.qmgr("create complex = (left, right) both", "set complex run_limit = 4 both")
    gate = gate_in(site, place)
    requests = [
        site.qsub(gate.script(queue), "-q", queue, user=user, cwd=place)
        for _ in range(3) for queue, user in (("left", ALICE), ("right", BOB))
    ]  # fmt: skip
    requests += [site.qsub(gate.script("left"), "-q", "left", user=BOB, cwd=place) for _ in range(2)]
    wait_until(lambda: len(gate.started()) == 4, 30, site.log_text)
    (waiting, *_) = [request for request in requests if of(site, request)["state"] == "QUEUED"]
    assert "both" in of(site, waiting)["why"]
    assert site.run("qstatc", "both", user=ALICE).ok().splitlines()[-1].split() == ["both", "4", "4", "left,right"]
    gate.open()
    assert [site.qwait(request) for request in requests] == [0] * 8
    records = gate.records()
    assert greatest_overlap(records) == 4
    for queue in ("left", "right"):
        assert greatest_overlap([record for record in records if record.label == queue]) <= 3


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [("-o",), ("-ro", "-o"), ("-re", "-e")], ids=" ".join)
def test_output_goes_into_no_file_of_another(site, place, options):
    victim = os.path.join(place, "bobs")
    site.node.run(["/bin/sh", "-c", f"echo precious >{victim}; chmod 644 {victim}"], user=BOB).ok()
    request = site.qsub("echo overwritten; echo overwritten >&2\n", *options, victim, user=ALICE, cwd=place)
    held = wait_until(
        lambda: of(site, request)["outcome"] or (of(site, request)["state"] == "HELD" and "HELD"), 30, site.log_text
    )
    assert held == ("exited" if options == ("-o",) else "HELD")
    if held == "HELD":
        assert victim in of(site, request)["why"]
        site.run("qdel", request, user=ALICE).ok()
    assert Path(victim).read_text() == "precious\n"
    assert os.stat(victim).st_uid == BOB.uid


def test_what_stays_on_the_execution_machine_is_in_its_owners_home(site, place):
    request = site.qsub("echo kept; echo err >&2\n", "-ko", "-ke", "-r", "kept", user=ALICE, cwd=place)
    assert site.qwait(request, user=ALICE) == 0
    number = request.split(".")[0]
    for letter, text in (("o", "kept\n"), ("e", "err\n")):
        path = f"{site.node.namespace.home}/alice/kept.{letter}{number}"
        assert site.node.run(["/bin/cat", path], user=ALICE).ok() == text
    assert not [name for name in os.listdir(place) if name.startswith("kept")]


# --- looking at another's ----------------------------------------------------------------------


def test_u_shows_and_selects_the_other_users_requests_and_only_those(site, place):
    make(site, "still")
    site.qmgr("stop queue still")
    alices, bobs = (site.qsub("true\n", "-q", "still", user=user, cwd=place) for user in (ALICE, BOB))
    for command in ("qstat", "qstatr"):
        for name in ("alice", str(ALICE.uid)):
            shown = site.run(command, "-u", name, "still", user=BOB).ok()
            assert alices in shown
            assert bobs not in shown
        both = site.run(command, "-a", "still", user=BOB).ok()
        assert alices in both
        assert bobs in both
    assert site.run("qselect", "-u", "alice", "-q", "still", user=BOB).ok() == f"{alices}\n"
    assert site.run("qselect", "-a", "-q", "still", user=BOB).ok().split() == [alices, bobs]
    assert site.run("qselect", "-u", "nobody-here", user=BOB).ok() == ""
    for words in (("qcat", "-i"), ("qmsg", "hello"), ("qhold",), ("qalter", "-p", "1"), ("qmove", "batch")):
        site.run(*words, alices, user=BOB).refused("Not owner of request", alices, exit_code=1)
    for words in (("qhold",), ("qmsg", "hello"), ("qsig",), ("qrerun",)):
        site.run(words[0], "-u", "alice", *words[1:], alices, user=BOB).refused("only an operator", exit_code=1)
    site.qmgr("purge queue still")

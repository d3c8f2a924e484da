"""A site belongs to the uid that made it: it and root may start and stop it, and it runs as that uid."""

import os

import pytest

from support.harness import BIN, Node
from support.users import ALICE, BOB
from support.waiting import wait_until

pytestmark = pytest.mark.root


@pytest.fixture
def alices(namespace):
    """(node, function that runs a command as a user with alice's root, her database path); a site made, not started."""
    with Node(namespace) as node:
        root = f"{namespace.home}/alice/root"
        db_path = f"{namespace.home}/alice/db"

        def run(user, command, *args):
            return node.run([os.path.join(BIN, command)], *args, user=user, env={"JCQ_ROOT": root})

        rc = f"{root}/usr/lib/nqs/rc"
        lines = f"mkdir -p {rc} {db_path} && echo 127.0.0.64 hers.example hers > {rc}/resolv.def"
        node.run(["/bin/sh", "-c", lines], user=ALICE).ok()
        run(ALICE, "cjcmksite", "hers", "9", db_path).ok()
        yield node, run, db_path
        run(ALICE, "cjcpw", "-stop", "hers").ok()
        node.run(["/bin/rm", "-rf", root, db_path], user=ALICE).ok()


def daemons(node):
    return [process for process in node.left_over() if "hers" in process.title]


@pytest.mark.parametrize("starter", [ALICE, None], ids=["alice", "root"])
def test_it_runs_as_who_made_it_whoever_starts_it(alices, starter):
    node, run, db_path = alices
    run(starter, "cjcpw", "-c", "hers", db_path).ok()
    assert len(daemons(node)) >= 3
    assert {process.uid for process in daemons(node)} == {ALICE.uid}
    owners = node.run(["/usr/bin/find", db_path, "-printf", "%u\n"]).ok().split()
    assert set(owners) == {"alice"}
    run(ALICE, "cjcpw", "-stop", "hers").ok()
    assert not daemons(node)
    run(ALICE, "cjcpw", "-c", "hers", db_path).ok()
    run(None, "cjcpw", "-stop", "hers").ok()
    assert not daemons(node)
    run(ALICE, "cjcpw", "-c", "hers", db_path).ok()


def test_another_user_may_neither_start_nor_stop_nor_list_it(alices):
    node, run, db_path = alices
    node.run(["/bin/chmod", "o+x", f"{node.namespace.home}/alice"], user=ALICE).ok()
    run(BOB, "cjcpw", "hers", db_path).refused(f"uid {BOB.uid} may not")
    run(ALICE, "cjcpw", "-c", "hers", db_path).ok()
    before = {process.pid for process in daemons(node)}
    run(BOB, "cjcpw", "-stop", "hers").refused(f"uid {BOB.uid} may not", f"uid {ALICE.uid}")
    run(BOB, "nqsstop", "hers").refused("may not")
    run(BOB, "nqsstart", "hers").refused("may not")
    run(BOB, "cjcls").refused("may not")
    assert {process.pid for process in daemons(node)} == before


def test_cjcpw_started_by_root_is_stopped_by_its_user(alices):
    node, _, db_path = alices
    root = {"JCQ_ROOT": f"{node.namespace.home}/alice/root"}
    child = node.popen([os.path.join(BIN, "cjcpw"), "hers", db_path], env=root)
    cjcls = [os.path.join(BIN, "cjcls")]

    def row():
        return node.run(cjcls, env=root, user=ALICE).ok().splitlines()[1].split()

    wait_until(lambda: row()[1] != "SHUT", 30, row)
    assert row()[-1] == "ON"
    node.run([os.path.join(BIN, "cjcpw"), "-stop", "hers"], env=root, user=ALICE).ok()
    assert child.wait(30) == 0
    assert (row()[1], row()[-1]) == ("SHUT", "OFF")


def test_root_trusts_no_file_about_the_uid_to_become(alices):
    node, run, db_path = alices
    identity = f"{db_path}/nqs/database/site"
    text = node.run(["/bin/cat", identity]).ok()
    assert str(ALICE.uid) in text
    for uid in (0, BOB.uid):
        node.run(["/bin/sed", "-i", f"s/{ALICE.uid}/{uid}/", identity], user=ALICE).ok()
        run(None, "cjcpw", "hers", db_path).refused(
            f"says that uid {uid} made it", f"{db_path}/nqs/database is uid {ALICE.uid}'s", exit_code=5
        )
        node.run(["/usr/bin/tee", identity], user=ALICE, stdin=text).ok()
    assert not daemons(node)

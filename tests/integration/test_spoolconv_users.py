"""Old requests of several users, as root: each runs as its owner or not at all, and only who may converts."""

import os
import re
import stat
import sys

import pytest

from support import tiny_layout as tiny
from support.harness import Node
from support.users import ALICE, BOB

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def site(namespace):
    """A local site at the manual's paths, running."""
    with Node(namespace) as node:
        yield node.local_site().start()


def test_each_request_runs_as_its_owner_or_not_at_all(site):
    place = site.node.make_directory("place", 0o1777)
    script = "id -u >id.$QSUB_REQNAME; id -G >>id.$QSUB_REQNAME; umask >>id.$QSUB_REQNAME\n"
    environment = {"PATH": "/usr/bin:/bin"}

    def request(number, uid, **fields):
        return tiny.request(number, uid, "mix", workdir=place, script=script, environment=environment, umask=0o027,
                            name=f"r{number}", **fields)  # fmt: skip

    old = tiny.make(site.node.make_directory("old", 0o700), [
        tiny.queue("mix"), request(1, ALICE.uid), request(2, -1, user="bob"), request(3, BOB.uid, user="bob"),
        request(4, BOB.uid, user="alice"), request(5, 54999), request(6, -1, user="carol"), request(7, -1),
        {**request(8, ALICE.uid), "environment": {"LOGNAME": "carol"}}, request(9, 54999, user="carol"),
    ])  # fmt: skip
    out = site.node.run(tiny.argv("-c", old, "-y", "--start", "--map-user", "54999=bob")).ok()
    skipped = re.findall(r"Convert Skip \(\[Request\](\d+)", out)
    assert skipped == ["4", "6", "7", "8"]
    found = {row["old_id"]: row for row in site.qstat("-a")["requests"]}
    for number, owner in ((1, ALICE), (2, BOB), (3, BOB), (5, BOB), (9, BOB)):
        row = found.get(str(number)) or site.qstat("--old-id", str(number))["requests"][0]
        assert site.qwait(row["id"]) == 0
        path = os.path.join(place, f"id.r{number}")
        with open(path, encoding="ascii") as file:
            uid, groups, umask = file.read().split("\n")[:3]
        assert (int(uid), umask) == (owner.uid, "0027")
        assert set(map(str, owner.every_group)) <= set(groups.split())
        status = os.stat(path)
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (owner.uid, 0o640)
    assert not [name for name in os.listdir(place) if name in ("id.r4", "id.r6", "id.r7", "id.r8")]


def test_scripts_and_environments_are_their_owners(site):
    old = tiny.make(site.node.make_directory("secret", 0o700), [
        tiny.queue("closed"),
        tiny.request(21, ALICE.uid, "closed", script="# secret\n", environment={"SECRET": "x"}),
    ])  # fmt: skip
    site.node.run(tiny.argv("-c", old, "-y")).ok()
    rid = site.qstat("--old-id", "21")["requests"][0]["id"].split(".")[0]
    for ending in ("", ".env"):
        path = f"/usr/spool/nqs/requests/1-{rid}{ending}"
        assert site.node.run(["/usr/bin/env", "test", "-r", path], user=ALICE).exit_code == 0
        assert site.node.run(["/usr/bin/env", "test", "-r", path], user=BOB).exit_code == 1


def test_only_root_and_who_made_the_site_convert(site):
    old = tiny.make(site.node.make_directory("anyones", 0o755), [tiny.queue("anyones")])
    argv = site.node.run(tiny.argv("-c", old, "-y"), user=BOB)
    argv.refused("may not convert a spool", "only root and uid 0", exit_code=1)
    assert "anyones" not in {queue["name"] for queue in site.qstat()["queues"]}


def test_the_verb_of_nqsdaemon_is_closed_to_others(site):
    tool = (
        "import sys; from jcq import client, site\n"
        "code, out, err = client.call('spoolconv', site.locate('', '/'), ['facts'], b'[]')\n"
        "sys.stdout.write(out); sys.stderr.write(err); sys.exit(code)"
    )
    result = site.node.run([sys.executable, "-I", "-c", tool], user=BOB)
    result.refused("may not convert an old spool into site", exit_code=1)
    assert '"record"' in site.node.run([sys.executable, "-I", "-c", tool]).ok()

"""Real at of Debian: jobs that two users submit are read from its spool, and run as atd would have run them.

First by the shell alone, from what the reader says; then by jcq, when spoolconv has made a site of the spool. at runs
in a mount, UTS and network namespace of its own, with a spool of its own; atd is not started.
"""

import json
import os
import random
import re
import shutil
import stat
import time

import pytest

from jcq.spoolconv.readers import at
from jcq.spoolconv.records import QUEUED, WAITING, OldQueue, OldRequest
from jcq.spoolconv.source import Source
from support import old_spools, skips
from support.harness import Node
from support.room import Room, furnished
from support.users import ALICE, BOB

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not (shutil.which("at") and shutil.which("batch")), reason=skips.NEEDS_AT),
]

#: Prints what a job finds: ids, directory, umask, environment, and what it was told to print.
_PROBE = b"id -u; id -g; pwd; umask; printf '\\1'; env -0 | LC_ALL=C sort -z | tr '\\0' '\\1'\n"
#: What a shell sets by itself.
_SHELLS_OWN = (b"PWD=", b"OLDPWD=", b"_=", b"SHLVL=")
#: What jcq tells each job.
_JCQS_OWN = re.compile(rb"(QSUB_\w+|JCQ_(BOOT|EPOCH|JOB|SITE)|ENVIRONMENT)=")
_ANY = bytes(range(1, 256))


class AtRoom(Room):
    """A room in which at has a spool of its own."""

    def __init__(self, namespace, directory):
        self.home = os.path.join(directory, "home")
        self.spool = os.path.join(directory, "cron")
        for user in (ALICE, BOB):
            os.makedirs(os.path.join(self.home, user.name))
        for name in ("atjobs", "atspool"):
            path = os.path.join(self.spool, name)
            os.makedirs(path)
            # As Debian's package makes them: daemon:daemon.
            os.chown(path, 1, 1)
            os.chmod(path, 0o1770)
        sequence = os.path.join(self.spool, "atjobs/.SEQ")
        with open(sequence, "wb"):
            os.chown(sequence, 1, 1)
            os.chmod(sequence, 0o600)
        super().__init__(namespace, 'mount --bind "$1" /var/spool/cron', self.spool)


@pytest.fixture(scope="module")
def room(namespace):
    with furnished(AtRoom, namespace) as made:
        yield made


def hard_bytes(chance, count):
    """Bytes that at must quote, and some that look like its own lines."""
    parts = [bytes(chance.choice(_ANY) for _ in range(chance.randrange(20))) for _ in range(count)]
    return b"".join(
        part + chance.choice((b"\ncd /\n", b"; export A\n", b"'\"\\$`", b"caf\xc3\xa9", b"")) for part in parts
    )


def submissions(room):
    """(user, argv, script, environment, directory, umask)."""
    chance = random.Random(5)
    made = []
    for number, user in enumerate([ALICE, BOB] * 4):
        home = f"{room.home}/{user.name}"
        environment = {b"HOME": os.fsencode(home), b"LOGNAME": user.name.encode(), b"PATH": b"/usr/bin:/bin"}
        environment |= {b"V%d" % one: hard_bytes(chance, 3) for one in range(5)} | {b"EMPTY": b""}
        name = b"\n\x7f" * (number % 2) + hard_bytes(chance, 1).replace(b"/", b"-")
        directory = os.path.join(home, os.fsdecode(name) + str(number))
        when = ["at", *(("-m", "-q", "f", "-t", "203001021530") if number % 3 else ("-M", "-t", "202401020304"))]
        if number == 7:
            when = ["batch"]
        script = _PROBE + b"printf '%s' '" + hard_bytes(chance, 4).replace(b"'", b"") + b"'" + b"\n" * (number % 3)
        made.append(
            (user, [shutil.which(when[0]), *when[1:]], script, environment, directory, (0o022, 0o077)[number % 2])
        )
    return made


@pytest.fixture(scope="module")
def submitted(room):
    """What was submitted, in order of the job's number."""
    given = submissions(room)
    for user, argv, script, environment, directory, umask in given:
        os.makedirs(directory)
        os.chown(directory, user.uid, user.gid)
        room.run(user, argv, script, environment, directory, umask)
    return given


def run_as_atd_does(room, user, where):
    """What a job prints: /bin/sh reads its file, with no environment."""
    with open(os.path.join(room.spool, where), "rb") as file:
        return room.run(user, ["/bin/sh"], file.read())


def outcome(output):
    """What a probe printed, without what each shell sets by itself, and without what jcq adds."""
    parts = output.split(b"\1")
    return [part for part in parts if not (part.startswith(_SHELLS_OWN) or _JCQS_OWN.match(part))]


def test_jobs_of_two_users_are_what_they_submitted_and_run_as_before(room, submitted):
    with Source(os.path.join(room.spool)) as source:
        assert at.evidence(source) == "jobs of at in atjobs"
        # What batch took is due in this minute.
        records = list(at.read(source, time.time() + 60))
    made = {int(one.old_id): one for one in records if isinstance(one, OldRequest)}
    assert {one.name for one in records if isinstance(one, OldQueue)} == {"at_a", "at_b", "at_f"}
    assert len(made) == len(submitted) == len(records) - 3
    for number, (user, argv, script, environment, directory, umask) in enumerate(submitted, 1):
        one = made[number]
        assert (one.uid, one.gid, one.script, one.workdir, one.umask) == (user.uid, user.gid, script, directory, umask)
        assert {**environment, b"PWD": one.environment.get(b"PWD")} == {b"PWD": None, **one.environment}
        letter = "b" if argv[0].endswith("batch") else "f" if "f" in argv else "a"
        assert (one.queue, one.mail_end) == (f"at_{letter}", "-m" in argv)
        assert one.state == (WAITING if letter == "f" else QUEUED)
        before = run_as_atd_does(room, user, one.where)
        path = os.path.join(room.home, user.name, "script")
        with open(path, "wb") as file:
            file.write(one.script)
        os.chmod(path, 0o755)
        after = room.run(user, [one.shell, path], b"", one.environment, one.workdir, one.umask)
        assert outcome(after) == outcome(before)
        assert len(outcome(before)) > len(environment)
        assert before.startswith(b"%d\n%d\n%b\n" % (user.uid, user.gid, os.fsencode(directory)))


def test_jcq_runs_them_as_before(namespace, room, submitted):
    before = old_spools.fingerprint(room.spool)
    with Node(namespace) as node:
        site = node.local_site().start()
        path = os.path.join(node.scratch, "report.json")
        out = node.run("spoolconv", "-c", room.spool, "-y", "--report", path).ok()
        assert re.search(r"^requests +8 ", out, re.MULTILINE)
        assert old_spools.fingerprint(room.spool) == before
        with open(path, encoding="utf-8") as file:
            where = {row["old_id"]: row["where"] for row in json.load(file)["records"] if row["kind"] == "request"}
        made = {one["old_id"]: one for one in site.qstat("-a")["requests"]}
        for line in re.findall(r"^  qmgr (start queue at_[abf])$", out, re.MULTILINE):
            site.qmgr(line)
        for number, (user, _, _, environment, directory, umask) in enumerate(submitted, 1):
            one = made[str(number)]
            if one["state"] == "WAITING":
                site.run("qalter", "-a", "now", one["id"], user=user).ok()
            assert site.qwait(one["id"]) == 0
            assert site.qstat(one["id"])["requests"][0]["reason"] == ""
            output = os.path.join(directory, f"STDIN.o{one['id'].split('.')[0]}")
            with open(output, "rb") as file:
                after = outcome(file.read())
            assert after == outcome(run_as_atd_does(room, user, where[str(number)]))
            assert after[0] == b"%d\n%d\n%b\n%04o\n" % (user.uid, user.gid, os.fsencode(directory), umask)
            assert len(after) > len(environment)
            status = os.stat(output)
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (user.uid, 0o666 & ~umask)

"""Real at of Debian: jobs that two users submit are read from its spool, and run as atd would have run them.

In a mount, UTS and network namespace of its own, with a spool of its own; atd is not started.
"""

import os
import random
import shutil
import tempfile
import time

import pytest

from jcq.spoolconv.readers import at
from jcq.spoolconv.records import QUEUED, WAITING, OldQueue, OldRequest
from jcq.spoolconv.source import Source
from support import skips
from support.room import Room
from support.users import ALICE, BOB

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not (shutil.which("at") and shutil.which("batch")), reason=skips.NEEDS_AT),
]

#: Prints what a job finds: ids, directory, umask, environment, and what it was told to print.
_PROBE = b"id -u; id -g; pwd; umask; env -0 | LC_ALL=C sort -z | tr '\\0' '\\1'\n"
#: What a shell sets by itself.
_SHELLS_OWN = (b"PWD=", b"OLDPWD=", b"_=", b"SHLVL=")
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
    # Not pytest's own: other users must be able to pass it.
    directory = os.path.realpath(tempfile.mkdtemp(prefix="jcq-test-"))
    os.chmod(directory, 0o755)
    try:
        with AtRoom(namespace, directory) as made:
            yield made
    finally:
        shutil.rmtree(directory)


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
        directory = os.path.join(home, os.fsdecode(hard_bytes(chance, 1).replace(b"/", b"-")) + str(number))
        when = ["at", *(("-m", "-q", "f", "-t", "203001021530") if number % 3 else ("-M", "-t", "202401020304"))]
        if number == 7:
            when = ["batch"]
        script = _PROBE + b"printf '%s' '" + hard_bytes(chance, 4).replace(b"'", b"") + b"'" + b"\n" * (number % 3)
        made.append(
            (user, [shutil.which(when[0]), *when[1:]], script, environment, directory, (0o022, 0o077)[number % 2])
        )
    return made


def outcome(output):
    """What a probe printed, without what each shell sets by itself."""
    return [part for part in output.split(b"\1") if not part.startswith(_SHELLS_OWN)]


def test_jobs_of_two_users_are_what_they_submitted_and_run_as_before(room):
    given = submissions(room)
    for user, argv, script, environment, directory, umask in given:
        os.makedirs(directory)
        os.chown(directory, user.uid, user.gid)
        room.run(user, argv, script, environment, directory, umask)
    with Source(os.path.join(room.spool)) as source:
        assert at.evidence(source) == "jobs of at in atjobs"
        # What batch took is due in this minute.
        records = list(at.read(source, time.time() + 60))
    made = {int(one.old_id): one for one in records if isinstance(one, OldRequest)}
    assert {one.name for one in records if isinstance(one, OldQueue)} == {"at_a", "at_b", "at_f"}
    assert len(made) == len(given) == len(records) - 3
    for number, (user, argv, script, environment, directory, umask) in enumerate(given, 1):
        one = made[number]
        assert (one.uid, one.gid, one.script, one.workdir, one.umask) == (user.uid, user.gid, script, directory, umask)
        assert {**environment, b"PWD": one.environment.get(b"PWD")} == {b"PWD": None, **one.environment}
        letter = "b" if argv[0].endswith("batch") else "f" if "f" in argv else "a"
        assert (one.queue, one.mail_end) == (f"at_{letter}", "-m" in argv)
        assert one.state == (WAITING if letter == "f" else QUEUED)
        with open(os.path.join(room.spool, one.where), "rb") as file:
            # As atd runs it: /bin/sh reads the file, with no environment.
            before = room.run(user, ["/bin/sh"], file.read())
        path = os.path.join(room.home, user.name, "script")
        with open(path, "wb") as file:
            file.write(one.script)
        os.chmod(path, 0o755)
        after = room.run(user, [one.shell, path], b"", one.environment, one.workdir, one.umask)
        assert outcome(after) == outcome(before)
        assert len(outcome(before)) > len(environment)
        assert before.startswith(b"%d\n%d\n%b\n" % (user.uid, user.gid, os.fsencode(directory)))

"""Real at of Debian: jobs that two users submit are read from its spool, and run as atd would have run them.

In a mount, UTS and network namespace of its own, with a spool of its own; atd is not started.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time

import pytest

from jcq.spoolconv.readers import at
from jcq.spoolconv.records import QUEUED, WAITING, OldQueue, OldRequest
from jcq.spoolconv.source import Source
from support import skips
from support.users import ALICE, BOB
from support.waiting import wait_until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not (shutil.which("at") and shutil.which("batch")), reason=skips.NEEDS_AT),
]

HOST = "oldhost"
#: Prints what a job finds: ids, directory, umask, environment, and what it was told to print.
_PROBE = b"id -u; id -g; pwd; umask; env -0 | LC_ALL=C sort -z | tr '\\0' '\\1'\n"
#: What a shell sets by itself.
_SHELLS_OWN = (b"PWD=", b"OLDPWD=", b"_=", b"SHLVL=")
_ROOM = """
set -e
mount --bind "$1" /var/spool/cron
echo oldhost > /proc/sys/kernel/hostname
exec sleep 1000
"""
_ANY = bytes(range(1, 256))


class Room:
    """A namespace in which at has a spool of its own."""

    def __init__(self, namespace, directory):
        self.home = os.path.join(directory, "home")
        self.spool = os.path.join(directory, "cron")
        for user in (ALICE, BOB):
            os.makedirs(os.path.join(self.home, user.name))
        os.mkdir(self.spool)
        for name in ("atjobs", "atspool"):
            path = os.path.join(self.spool, name)
            os.mkdir(path)
            # As Debian's package makes them: daemon:daemon.
            os.chown(path, 1, 1)
            os.chmod(path, 0o1770)
        sequence = os.path.join(self.spool, "atjobs/.SEQ")
        with open(sequence, "wb"):
            os.chown(sequence, 1, 1)
            os.chmod(sequence, 0o600)
        command = ["unshare", "--mount", "--uts", "--net", "sh", "-c", _ROOM, "room", self.spool]
        self._keeper = subprocess.Popen(command, preexec_fn=namespace.enter, stdin=subprocess.DEVNULL)

    def close(self):
        self._keeper.kill()
        self._keeper.wait()

    def is_ready(self):
        try:
            with open(f"/proc/{self._keeper.pid}/comm", encoding="utf-8") as file:
                return file.read() == "sleep\n"
        except OSError:
            return False

    def run(self, user, argv, script=b"", environment=None, directory="/", umask=0o022):
        """Run a program there as a user -> its output, both streams."""
        inside = ["nsenter", "--target", str(self._keeper.pid), "--mount", "--uts", "--net", "--"]
        inside += ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--"]
        # The environment is made inside: nsenter and setpriv need none of it.
        program = b"import os, sys; os.umask(int(sys.argv[1], 8)); os.chdir(os.fsencode(sys.argv[2]));"
        program += b"n = int(sys.argv[3]); given = [os.fsencode(a) for a in sys.argv[4:]];"
        program += b"os.execve(given[2 * n], given[2 * n:], dict(zip(given[:n], given[n:2 * n])))"
        environment = environment or {}
        words = [f"{umask:o}", directory, str(len(environment)), *environment, *environment.values(), *argv]
        command = [*inside, "/usr/bin/python3", "-I", "-c", program, *words]
        done = subprocess.run(command, input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def room(namespace):
    # Not pytest's own: other users must be able to pass it.
    directory = os.path.realpath(tempfile.mkdtemp(prefix="jcq-test-"))
    os.chmod(directory, 0o755)
    made = Room(namespace, directory)
    try:
        wait_until(made.is_ready, 10, lambda: "the namespace is not ready")
        yield made
    finally:
        made.close()
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

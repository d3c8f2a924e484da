"""Real Grid Engine of Debian: jobs of two users are read from its classic spool, and run as it ran their twins.

First by the shell alone, from what the reader says; then by jcq, when spoolconv has made a site of the spool.

Its packages put commands into /usr/bin that are jcq's own names, so they are not installed but unpacked
(`dpkg-deb -x`), where the variable GRIDENGINE says. It runs in namespaces of its own, with a spool of its own.
"""

import os
import re
import sys

import pytest

from jcq.spoolconv.readers import gridengine
from jcq.spoolconv.records import HELD, QUEUED, RUNNING, WAITING, OldQueue, OldRequest
from jcq.spoolconv.source import Source
from support import old_spools, skips
from support.harness import Node
from support.room import Room, furnished
from support.users import ALICE, BOB
from support.waiting import wait_until

_UNPACKED = os.environ.get("GRIDENGINE", "")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not os.path.exists(os.path.join(_UNPACKED, "usr/lib/gridengine/sge_qmaster")), reason=skips.NEEDS_GRIDENGINE
    ),
]

NOW_S = 1_900_000_000
_BIN = "/usr/lib/gridengine"
_SCRIPT = """
unpacked=$1 root=$2/sge spool=$2/spool
"$3" -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))'
echo '127.0.0.1 oldhost localhost' >"$2/hosts"
mount --bind "$2/hosts" /etc/hosts
for name in lib/gridengine share/gridengine; do
  mkdir -p "/usr/$name"
  mount --bind "$unpacked/usr/$name" "/usr/$name"
done
mkdir -p /usr/lib/gridengine-libraries
mount --bind "$(dirname "$(find "$unpacked/usr/lib" -name libmunge.so.2)")" /usr/lib/gridengine-libraries
export LD_LIBRARY_PATH=/usr/lib/gridengine-libraries:/usr/lib/gridengine
export SGE_ROOT=$root SGE_CELL=default SGE_QMASTER_PORT=6444 SGE_EXECD_PORT=6445
common=$root/default/common
mkdir -p "$common" "$spool/qmaster/job_scripts" "$spool/execd"
ln -s /usr/share/gridengine/util "$root/util"
cat >"$common/bootstrap" <<END
admin_user root
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params $common;$spool/qmaster
binary_path /usr/lib/gridengine
qmaster_spool_dir $spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
END
echo oldhost >"$common/act_qmaster"
echo test >"$common/cluster_name"
sed "s|^execd_spool_dir.*|execd_spool_dir $spool/execd|" /usr/share/gridengine/default-configuration >"$2/configuration"
cd /usr/lib/gridengine
./spoolinit classic libspoolc "$common;$spool/qmaster" init
./spooldefaults configuration "$2/configuration"
./spooldefaults complexes /usr/share/gridengine/util/resources/centry
./spooldefaults usersets /usr/share/gridengine/util/resources/usersets
./spooldefaults managers root
./sge_qmaster
n=0
until ./qconf -sh; do n=$((n + 1)); [ $n -lt 50 ]; sleep 0.2; done
./qconf -as oldhost
./qconf -ssconf >"$2/scheduler"
sed -i 's/^schedule_interval.*/schedule_interval 0:0:1/; s/^\\(flush_[a-z]*_sec\\).*/\\1 1/' "$2/scheduler"
./qconf -Msconf "$2/scheduler"
./qconf -au alice,@project team
for queue in "work.q 2 10 NONE default" "other.q 1 20 NONE default" "closed.q 3 30 team disabled"; do
  set -- "$1" "$2" $queue
  ./qconf -sq >"$2/queue"
  sed -i "s/^qname .*/qname $3/; s/^hostlist .*/hostlist oldhost/; s/^slots .*/slots $4/" "$2/queue"
  sed -i "s/^seq_no .*/seq_no $5/; s/^user_lists .*/user_lists $6/; s/^initial_state .*/initial_state $7/" "$2/queue"
  sed -i "s|^shell  .*|shell /bin/sh|; s/^\\(load_thresholds\\|pe_list\\) .*/\\1 NONE/" "$2/queue"
  ./qconf -Aq "$2/queue"
done
# A job gets what execd was started with.
env -i LD_LIBRARY_PATH="$LD_LIBRARY_PATH" SGE_ROOT="$SGE_ROOT" SGE_CELL="$SGE_CELL" PATH=/usr/bin:/bin \\
  SGE_QMASTER_PORT=6444 SGE_EXECD_PORT=6445 ./sge_execd
"""
_PROBE = b"""#!/bin/bash
# A comment that is no option; the shell is the queue's.
#$ -N named
pwd; umask; id -u; id -g; printf '%s|' "$0" "$@" | sed 's|^[^|]*||'
printf '\\001'; env -0 | LC_ALL=C sort -z | tr '\\0' '\\1'
"""
#: What tells one job from its twin, and what only Grid Engine's own daemons, shells, and jcq set.
_OWN = re.compile(
    rb"(JOB_ID|JOB_SCRIPT|SGE_(JOB_SPOOL_DIR|STD\w+_PATH|ROOT|CELL|ARCH|BINARY_PATH|CWD_PATH|\w+_PORT)|HOSTNAME|ARC|TMP|TMPDIR"
    rb"|LD_LIBRARY_PATH|PWD|OLDPWD|SHLVL|_|PATH|TZ|SHELL|MAIL|QSUB_\w+|JCQ_(BOOT|EPOCH|JOB|SITE))="
)


class GridRoom(Room):
    """A room in which qmaster and execd run."""

    def __init__(self, namespace, directory):
        self.directory = directory
        self.home = os.fsencode(namespace.home)
        self.work = os.path.join(directory, "work")
        os.mkdir(self.work)
        os.chmod(self.work, 0o777)
        super().__init__(namespace, _SCRIPT, _UNPACKED, directory, sys.executable)
        self.environment = {
            b"LD_LIBRARY_PATH": b"/usr/lib/gridengine-libraries:/usr/lib/gridengine",
            b"SGE_ROOT": os.fsencode(os.path.join(directory, "sge")),
            b"SGE_CELL": b"default",
            b"SGE_QMASTER_PORT": b"6444",
            b"SGE_EXECD_PORT": b"6445",
            b"PATH": b"/usr/bin:/bin",
        }

    def call(self, command, *words, user=None, stdin=b"", directory="/", **more):
        """Run a command of Grid Engine's -> its output."""
        given = {name.encode(): value for name, value in more.items()}
        if user:
            given |= {b"HOME": self.home + b"/" + user.name.encode(), b"LOGNAME": user.name.encode()}
        return self.run(user, [f"{_BIN}/{command}", *words], stdin, self.environment | given, directory)

    def submit(self, user, *words, stdin=b"", **more):
        """-> the number of a job."""
        said = self.call("qsub", "-terse", *words, user=user, stdin=stdin, directory=self.work, **more)
        return int(said.split(b".")[0])

    def kill_all(self):
        """End Grid Engine and its jobs: whatever stands in its directories."""
        script = """for one in /proc/[0-9]*; do
          case $(readlink "$one/cwd") in "$0"/*) kill -9 "${one#/proc/}" ;; esac
        done"""
        self.run(None, ["/bin/sh", "-c", script, self.directory])

    def output(self, name):
        """What a job wrote, once it has ended."""
        path = os.path.join(self.work, name)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path), 60, lambda: self.call("qstat", "-u", "*"))
        wait_until(lambda: b"named" not in self.call("qstat", "-s", "rs", "-u", "*"), 60, lambda: "it runs on")
        with open(path, "rb") as file:
            return file.read()


@pytest.fixture(scope="module")
def room(namespace):
    with furnished(GridRoom, namespace) as made:
        yield made


def outcome(output):
    """What a probe printed, without what is its own."""
    return [part for part in output.split(b"\1") if part and not _OWN.match(part)]


#: Options of jobs that run twice: under Grid Engine, and as the request that is made of the twin that was held.
_TWINS = (
    (ALICE, ("-cwd", "-v", "A=b c,B='"), ()),
    (BOB, ("-wd", "/tmp", "-q", "other.q"), ("one", "two  words", "it's", "", "$HOME")),
    (BOB, ("-cwd", "-t", "3-3"), ()),
    (ALICE, ("-cwd", "-S", "/bin/bash", "-V"), ("-x",)),
)


def test_jobs_of_two_users_are_what_they_submitted_and_run_as_their_twins(namespace, room):
    before, twins = {}, {}
    with open(os.path.join(room.work, "probe"), "wb") as file:
        file.write(_PROBE)
    odd = {"ODD": b"caf\xe9\nline ' \" $x"}
    for number, (user, options, words) in enumerate(_TWINS):
        given = [*options, "-j", "y", "-o", os.path.join(room.work, f"out{number}"), "probe", *words]
        room.submit(user, *given, **odd)
        twins[number] = room.submit(user, "-h", *given, **odd)
    # Grid Engine hands the words to the shell as they are, but for -shell n.
    for shell, words in (("y", ["a  b", "$HOME", "|", "cat"]), ("n", ["it's", "a  b", "$HOME", "*", ""])):
        command = ["-b", "y", "-shell", shell, "-cwd", "-N", "command", "-j", "y"]
        command += ["-o", os.path.join(room.work, f"command.{shell}"), "/bin/echo", *words]
        room.submit(ALICE, *command)
        twins[shell] = room.submit(ALICE, "-h", *command)
    for number in range(len(_TWINS)):
        before[number] = outcome(room.output(f"out{number}"))
    before |= {shell: outcome(room.output(f"command.{shell}")) for shell in "yn"}

    running = room.submit(BOB, "-N", "running", "-b", "y", "-cwd", "/bin/sleep", "1000")
    wait_until(lambda: b" r " in room.call("qstat", "-u", "bob"), 60, lambda: room.call("qstat", "-u", "*"))
    broken = room.submit(BOB, "-N", "broken", "-wd", "/nowhere", stdin=b"true\n")
    wait_until(lambda: b"Eqw" in room.call("qstat", "-u", "bob"), 60, lambda: room.call("qstat", "-u", "*"))
    room.call("qmod", "-d", "*")
    wait_until(lambda: b" d" in room.call("qstat", "-f"), 60, lambda: room.call("qstat", "-f"))
    later = room.submit(ALICE, "-N", "later", "-a", "203501020304.05", "-p", "-100", "-r", "y", stdin=b"echo later\n")
    array = room.submit(BOB, "-N", "array", "-t", "1-9:4", "-hold_jid", str(later), "-l", "h_rt=0:1:0,h_vmem=1.5G",
                        "-m", "be", "-M", "x@y", stdin=b"\xff\r\nend")  # fmt: skip
    room.call("qhold", "-h", "o", f"{array}.5")
    room.call("qconf", "-km")
    look = ["/bin/sh", "-c", "ls -l /proc/[0-9]*/exe 2>/dev/null || true"]
    wait_until(lambda: b"sge_qmaster" not in room.run(None, look), 60, lambda: room.run(None, look))

    with Source(room.directory) as source:
        assert gridengine.evidence(source) == "classic spool of Grid Engine, by sge/default/common/bootstrap"
        records = list(gridengine.read(source, NOW_S))
    made = {one.old_id: one for one in records if isinstance(one, OldRequest)}
    queues = {one.name: one for one in records if isinstance(one, OldQueue)}
    assert {name: (one.run_limit, one.started) for name, one in queues.items()} == {
        "work_q": (2, False),
        "other_q": (1, False),
        "closed_q": (3, False),
    }
    closed = queues["closed_q"]
    assert (closed.restricted, closed.users, closed.groups) == (True, ("alice",), ("project",))
    assert (made[str(running)].state, made[str(running)].queue in queues) == (RUNNING, True)
    assert (made[str(broken)].state, made[str(broken)].operator_hold) == (HELD, True)
    assert "/nowhere" in "".join(made[str(broken)].notes)
    one = made[str(later)]
    # 2035-01-02 03:04:05 UTC, wherever this is.
    assert (one.state, one.priority < 31, one.restartable) == (WAITING, True, True)
    assert abs(one.due_s - 2051319845) <= 14 * 3600
    tasks = [made[f"{array}.{number}"] for number in (1, 5, 9)]
    assert [(task.state, task.operator_hold) for task in tasks] == [(QUEUED, False), (HELD, True), (QUEUED, False)]
    for task in tasks:
        assert (task.script, task.after, task.mail_to) == (b"\xff\r\nend", (str(later),), "x@y")
        assert task.limits == {"elapsed_request": (60, None), "memory_request": (3 << 29, None)}
    for key, number in twins.items():
        one = made[made_name(made, number)]
        assert (one.state, one.operator_hold) == (HELD, False)
        assert outcome(run_as_request(room, one)) == before[key], key
    assert len(made) == len(twins) + 6
    with Node(namespace) as node:
        by_jcq(node.local_site().start(), room, {key: made_name(made, number) for key, number in twins.items()}, before)


def made_name(made, number):
    """The id of a job that may be an array of one task."""
    return str(number) if str(number) in made else f"{number}.3"


def by_jcq(site, room, twins, before):
    """Convert the spool, start what was held, and compare what it does with what its twin did."""
    argv = ["-c", room.directory, "-y"]
    site.node.run("spoolconv", *argv).refused("sge_execd", "open", exit_code=1)
    room.kill_all()
    spool = old_spools.fingerprint(room.directory)
    # A pid file of the room's own processes may name any of this machine.
    out = site.node.run("spoolconv", *argv, "--old-system-stopped").ok()
    assert old_spools.fingerprint(room.directory) == spool
    assert "it had begun to run, and is purged" in out
    assert "(queue work_q was stopped in the old system too)" in out
    site.qmgr("start queue work_q", "start queue other_q")
    lines = site.run("qmgr", "show", "long", "queue", "closed_q").ok().splitlines()
    assert "  Restricted access; Users = {alice}; Groups = {project}" in lines
    made = {one["old_id"]: one for one in site.qstat("-a")["requests"]}
    for key, old_id in twins.items():
        one = made[old_id]
        assert one["state"] == "HELD"
        os.rename(one["stdout"], f"{one['stdout']}.before")
        user = {ALICE.name: ALICE, BOB.name: BOB}[one["user"]]
        site.run("qrls", one["id"], user=user).ok()
        assert site.qwait(one["id"]) == 0
        with open(one["stdout"], "rb") as file:
            assert outcome(file.read()) == before[key], key
        assert os.stat(one["stdout"]).st_uid == user.uid
        assert site.qstat(one["id"])["requests"][0]["reason"] == ""


def run_as_request(room, one):
    """What a request prints when its shell runs its script, in its environment and directory."""
    path = os.path.join(room.work, "script")
    with open(path, "wb") as file:
        file.write(one.script)
    os.chmod(path, 0o755)
    user = {ALICE.name: ALICE, BOB.name: BOB}[one.user]
    assert (one.uid, one.gid) == (user.uid, user.gid)
    return room.run(user, [one.shell, path], b"", one.environment, one.workdir or "/")

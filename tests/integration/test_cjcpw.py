"""cjcpw, -c, -stop, cjcls, nqsstart and nqsstop on real sites: coming up, going down, dying, refusing."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from jcq.cluster.locks import SiteLocks
from jcq.site import Site
from support import processes
from support.harness import Node
from support.waiting import wait_until

#: A job with every trick: deaf to SIGTERM, in a session of its own, forked twice.
DEAF = """\
#!/bin/sh
trap '' TERM
setsid sh -c 'trap "" TERM; (sleep 301 & wait) &' &
touch {mark}
sleep 301
"""
DAEMONS = ("jcdbs", "nqsdaemon", "worker")


@pytest.fixture
def site():
    """A cluster site, made but not started."""
    with Node() as node:
        made = node.cluster_site()
        write(os.path.join(made.directory, "site.conf"), "FORCEKILL_TIME=0.5\n")
        yield made


@pytest.fixture
def up(site):
    """A cluster site under cjcpw, with its worker."""
    return start(site)


def start(site):
    """Start it and wait until cjcls, not only qstat, says that it is up; returns it."""
    site.start()
    wait_until(lambda: row(site)[0] != "SHUT", 20, site.log_text)
    return site


def row(site):
    """The line of cjcls about a site: (pid or SHUT, ON or OFF)."""
    lines = [line for line in site.node.run("cjcls", "-a").ok().splitlines() if line.startswith(f"{site.name} ")]
    assert len(lines) == 1, lines
    words = lines[0].split()
    return words[1], words[-1]


def exit_code(site, limit_s=30):
    """The exit code of the site's cjcpw, which is to end by itself."""
    code = site.cjcpw.wait(limit_s)
    site.cjcpw = None
    return code


def run_cjcpw(site, *options):
    return site.node.run("cjcpw", *options, site.name, site.db_path)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def owner(site, **changes):
    """The owner record as a dict; with `changes`, rewritten with a right checksum."""
    path = os.path.join(site.directory, "database", ".owner")
    values = dict(line.split("=", 1) for line in read(path).splitlines())
    if changes:
        import zlib

        values.update({name: str(value) for name, value in changes.items()})
        del values["sum"]
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        write(path, f"{text}sum={zlib.crc32(text.encode()):08x}\n")
    return values


def cjcpw_log(site):
    return read(os.path.join(site.directory, "log", "cjcpw.log"))


def submit_deaf(site, number=1):
    """Submit jobs that are hard to kill and wait until they run; returns their ids."""
    marks = [os.path.join(site.node.scratch, f"mark{i}") for i in range(number)]
    for mark in marks:
        if os.path.exists(mark):
            os.unlink(mark)
    site.qmgr(f"set run_limit = {number} batch")
    ids = [site.qsub(DEAF.format(mark=mark)) for mark in marks]
    wait_until(lambda: all(map(os.path.exists, marks)), 20, site.log_text)
    wait_until(lambda: len(sleepers(site)) == 2 * number, 20, site.log_text)
    return ids


def sleepers(site):
    return [process for process in processes.processes_below(site.node.scratch) if process.title == "sleep 301"]


# --- up and down -----------------------------------------------------------------------------


def test_cjcls_shows_what_lives(site):
    assert row(site) == ("SHUT", "OFF")
    start(site)
    assert row(site) == (str(site.daemon("nqsdaemon")), "ON")
    site.stop()
    assert row(site) == ("SHUT", "OFF")
    assert owner(site)["state"] == "released"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_stop(up, signum):
    up.cjcpw.send_signal(signum)
    assert exit_code(up) == 0
    assert not up.processes()
    assert "stopped on request; exit code 0" in cjcpw_log(up)


def test_losing_the_terminal_changes_nothing(up):
    up.cjcpw.send_signal(signal.SIGHUP)
    up.wait_up()
    assert row(up)[1] == "ON"


@pytest.mark.parametrize("options", [(), ("-c",)])
def test_a_second_start_is_refused_and_does_no_harm(up, options):
    before = {process.pid for process in up.processes()}
    run_cjcpw(up, *options).refused("already running", exit_code=4)
    assert {process.pid for process in up.processes()} == before
    assert "exit code 4" in cjcpw_log(up)
    up.wait_up()


def test_detached_the_daemons_stay_and_stop_finds_them(site):
    run_cjcpw(site, "-c").ok()
    site.wait_up()
    assert row(site) == (str(site.daemon("nqsdaemon")), "OFF")
    run_cjcpw(site, "-c").refused("already running", exit_code=4)
    run_cjcpw(site).refused("already running", exit_code=4)
    site.node.run("nqsstart", site.name).ok()
    ids = submit_deaf(site)
    site.stop()
    assert not sleepers(site)
    assert row(site) == ("SHUT", "OFF")
    assert owner(site)["state"] == "released"
    start(site)
    assert ids[0] in site.run("qstat", "-a").ok()


def test_detached_and_a_daemon_dead_the_next_start_clears_up(site):
    run_cjcpw(site, "-c").ok()
    os.kill(site.daemon("nqsdaemon"), signal.SIGKILL)
    start(site)
    assert row(site)[1] == "ON"


def test_stop_of_a_stopped_site_is_quick_and_harmless(site):
    site.stop()
    start(site).stop()
    site.stop()
    site.node.run("cjcpw", "-stop", f"{site.name}.example").ok()


def test_stop_where_the_site_was_never_seen_is_harmless(site):
    site.node.add_name("127.0.0.62", "other.example", "other")
    site.node.run("cjcpw", "-stop", "other").ok()
    site.node.run("cjcpw", "-stop", "nobody.invalid").refused("no site named")


def test_stop_while_the_disk_is_away_is_harmless(site):
    os.rename(site.db_path, site.db_path + ".away")
    site.node.run("cjcpw", "-stop", site.name).ok()
    # Its name is in its database: the one that belongs to the address is shown.
    assert re.search(r"^testsite\.example +SHUT .*OFF$", site.node.run("cjcls").ok(), re.MULTILINE)
    os.rename(site.db_path + ".away", site.db_path)


def test_each_start_has_a_new_epoch_and_those_before_stay_until_it_is_healthy(site):
    for _ in range(3):
        run_cjcpw(site, "-c").ok()
        site.stop()
    names = os.listdir(os.path.join(site.directory, "database"))
    assert sorted(name for name in names if re.fullmatch(r"e\d+", name)) == ["e1", "e2", "e3", "e4"]
    assert owner(site)["epoch"] == "4"


# --- nqsstop, nqsstart, maintenance ----------------------------------------------------------


def test_nqsstop_leaves_cjcpw_and_nqsstart_starts_again(up):
    pid = up.cjcpw.pid
    first = row(up)[0]
    up.node.run("nqsstop", up.name).ok()
    assert row(up) == ("SHUT", "ON")
    assert [process for process in up.processes() if process.pid != pid] == []
    up.run("qstat").refused("not running")
    up.node.run("nqsstop", up.name).ok()
    up.node.run("nqsstart", up.name).ok()
    assert row(up)[0] not in ("SHUT", first)
    assert row(up)[1] == "ON"
    up.node.run("nqsstart", up.name).ok()
    assert up.cjcpw.poll() is None
    # Watched as before.
    os.kill(up.daemon("worker"), signal.SIGKILL)
    assert exit_code(up) == 1


def test_stop_ends_a_resting_cjcpw(up):
    up.node.run("nqsstop", up.name).ok()
    up.stop()
    assert row(up) == ("SHUT", "OFF")


def test_maintenance_starts_cjcpw_alone(site):
    site.node.write_daemon_conf("maintenance=ON\n")
    site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    wait_until(lambda: row(site) == ("SHUT", "ON"), 20, site.log_text)
    site.node.run("nqsstart", site.name).ok()
    site.wait_up()
    site.node.run("nqsstop", site.name).ok()
    assert row(site) == ("SHUT", "ON")
    site.cjcpw.send_signal(signal.SIGTERM)
    assert exit_code(site) == 0


def test_a_failed_nqsstart_moves_no_site(site):
    site.node.write_daemon_conf("maintenance=ON\n")
    site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    wait_until(lambda: row(site) == ("SHUT", "ON"), 20, site.log_text)
    data = os.path.join(site.directory, "database", "e1", "appendonlydir")
    os.rename(data, data + ".away")
    site.node.run("nqsstart", site.name).refused("data is missing")
    assert row(site) == ("SHUT", "ON")
    os.rename(data + ".away", data)
    site.node.run("nqsstart", site.name).ok()
    site.stop()


def test_the_local_site_needs_no_name(node):
    local = node.local_site()
    node.run("nqsstart").ok()
    assert row(local)[1] == "OFF"
    node.run("nqsstop").ok()
    assert row(local) == ("SHUT", "OFF")
    local.start().stop()


def test_administrators_commands_ignore_nqs_site(site):
    wrong = {"NQS_SITE": "nowhere.invalid"}
    site.node.run("cjcpw", "-c", site.name, site.db_path, env=wrong).ok()
    assert site.name in site.node.run("cjcls", env=wrong).ok()
    site.node.run("nqsstop", site.name, env=wrong).ok()
    site.node.run("nqsstart", site.name, env=wrong).ok()
    site.node.run("cjcpw", "-stop", site.name, env=wrong).ok()


# --- death -----------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", DAEMONS)
def test_one_dies_and_all_end(up, daemon):
    ids = submit_deaf(up, 2)
    os.kill(up.daemon(daemon), signal.SIGKILL)
    assert exit_code(up, limit_s=5) == 1
    assert not up.processes()
    assert not sleepers(up)
    assert f"{daemon}[" in cjcpw_log(up)
    assert re.search(r"testsite: cjcpw ends on node .*: .* was killed by signal 9; exit code 1\n", cjcpw_log(up))
    start(up)
    listed = up.run("qstat", "-a").ok()
    assert all(request in listed for request in ids)
    wait_until(lambda: len(sleepers(up)) == 4, 20, up.log_text)


def test_cjcpw_dies_and_the_daemons_with_it(up):
    submit_deaf(up)
    up.cjcpw.kill()
    assert exit_code(up) == -signal.SIGKILL
    wait_until(lambda: not up.processes() and not sleepers(up), 5, lambda: processes.table(up.processes()))
    assert row(up) == ("SHUT", "OFF")
    start(up)
    up.stop()


def test_what_outlived_a_crash_is_cleared_at_the_next_start(up):
    submit_deaf(up)
    everyone = [process.pid for process in up.processes() if process.title != "sleep 301"]
    for pid in {up.cjcpw.pid, *everyone}:
        os.kill(pid, signal.SIGSTOP)
    for pid in {up.cjcpw.pid, *everyone}:
        os.kill(pid, signal.SIGKILL)
    exit_code(up)
    start(up)
    wait_until(lambda: len(sleepers(up)) == 2, 20, up.log_text)
    up.stop()
    assert not sleepers(up)


def test_a_daemon_that_does_not_stop_is_killed_after_stop_timeout(site):
    write(os.path.join(site.directory, "site.conf"), "STOP_TIMEOUT=1\n")
    start(site)
    os.kill(site.daemon("worker"), signal.SIGSTOP)
    site.node.run("cjcpw", "-stop", site.name).ok()
    assert not site.processes()
    assert exit_code(site) == 1
    assert "worker did not end within 1 s" in cjcpw_log(site)


def test_a_cjcpw_that_does_not_answer_is_killed(site):
    write(os.path.join(site.directory, "site.conf"), "STOP_TIMEOUT=0.5\n")
    start(site)
    os.kill(site.cjcpw.pid, signal.SIGSTOP)
    site.node.run("cjcpw", "-stop", site.name).ok()
    assert not site.processes()
    assert exit_code(site) == -signal.SIGKILL
    start(site)


def test_a_cjcpw_that_wakes_up_late_ends_in_order(site):
    write(os.path.join(site.directory, "site.conf"), "STOP_TIMEOUT=1\n")
    start(site)
    os.kill(site.cjcpw.pid, signal.SIGSTOP)
    stopper = site.node.spawn("cjcpw", "-stop", site.name)
    status = f"/proc/{site.cjcpw.pid}/status"

    def waiting_signals():
        with open(status, encoding="ascii") as file:
            return int(re.search(r"^ShdPnd:\s*([0-9a-f]+)", file.read(), re.M)[1], 16)

    wait_until(lambda: waiting_signals() & 1 << signal.SIGTERM - 1, 30, lambda: f"{waiting_signals():x}")
    os.kill(site.cjcpw.pid, signal.SIGCONT)
    assert (exit_code(site), stopper.wait(60)) == (0, 0)


def test_a_mistake_in_site_conf_is_no_reason_not_to_stop(up):
    write(os.path.join(up.directory, "site.conf"), "STOP_TIMEOUT=soon\n")
    up.stop()
    run_cjcpw(up).refused("site.conf:1", "STOP_TIMEOUT")


def test_who_merely_has_a_file_open_is_listed_and_lives(up):
    other = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        cwd=up.directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        other.stdout.readline()
        up.node.run("cjcpw", "-stop", up.name).refused(f"[{other.pid}]", "in the way", exit_code=1)
        assert other.poll() is None
        assert exit_code(up) == 0
        # The site itself is stopped.
        up.node.run("cjcpw", "-stop", up.name).ok()
    finally:
        other.communicate()


# --- refusals --------------------------------------------------------------------------------


def test_a_missing_database_is_5_and_is_not_made(site):
    missing = os.path.join(site.node.scratch, "nothing")
    site.node.run("cjcpw", site.name, missing).refused("missing", exit_code=5)
    assert not os.path.exists(missing)
    empty = site.node.make_directory("empty")
    site.node.run("cjcpw", site.name, empty).refused("missing", exit_code=5)
    assert os.listdir(empty) == []


def remove_identity(database):
    os.unlink(os.path.join(database, "site"))


def damage_identity(database):
    write(os.path.join(database, "site"), "name=testsite\nmachine_id=many\n")


def damage_owner(database):
    write(os.path.join(database, ".owner"), "state=released\n")


def remove_data(database):
    shutil.rmtree(os.path.join(database, "e1", "appendonlydir"))


def damage_data(database):
    directory = os.path.join(database, "e1", "appendonlydir")
    for name in os.listdir(directory):
        if not name.endswith(".manifest"):
            write(os.path.join(directory, name), "this is no database\n" * 10)


@pytest.mark.parametrize("damage", [remove_identity, damage_identity, damage_owner, remove_data, damage_data])
def test_a_damaged_database_is_5(site, damage):
    damage(os.path.join(site.directory, "database"))
    before = set(os.listdir(os.path.join(site.directory, "database")))
    for _ in range(2):
        run_cjcpw(site).refused(exit_code=5)
    assert not site.processes()
    assert set(os.listdir(os.path.join(site.directory, "database"))) == before


@pytest.mark.parametrize("server", ["valkey 99.0.0", "redis 6.2.0"])
def test_a_server_that_may_not_read_the_data_is_5(site, server):
    owner(site, server=server)
    run_cjcpw(site).refused(server, exit_code=5)


def test_a_site_that_another_node_runs_is_3_and_stop_leaves_it_alone(site):
    record = owner(site, state="running", node="another", host="another", boot="x", pid=4711, epoch=8)
    # As if that node's locks were seen here; free ones would prove it dead.
    held = SiteLocks.take(Site("/", site.directory))
    run_cjcpw(site).refused("another", "4711", "epoch 8", exit_code=3)
    site.node.run("cjcpw", "-stop", site.name).ok()
    assert owner(site) == {**record, "sum": owner(site)["sum"]}
    held.release()
    start(site)
    assert owner(site)["epoch"] == "9"


def test_a_server_that_is_never_ready_is_7(site):
    slow = os.path.join(site.node.scratch, "slow-server")
    write(slow, '#!/bin/sh\n[ "$1" = --version ] && echo "Valkey server v=9.1.2" && exit\nexec sleep 302\n')
    os.chmod(slow, 0o755)
    site.node.write_daemon_conf(f"jcdbs_server={slow}\n")
    owner(site, server="valkey 9.1.2")
    write(os.path.join(site.directory, "site.conf"), "BOOT_TIMEOUT=0.5\n")
    run_cjcpw(site).refused("jcdbs was not ready", exit_code=7)
    assert not site.processes()
    run_cjcpw(site, "-c").refused("jcdbs was not ready", exit_code=7)
    assert not site.processes()


def test_another_sites_database_is_refused(site):
    other = site.node.cluster_site("other", machine_id=77)
    site.node.run("cjcpw", site.name, other.db_path).refused("of site other")
    site.node.add_name("127.0.0.62", "third.example", "third")
    site.node.run("cjcpw", "third", site.db_path).refused("of site testsite, not of third")
    assert not site.processes()
    assert not other.processes()


def test_an_address_that_is_not_here_is_refused(site):
    write(site.node.lib("rc", "resolv.def"), "192.0.2.9 testsite.example testsite\n")
    run_cjcpw(site).refused("192.0.2.9", "not on this node")


def test_the_link_is_made_and_repaired_but_not_taken_from_another_site(site):
    (name,) = os.listdir(site.node.spool())
    link = site.node.spool(name)
    os.unlink(link)
    run_cjcpw(site, "-c").ok()
    assert os.readlink(link) == site.directory
    site.stop()
    os.unlink(link)
    os.symlink("/nowhere/nqs", link)
    run_cjcpw(site, "-c").ok()
    assert os.readlink(link) == site.directory
    site.stop()
    other = site.node.cluster_site("other", machine_id=77)
    os.unlink(link)
    os.symlink(other.directory, link)
    run_cjcpw(site).refused("another site")
    os.unlink(link)
    os.mkdir(link)
    run_cjcpw(site).refused("no symbolic link")


def test_unknown_keys_are_warned_about(site):
    site.node.write_daemon_conf("frobnicate=1\n")
    write(os.path.join(site.directory, "site.conf"), "\nSPEED=9\n")
    result = run_cjcpw(site, "-c")
    result.ok()
    assert "daemon.conf:1: unknown key 'frobnicate'" in result.err
    assert "site.conf:2: unknown key 'SPEED'" in result.err
    site.stop()


@pytest.mark.parametrize(
    "words", [(), ("testsite",), ("-stop",), ("-stop", "testsite", "more"), ("-c", "-stop", "x"), ("-x", "y", "z")]
)
def test_bad_usage_is_2(site, words):
    site.node.run("cjcpw", *words).refused("--help", exit_code=2)


def test_help_names_the_exit_codes(node):
    text = node.run("cjcpw", "--help").ok()
    for code in range(8):
        assert re.search(rf"^ +{code}  \w", text, re.MULTILINE), text

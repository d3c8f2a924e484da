"""cjcmksite and `jcq install`: what they make, what they refuse, and that a refusal leaves nothing behind."""

import os
import shlex
import signal
import stat

import pytest

from support.harness import Node
from support.waiting import wait_until

ADDRESS = "127.0.0.61"
HEX = "7F00003D"


@pytest.fixture
def site_names(node):
    """A node whose resolv.def knows testsite, an address of another node, and an alias."""
    node.add_name(ADDRESS, "testsite.example", "testsite", "nickname")
    node.add_name("192.0.2.7", "away.example", "away")
    return node


def everything_below(*directories):
    """{path: (kind and mode, target or size)} of all that is there."""
    found = {}
    for top in directories:
        for directory, subdirectories, files in os.walk(top):
            for name in subdirectories + files:
                path = os.path.join(directory, name)
                status = os.lstat(path)
                found[path] = (status.st_mode, os.readlink(path) if stat.S_ISLNK(status.st_mode) else None)
    return found


def permissions(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_set_whatever_the_umask(site_names, umask):
    node, db_path = site_names, site_names.make_directory("db")
    command = f"umask {umask:04o}; exec {shlex.join(node.argv('cjcmksite', 'testsite', '200', db_path))}"
    node.run(["/bin/sh", "-c", command]).ok()
    directory = os.path.join(db_path, "nqs")
    wanted = {"": 0o755, "database": 0o700, "run": 0o711, "requests": 0o711, "output": 0o711, "log": 0o750}
    assert {name: permissions(os.path.join(directory, name)) for name in wanted} == wanted
    assert permissions(os.path.join(directory, "daemon.conf")) == 0o644
    assert permissions(os.path.join(directory, "database", "site")) == 0o644
    assert permissions(node.spool()) == 0o755
    assert os.readlink(node.spool(HEX)) == directory


def test_both_names_make_a_site_and_the_name_given_is_kept(site_names):
    db_path = site_names.make_directory("db")
    site_names.run("cjcmksite", "testsite.example", "200", db_path).ok()
    with open(os.path.join(db_path, "nqs", "database", "site"), encoding="utf-8") as file:
        text = file.read()
    assert "name=testsite.example\n" in text
    assert f"address={ADDRESS}\n" in text
    assert f"uid={os.geteuid()}\n" in text
    assert site_names.run("cjcls").ok().splitlines()[1].startswith("testsite.example ")


REFUSALS = {
    "no such name": (("nosuch.invalid", "5", "{free}"), "does not resolve"),
    "alias": (("nickname", "5", "{free}"), "use testsite.example or testsite"),
    "address elsewhere": (("away", "5", "{free}"), "not on this node"),
    "own host name": ((os.uname().nodename, "5", "{free}"), "local site"),
    "bad name": (("a b", "5", "{free}"), "no host name"),
    "id 0": (("testsite", "0", "{free}"), "between 1 and 2147483647"),
    "id 2**31": (("testsite", "2147483648", "{free}"), "between 1 and 2147483647"),
    "id no number": (("testsite", "x", "{free}"), "MACHINE_ID"),
    "id of another site": (("testsite", "77", "{free}"), "belongs to site other"),
    "no such path": (("testsite", "5", "{free}/none"), "does not exist"),
    "path is a file": (("testsite", "5", "{file}"), "does not exist or is no directory"),
    "path in use": (("testsite", "5", "{other}"), "path of site other"),
    "path below another": (("testsite", "5", "{other}/nqs/run"), "path of site other"),
    "path above another": (("testsite", "5", "{scratch}"), "path of site"),
    "path through a link": (("testsite", "5", "{detour}"), "path of site other"),
    "path of the local site": (("testsite", "5", "{local}"), "path of site"),
    "nqs is there": (("testsite", "5", "{taken}"), "exists already"),
    "address in use": (("other", "5", "{free}"), "another site"),
    "too few words": (("testsite", "5"), "DBPATH"),
    "too many words": (("testsite", "5", "{free}", "more"), "more"),
}


@pytest.fixture(scope="module")
def crowded():
    """A node with a site `other`, machine id 77, and every kind of path."""
    with Node() as node:
        node.add_name(ADDRESS, "testsite.example", "testsite", "nickname")
        node.add_name("192.0.2.7", "away.example", "away")
        other = node.cluster_site("other", machine_id=77)
        paths = {
            "free": node.make_directory("free"),
            "other": other.db_path,
            "taken": node.make_directory("taken"),
            "scratch": node.scratch,
            "local": os.path.dirname(node.spool()),
            "file": os.path.join(node.scratch, "file"),
            "detour": os.path.join(node.scratch, "detour"),
        }
        os.mkdir(os.path.join(paths["taken"], "nqs"))
        os.symlink(other.db_path, paths["detour"])
        with open(paths["file"], "w", encoding="ascii"):
            pass
        yield node, paths


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses_in_one_line_and_leaves_nothing(crowded, case):
    node, paths = crowded
    words, message = REFUSALS[case]
    before = everything_below(node.scratch)
    node.run("cjcmksite", *(word.format(**paths) for word in words)).refused(message)
    assert everything_below(node.scratch) == before
    assert not node.left_over()


def test_a_second_site_of_the_same_name_is_refused(site_names):
    site_names.run("cjcmksite", "testsite", "200", site_names.make_directory("one")).ok()
    site_names.run("cjcmksite", "testsite", "201", site_names.make_directory("two")).refused("another site")


@pytest.mark.root
def test_root_makes_no_site_that_others_cannot_reach(site_names):
    hidden = site_names.make_directory("hidden", mode=0o700)
    os.mkdir(os.path.join(hidden, "db"))
    site_names.run("cjcmksite", "testsite", "5", os.path.join(hidden, "db")).refused(hidden, "chmod o+x")
    assert os.listdir(os.path.join(hidden, "db")) == []


def broken_server(node):
    """A server that says a version and ends at once when it is started."""
    path = os.path.join(node.scratch, "broken-server")
    with open(path, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\n[ "$1" = --version ] && echo "Valkey server v=9.1.2" && exit\nexit 3\n')
    os.chmod(path, 0o755)
    return path


def test_when_the_database_cannot_be_made_everything_is_taken_back(site_names):
    node, db_path = site_names, site_names.make_directory("db")
    node.write_daemon_conf(f"jcdbs_server={broken_server(node)}\n")
    result = node.run("cjcmksite", "testsite", "200", db_path)
    result.refused("temporary daemon", exit_code=5)
    assert "Complete" not in result.out
    assert os.listdir(db_path) == []
    assert os.listdir(node.spool()) == []
    node.write_daemon_conf("")
    node.run("cjcmksite", "testsite", "200", db_path).ok()


def test_sigterm_takes_everything_back(site_names):
    node, db_path = site_names, site_names.make_directory("db")
    slow = os.path.join(node.scratch, "slow-server")
    with open(slow, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\n[ "$1" = --version ] && echo "Valkey server v=9.1.2" && exit\nexec sleep 300\n')
    os.chmod(slow, 0o755)
    node.write_daemon_conf(f"jcdbs_server={slow}\n")
    child = node.spawn("cjcmksite", "testsite", "200", db_path)
    wait_until(lambda: "sleep 300" in str(node.left_over()), 30, lambda: node.left_over())
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 130
    assert os.listdir(db_path) == []
    assert os.listdir(node.spool()) == []
    assert not node.left_over()


def test_the_local_site_must_have_been_started_with_local_daemon(site_names):
    node, db_path = site_names, site_names.make_directory("db")
    local = node.local_site(machine_id=1).start()
    # The setting is read when the local site starts, not when the file changes (manual 2.3.6).
    node.write_daemon_conf("local_daemon=SITE\n")
    node.run("cjcmksite", "testsite", "200", db_path).refused("local_daemon", "restart")
    assert os.listdir(db_path) == []
    local.stop()
    local.start()
    node.run("cjcmksite", "testsite", "200", db_path).ok()


def test_install_is_idempotent_and_keeps_a_machine_id_for_good(node):
    node.run("jcq", "install", "--machine-id", "12").ok()
    before = everything_below(node.root)
    node.run("jcq", "install", "--machine-id", "12").ok()
    assert everything_below(node.root) == before
    node.run("jcq", "install", "--machine-id", "13").refused("12", "13")
    node.run("jcq", "install", "--machine-id", "0").refused("machine id")
    assert everything_below(node.root) == before
    assert permissions(node.spool("database")) == 0o700


def test_install_keeps_configuration_that_is_there(node):
    node.write_daemon_conf("local_daemon=OFF\nport=0\n")
    node.run("jcq", "install").ok()
    with open(node.lib("rc", "daemon.conf"), encoding="utf-8") as file:
        assert file.read() == "local_daemon=OFF\nport=0\n"
    assert os.path.exists(node.lib("rc", "resolv.def"))


def test_installed_commands_carry_their_root(node):
    prefix = node.make_directory("prefix with a blank")
    node.run("jcq", "install", "--prefix", prefix, "--machine-id", "3").ok()
    elsewhere = {"JCQ_ROOT": None}
    cjcls = os.path.join(prefix, "usr/lib/nqs/cluster/cjcls")
    assert os.path.join(prefix, "usr/spool") in node.run([cjcls], "-a", env=elsewhere).ok()
    qstat = os.path.join(prefix, "usr/bin/qstat")
    node.run([qstat], env=elsewhere).refused("not running")
    # JCQ_ROOT still wins.
    node.run([qstat]).refused("Unable to setup NQS rootdir")

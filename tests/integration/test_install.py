"""`jcq install`: says what it did, touches nothing of another origin, and takes away exactly what it laid."""

import os
import re
import shutil
import subprocess

import pytest

#: Where the manual has them, one of each directory.
SOME = ("usr/bin/qsub", "usr/bin/qmgr", "usr/lib/nqs/nqsstart", "usr/lib/nqs/cluster/cjcpw", "usr/lib/nqs/nqsportkpr")


def everything_below(top):
    """{path: content, or where a link leads, or None for a directory} of all that is there."""
    found = {}
    for directory, subdirectories, files in os.walk(top):
        for name in subdirectories + files:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isdir(path):
                found[path] = None
            else:
                with open(path, "rb") as file:
                    found[path] = (os.fstat(file.fileno()).st_ino, file.read())
    return found


def said(result):
    """{path: the word before it} of what the command printed."""
    return {
        path: word for word, path in re.findall(r"^(laid|changed|unchanged|kept|removed) +(\S+)", result.ok(), re.M)
    }


def test_it_says_what_it_did_and_uninstall_leaves_only_what_is_not_its_own(node):
    prefix = node.make_directory("prefix")
    before = everything_below(prefix)
    first = said(node.run("jcq", "install", "--prefix", prefix))
    assert set(first.values()) == {"laid"}
    assert {os.path.join(prefix, path) for path in SOME} < first.keys()
    laid = everything_below(prefix)
    # Without site processing: the hot commands.
    assert laid[os.path.join(prefix, SOME[0])][1].splitlines()[0].endswith(b" -IS")
    again = said(node.run("jcq", "install", "--prefix", prefix))
    assert (again.keys(), set(again.values())) == (first.keys(), {"unchanged"})
    assert everything_below(prefix) == laid

    # Of another jcq, with lost rights, and of an administrator.
    qsub, qmgr, conf = (os.path.join(prefix, path) for path in (*SOME[:2], "usr/lib/nqs/rc/daemon.conf"))
    with open(qsub, encoding="utf-8") as file:
        text = file.read()
    with open(qsub, "w", encoding="utf-8") as file:
        file.write(re.sub(r"insert\(0, .*\)", "insert(0, '/opt/older/site-packages')", text))
    os.chmod(qmgr, 0o644)
    with open(conf, "a", encoding="utf-8") as file:
        file.write("port=0\n")
    third = said(node.run("jcq", "install", "--prefix", prefix, "--machine-id", "7"))
    assert {path: word for path, word in third.items() if word != "unchanged"} == {
        qsub: "changed",
        qmgr: "changed",
        conf: "kept",
    }
    assert {path: content[1] for path, content in everything_below(prefix).items() if path == qsub} == {
        qsub: text.encode()
    }
    assert os.stat(qmgr).st_mode & 0o777 == 0o755

    site = everything_below(os.path.join(prefix, "usr/spool"))
    gone = said(node.run("jcq", "install", "--prefix", prefix, "--uninstall"))
    spool = os.path.join(prefix, "usr/spool/nqs")
    assert {path for path, word in gone.items() if word == "kept"} == {conf, spool}
    assert {path for path, word in gone.items() if word == "removed"} == first.keys() - {conf}
    assert everything_below(os.path.join(prefix, "usr/lib")).keys() == {
        os.path.join(prefix, "usr/lib/nqs"),
        os.path.dirname(conf),
        conf,
    }
    assert everything_below(os.path.join(prefix, "usr/spool")) == site
    assert "Nothing of jcq is laid" in node.run("jcq", "install", "--prefix", prefix, "--uninstall").ok()
    os.unlink(conf)
    shutil.rmtree(os.path.join(prefix, "usr/spool"))
    node.run("jcq", "install", "--prefix", prefix).ok()
    node.run("jcq", "install", "--prefix", prefix, "--uninstall").ok()
    assert not os.path.exists(os.path.join(prefix, "usr/lib/nqs"))
    assert not [path for path, content in everything_below(prefix).items() if content is not None]
    assert before == {}


@pytest.mark.parametrize("kind", ["file", "link", "directory", "link to nowhere"])
def test_what_it_did_not_make_it_neither_replaces_nor_removes(node, kind):
    prefix = node.make_directory("prefix")
    os.makedirs(os.path.join(prefix, "usr/bin"))
    path = os.path.join(prefix, "usr/bin/qstat")
    if kind == "file":
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexec /opt/other/qstat\n")
    elif kind == "directory":
        os.mkdir(path)
    else:
        os.symlink("/bin/true" if kind == "link" else "/nowhere", path)
    before = everything_below(prefix)
    node.run("jcq", "install", "--prefix", prefix, "--machine-id", "7").refused(path, "--prefix", exit_code=1)
    assert everything_below(prefix) == before
    assert said(node.run("jcq", "install", "--prefix", prefix, "--uninstall")) == {path: "kept"}
    assert everything_below(prefix) == before


def test_bad_places(node):
    file = os.path.join(node.scratch, "file")
    with open(file, "w", encoding="ascii"):
        pass
    node.run("jcq", "install", "--prefix", os.path.join(file, "below")).refused("file", "not a directory", exit_code=1)
    node.run("jcq", "install", "--uninstall", "--machine-id", "7").refused("--machine-id", exit_code=2)
    if os.geteuid() != 0:
        locked = node.make_directory("locked", 0o555)
        node.run("jcq", "install", "--prefix", locked).refused("permission denied", exit_code=1)
        assert os.listdir(locked) == []


def test_ps_and_pgrep_find_an_installed_cjcpw(node):
    """ha-facts.md section 2, General and case 13."""
    node.install()
    site = node.cluster_site()
    command = node.lib("cluster", "cjcpw")
    assert os.stat(command).st_mode & 0o111
    site.cjcpw = node.popen([command, site.name, site.db_path], stderr=subprocess.DEVNULL)
    pid = site.cjcpw.pid
    site.cjcpw.log = os.devnull
    site.wait_up()
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        assert file.read() == "cjcpw\n"
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().decode().split("\0")
    assert words[-4:] == [command, site.name, site.db_path, ""]
    mine = str(pid)
    if shutil.which("ps") and shutil.which("pgrep"):
        assert mine in node.run(["ps", "-C", "cjcpw", "-o", "pid="]).ok().split()
        assert mine in node.run(["pgrep", "cjcpw"]).ok().split()
        assert mine in node.run(["pgrep", "-x", "cjcpw"]).ok().split()
        # The attendants that it forks have names of their own.
        children = node.run(["pgrep", "-P", mine, "-x", "cjcpw"])
        assert (children.exit_code, children.out) == (1, "")
        grep = f"ps -ef | grep '{command} {site.name}' | grep -v grep | awk '{{print $2}}'"
        assert node.run(["/bin/sh", "-c", grep]).ok().split() == [mine]
    node.run([command, "-stop", site.name]).ok()
    assert site.cjcpw.wait(20) == 0
    site.cjcpw = None

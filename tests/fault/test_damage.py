"""Damaged data under a real site: it starts or refuses as it must, what is damaged never runs, people go on working."""

import glob
import os
import re

import pytest

from support.harness import Node
from support.waiting import wait_until

_REFUSED = 5
_USAGE = 2


@pytest.fixture
def site():
    with Node() as node:
        yield node.cluster_site().start()


def newest(site):
    """Path of the incremental file of the newest epoch of a stopped site."""
    found = glob.glob(os.path.join(site.directory, "database", "e*", "appendonlydir", "*.incr.aof"))
    return max(found, key=lambda path: int(re.search(r"/e(\d+)/", path)[1]))


def edit(path, change):
    """Replace a file's content by `change(content)`."""
    with open(path, "rb") as file:
        content = file.read()
    changed = change(content)
    assert changed != content, "there was nothing to damage"
    with open(path, "wb") as file:
        file.write(changed)


def flip_name(site, name):
    """A bit flips in the field `name` of the request that is called so, in the stopped database."""
    old = f"$4\r\nname\r\n${len(name)}\r\n{name}\r\n".encode()
    new = old.replace(name.encode(), bytes([name.encode()[0] ^ 1]) + name.encode()[1:])
    edit(newest(site), lambda content: content.replace(old, new))


def running(site, request):
    wait_until(lambda: site.qstat(request)["requests"][0]["state"] == "RUNNING", 20, site.log_text)


def words(path):
    with open(path, encoding="ascii") as file:
        return file.read().split()


def machine_rid(request):
    return f"200-{request.split('.')[0]}"


# --- requests --------------------------------------------------------------------------------


def test_a_damaged_request_is_kept_apart_and_all_others_run(site):
    proof = site.node.make_directory("proof", 0o777)
    script = f"touch {proof}/$QSUB_REQID\n"
    site.qmgr("stop queue batch")
    first, second, third = (site.qsub(script, "-r", name) for name in ("first", "second", "third"))
    assert site.run("qmgr", "show lost_found").ok() == "No damaged requests.\n"
    site.stop()
    flip_name(site, "second")
    site.start()
    # It stands in its queue until its turn comes.
    site.qmgr("start queue batch")
    assert [site.qwait(request) for request in (first, third)] == [0, 0]
    wait_until(lambda: second in site.run("qmgr", "sho los").ok(), 20, site.log_text)
    shown = site.run("qmgr", "SHOW LOST_FOUND").ok()
    assert re.search(rf"^{re.escape(second)}: found \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \+0000$", shown, re.M), shown
    assert "  Reason = the checksum of its record is wrong\n" in shown
    path = re.search(r"^  Script = (/.*)$", shown, re.M)[1]
    with open(path, encoding="ascii") as file:
        assert file.read() == script
    assert sorted(os.listdir(proof)) == sorted([first, third])
    site.run("qstat", second).refused("does not exist")
    site.run("qdel", second).refused("does not exist")
    assert site.qwait(site.qsub(script)) == 0
    # The next start leaves it alone, its script too.
    site.stop()
    site.start()
    assert second in site.run("qmgr", "show lost_found").ok()
    assert os.path.exists(path)
    assert site.qwait(site.qsub(script)) == 0


def test_a_damaged_request_that_was_interrupted_is_not_run_again(site):
    proof = site.node.make_directory("proof", 0o777)
    script = f"echo $QSUB_REQNAME >> {proof}/log\nsleep 600\n"
    site.qmgr("set run_limit = 2 batch")
    damaged, other = site.qsub(script, "-r", "damaged"), site.qsub(script, "-r", "other")
    for request in (damaged, other):
        running(site, request)
    wait_until(lambda: len(words(f"{proof}/log")) == 2, 20, site.log_text)
    site.stop()
    flip_name(site, "damaged")
    site.start()
    running(site, other)
    # It was judged before any worker ran, and its output so far is shown.
    shown = site.run("qmgr", "show lost_found").ok()
    assert damaged in shown
    assert re.search(rf"^  Output = .*/{machine_rid(damaged)}\.a1\.e\d+\.out$", shown, re.M), shown
    wait_until(lambda: len(words(f"{proof}/log")) == 3, 20, site.log_text)
    assert sorted(words(f"{proof}/log")) == ["damaged", "other", "other"]


def test_a_record_that_is_missing_is_found_without_being_asked_for(site):
    site.qmgr("stop queue batch")
    request = site.qsub("true\n", "-r", "missing")
    site.stop()
    rid = machine_rid(request)
    old, new = f"jcq:request:{rid}\r\n".encode(), f"jcq:reqvest:{rid}\r\n".encode()
    edit(newest(site), lambda content: content.replace(old, new))
    site.start()
    wait_until(lambda: "it has no record" in site.run("qmgr", "show lost_found").ok(), 20, site.log_text)
    assert os.path.join(site.directory, "requests", rid) in site.run("qmgr", "show lost_found").ok()
    assert re.search(rf"request {rid} is damaged: it has no record", site.log_text())


def test_a_sequence_number_that_went_back_replaces_no_script(site):
    site.qmgr("stop queue batch")
    requests = [site.qsub(f"exit {number}\n") for number in (3, 4, 5)]
    site.stop()

    def back(content):
        return content.replace(b"$3\r\nseq\r\n$1\r\n3\r\n*", b"$3\r\nseq\r\n$1\r\n1\r\n*")

    edit(newest(site), back)
    site.start()
    assert site.qsub("exit 6\n") == f"4.{site.name}"
    site.qmgr("start queue batch")
    assert [site.qwait(request) for request in requests] == [3, 4, 5]


# --- the database ----------------------------------------------------------------------------


def test_a_torn_tail_is_mended_at_the_start(site):
    request = site.qsub("exit 3\n")
    assert site.qwait(request) == 3
    site.stop()
    path = newest(site)
    edit(path, lambda content: content + b"\n")
    site.start()
    assert site.qwait(request) == 3
    with open(path, "rb") as file:
        assert file.read().endswith(b"EXEC\r\n\n")
    assert f"{path} had a torn tail: the last 1 of" in site.log_text()


def test_damage_in_the_middle_refuses_and_says_how_to_go_back(site):
    old = site.qsub("exit 3\n")
    assert site.qwait(old) == 3
    site.stop()
    site.start()
    lost = site.qsub("exit 4\n")
    assert site.qwait(lost) == 4
    site.stop()
    path = newest(site)
    number = int(re.search(r"/e(\d+)/", path)[1])

    def damaged(content):
        place = content.index(b"\r\n*", len(content) // 2) + 2
        return content[:place] + b"+" + content[place + 1 :]

    edit(path, damaged)
    node = site.node
    text = node.run("cjcpw", site.name, site.db_path).refused("failing over does not help", exit_code=_REFUSED)
    assert f"cjcpw --from-epoch {number - 1} {site.name} {site.db_path}" in text
    assert path in text
    refused = node.run("cjcpw", "--from-epoch", "99", site.name, site.db_path)
    refused.refused("no epoch 99", f"{number - 1}, {number}", exit_code=_USAGE)
    node.run("cjcpw", "-stop", "--from-epoch", "1", site.name).refused(exit_code=_USAGE)
    site.cjcpw = node.spawn("cjcpw", "--from-epoch", str(number - 1), site.name, site.db_path)
    site.wait_up()
    assert site.qwait(old) == 3
    # Of what was accepted since then the script is left, and its number is nobody else's.
    site.run("qstat", lost).refused("does not exist")
    shown = site.run("qmgr", "show lost_found").ok()
    assert f"submitted after epoch {number - 1}, from which the site was restored" in shown
    with open(re.search(r"^  Script = (/.*)$", shown, re.M)[1], encoding="ascii") as file:
        assert file.read() == "exit 4\n"
    again = site.qsub("exit 5\n")
    assert again == f"3.{site.name}"
    assert site.qwait(again) == 5


def test_an_empty_database_of_a_site_that_was_made_is_refused(site):
    site.stop()
    edit(newest(site), lambda content: b"")
    result = site.node.run("cjcpw", site.name, site.db_path)
    result.refused("is empty", "failing over does not help", exit_code=_REFUSED)

"""Deleting a site and making it again by the documented steps (manual 2.6.1), whatever is in the way."""

import os
import shlex

import pytest

from support.harness import Node
from support.waiting import wait_until

#: As the README has them, with the paths of a test for the manual's.
STOP = "cjcpw -stop testsite"
REMOVE_LINK = "rm {link}"
DELETE_DATABASE = "rm -r {db_path}/nqs"
MAKE = "cjcmksite testsite 200 {db_path}"
STEPS = (STOP, REMOVE_LINK, DELETE_DATABASE, MAKE)


@pytest.fixture
def site():
    """A cluster site, made and never started."""
    with Node() as node:
        yield node.cluster_site()


def take(site, *steps):
    """Type the steps as a person would."""
    link = site.row()[3].strip("()") if REMOVE_LINK in steps else ""
    words = " && ".join(steps).format(link=link, db_path=shlex.quote(site.db_path))
    for command in ("cjcpw", "cjcmksite"):
        words = words.replace(f"{command} ", f"{shlex.join(site.node.argv(command))} ")
    return site.node.run(["/bin/sh", "-c", words])


def test_the_documented_steps_leave_nothing_of_the_old_site(site):
    site.start()
    site.qmgr("create batch_queue mine priority = 5")
    assert site.qwait(site.qsub("true\n")) == 0
    request = site.qsub("sleep 300\n")
    wait_until(lambda: "RUNNING" in site.run("qstat", request).out, 20, site.log_text)
    assert "cjcmksite Complete" in take(site, *STEPS).ok()
    assert site.cjcpw.wait(30) == 0, site.log_text()
    assert os.listdir(site.db_path) == ["nqs"]
    site.start()
    assert site.qsub("true\n") == "1.testsite"
    assert site.qwait("1.testsite") == 0
    assert "mine@" not in site.run("qstat").ok()


def test_a_link_that_was_left_is_no_hindrance_at_the_same_place(site):
    """Here with the manual's words: all the files and directories under the site database path."""
    take(site, STOP, "rm -r {db_path}/*", MAKE).ok()
    site.start()


def test_a_link_that_was_left_is_one_at_another_place_until_it_is_removed(site):
    take(site, STOP, DELETE_DATABASE).ok()
    link = site.node.spool(next(name for name in os.listdir(site.node.spool()) if name.startswith("7F")))
    site.db_path = site.node.make_directory("elsewhere")
    site.directory = os.path.join(site.db_path, "nqs")
    take(site, MAKE).refused(link, "remove the link")
    assert os.listdir(site.db_path) == []
    os.unlink(link)
    take(site, MAKE).ok()
    assert os.readlink(link) == site.directory


def test_a_database_that_was_left_is_not_overwritten(site):
    take(site, STOP, REMOVE_LINK).ok()
    take(site, MAKE).refused("exists already", "delete the old site")
    # The site is still whole: its start makes the link again.
    site.cjcpw = site.node.spawn("cjcpw", site.name, site.db_path)
    wait_until(lambda: "testsite " in site.node.run("cjcls").ok(), 20, site.log_text)
    site.wait_up()


def test_a_local_site_in_the_way_is_to_be_stopped(site):
    local = site.node.local_site().start()
    take(site, STOP, REMOVE_LINK, DELETE_DATABASE).ok()
    take(site, MAKE).refused("the local site runs", "local_daemon")
    assert os.listdir(site.db_path) == []
    site.node.run("nqsstop").ok()
    take(site, MAKE).ok()
    assert local.cjcpw.poll() is None

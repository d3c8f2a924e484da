"""What qsub itself does beside submitting: --parsable, --wait, -d; on a real site."""

import os
import re
import signal

import pytest

from support.gate import Gate
from support.harness import Node
from support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster_site():
    """A running cluster site for all tests here."""
    with Node() as node:
        yield node.cluster_site().start()


def new_gate(site):
    return Gate(site.node.make_directory(f"gate{len(os.listdir(site.node.scratch))}", 0o777))


def test_parsable_prints_what_every_other_command_takes(cluster_site):
    site = cluster_site
    out = site.run("qsub", "--parsable", stdin="exit 3\n").ok()
    assert re.fullmatch(rf"\d+\.{site.name}\n", out)
    assert site.qwait(out.strip()) == 3
    site.run("qsub", "--parsable", "-z", stdin="true\n").refused("exclude each other", exit_code=2)


@pytest.mark.parametrize(("last", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("true", 0)])
def test_wait_says_at_once_what_was_submitted_and_exits_as_the_request(cluster_site, last, code):
    site = cluster_site
    gate = new_gate(site)
    script = os.path.join(site.node.scratch, "job.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(gate.script().replace("exit 0", last))
    child = site.node.spawn("qsub", "--wait", script, env={"NQS_SITE": site.name})

    def printed():
        with open(child.log, encoding="utf-8") as file:
            return file.read()

    wait_until(lambda: printed().endswith("submitted to queue: batch.\n"), 20, site.log_text)
    wait_until(gate.started, 20, site.log_text)
    assert child.poll() is None
    gate.open()
    assert child.wait(30) == code
    more = f"Request {gate.started()[0]} was ended by signal 15.\n" if code == 143 else ""
    assert printed() == f"Request {gate.started()[0]} submitted to queue: batch.\n{more}"


def test_a_wait_that_is_given_up_or_outlived_leaves_the_request_alone(cluster_site):
    site = cluster_site
    env = {"NQS_SITE": site.name}
    gate = new_gate(site)
    script = os.path.join(site.node.scratch, "job.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(gate.script())
    child = site.node.spawn("qsub", "--wait", script, env=env)
    wait_until(gate.started, 20, site.log_text)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 130
    gate.open()
    assert site.qwait(gate.started()[0]) == 0
    site.run("qsub", "--wait", "-q", "nowhere", stdin="true\n").refused("nowhere")
    other = site.node.spawn("qsub", "--wait", "-z", "-a", "2099-01-01 00:00", script, env=env)
    wait_until(lambda: site.run("qselect").ok(), 20, site.log_text)
    site.run("qdel", site.run("qselect").ok().strip()).ok()
    assert other.wait(20) == 124


def test_d_deletes_what_was_accepted_with_the_callers_rights(cluster_site):
    site = cluster_site
    script = os.path.join(site.node.make_directory("scripts"), "job.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write("exit 4\n")
    site.run("qsub", "-d", "-q", "nowhere", script).refused("nowhere")
    assert os.path.exists(script)
    assert site.run("qsub", "-d", "--wait", script).exit_code == 4
    assert not os.path.exists(script)
    site.run("qsub", "-d", stdin="true\n").refused("standard input", exit_code=2)
    for word in ("-d", "--wait", "--parsable"):
        site.run("qsub", stdin=f"#!/bin/sh\n#@${word}\n").refused("line 2", word, exit_code=2)

"""qsub -ro and -re: output that stands in its file while the request runs, written with its owner's rights."""

import os

import pytest

from support.harness import Node
from support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster_site():
    """A running cluster site for all tests here."""
    with Node() as node:
        yield node.cluster_site().start()


def text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def test_it_is_there_while_the_request_runs(cluster_site):
    site, scratch = cluster_site, cluster_site.node.scratch
    script = "echo begun; echo trouble >&2; until [ -e $QSUB_WORKDIR/go ]; do sleep 0.05; done; echo ended\n"
    request_id = site.qsub(script, "-ro", "-re", "-o", "out.txt")
    out, err = f"{scratch}/out.txt", f"{scratch}/STDIN.e{request_id.split('.')[0]}"
    wait_until(lambda: text(out) == "begun\n" and text(err) == "trouble\n", 30, lambda: (text(out), text(err)))
    site.run("qcat", request_id).refused("standard output", out)
    site.run("qmsg", "hello", request_id).refused("standard error", err)
    with open(f"{scratch}/go", "w", encoding="utf-8"):
        pass
    assert site.qwait(request_id) == 0
    assert (text(out), text(err)) == ("begun\nended\n", "trouble\n")
    assert os.stat(out).st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_opened_holds_the_request(cluster_site):
    site = cluster_site
    request_id = site.qsub("echo never\n", "-ro", "-o", "/nonexistent/out")

    def state():
        (request,) = site.qstat(request_id)["requests"]
        return request["state"], request["why"]

    wait_until(lambda: state()[0] == "HELD", 30, state)
    assert state()[1] == "output file /nonexistent/out: No such file or directory"
    site.run("qalter", "-o", "there.txt", request_id).ok()
    site.run("qrls", request_id).ok()
    assert site.qwait(request_id) == 0
    assert text(f"{site.node.scratch}/there.txt") == "never\n"


def test_contradictions(cluster_site):
    for words in (("-re", "-eo"), ("-re", "-ke"), ("-ro", "-ko")):
        cluster_site.run("qsub", *words, stdin="true\n").refused("qsub", *words, "exclude", exit_code=2)


def test_a_limit_s_line_goes_there_too(cluster_site):
    request_id = cluster_site.qsub("sleep 60\n", "-re", "-e", "err.txt", "-lE", "1")
    assert cluster_site.qwait(request_id) == 143
    assert "exceeded its" in text(f"{cluster_site.node.scratch}/err.txt")

"""qselect and xargs: one order for all requests that fit."""

import os
import subprocess

import pytest

from support.harness import BIN, Node

REQUESTS = {"ci": 60, "full": 300}


@pytest.fixture(scope="module")
def cluster_site():
    """A running cluster site for all tests here."""
    with Node() as node:
        yield node.cluster_site().start()


def pipeline(site, line):
    """Run a shell pipeline with the site's environment; its Result."""
    return site.run(["/bin/sh", "-c", line], limit_s=120)


def test_all_that_fit_are_deleted_by_xargs(cluster_site, battery):
    site, count = cluster_site, REQUESTS["full" if battery.full else "ci"]
    site.qmgr("create batch_queue night run_limit=1", "enable queue night")
    submit = "qsub -z -q night -r n$((i % 3)) -p $((i % 10)) job.sh || exit 1"
    loop = f"i=0; while [ $i -lt {count} ]; do {submit}; i=$((i + 1)); done"
    with open(f"{site.node.scratch}/job.sh", "w", encoding="utf-8") as file:
        file.write("true\n")
    pipeline(site, loop).ok()
    waiting = site.qsub("true\n", "-a", "2099-01-01 00:00")
    assert len(site.run("qselect").ok().split()) == count + 1
    assert site.run("qselect", "-s", "waiting").ok() == f"{waiting}\n"
    fitting = site.run("qselect", "-r", "n[12]", "-p", "0-4").ok().split()
    assert len(fitting) == len(set(fitting)) == count // 3
    assert pipeline(site, "qselect -r 'n[12]' -p 0-4 | xargs qhold | wc -l").ok().split() == [str(count // 3)]
    assert site.run("qselect", "-s", "HELD").ok().split() == fitting
    # Without -r xargs runs qdel once even for nothing; with all ids it is one qdel.
    out = pipeline(site, "qselect -q night | xargs qdel").ok()
    assert len(out.splitlines()) == count
    assert site.run("qselect", "-q", "night").ok() == ""
    assert site.run("qselect").ok() == f"{waiting}\n"


def test_as_many_words_as_one_command_line_carries(cluster_site):
    site = cluster_site
    request_id = site.qsub("true\n", "-a", "2099-01-01 00:00")
    words = [request_id, *(f"{seq}.{site.name}" for seq in range(900_000, 920_000))]
    result = site.run("qdel", *words, limit_s=120)
    assert (result.exit_code, result.out) == (1, f"Request {request_id} has been deleted.\n")
    assert len(result.err.splitlines()) == 20_000
    assert len(site.run("qstat", *words[1:], limit_s=120).err.splitlines()) == 20_000


def test_a_reader_that_goes_is_no_error(cluster_site):
    site = cluster_site
    site.qsub("true\n", "-a", "2099-01-01 00:00")
    assert pipeline(site, "qselect | true").exit_code == 0
    assert subprocess.run([os.path.join(BIN, "qselect"), "--help"], capture_output=True, check=True).stdout

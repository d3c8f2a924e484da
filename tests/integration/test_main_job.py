"""The main job, as a person does it: make a cluster site, start it, use it, stop it."""

import os
import re
from pathlib import Path

import pytest

from support.gate import Gate, greatest_overlap
from support.harness import SiteHarness
from support.waiting import wait_until

NAME = "testsite.example"
ADDRESS = "127.0.0.50"
LINK = "7F000032"


def squeezed(text):
    """Lines with runs of blanks as one, as the manual's own examples have come down to us."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture
def made(node):
    """The site of the manual's example with its database in `jobdb`, made but not started; and cjcmksite's output."""
    node.add_name(ADDRESS, NAME, "testsite")
    db_path = node.make_directory("jobdb")
    result = node.run("cjcmksite", NAME, "200", db_path)
    site = node.adopt(SiteHarness(node, NAME, os.path.join(db_path, "nqs"), db_path, ADDRESS))
    return site, result


def test_cjcmksite_prints_its_phases_and_makes_what_the_manual_shows(made, node):
    site, result = made
    lines = squeezed(result.ok())
    assert lines[0] == "Phase 1: Make NQS spool directories."
    assert lines[-2:] == ["cjcmksite Complete", "(stop temporary daemon)"]
    assert os.listdir(site.db_path) == ["nqs"]
    link = node.spool(LINK)
    assert os.path.islink(link)
    assert os.path.realpath(link) == os.path.realpath(site.directory)
    assert os.stat(os.path.join(site.directory, "database")).st_mode & 0o777 == 0o700
    assert not node.left_over()


def test_cjcls_shows_how_a_site_comes_up_and_goes_down(made, node):
    site, _ = made
    assert node.run("cjcls").ok().split()[0] == "SITE-NAME"
    assert [line for line in node.run("cjcls").ok().splitlines() if line.startswith(f"{NAME} ")]
    assert (site.row()[1], site.row()[-1]) == ("SHUT", "OFF")
    site.start()
    assert (int(site.row()[1]), site.row()[-1]) == (site.daemon("nqsdaemon"), "ON")
    site.stop()
    assert (site.row()[1], site.row()[-1]) == ("SHUT", "OFF")


def test_nqs_site_chooses_the_site_as_the_manual_says(made, node):
    site, _ = made
    site.start()
    for name in (NAME, "testsite", ADDRESS):
        lines = squeezed(node.run("qstat", env={"NQS_SITE": name}).ok())
        header = lines.index(f"guilb_def@{NAME}; type=PIPE; [ENABLED, INACTIVE]; pri=10")
        assert lines[header + 1] == "0 depart; 0 route; 0 queued; 0 wait; 0 hold; 0 arrive;"
        assert any(line.startswith(f"batch@{NAME}; type=BATCH; [ENABLED, INACTIVE];") for line in lines)
    for command, *args in (("qstat",), ("qsub",), ("qdel", "1"), ("qwait", "1")):
        for env in ({}, {"NQS_SITE": "nowhere.example"}):
            result = node.run(command, *args, env=env, stdin="echo hi\n")
            assert result.err == f"{command.capitalize()}(FATAL): Unable to setup NQS rootdir\n", str(result)
            assert (result.exit_code, result.out) == (1, "")


def test_submit_look_delete_stop(made, node):
    site, _ = made
    site.start()
    gate = Gate(node.make_directory("gate", 0o777))
    result = site.run("qsub", stdin=gate.script())
    assert result.ok() == f"Request 1.{NAME} submitted to queue: batch.\n"
    waiting = site.qsub("echo never\n", "-a", "2099-01-01 00:00")
    assert waiting == f"2.{NAME}"
    wait_until(gate.started, 20, site.log_text)
    text = site.run("qstat").ok()
    assert re.search(rf"STDIN\s+1\.{NAME}\s.*\bRUNNING\b", text), text
    assert re.search(rf"STDIN\s+2\.{NAME}\s.*\bWAITING\b", text), text
    assert "1 wait;" in text
    assert "has been deleted" in site.run("qdel", waiting).ok()
    site.run("qdel", f"1.{NAME}").refused("running")
    assert site.run("qdel", "-k", f"1.{NAME}").exit_code == 0
    assert site.qwait(f"1.{NAME}") == 128 + 9
    assert site.qwait(waiting) == 124
    site.run("qdel", "77").refused("77", "does not exist")


def test_output_is_delivered_and_directives_are_obeyed(cluster_site):
    node, site = cluster_site.node, cluster_site
    place = node.make_directory("submitted-here")
    script = (
        "#!/bin/sh\n"
        "#@$-q batch -r directed\n"
        "## @$-nr -q nowhere\n"
        "# @$-p 12\n"
        "#@$\n"
        "#@$-q nowhere\n"
        'echo "$QSUB_REQID|$QSUB_REQNAME|$QSUB_WORKDIR|$ENVIRONMENT|$PWD|$HOME"\n'
        "echo trouble >&2\n"
        "exit 7\n"
    )
    request = site.qsub(script, cwd=place)
    assert site.qwait(request) == 7
    words = Path(place, "directe.o1").read_text().strip().split("|")
    assert words[:4] == [request, "directed", place, "BATCH"]
    assert os.path.realpath(words[4]) == os.path.realpath(words[5])
    assert Path(place, "directe.e1").read_text() == "trouble\n"
    assert sorted(os.listdir(place)) == ["directe.e1", "directe.o1"]
    text = site.run("qstat", "-l", request).ok()
    assert "directed" in text
    assert re.search(r"\b7\b", text), text


def test_fifty_jobs_in_a_queue_of_three(cluster_site):
    node, site = cluster_site.node, cluster_site
    lines = "create batch_queue night priority = 10 run_limit= 3\nenable queue night\nstart queue night\n"
    site.run("qmgr", stdin=lines).ok()
    gate = Gate(node.make_directory("gate", 0o777))
    requests = [site.qsub(gate.script("night"), "-q", "night") for _ in range(50)]
    wait_until(lambda: len(gate.started()) == 3, 20, lambda: site.run("qstat", "night").out + site.log_text())
    assert "3 run;" in site.run("qstat", "night").ok()
    gate.open()
    for request in requests:
        assert site.qwait(request) == 0
    records = gate.records()
    assert sorted(record.id for record in records) == sorted(requests)
    assert greatest_overlap(records) == 3

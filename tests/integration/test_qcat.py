"""qcat on a real site: what a running request has written, followed to its end."""

import os
import subprocess

import pytest

from support.gate import Gate
from support.harness import Node
from support.waiting import wait_until


@pytest.fixture(scope="module")
def cluster_site():
    """A running cluster site for all tests here; the last one stops it."""
    with Node() as node:
        yield node.cluster_site().start()


def talking(gate, *more):
    """A job that says `before`, waits for the gate, and says `after`."""
    return gate.script(work="\n".join(["echo after; echo error >&2", *more])).replace(
        "#!/bin/sh\n", "#!/bin/sh\necho before\n"
    )


def start(site, *options, work=()):
    """(id of a request that has said `before`, its gate)."""
    gate = Gate(site.node.make_directory(f"gate{len(os.listdir(site.node.scratch))}", 0o777))
    request_id = site.qsub(talking(gate, *work), *options)
    wait_until(gate.started, 30, site.log_text)
    return request_id, gate


def descriptors(site):
    """The files that nqsdaemon has open below the site's directory; sockets are not counted."""
    directory = f"/proc/{site.daemon('nqsdaemon')}/fd"
    found = []
    for name in os.listdir(directory):
        try:
            found.append(os.readlink(f"{directory}/{name}"))
        except FileNotFoundError:
            continue
    return [path for path in found if "/output/" in path or "/requests/" in path]


def test_a_running_requests_output_error_and_script(cluster_site):
    site = cluster_site
    request_id, gate = start(site)
    assert site.run("qcat", request_id).ok() == "before\n"
    assert site.run("qcat", "-e", request_id).ok() == ""
    assert site.run("qcat", "-i", request_id).ok() == talking(gate)
    held = site.qsub("true\n", "-a", "2099-01-01 00:00")
    site.run("qcat", held).refused("is waiting", "no standard output yet", exit_code=1)
    site.run("qcat", "-f", held).refused("no standard output yet", exit_code=1)
    assert site.run("qcat", "-i", held).ok() == "true\n"
    gate.open()
    assert site.qwait(request_id) == 0
    name = f"STDIN.o{request_id.split('.')[0]}"
    site.run("qcat", request_id).refused("has ended", f"{site.node.scratch}/{name}", exit_code=1)
    assert descriptors(site) == []


def test_follow_prints_all_until_the_end_is_delivered(cluster_site):
    site = cluster_site
    lines = 200_000
    request_id, gate = start(site, "-eo", work=[f"seq {lines}"])
    site.run("qcat", "-e", request_id).refused("-eo", exit_code=1)
    env = {"NQS_SITE": site.name}
    child = site.node.spawn("qcat", "-f", request_id, env=env)

    def printed():
        with open(child.log, encoding="utf-8") as file:
            return file.read()

    wait_until(lambda: printed() == "before\n", 20, site.log_text)
    assert descriptors(site) == []
    gate.open()
    assert child.wait(60) == 0
    assert printed() == "before\nafter\nerror\n" + "".join(f"{number}\n" for number in range(1, lines + 1))
    assert os.path.exists(f"{site.node.scratch}/STDIN.o{request_id.split('.')[0]}")


def test_many_at_once_leave_no_descriptor_and_disturb_nobody(cluster_site):
    site = cluster_site
    request_id, gate = start(site)
    env = {"NQS_SITE": site.name}
    following = [site.node.spawn("qcat", "-f", request_id, env=env) for _ in range(12)]
    wait_until(lambda: all(os.path.getsize(child.log) == 7 for child in following), 60, site.log_text)
    for child in following[:6]:
        child.kill()
        child.wait()
    assert descriptors(site) == []
    assert site.run("qcat", request_id).ok() == "before\n"
    gate.open()
    assert [child.wait(60) for child in following[6:]] == [0] * 6
    assert site.run("qstat").exit_code == 0


def test_a_reader_that_goes_ends_it_though_the_request_is_silent(cluster_site):
    site = cluster_site
    request_id, gate = start(site)
    child = site.node.popen(
        site.node.argv("qcat", "-f", request_id), env={"NQS_SITE": site.name}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout.readline() == b"before\n"
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(20) == 0
    gate.open()
    assert site.qwait(request_id) == 0


def test_a_site_that_stops_is_one_line(cluster_site):
    site = cluster_site
    request_id, _ = start(site)
    child = site.node.spawn("qcat", "--timeout", "1", "-f", request_id, env={"NQS_SITE": site.name})
    wait_until(lambda: os.path.getsize(child.log) == 7, 20, site.log_text)
    site.stop()
    assert child.wait(20) == 75
    with open(child.log, encoding="utf-8") as file:
        before, line = file.read().splitlines()
    assert before == "before"
    assert line.startswith("qcat: the NQS daemon of site testsite.example is not running on this node")
    assert "it was stopped" in line

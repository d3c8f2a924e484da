"""qmsg on a real site: the line is where the job's own lines are, and is delivered with them."""

from support.gate import Gate
from support.waiting import wait_until


def read(site, request_id, letter):
    with open(f"{site.node.scratch}/STDIN.{letter}{request_id.split('.')[0]}", encoding="utf-8") as file:
        return file.read()


def test_messages_stand_between_the_jobs_own_lines(cluster_site):
    site = cluster_site
    site.qmgr("set run_limit = 2 batch")
    gate = Gate(site.node.make_directory("gate", 0o777))
    before = "#!/bin/sh\necho before; echo before >&2\n"
    script = gate.script(work="echo after; echo after >&2").replace("#!/bin/sh\n", before)
    first, joined = site.qsub(script), site.qsub(script, "-eo")
    wait_until(lambda: len(gate.started()) == 2, 30, site.log_text)
    held = site.qsub("true\n", "-a", "2099-01-01 00:00")
    out = site.run("qmsg", "hello there", first, joined).ok()
    assert out == "".join(f"Request {request_id} has been sent the message.\n" for request_id in (first, joined))
    site.run("qmsg", "-o", "to\noutput", first).ok()
    site.run("qmsg", "hello", held).refused("is waiting, not running", exit_code=1)
    site.run("qmsg", "x" * 1001, first).refused("1000 characters", exit_code=2)
    site.run("qmsg", first).refused("request-id is missing", exit_code=2)
    assert site.run("qcat", "-e", first).ok() == "before\nhello there\n"
    gate.open()
    assert site.qwait(first) == site.qwait(joined) == 0
    assert read(site, first, "e") == "before\nhello there\nafter\n"
    assert read(site, first, "o") == "before\nto?output\nafter\n"
    assert read(site, joined, "o") == "before\nbefore\nhello there\nafter\nafter\n"
    site.run("qmsg", "late", first).refused("has ended already", exit_code=1)

"""output_spool= of a running site: output goes by way of another directory, and reaches its owner."""

import os

from support.harness import Node
from support.waiting import wait_until


def configure(site, text):
    with open(os.path.join(site.directory, "daemon.conf"), "w", encoding="ascii") as file:
        file.write(f"{text}\nport=0\n")


def test_output_waits_elsewhere_and_is_delivered(node):
    site = node.cluster_site()
    disk = node.make_directory("disk")
    configure(site, f"output_spool={disk}")
    site.start()
    gate = os.path.join(node.scratch, "gate")
    request = site.qsub(f"echo spooled\nwhile [ ! -e {gate} ]; do sleep 0.05; done\necho delivered\n", "-r", "job")
    place = os.path.join(disk, "testsite")
    wait_until(lambda: _printed(place) == "spooled\n", 20, site.log_text)
    with open(gate, "w", encoding="ascii"):
        pass
    assert site.qwait(request) == 0
    wait_until(lambda: not any(name.endswith(".out") for name in os.listdir(place)), 20, lambda: os.listdir(place))
    with open(os.path.join(node.scratch, f"job.o{request.split('.')[0]}"), encoding="ascii") as file:
        assert file.read() == "spooled\ndelivered\n"
    site.stop()
    configure(site, "")
    site.start()
    assert not os.path.islink(os.path.join(site.directory, "output"))


def _printed(place):
    for name in os.listdir(place):
        if name.endswith(".out"):
            with open(os.path.join(place, name), encoding="ascii") as file:
                return file.read()
    return ""


def test_a_directory_that_cannot_be_used_is_refused_at_the_start():
    with Node() as node:
        site = node.cluster_site()
        missing = os.path.join(node.scratch, "missing")
        configure(site, f"output_spool={missing}")
        result = node.run("cjcpw", site.name, site.db_path)
        result.refused(f"output_spool={missing}", "mount its disk", exit_code=5)
        configure(site, "")
        site.start()

"""Limits and order under load: what the jobs' own records say, and the numbers of their dispatch."""

import random
import re

import pytest

from support.gate import Gate, greatest_overlap
from support.waiting import wait_until

#: queue -> (priority, run limit); their limits add up to more than the global one.
QUEUES = {"fast": (30, 2), "night": (20, 3), "slow": (10, 4)}
GLOBAL_LIMIT = 7
JOBS = 300


@pytest.fixture
def site(cluster_site):
    """A running site with the three queues, enabled and stopped, and the global run limit."""
    lines = [f"set global_run_limit = {GLOBAL_LIMIT}"]
    for name, (priority, limit) in QUEUES.items():
        lines += [f"create batch_queue {name} priority = {priority} run_limit = {limit}", f"enable queue {name}"]
    cluster_site.qmgr(*lines)
    return cluster_site


def mixed(gate, label, number):
    """(script, options of qsub, expected exit code of qwait) of the number-th job: six kinds of jobs."""
    work = "sleep 0.02"
    kinds = (
        (gate.script(label, work), (), 0),
        (gate.script(label, work, exit_code=3), ("-eo",), 3),
        (gate.script(label, f"{work}; echo out; echo err >&2"), ("-x",), 0),
        (gate.script(label, work), ("-nr", "-p", "50"), 0),
        (gate.script(label, f"(setsid sleep 300 &) ; {work}"), ("-r", "stray"), 0),
        (gate.script(label, work).replace("exit 0\n", "kill -TERM $$\n"), ("-s", "/bin/sh"), 128 + 15),
    )
    return kinds[number % len(kinds)]


def code_of(request):
    """What qwait would end with."""
    return request["exit_code"] if request["signal"] is None else 128 + request["signal"]


@pytest.mark.timeout(300)
def test_the_greatest_overlap_equals_each_limit(site):
    gates = {name: Gate(site.node.make_directory(f"gate-{name}", 0o777)) for name in QUEUES}
    expected = {}
    for number in range(JOBS):
        queue = list(QUEUES)[number % 3]
        script, options, exit_code = mixed(gates[queue], queue, number // 3)
        expected[site.qsub(script, "-q", queue, *options)] = exit_code
    assert len(expected) == JOBS

    def started():
        return {name: len(gate.started()) for name, gate in gates.items()}

    def wait_started(counts):
        wait_until(lambda: started() == counts, 100, lambda: f"{started()}\n{site.run('qstat').out}\n{site.log_text()}")

    assert started() == {"fast": 0, "night": 0, "slow": 0}
    site.qmgr(*[f"start queue {name}" for name in QUEUES])

    # Gates make sure that each limit is reached, whatever the machine's speed; the records say whether it was kept.
    # First the global one: `slow`, of the lowest priority, gets what the others leave.
    wait_started({"fast": 2, "night": 3, "slow": 2})
    gates["fast"].open()
    gates["night"].open()
    # Then its own: when the others are through, it has the site to itself.
    wait_started({"fast": 100, "night": 100, "slow": 4})
    gates["slow"].open()

    def ended():
        answer = [request for part in parts for request in site.qstat(*part)["requests"]]
        return answer if all(request["state"] == "DONE" for request in answer) else None

    # A command takes 256 arguments at most.
    parts = list(expected)[:150], list(expected)[150:]
    answer = wait_until(ended, 200, lambda: f"{started()}\n{site.run('qstat').out}\n{site.log_text()}")
    codes = {
        request["id"]: request["exit_code"] if request["signal"] is None else 128 + request["signal"]
        for request in answer
    }
    assert codes == expected
    records = [record for gate in gates.values() for record in gate.records()]
    assert sorted(record.id for record in records) == sorted(expected)
    assert all(record.end_ns for record in records)
    assert greatest_overlap(records) == GLOBAL_LIMIT
    for name, (_, limit) in QUEUES.items():
        assert greatest_overlap([record for record in records if record.label == name]) == limit, name


def test_order_is_queue_priority_then_request_priority_then_sequence(site):
    gate = Gate(site.node.make_directory("gate", 0o777))
    # One slot in the whole site, and a job that holds it while the queues are started one after the other.
    site.qmgr(
        "set global_run_limit = 1",
        "create batch_queue holder priority = 1 run_limit = 1",
        "enable queue holder",
        "start queue holder",
    )
    holder = site.qsub(gate.script(), "-q", "holder")
    wait_until(gate.started, 20, site.log_text)
    shuffled = random.Random(607)
    filled = []
    for _ in range(40):
        queue, priority = shuffled.choice(list(QUEUES)), shuffled.choice((0, 31, 63, 10, 10, 31))
        filled.append((queue, priority, site.qsub("true\n", "-q", queue, "-p", str(priority))))
    site.qmgr(*[f"start queue {name}" for name in shuffled.sample(list(QUEUES), 3)])
    gate.open()
    for _, _, request in filled:
        assert site.qwait(request) == 0
    assert site.qwait(holder) == 0

    def rank(entry):
        queue, priority, request = entry
        return -QUEUES[queue][0], -priority, int(re.match(r"\d+", request)[0])

    wanted = [request for _, _, request in sorted(filled, key=rank)]
    dispatch = {request["id"]: request["dispatch"] for request in site.qstat(*wanted)["requests"]}
    assert len(set(dispatch.values())) == len(wanted)
    assert sorted(wanted, key=dispatch.get) == wanted

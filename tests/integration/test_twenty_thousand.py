"""Twenty thousand requests of every kind, held, released, altered, moved and deleted by halves: all counts agree.

What the requests must be after each step is kept in a table of the test's own, and compared with the counts of
qstat, with `qstat --json`, with qselect, and with the database's own search for what is damaged.
"""

import os
import re
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from jcq.jcdbs import keys
from jcq.jcdbs.store import Store
from jcq.nqsdaemon.audit import Audit
from support import site_database
from support.submitters import Submitters
from support.waiting import wait_until

#: By hand-made messages, and by qsub itself.
SUBMITTED = {"ci": 1_500, "full": 20_000}
BY_QSUB = 60
BATCH_QUEUES = ("day", "evening", "night")
PIPE_QUEUE = "anywhere"
QUEUES = (*BATCH_QUEUES, PIPE_QUEUE)
LATER = ("-a", "2099-01-01 00:00")
#: What qstat's line of counts calls the states that occur here.
WORDS = {"queued": "QUEUED", "wait": "WAITING", "hold": "HELD"}
STATES = tuple(WORDS.values())
ALL_LOOKED_AT = "every request has been looked at; damaged: 0"
LIMIT_S = 120


def log_of(site):
    """What nqsdaemon has written to its log."""
    with open(os.path.join(site.directory, "log", "nqsdaemon.log"), encoding="utf-8") as file:
        return file.read()


def words_of(number):
    """qsub's words of the number-th request; together they are of every mixture of these kinds."""
    words = ["-q", QUEUES[number % 4], "-p", str(number % 64), "-r", f"n{number % 7}"]
    words += LATER if number % 5 == 0 else []
    words += ["-nr"] if number % 3 == 0 else []
    words += ["-lt", "10:00, 9:00", "-lM", "1.5gb"] if number % 11 == 0 else []
    words += ["-mb", "-me", "-mu", "nobody@example"] if number % 13 == 0 else []
    return words + (["-eo"] if number % 17 == 0 else ["-o", "/dev/null", "-e", "/dev/null"])


class Known:
    """What there must be: {request id: its queue, state, priority and name}, with the state that follows a release."""

    def __init__(self, site):
        self.site = site
        self.requests = {}

    def add(self, request_id, number):
        """A request that has been submitted."""
        state = "WAITING" if number % 5 == 0 else "QUEUED"
        self.requests[request_id] = SimpleNamespace(
            queue=QUEUES[number % 4], state=state, free=state, priority=number % 64, name=f"n{number % 7}"
        )

    def fit(self, **wanted):
        """The ids of those with these values; a value may be a tuple or range of them."""
        choices = {key: (value,) if isinstance(value, str) else value for key, value in wanted.items()}
        return {
            request_id
            for request_id, request in self.requests.items()
            if all(getattr(request, key) in values for key, values in choices.items())
        }

    def order(self, chosen, selection, order, done):
        """`qselect SELECTION | xargs ORDER`: it finds the ids of `chosen` and no other, and says `done` of each."""
        assert set(self.site.run("qselect", *selection, limit_s=LIMIT_S).ok().split()) == chosen
        quoted = " ".join(f"'{word}'" for word in selection)
        line = f"qselect {quoted} | xargs {order}"
        out = self.site.run(["/bin/sh", "-c", line], limit_s=LIMIT_S).ok()
        assert sorted(out.splitlines()) == sorted(f"Request {request_id} {done}" for request_id in chosen)
        return [self.requests[request_id] for request_id in chosen]

    def check(self):
        """Everybody counts the same."""
        counts = Counter((request.queue, request.state) for request in self.requests.values())
        wanted = {(queue, state): counts[queue, state] for queue in QUEUES for state in STATES}
        assert self._counts_of_text() == wanted
        answer = self.site.qstat("-a", limit_s=LIMIT_S)
        for queue in answer["queues"]:
            for state, number in queue["counts"].items():
                assert number == counts[queue["name"], state], (queue["name"], state)
        keys_of_request = ("queue", "state", "priority", "name")
        assert len(answer["requests"]) == len(self.requests)
        assert {one["id"]: [one[key] for key in keys_of_request] for one in answer["requests"]} == {
            request_id: [getattr(request, key) for key in keys_of_request]
            for request_id, request in self.requests.items()
        }
        for queue in answer["queues"]:
            places = [one["position"] for one in answer["requests"] if one["queue"] == queue["name"]]
            assert places == list(range(1, len(places) + 1)), queue["name"]
        selected = self.site.run("qselect", "-a", limit_s=LIMIT_S).ok().split()
        assert selected == [one["id"] for one in answer["requests"]]
        self._audit()

    def _counts_of_text(self):
        found = {}
        queue = ""
        for line in self.site.run("qstat").ok().splitlines():
            head = re.match(r"(\S+)@\S+;  type=", line)
            queue = head[1] if head else queue
            for number, word in re.findall(r"(\d+) (\w+);", line) if " queued;" in line else ():
                if word in WORDS and queue in QUEUES:
                    found[queue, WORDS[word]] = int(number)
                else:
                    assert number == "0", line
        return found

    def _audit(self):
        """What nqsdaemon does in idle moments after its start, here from beginning to end."""
        found = site_database.connection(self.site)
        said = []

        def say(text, *values):
            said.append(text % values)

        store = Store(found, int(found.get(keys.EPOCH)))
        audit = Audit(SimpleNamespace(store=store, now=time.time, log=SimpleNamespace(info=say, error=say)))
        while not audit.done:
            audit.step()
        assert said == [ALL_LOOKED_AT]
        assert self.site.qmgr("show lost_found") == "No damaged requests.\n"
        assert not re.search(r"is damaged|damaged: [1-9]|lost", log_of(self.site))


@pytest.mark.timeout(1200)
def test_all_counts_agree_after_every_order_for_half_of_them(cluster_site, battery):
    site = cluster_site
    made = [f"create batch_queue {name} run_limit=4" for name in BATCH_QUEUES]
    site.qmgr(*made, f"create pipe_queue {PIPE_QUEUE} destination=night", *[f"enable queue {name}" for name in QUEUES])
    count = SUBMITTED["full" if battery.full else "ci"]
    known = Known(site)
    answers = Submitters(site, "true\n").submit([words_of(number) for number in range(BY_QSUB, count)])
    for number, answer in enumerate(answers, BY_QSUB):
        assert answer.endswith(f" submitted to queue: {QUEUES[number % 4]}."), answer
        known.add(answer.split()[1], number)
    for number in range(BY_QSUB):
        known.add(site.qsub("true\n", *words_of(number)), number)
    assert len(known.requests) == count
    known.check()

    for request in known.order(known.fit(priority=range(32)), ("-p", "0-31"), "qhold", "has been held."):
        request.state = "HELD"
    known.check()

    half = known.fit(state="HELD", name=("n0", "n1", "n2"))
    for request in known.order(half, ("-s", "HELD", "-r", "n[012]"), "qrls", "has been released."):
        request.state = request.free
    known.check()

    half = known.fit(queue="day")
    for request in known.order(half, ("-q", "day"), "qalter -p 63 -r other -lt 60 -nr", "has been altered."):
        request.priority, request.name = 63, "other"
    known.check()

    # All that stand in one queue, the held and waiting among them, and those of a pipe queue.
    for source, destination in (("evening", "day"), (PIPE_QUEUE, "night")):
        done = f"has been moved to queue: {destination}."
        for request in known.order(known.fit(queue=source), ("-q", source), f"qmove {destination}", done):
            request.queue = destination
    known.check()

    half = known.fit(state=("HELD", "WAITING"))
    known.order(half, ("-s", "HELD,WAITING"), "qdel", "has been deleted.")
    for request_id in half:
        del known.requests[request_id]
    known.check()

    # The records that are left survive a restart, after which nqsdaemon itself looks at each of them.
    site.stop()
    site.start()
    known.check()
    wait_until(lambda: log_of(site).count(ALL_LOOKED_AT) == 2, 60, site.log_text)

    # What is left still runs: all of one name do, and then nothing is left of the others.
    running = known.fit(name="n6", queue="night", priority=range(40, 64))
    rest = set(known.requests) - running
    out = site.run(["xargs", "qdel"], stdin="\n".join(rest), limit_s=LIMIT_S).ok()
    assert len(out.splitlines()) == len(rest)
    known.requests = {request_id: known.requests[request_id] for request_id in running}
    known.check()
    site.qmgr("start queue night")
    for request_id in running:
        assert site.qwait(request_id) == 0
    known.requests = {}
    wait_until(lambda: site.qstat("-a")["requests"] == [], 20, site.log_text)
    known.check()

"""What --verify finds: differences in words, what is missing, what has ended, what was never converted."""

from dataclasses import replace

import pytest

from jcq.frames import netstring
from jcq.jcdbs.ops.queues import Complex
from jcq.jcdbs.ops.site import SiteRecord
from jcq.model.queue import Queue
from jcq.spoolconv import facts
from jcq.spoolconv.accounts import Account
from jcq.spoolconv.plan_request import RequestPlanner, with_number
from jcq.spoolconv.plan_site import Place
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.verify import Verification
from jcq.spoolconv.wishes import Wishes

NOW_S = 1_800_000_000.0
QUEUE = OldQueue("a", "queues/a", run_limit=3, restricted=True, users=("alice",))
REQUEST = OldRequest("17", "a00011", "a", b"echo \xff\n", uid=1001, environment={b"A": b"\xff"}, workdir="/work")


class Accounts:
    """alice 1001."""

    @staticmethod
    def by_name(name):
        return Account("alice", 1001, 1001, "/home/alice") if name == "alice" else None

    @staticmethod
    def by_uid(uid):
        return Accounts.by_name("alice") if uid == 1001 else None

    @staticmethod
    def user_entry(text):
        return "alice:1001" if text == "alice" else None

    group_entry = user_entry


class Site:
    """A converted site as --verify asks it, and its files."""

    def __init__(self):
        self.record = SiteRecord("testsite", 200, 1, 0)
        self.queues = [Queue("a", run_limit=3, restricted=True, users=("alice:1001",))]
        self.complexes, self.managers = [], {}
        #: rid -> Request or None; origin -> rid; rid -> (script, environment).
        self.kept, self.origins, self.spooled = {}, {}, {}
        self.asked = 0

    def facts(self):
        return facts.make(self.record, 0, True, self.queues, self.complexes, self.managers, ["t"])

    def known(self, origins):
        self.asked += 1
        return [self.origins.get(origin) for origin in origins]

    def requests(self, rids):
        return [self.kept[rid] for rid in rids]

    def read(self, rid):
        if rid not in self.spooled:
            raise FileNotFoundError(2, "No such file or directory")
        return self.spooled[rid]

    def convert(self, *records):
        """Keep what a conversion makes of them."""
        planner = RequestPlanner("tiny", self.facts(), Accounts, Wishes(), NOW_S)
        for record in records:
            one = planner.plan(record, Place("a", exists=False))
            request = with_number(one, 200, len(self.kept) + 1)
            self.kept[request.rid], self.origins[one.origin] = request, request.rid
            packed = None
            if record.environment is not None:
                packed = b"".join(netstring(b"%b=%b" % pair) for pair in record.environment.items())
            self.spooled[request.rid] = record.script, packed

    def verify(self, *records, wishes=Wishes()):  # noqa: B008
        """-> (how many differ or are missing, summary, lines)."""
        lines = []
        verification = Verification("tiny", self, self, Accounts, wishes, NOW_S, lines.append)
        count = verification.run(iter(records))
        return count, verification.summary().removeprefix("verified: "), lines


@pytest.fixture
def site():
    made = Site()
    made.convert(REQUEST)
    return made


def test_what_is_the_same(site):
    assert site.verify(QUEUE, REQUEST) == (0, "2 the same", [])


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "RUNNING", "attempt": 3},
        {"state": "HELD", "operator_hold": True, "reason": "why"},
        {"queue": "elsewhere"},
        {"outcome": "exited", "exit_code": 1},
    ],
)
def test_what_has_happened_since_is_no_difference(site, changes):
    site.kept["200-1"] = replace(site.kept["200-1"], **changes)
    assert site.verify(QUEUE, REQUEST) == (0, "2 the same", [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uid": 1002}, "uid is 1002, not 1001"),
        ({"user": "bob"}, "user is 'bob', not 'alice'"),
        ({"workdir": "/"}, "workdir is '/', not '/work'"),
        ({"umask": 0o77}, "umask is 63, not 18"),
        ({"due_s": 5.0}, "due_s is 5.0, not 0.0"),
        ({"joined": True, "mail_end": True}, "joined is True, not False; mail_end is True, not False"),
        ({"limits": "nice_process=1"}, "limits is 'nice_process=1', not ''"),
        ({"has_environment": False}, "has_environment is False, not True"),
        ({"as_before": False}, "as_before is False, not True"),
        ({"shell": "/bin/ksh\n"}, "shell is '/bin/ksh\\n', not ''"),
    ],
)
def test_each_field_that_differs(site, changes, words):
    site.kept["200-1"] = replace(site.kept["200-1"], **changes)
    line = f"Warning : request 17, now 1.testsite: {words}"
    assert site.verify(QUEUE, REQUEST) == (1, "1 the same, 1 different", [line])


def test_a_priority_that_the_old_system_did_not_say_is_that_of_its_time(site):
    site.record = replace(site.record, default_priority=5)
    assert site.verify(QUEUE, REQUEST)[0] == 0
    said = replace(REQUEST, old_id="18", priority=7)
    site.convert(said)
    assert site.verify(QUEUE, said)[0] == 0
    site.kept["200-2"] = replace(site.kept["200-2"], priority=5)
    assert site.verify(QUEUE, said)[2] == ["Warning : request 18, now 2.testsite: priority is 5, not 7"]


@pytest.mark.parametrize(
    ("spooled", "words"),
    [
        ((b"echo\n", "same"), "the script is another one"),
        (("same", b"3:A=x,"), "the environment is another one"),
        (("same", None), "the environment is another one"),
        ((b"", b""), "the script is another one; the environment is another one"),
        (None, "its script cannot be read: No such file or directory"),
    ],
)
def test_files_are_compared_byte_by_byte(site, spooled, words):
    before = site.spooled.pop("200-1")
    if spooled is not None:
        site.spooled["200-1"] = tuple(old if new == "same" else new for old, new in zip(before, spooled, strict=True))
    assert site.verify(REQUEST)[2] == [f"Warning : request 17, now 1.testsite: {words}"]


def test_what_is_missing_has_ended_or_is_skipped(site):
    site.convert(replace(REQUEST, old_id="18"))
    site.kept["200-2"] = None
    records = [QUEUE, REQUEST, replace(REQUEST, old_id="18"), replace(REQUEST, old_id="19"),
               replace(REQUEST, old_id="20", uid=4711), Skip("core", "it is no job", kind="file")]  # fmt: skip
    count, summary, lines = site.verify(*records)
    assert (count, summary) == (1, "2 the same, 1 not converted, 1 ended and forgotten, 2 skipped")
    assert lines == ["Warning : request 19: no request of the site was made of it"]


def test_of_a_queue_that_is_gone_the_requests_are_compared_all_the_same(site):
    site.queues = []
    count, summary, lines = site.verify(QUEUE, REQUEST)
    assert (count, summary) == (1, "1 the same, 1 not converted")
    assert lines == ["Warning : queue a: the site has no such queue"]
    assert site.verify(REQUEST)[1] == "1 skipped", "neither system has that queue"


def test_each_attribute_of_a_queue(site):
    site.queues = [Queue("a", run_limit=4, restricted=True, users=("bob:1002",), started=True, enabled=False)]
    assert site.verify(QUEUE)[2] == [
        "Warning : queue a: run_limit is 4, not 3; users is ('bob:1002',), not ('alice:1001',)"
    ]
    assert site.verify(replace(QUEUE, name="b"), wishes=Wishes(map_queue={"b": "a"}))[1] == "1 different"


def test_complexes_and_settings(site):
    site.complexes = [Complex("c", queues=("a",), run_limit=2)]
    site.managers = {"alice": "o"}
    site.record = replace(site.record, run_limit=5)
    records = [QUEUE, OldComplex("c", "c", 2, ("a",)), OldSetting("manager:alice", "o", "m"),
               OldSetting("run_limit", "5", "p"), OldSetting("no_such", "1", "p")]  # fmt: skip
    assert site.verify(*records) == (0, "4 the same, 1 skipped", [])
    site.complexes = [Complex("c", queues=(), run_limit=3)]
    site.managers = {"alice": "m"}
    site.record = replace(site.record, run_limit=9)
    assert site.verify(*records)[2] == [
        "Warning : complex c: queues is [], not ['a']; run_limit is 3, not 2",
        "Warning : manager alice: role is 'm', not 'o'",
        "Warning : setting run_limit: value is '9', not '5'",
    ]
    site.complexes, site.managers = [], {}
    count, _, lines = site.verify(*records[:3])
    assert count == 2
    assert lines == ["Warning : complex c: the site has no such complex",
                     "Warning : manager alice: the site has no such manager"]  # fmt: skip


def test_many_are_asked_for_some_hundred_at_a_time(site):
    many = [replace(REQUEST, old_id=str(number)) for number in range(1000, 1600)]
    site.convert(*many)
    site.asked = 0
    assert site.verify(QUEUE, *many) == (0, "601 the same", [])
    assert site.asked == 3

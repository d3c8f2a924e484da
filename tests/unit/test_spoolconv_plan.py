"""What spoolconv makes of a record: whose it is, where it goes, what is held, noted or skipped."""

import math
from dataclasses import replace

import pytest

from jcq.jcdbs.ops.queues import Complex
from jcq.jcdbs.ops.site import SiteRecord
from jcq.model.lifecycle import HELD, QUEUED, WAITING
from jcq.model.queue import PIPE, Queue
from jcq.model.restart import ATTRIBUTES, MIGRATION_STOP, PURGE, RESTART, STOP
from jcq.spoolconv import facts, records
from jcq.spoolconv.accounts import Account
from jcq.spoolconv.origin import old_number, origin_of
from jcq.spoolconv.plan_fields import limits_text
from jcq.spoolconv.plan_request import LOOK_FIRST, RequestPlanner, with_number
from jcq.spoolconv.plan_site import Part, Place, SitePlanner, legal_name
from jcq.spoolconv.records import OldComplex, OldQueue, OldRequest, OldSetting, Skip
from jcq.spoolconv.wishes import Wishes

NOW_S = 1_800_000_000.0
NEW = Place("old", exists=False)
SITE = SiteRecord("testsite", 200, 1, 0)


class Accounts:
    """alice 1001, bob 1002, root; groups staff 50."""

    _names = {"alice": 1001, "bob": 1002, "root": 0}

    @classmethod
    def by_name(cls, name):
        uid = cls._names.get(name)
        return None if uid is None else Account(name, uid, uid, f"/home/{name}")

    @classmethod
    def by_uid(cls, uid):
        return next((cls.by_name(name) for name, known in cls._names.items() if known == uid), None)

    @classmethod
    def user_entry(cls, text):
        found = cls.by_uid(int(text)) if text.isdigit() else cls.by_name(text)
        return f"{found.name}:{found.uid}" if found else None

    @staticmethod
    def group_entry(text):
        return "staff:50" if text in ("staff", "50") else None


def site(uid=0, seq=0, queues=(), complexes=(), managers=None, imports=(), **record):
    return facts.make(replace(SITE, seq=seq, **record), uid, uid == 0, queues, complexes, managers or {}, imports)


def old(**fields):
    return OldRequest(**{"old_id": "17", "where": "a00011", "queue": "a", "script": b"true\n", "uid": 1001, **fields})


def plan(record, place=NEW, wishes=Wishes(), of=None):  # noqa: B008
    return RequestPlanner("tiny", of or site(), Accounts, wishes, NOW_S).plan(record, place)


def reason(record, **how):
    skip = plan(record, **how)
    assert isinstance(skip, Skip)
    assert (skip.where, skip.old_id, skip.kind) == (record.where, record.old_id, "request")
    return skip.reason


# --- whose it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record", [old(), old(user="alice"), old(uid=-1, user="alice"), old(uid=0), old(user="root", uid=0)]
)
def test_name_and_uid_that_agree_or_one_of_them_name_the_owner(record):
    request = plan(record).request
    assert request.user == (record.user or Accounts.by_uid(record.uid).name)
    assert request.uid == (record.uid if record.uid >= 0 else 1001)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (old(user="alice", uid=1002), "alice has uid 1001 on this node, but had 1002"),
        (old(user="bob", uid=1001), "bob has uid 1002 on this node"),
        (old(user="gone", uid=1001), "gone has no account"),
        (old(user="gone", uid=-1), "gone has no account"),
        (old(uid=4711), "uid 4711 has no account"),
        (old(uid=-1), "nothing says whose it is"),
        (old(uid=1001, environment={b"LOGNAME": b"carol"}), "its environment says that it was carol's"),
        (old(user="root", uid=1001), "root has uid 0"),
    ],
)
def test_nothing_runs_as_another_than_its_owner(record, words):
    assert words in reason(record)


def test_root_that_came_by_su_keeps_the_name_of_who_became_it():
    assert plan(old(uid=0, environment={b"LOGNAME": b"alice"})).request.uid == 0


@pytest.mark.parametrize("key", ["gone", "4711"])
def test_an_administrator_says_who_somebody_is_now(key):
    request = plan(old(user="gone", uid=4711), wishes=Wishes(map_user={key: "bob"})).request
    assert (request.user, request.uid, request.gid) == ("bob", 1002, 1002)


def test_without_a_directory_it_is_the_owners_home():
    """Else its output would have no directory to go to."""
    assert plan(old()).request.workdir == "/home/alice"
    assert plan(old(workdir="/work")).request.workdir == "/work"
    assert plan(old(user="gone", uid=9), wishes=Wishes(map_user={"gone": "bob"})).request.workdir == "/home/bob"
    nameless = old(uid=4711, environment={b"HOME": b"/there"})
    assert plan(nameless, of=site(uid=4711)).request.workdir == "/there"


def test_a_directory_may_have_any_name():
    planned = plan(old(workdir="/a\nb\x7f\udcff", out_path="/a\nb/out"))
    assert (planned.request.workdir, planned.request.out_path) == ("/a\nb\x7f\udcff", "/a\nb/out")
    assert (planned.notes, planned.request.state) == ([], QUEUED)


def test_a_site_without_root_takes_its_own_uids_only():
    assert "serves uid 1001 only, not 1002" in reason(old(uid=1002), of=site(uid=1001))
    assert plan(old(uid=1001), of=site(uid=1001)).request.uid == 1001
    nameless = plan(old(uid=4711, environment={b"HOME": b"/there"}), of=site(uid=4711)).request
    assert (nameless.user, nameless.uid, nameless.home) == ("", 4711, "/there")


def test_another_group_is_noted():
    planned = plan(old(gid=50))
    assert planned.request.gid == 1001
    assert planned.notes == ["it had gid 50; it runs with the groups of alice"]


# --- what it is ------------------------------------------------------------------------------


def test_every_field_arrives():
    record = old(
        name="nightly", priority=7, submitted_s=1_700_000_000.25, due_s=NOW_S + 60, restartable=False,
        workdir="/tmp/\udcff", host="oldhost", umask=0o027, tz="UTC", shell="/bin/ksh",
        out_path="/o", err_path="/e", direct_out=True, mail_begin=True,
        mail_end=True, mail_to="a@b", limits={"cpu_process": (60, 50)},
        environment={b"HOME": b"/home/a", b"X": b"\xff"}, state=records.WAITING,
    )  # fmt: skip
    planned = plan(record)
    request = planned.request
    wanted = (
        "name priority submitted_s due_s workdir host umask tz shell out_path err_path direct_out mail_begin".split()
    )
    assert {name: getattr(request, name) for name in wanted} == {name: getattr(record, name) for name in wanted}
    assert request.restartable is False
    assert request.limits == "cpu_process=60:50"
    assert request.variables == "HOME=/home/a"
    assert (request.has_environment, request.as_before, request.old_id) == (True, True, "17")
    assert (request.state, request.queue, request.submitted_to) == (WAITING, "old", "old")
    assert not planned.notes
    numbered = with_number(planned, 200, 5)
    assert (numbered.rid, numbered.id, numbered.flaw()) == ("200-5", "5.testsite", "")


def test_a_request_of_nqs_runs_by_nqs_rules():
    assert plan(old(nqs=True)).request.as_before is False


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"priority": 99}, "its priority 99 became 63"),
        ({"priority": -1}, "its priority -1 became 0"),
        ({"umask": 0o7777}, "its umask 7777 became 777"),
        ({"name": "a/b"}, "its name 'a/b' became 'b'"),
        ({"name": "7up"}, "became 'R7up'"),
        ({"host": "a\nb"}, "its host is no text"),
        ({"out_path": "relative"}, "standard output is none of a file"),
        ({"err_path": "/dir/"}, "standard error is none of a file"),
        ({"mail_to": "a b"}, "no mail address"),
        ({"limits": {"nonsense": (1, None)}}, "its limit nonsense is none"),
        ({"limits": {"cpu_process": (-5, None)}}, "its limit cpu_process is none"),
        ({"limits": {"cpu_process": 3}}, "its limit cpu_process is none"),
        ({"limits": {"nice_process": (-5, None)}}, "only root may have"),
        ({"submitted_s": math.nan}, "no moment; now is taken"),
        ({"submitted_s": -3.0}, "no moment; now is taken"),
        ({"notes": ("from the reader",)}, "from the reader"),
    ],
)
def test_what_cannot_be_carried_over_is_noted(fields, note):
    planned = plan(old(**fields))
    assert any(note in said for said in planned.notes), planned.notes
    assert planned.request.state == QUEUED


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"workdir": "relative"}, "its directory"),
        ({"workdir": "/a\0b"}, "its directory"),
        ({"workdir": "/" + "x" * 5000}, "its directory"),
        ({"shell": "sh"}, "its shell"),
        ({"shell": "/bin/sh\n"}, "its shell"),
        ({"due_s": math.inf}, "is no moment"),
        ({"due_s": 1e15}, "is no moment"),
        ({"due_s": -5.0}, "is no moment"),
        ({"after": ("3", "4")}, "it is to run after 3, 4"),
        ({"state": "STRANGE"}, "a state that is not understood"),
    ],
)
def test_what_would_run_otherwise_than_before_is_held(fields, why):
    planned = plan(old(**fields))
    assert (planned.request.state, planned.request.operator_hold) == (HELD, True)
    assert why in planned.request.reason
    assert any(why in note for note in planned.notes)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"script": b""}, "its script is empty"),
        ({"script": b"x" * (16 * 1024 * 1024 + 1)}, "larger than 16 MiB"),
        ({"environment": {b"": b"x"}}, "that none can be"),
        ({"environment": {b"A=B": b"x"}}, "that none can be"),
        ({"environment": {b"A": b"x\0"}}, "that none can be"),
        ({"environment": {b"A": b"x" * 1024 * 1024}}, "its environment is larger"),
        ({"environment": {b"%d" % n: b"" for n in range(20_001)}}, "too many variables"),
    ],
)
def test_what_can_be_no_request_is_skipped(fields, why):
    assert why in reason(old(**fields))


def test_more_special_wishes_for_output_win():
    request = plan(
        old(joined=True, err_path="/e", keep_err=True, keep_out=True, out_path="/o", direct_out=True)
    ).request
    assert (request.joined, request.err_path, request.keep_err) == (True, "", False)
    assert (request.keep_out, request.out_path, request.direct_out) == (True, "", False)


@pytest.mark.parametrize(
    ("state", "due_s", "wanted"),
    [
        (records.QUEUED, 0.0, QUEUED),
        (records.QUEUED, NOW_S + 1, WAITING),
        (records.WAITING, NOW_S + 1, WAITING),
        (records.WAITING, NOW_S - 1, QUEUED),
        (records.WAITING, 0.0, QUEUED),
        (records.HELD, NOW_S + 1, HELD),
    ],
)
def test_states(state, due_s, wanted):
    assert plan(old(state=state, due_s=due_s)).request.state == wanted


def test_a_users_hold_is_its_users_to_release():
    assert plan(old(state=records.HELD)).request.operator_hold is False
    assert plan(old(state=records.HELD, operator_hold=True)).request.operator_hold is True


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("restartable", [None, True, False])
def test_what_had_begun_is_judged_by_the_restart_rules(attribute, restartable):
    found = plan(old(state=records.RUNNING, restartable=restartable), Place("q", False, attribute))
    if restartable is False or attribute in (PURGE, "MIGRATION_PURGE"):
        assert "had begun to run, and is purged" in found.reason
    elif attribute in (STOP, MIGRATION_STOP):
        assert (found.request.state, found.request.operator_hold) == (HELD, True)
    else:
        assert attribute == RESTART
        assert (found.request.state, found.request.rerun) == (QUEUED, True)
        assert any("run again" in note for note in found.notes)


def test_in_a_queue_that_the_site_had_a_request_is_held_for_a_look():
    there = Place("batch", exists=True)
    planned = plan(old(), there)
    assert (planned.request.state, planned.request.reason, planned.look_first) == (HELD, LOOK_FIRST, True)
    assert not planned.notes
    assert plan(old(), there, Wishes(start=True)).request.state == QUEUED
    assert plan(old(state=records.HELD), there).look_first is False


# --- what tells records apart ----------------------------------------------------------------


def test_a_record_is_known_again_whatever_a_copy_of_it_has_lost():
    one = origin_of("tiny", old())
    assert one == origin_of("tiny", old(where="elsewhere", submitted_s=5.0, due_s=9.0, state=records.RUNNING))
    others = [old(old_id="18"), old(script=b"false\n"), old(uid=1002), old(environment={}), old(identity="x"),
              old(environment={b"A": b"b"})]  # fmt: skip
    assert len({one, origin_of("other", old()), *(origin_of("tiny", other) for other in others)}) == len(others) + 2


@pytest.mark.parametrize(
    ("old_id", "number"),
    [("17", 17), ("42.3", 42), ("12.host", 12), ("", 0), ("abc", 0), ("99999999", 0), ("9" * 30, 0), ("٣", 0)],
)
def test_the_number_of_an_old_id(old_id, number):
    assert old_number(old_id) == number


def test_limits_without_a_warning_and_without_end():
    assert (
        limits_text({"memory_process": (None, None), "core_process": (0, None)})[0]
        == "core_process=0 memory_process=unlimited"
    )


# --- queues, complexes, settings -------------------------------------------------------------


def planner(of=None, **wishes):
    return SitePlanner(of or site(), Accounts, Wishes(**wishes))


def old_queue(name="a", **fields):
    return OldQueue(**{"name": name, "where": f"queues/{name}", **fields})


def test_a_queue_is_made_as_it_was_and_stopped():
    made = planner()
    assert made.queue(old_queue(priority=5, run_limit=3, user_limit=2, restart=STOP, enabled=False)) is None
    (part,), skips = made.parts()
    assert not skips
    assert (part.kind, part.name, part.notes) == ("queue", "a", [])
    assert part.value == Queue("a", priority=5, run_limit=3, user_limit=2, restart=STOP, enabled=False, started=False)
    assert made.place("a") == Place("a", False, STOP)


def test_with_start_a_queue_is_started_as_it_was():
    made = planner(start=True)
    made.queue(old_queue("a"))
    made.queue(old_queue("b", started=False))
    assert [part.value.started for part in made.parts()[0]] == [True, False]


@pytest.mark.parametrize(
    ("name", "made"),
    [("all.q", "all_q"), ("a", "a"), ("7", "q7"), ("=", "q_"), ("", "q"), ("\udcff", "q_"), ("x" * 99, "x" * 31)],
)
def test_queue_names_are_made_legal(name, made):
    assert legal_name(name) == made


def test_names_that_become_equal_are_told_apart_with_the_same_result_again():
    for known in ((), (Queue("all_q"), Queue("all_q_2"))):
        made = planner(site(queues=known))
        for name in ("all.q", "all_q"):
            made.queue(old_queue(name))
        assert [made.place(name).name for name in ("all.q", "all_q")] == ["all_q", "all_q_2"]
        assert len(made.parts()[0]) == (0 if known else 2)


def test_what_the_site_has_stays():
    of = site(
        seq=4, queues=[Queue("a", run_limit=9, restart=PURGE)], complexes=[Complex("c", 1)], managers={"bob": "m"}
    )
    made = planner(of)
    skip = made.queue(old_queue(run_limit=2))
    assert "stays as it is" in skip.reason
    assert "run_limit was 2, is 9" in skip.reason
    assert made.place("a") == Place("a", True, PURGE)
    assert "stays as it is" in made.complex(OldComplex("c", "complexes")).reason
    assert "already" in made.setting(OldSetting("manager:bob", "o", "managers")).reason
    assert made.parts() == ([], [])


def test_the_queues_of_an_untouched_site_give_way():
    fresh = [Queue("batch", run_limit=2), Queue("guilb_def", PIPE)]
    made = planner(site(queues=fresh))
    assert made.place("batch") is None, "it may still be read"
    assert made.queue(old_queue("batch", run_limit=7)) is None
    (part,), _ = made.parts()
    assert (part.kind, part.value.run_limit) == ("default", 7)
    assert made.last_place("guilb_def") == Place("guilb_def", True)
    for used in (site(queues=fresh, seq=1), site(queues=fresh, imports=["t"]), site(queues=[*fresh, Queue("x")])):
        assert planner(used).queue(old_queue("batch")).reason.startswith("the site has a queue")


def test_queues_are_mapped_and_merged():
    made = planner(
        site(seq=1, queues=[Queue("batch")]), map_queue={"a": "batch", "b": "new", "c": "new", "gone": "batch"}
    )
    assert made.queue(old_queue("a")) is not None
    assert made.queue(old_queue("b")) is None
    assert "as --map-queue says" in made.queue(old_queue("c")).reason
    assert [made.place(name).name for name in ("a", "b", "c", "gone")] == ["batch", "new", "new", "batch"]
    assert made.last_place("unheard") is None


def test_attributes_out_of_range_are_noted():
    made = planner()
    made.queue(old_queue(priority=99, run_limit=-1, user_limit=10**9, restart="WHO",
                         type="DEVICE",
                         limits={"cpu_process": (1, None), "tape": (2, None)}, restricted=True,
                         users=("alice", "gone"), groups=("50", "x")))  # fmt: skip
    (part,), _ = made.parts()
    value = part.value
    assert (value.priority, value.run_limit, value.user_limit, value.restart, value.type) == (
        63,
        0,
        100_000,
        RESTART,
        "BATCH",
    )
    assert (value.users, value.groups) == (("alice:1001",), ("staff:50",))
    assert value.limits == "cpu_process=1"
    assert len(part.notes) == 8


def test_destinations_that_are_no_queues_are_left_out():
    made = planner(site(seq=1, queues=[Queue("batch")]))
    made.queue(old_queue("p", type=PIPE, destinations=("all.q", "gone", "batch", "p")))
    made.queue(old_queue("all.q"))
    part = made.parts()[0][0]
    assert part.value.destinations == ("all_q", "batch")
    assert len(part.notes) == 2


def test_a_complex_holds_queues_that_were_made_now():
    made = planner(site(seq=1, queues=[Queue("batch")]))
    made.queue(old_queue("a"))
    made.queue(old_queue("p", type=PIPE))
    made.complex(OldComplex("c", "complexes", 4, ("a", "batch", "p", "gone")))
    assert isinstance(made.complex(OldComplex("c", "complexes", 4)), Skip)
    part = made.parts()[0][-1]
    assert (part.kind, part.words()) == ("complex", ["queues", "a", "run_limit", "4"])
    assert len(part.notes) == 3


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("run_limit", "12", "12"),
        ("retention_s", "3600", "3600"),
        ("shell_strategy", "LOGIN", "LOGIN"),
        ("default_queue", "a", "a"),
        ("manager:alice", "o", "o"),
        ("mail_account", "bob", "bob"),
    ],
)
def test_settings(name, value, wanted):
    made = planner()
    made.queue(old_queue("a"))
    part = made.setting(OldSetting(name, value, "params"))
    assert isinstance(part, Part)
    assert part.words() == [wanted]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("run_limit", "-1", "no number"),
        ("run_limit", "9" * 20, "no number"),
        ("colour", "red", "no parameter"),
        ("shell_strategy", "sh", "no shell strategy"),
        ("default_queue", "gone", "no queue"),
        ("manager:alice", "x", "neither manager nor operator"),
        ("manager:gone", "m", "no account"),
        ("mail_account", "gone", "no account"),
        ("shell_strategy", "FREE", "so already"),
    ],
)
def test_settings_that_are_skipped(name, value, why):
    assert why in planner().setting(OldSetting(name, value, "params")).reason


def test_a_parameter_that_the_site_has_set_stays():
    assert "the site has 5, which stays" in planner(site(run_limit=5)).setting(OldSetting("run_limit", "7", "p")).reason


# --- what a dump of a site carries -----------------------------------------------------------


def test_a_requests_life_so_far():
    said = {"reason": "held by root", "attempt": 3, "submitted_to": "way", "state": records.HELD}
    request = plan(old(**said, variables="HOME=/h\0PATH=/bin\0QSUB_X=1")).request
    assert (request.reason, request.attempt, request.submitted_to) == ("held by root", 3, "way")
    assert request.variables == "HOME=/h\0PATH=/bin"
    request = plan(old(submitted_to="no queue", attempt=-1, state=records.HELD)).request
    assert (request.reason, request.attempt, request.submitted_to) == ("it was held in the old system", 0, "old")


def test_limits_of_its_queue():
    place = Place("old", exists=False, limits="cpu_process=60:50 memory_request=1000")
    assert plan(old(), place).request.queue_limits == "memory_request=1000 cpu_process=60:50"
    request = plan(old(limits={"cpu_process": (5, None)}), place).request
    assert (request.limits, request.queue_limits) == ("cpu_process=5", "memory_request=1000")
    assert plan(old(queue_limits={}), place).request.queue_limits == ""
    assert plan(old(queue_limits={"cpu_request": (9, None)}), place).request.queue_limits == "cpu_request=9"


@pytest.mark.parametrize("name", ["default_queue", "mail_account"])
def test_an_empty_text_unsets_a_setting(name):
    assert "so already" in planner().setting(OldSetting(name, "", "params")).reason
    made = planner(site(default_queue="batch")).setting(OldSetting("default_queue", "", "params"))
    assert made.value == ""


def test_mail_goes_to_an_address():
    assert planner().setting(OldSetting("mail_account", "ops@example.com", "params")).value == "ops@example.com"
    assert "no mail address" in planner().setting(OldSetting("mail_account", "a b@c", "params")).reason

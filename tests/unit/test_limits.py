"""Resource limits: what users write, what is stored, what people read, and what the checksum makes of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.model import limits
from jcq.model.qmgr_grammar import parse as parse_qmgr
from jcq.model.request import Request
from jcq.options import QALTER, QSUB

BY_OPTION = {limit.option: limit for limit in limits.LIMITS}
KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


def parse(option, text):
    return limits.parse_option(BY_OPTION[option], text)


@pytest.mark.parametrize(
    ("option", "text", "value", "warning"),
    [
        ("-lm", "1000", 1000, None),
        ("-lm", "1000b", 1000, None),
        ("-lm", "10w", 80, None),
        ("-lm", "3kb", 3 * KB, None),
        ("-lm", "3 KW", 24 * KB, None),
        ("-lm", "1800mb", 1800 * MB, None),
        ("-lm", "1mw", 8 * MB, None),
        ("-lm", "1.5gb", 3 * GB // 2, None),
        ("-lm", "2gw", 16 * GB, None),
        ("-lm", "1tb", 1 << 40, None),
        ("-lm", "9223372036854775807", limits.SIZE_MAX, None),
        ("-lc", "0", 0, None),
        ("-lf", "100mb, 90mb", 100 * MB, 90 * MB),
        ("-lf", "100mb,100mb", 100 * MB, 100 * MB),
        ("-lf", "unlimited", None, None),
        ("-lf", " Unlimited , 1kb", None, KB),
        ("-lt", "60", 60, None),
        ("-lt", "10:00, 9:00", 600, 540),
        ("-lt", "90:00", 5400, None),
        ("-lT", "1:30:05.25", 5405.25, None),
        ("-lT", "100:00:00", 360000, None),
        ("-lE", "0.5", 0.5, None),
        ("-lE", "1.832", 1.832, None),
        ("-lE", "3661.", 3661, None),
        ("-ln", "-20", -20, None),
        ("-ln", "+19", 19, None),
    ],
)
def test_values(option, text, value, warning):
    assert parse(option, text) == (value, warning)


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("-lm", "", "needs a number and a unit"),
        ("-lm", "many", "needs a number"),
        ("-lm", "-1", "needs a number"),
        ("-lm", "1 tw", "needs a number"),
        ("-lm", "1e3", "needs a number"),
        ("-lm", "٣", "needs a number"),
        ("-lm", "1mb,", "needs a number"),
        ("-lm", "1mb, 2mb", "above the limit"),
        ("-lm", "1mb, unlimited", "cannot be unlimited"),
        ("-lm", "1mb, 1kb, 1b", "needs a number"),
        ("-lm", "9223372036854775808", "too large"),
        ("-lm", "9" * 5000, "needs a number"),
        ("-lt", "", "needs a time"),
        ("-lt", "1:2:3:4", "needs a time"),
        ("-lt", "10:60", "go to 59"),
        ("-lt", "1:60:00", "go to 59"),
        ("-lt", "0:00.0001", "above 0"),
        ("-lt", "10mb", "needs a time"),
        ("-lT", "9:00, 10:00", "above the limit"),
        ("-lE", "999999999999", "too long"),
        ("-ln", "20", "from -20 to 19"),
        ("-ln", "unlimited", "from -20 to 19"),
        ("-ln", "5, 4", "has no warning"),
        ("-lm", "1\nmb\n", "needs a number"),
    ],
)
def test_what_is_no_value(option, text, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse(option, text)
    message = str(caught.value)
    assert message.startswith(f"{option}: ")
    assert f"for example {option} " in message
    assert "\n" not in message


@pytest.mark.parametrize("limit", limits.LIMITS, ids=lambda limit: limit.option)
def test_the_examples_are_right(limit):
    with pytest.raises(UsageError) as caught:
        limits.parse_option(limit, "wrong")
    examples = str(caught.value).split("for example ")[1].removesuffix(" with a warning value").split(", or ")
    for example in examples:
        option, value = example.split(" ", 1)
        assert option == limit.option
        limits.parse_option(limit, value.strip('"'))


def test_stored_text():
    found = {"memory_request": (1000000, None), "cpu_process": (60, 50), "elapsed_request": (None, 1.5)}
    text = "memory_request=1000000 cpu_process=60:50 elapsed_request=unlimited:1.5"
    assert limits.to_text(found) == text
    assert limits.from_text(text) == found
    assert limits.from_text("") == {}
    assert limits.merged(text, "cpu_process=7 nice_process=-3") == (
        "memory_request=1000000 nice_process=-3 cpu_process=7 elapsed_request=unlimited:1.5"
    )


@given(st.dictionaries(
    st.sampled_from(sorted(limits.BY_NAME)),
    st.tuples(
        st.none() | st.integers(0, limits.SIZE_MAX),
        st.none() | st.integers(1, 10**11).map(lambda thousandths: round(thousandths / 1000, 3)),
    ),
))  # fmt: skip
def test_what_is_stored_is_read_back(found):
    assert limits.from_text(limits.to_text(found)) == found


@pytest.mark.parametrize("text", ["x", "cpu_process", "nosuch=1", "cpu_process=", "cpu_process=1:", "cpu_process=1e5",
                                  "cpu_process=nan", "cpu_process=1:2:3"])  # fmt: skip
def test_damaged_text_is_found(text):
    with pytest.raises(ValueError):
        limits.from_text(text)
    request = Request.from_hash({b"rid": b"200-1", b"limits": text.encode()})
    assert (request.limits, request.unreadable) == ("", "limits")
    assert request.flaw() == "field limits of its record is damaged"


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("-lm", 3 * GB // 2, "1.5 gb"),
        ("-lm", 1800 * MB, "1800 mb"),
        ("-lm", 1 << 40, "1 tb"),
        ("-lm", 10 * KB, "10 kb"),
        ("-lm", 1000000, "1000000 b"),
        ("-lm", 0, "0 b"),
        ("-lm", None, "unlimited"),
        ("-lt", 60, "0:01:00"),
        ("-lt", 360000, "100:00:00"),
        ("-lE", 0.5, "0:00:00.5"),
        ("-lE", 59.999, "0:00:59.999"),
        ("-ln", -5, "-5"),
    ],
)
def test_shown(option, value, shown):
    assert limits.shown(BY_OPTION[option], value) == shown
    if value is not None and option != "-ln":
        assert parse(option, shown) == (value, None)


def test_the_table():
    assert len({limit.option for limit in limits.LIMITS}) == len({limit.name for limit in limits.LIMITS}) == 14
    for limit in limits.LIMITS:
        assert limit.name.endswith(f"_{limit.scope}")
    for table in (QSUB, QALTER):
        rows = {row[0]: row[2] for row in table[5] if row[0].startswith("-l")}
        assert rows == {limit.option: limit.name for limit in limits.LIMITS}


def test_the_checksum_covers_limits_and_leaves_out_none():
    request = Request(
        rid="200-12", seq=12, site="testsite", name="job.sh", uid=1000, gid=1000, user="smith", submitted_to="batch",
        submitted_s=1800000000.0, workdir="/home/smith", host="host1",
    )  # fmt: skip
    # As versions without limits have computed it: their records must stay good.
    assert request.checksum() == "4936ed1b"
    limited = replace(request, limits="cpu_process=60")
    assert limited.checksum() not in (request.checksum(), replace(limited, limits="cpu_process=61").checksum())
    limited.sum = limited.checksum()
    assert Request.from_hash({k.encode(): v.encode() for k, v in limited.to_hash().items()}).flaw() == ""
    assert replace(limited, limits="").flaw() == "the checksum of its record is wrong"


KINDS = st.sampled_from(limits.LIMITS)


@given(KINDS, st.text("0123456789.:,- +bkmgtwunlimtedKMGB\n", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_value_within_bounds_or_refused_in_one_line(limit, text):
    refused = ""
    try:
        value, warning = limits.parse_option(limit, text)
    except UsageError as error:
        refused = str(error)
    if refused:
        assert len(refused.splitlines()) == 1
        return
    for number in (value, warning):
        if limit.kind == limits.NICE:
            assert number is None or limits.NICE_MIN <= number <= limits.NICE_MAX
        else:
            assert number is None or 0 <= number <= (
                limits.SIZE_MAX if limit.kind == limits.SIZE else limits.TIME_MAX_S
            )
    assert value is None or warning is None or warning <= value
    found = {limit.name: (value, warning)}
    assert limits.from_text(limits.to_text(found)) == found


@given(st.integers(0, limits.SIZE_MAX))
def test_a_size_that_is_shown_is_read_back(value):
    assert parse("-lm", limits.shown(BY_OPTION["-lm"], value)) == (value, None)


@given(st.integers(1, limits.TIME_MAX_S * 1000 - 1))
def test_a_time_that_is_shown_is_read_back(thousandths):
    value = thousandths / 1000
    assert parse("-lt", limits.shown(BY_OPTION["-lt"], value)) == (value, None)


@given(st.integers(0, limits.SIZE_MAX), st.sampled_from(["", "b", "w", "kb", "kw", "mb", "mw", "gb", "gw", "tb"]))
def test_a_size_is_exact_or_too_large(number, unit):
    factor = (8 if unit.endswith("w") else 1) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[unit[:-1]]
    if number * factor > limits.SIZE_MAX:
        with pytest.raises(UsageError, match="too large"):
            parse("-lM", f"{number}{unit}")
    else:
        assert parse("-lM", f"{number}{unit}") == (number * factor, None)


def test_a_queues_limits_are_not_covered_by_the_checksum():
    request = Request(rid="200-12", limits="cpu_process=60")
    assert replace(request, queue_limits="core_process=0").checksum() == request.checksum()
    damaged = Request.from_hash({b"rid": b"200-1", b"queue_limits": b"cpu_process=6 0"})
    assert damaged.flaw() == "field queue_limits of its record is damaged"


# --- of queues -------------------------------------------------------------------------------


def test_own_limits_go_before_those_of_the_queue():
    found = limits.effective("cpu_process=60 memory_request=5", "core_process=0 cpu_process=600:540 elapsed_request=9")
    assert limits.to_text(found) == "core_process=0 memory_request=5 cpu_process=60 elapsed_request=9"
    assert list(found) == ["core_process", "memory_request", "cpu_process", "elapsed_request"]


@pytest.mark.parametrize(
    ("option", "text", "found"),
    [
        ("-lm", "1gb, 5mb", (GB, 5 * MB)),
        ("-lm", "99999999b", (99999999, None)),
        ("-ln", " Unlimited ", (None, None)),
        ("-ln", "5", (5, None)),
        ("-lT", "unlimited, 5", (None, 5)),
    ],
)
def test_values_of_queues(option, text, found):
    assert limits.parse_of_queue(BY_OPTION[option], text) == found


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [("-lm", "x", "^needs a number and a unit"), ("-ln", "5, 4", "^has no warning"), ("-lT", "1, 2", "^the warning")],
)
def test_bad_values_of_queues(option, text, words):
    with pytest.raises(ValueError, match=words):
        limits.parse_of_queue(BY_OPTION[option], text)


def test_qmgr_lines():
    text = (
        "data_process=2147483648 nice_process=-5 cpu_process=600:540 tempfile_request=unlimited:9 elapsed_request=0.5"
    )
    assert limits.qmgr_lines(text, "night") == [
        "set data_limit = (2147483648) night",
        "set nice_value_limit = (-5) night",
        "set per_process cpu_limit = (600, 540) night",
        "set per_request tempfile_limit = (unlimited, 9) night",
        "set elapsed_limit = (0.5) night",
    ]
    assert limits.qmgr_lines("", "night") == []
    assert limits.qmgr_lines("cpu_process=unlimited", "night") == []


#: Values as they are typed; what is beyond the unit of a kind is not.
_SIZES = st.integers(0, limits.SIZE_MAX)
_TIMES = st.integers(1, limits.TIME_MAX_S * 1000 - 1).map(lambda n: n // 1000 if n % 1000 == 0 else n / 1000)


@st.composite
def numbers(draw, limit):
    if limit.kind == limits.NICE:
        return draw(st.integers(limits.NICE_MIN, limits.NICE_MAX)), None
    kind = _SIZES if limit.kind == limits.SIZE else _TIMES
    value, warning = sorted((draw(kind), draw(kind)), reverse=True)
    return draw(st.sampled_from([(value, None), (value, warning), (None, warning)]))


@given(st.fixed_dictionaries({}, optional={limit.name: numbers(limit) for limit in limits.LIMITS}))
def test_qmgr_reads_its_lines_back_to_the_same_text(found):
    text, back = limits.to_text(found), {}
    for line in limits.qmgr_lines(text, "night"):
        command = parse_qmgr(line)
        (name,) = command.values.keys() - {"queue"}
        assert (command.verb, command.values["queue"]) == (f"set {limits.BY_NAME[name].command}", "night")
        back[name] = command.values[name]
    assert limits.to_text(back) == text


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        (
            "q data_process 1024 1048576",
            "queue q allows data segment size per process of 1 kb, but 1 mb was asked for (-ld)",
        ),
        ("q elapsed_request 0.5 unlimited", "of 0:00:00.5, but unlimited was asked for (-lE)"),
        ("q nice_process 5 -5", "queue q allows a nice value of 5 and above, but -5 was asked for (-ln)"),
        ("q cpu_process 1e5 7", "(q cpu_process 1e5 7)"),
        ("q nosuch 1 2", "(q nosuch 1 2)"),
        ("", "()"),
    ],
)
def test_what_a_refusal_says(detail, words):
    assert limits.excess(detail).endswith(words)

"""The reader of the neutral layout takes what its published JSON Schema takes, and refuses what that refuses."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jcq.conf_files import conf_path
from jcq.model import limits, neutral
from jcq.model.neutral_values import values_of

SCHEMA = json.loads(Path(conf_path("spoolconv", "neutral.schema.json")).read_bytes())
VALIDATORS = {
    kind.stem: Draft202012Validator({"$ref": f"#/$defs/{kind.stem}", "$defs": SCHEMA["$defs"]})
    for kind in neutral.KINDS
}
LEAST = {
    "settings": {"name": "run_limit", "value": 7},
    "managers": {"name": "bob", "role": "o"},
    "queues": {"name": "night"},
    "complexes": {"name": "all", "run_limit": 3},
    "requests": {"id": 17, "queue": "night", "user": "alice", "script": "date\n"},
}

_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=6),
    st.sampled_from(
        ["", "/", "/a", "a", "a\n", "/a\n", "022", "1777", "0", "7\n", "QQ==", "QQ", "QQ==\n", "17", "17.h", "1 7",
         "..", "a/..", "../a", "a..b/c", "\udc80", "\ud800", "\0", "A=", "QUEUED", "BATCH", "m",
         "run_limit", "default_queue", "x" * 4096, "x" * 4097, "unlimited"]
    ),
)  # fmt: skip
_NUMBERS = st.one_of(
    st.integers(-2, 70),
    st.sampled_from([2**32 - 2, 2**32 - 1, 2**63 - 1, 2**63, 10**9, 10**9 + 1, 10**15, 10**15 + 1, 10**400]),
    st.sampled_from([0.0, 1.0, 1.5, 0.001, 0.0005, -0.0, 1e9, 1e300, float("inf"), 253402300799.5]),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
_PAIRS = st.fixed_dictionaries({}, optional={"value": _SCALARS, "warning": _SCALARS, "more": _SCALARS})
_VALUES = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, max_size=3),
    st.dictionaries(_TEXTS, _SCALARS, max_size=2),
    st.dictionaries(st.sampled_from([limit.name for limit in limits.LIMITS]), st.one_of(_PAIRS, _SCALARS), max_size=2),
)


def taken(kind, line):
    try:
        values_of(kind, line)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("kind", neutral.KINDS, ids=lambda kind: kind.stem)
def test_reader_and_schema_agree(kind):
    validator = VALIDATORS[kind.stem]
    names = st.sampled_from([*(key.name for key in kind.keys), "unknown"])
    changed = st.dictionaries(names, _VALUES, max_size=3)
    without = st.sets(st.sampled_from(list(LEAST[kind.stem])), max_size=1)
    outcomes = set()

    @settings(max_examples=250, deadline=None, derandomize=True, database=None)
    @given(changed, without)
    def agree(changes, gone):
        line = {key: value for key, value in (LEAST[kind.stem] | changes).items() if key not in gone}
        outcome = taken(kind, line)
        assert outcome == validator.is_valid(line), line
        outcomes.add(outcome)

    agree()
    assert outcomes == {True, False}


@pytest.mark.parametrize("kind", neutral.KINDS, ids=lambda kind: kind.stem)
@pytest.mark.parametrize("line", [None, [], 1, "x", True, {}])
def test_what_is_no_line(kind, line):
    assert not taken(kind, line)
    assert not VALIDATORS[kind.stem].is_valid(line)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    marker = Draft202012Validator(SCHEMA)
    assert marker.is_valid({"format": "jcq-dump", "version": 1, "counts": {"requests": 1}})
    assert not marker.is_valid({"format": "jcq-dump", "version": 2})

"""Request names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.model.requestname import chosen, default


@pytest.mark.parametrize(
    ("script_name", "name"),
    [
        ("job.sh", "job.sh"),
        ("STDIN", "STDIN"),
        ("/a/b/job.sh", "job.sh"),
        ("1st.sh", "R1st.sh"),
        ("", "STDIN"),
        ("..", "STDIN"),
        ("a\nb", "a_b"),
        ("x" * 80, "x" * 63),
        ("9" * 80, "R" + "9" * 62),
        ("caf\udce9.sh", "caf\udce9.sh"),
        ("my job", "my job"),
    ],
)
def test_default(script_name, name):
    assert default(script_name) == name


@pytest.mark.parametrize(("asked", "name"), [("a", "a"), ("2nd", "R2nd"), ("x" * 63, "x" * 63), ("é", "é")])
def test_chosen(asked, name):
    assert chosen(asked) == name


@pytest.mark.parametrize("asked", ["", ".", "..", "a/b", "a\nb", "a\x1b[2J", "x" * 64, "1" * 63, "a\x7f", "a\u202eb"])
def test_refused(asked):
    with pytest.raises(UsageError, match="-r") as caught:
        chosen(asked)
    assert str(caught.value).isprintable()


@given(st.text())
def test_every_script_name_gives_a_name_that_could_be_chosen(script_name):
    assert chosen(default(script_name)) == default(script_name)

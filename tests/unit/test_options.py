"""The option tables and their parser."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.help import text
from jcq.options import QDEL, QSTAT, QSUB, QWAIT, TABLES, parse, signal_number


@pytest.mark.parametrize(
    ("table", "argv", "values", "operands"),
    [
        (QSUB, [], {}, []),
        (QSUB, ["job.sh"], {}, ["job.sh"]),
        (QSUB, ["-q", "night", "-p", "10", "job.sh"], {"queue": "night", "priority": 10}, ["job.sh"]),
        (QSUB, ["job.sh", "-q", "night"], {"queue": "night"}, ["job.sh"]),
        (QSUB, ["-q", "-x"], {"queue": "-x"}, []),
        (QSUB, ["-p", "0", "-p", "63"], {"priority": 63}, []),
        (QSUB, ["-eo", "-x", "-z", "-nr"], dict.fromkeys(("joined", "export", "silent", "not_restartable"), True), []),
        (QSUB, ["-e", "o"], {"err_path": "o"}, []),
        (QSUB, ["--", "-q"], {}, ["-q"]),
        (QSUB, ["-"], {}, ["-"]),
        (QSUB, ["-nosuch", "--help"], None, None),
        (QSUB, ["--help", "-nosuch"], {"help": True}, []),
        (QSTAT, ["-a", "night", "day", "--json"], {"all": True, "json": True}, ["night", "day"]),
        (QDEL, ["-9", "12"], {"signal": 9}, ["12"]),
        (QDEL, ["-TERM", "12", "13"], {"signal": 15}, ["12", "13"]),
        (QDEL, ["-SIGUSR1", "12"], {"signal": int(signal.SIGUSR1)}, ["12"]),
        (QDEL, ["-k", "-u", "smith", "12"], {"kill": True, "user": "smith"}, ["12"]),
        (QWAIT, ["12.testsite"], {}, ["12.testsite"]),
    ],
)
def test_parse(table, argv, values, operands):
    if values is None:
        with pytest.raises(UsageError, match="unknown option"):
            parse(table, argv)
        return
    assert parse(table, argv) == (values, operands)


@pytest.mark.parametrize(
    ("table", "argv", "words"),
    [
        (QSUB, ["-Q", "x"], "unknown option '-Q'"),
        (QSUB, ["-eoz"], "unknown option '-eoz'"),
        (QSUB, ["-9"], "unknown option '-9'"),
        (QSUB, ["-q"], "-q needs a value: -q queue"),
        (QSUB, ["-p", "64"], "-p needs a number from 0 to 63, not '64'"),
        (QSUB, ["-p", "-1"], "-p needs a number"),
        (QSUB, ["-p", ""], "-p needs a number"),
        (QSUB, ["-p", "٣"], "-p needs a number"),
        (QSUB, ["-p", "9" * 5000], "-p needs a number"),
        (QSUB, ["a", "b"], "unexpected word 'b'"),
        (QSUB, ["-two\nlines"], r"unknown option '-two\\nlines'"),
        (QSTAT, ["-signo"], "unknown option"),
        (QDEL, [], "request-id is missing"),
        (QDEL, ["-signo", "12"], "unknown option"),
        (QDEL, ["-0", "12"], "unknown option"),
        (QDEL, ["-65", "12"], "unknown option"),
        (QDEL, ["-99999999999", "12"], "unknown option"),
        (QDEL, ["-NOSUCH", "12"], "unknown option"),
        (QDEL, ["-_DFL", "12"], "unknown option"),
        (QWAIT, [], "request-id is missing"),
        (QWAIT, ["1", "2"], "unexpected word '2'"),
        (QWAIT, ["-9", "1"], "unknown option"),
    ],
)
def test_bad_usage(table, argv, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse(table, argv)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_signal_numbers_are_the_system_s():
    for number in signal.valid_signals():
        assert signal_number(str(int(number))) == number
    for name in signal.Signals.__members__:
        assert signal_number(name) == signal.Signals[name]
        assert signal_number(name.removeprefix("SIG").lower()) == signal.Signals[name]


@pytest.mark.parametrize("command", sorted(TABLES))
def test_help_names_every_option(command):
    help_text = text(TABLES[command])
    assert help_text.startswith(f"usage: {command}")
    for word, value, _, _, purpose in TABLES[command][5]:
        assert any(line.split()[:1] == [word] and value in line and purpose in line for line in help_text.splitlines())


def test_each_table_is_literal_and_unambiguous():
    for command, table in TABLES.items():
        assert table[0] == command
        words = [row[0] for row in table[5]]
        assert len(set(words)) == len(words)
        assert len({row[2] for row in table[5]}) == len(words)
        assert words == sorted(words, key=lambda word: (word.startswith("--"), word))


# --- whatever is typed -------------------------------------------------------------------------


def _words_of(table):
    """Words that mean something to this table, and some that do not."""
    words = [row[0] for row in table[5]] + ["--", "-", "--help", "-9", "-TERM", "12", "63", "64", "", "night"]
    return st.lists(st.sampled_from(words) | st.text(max_size=8), max_size=8)


@given(st.data())
def test_any_words_parse_or_are_refused_in_one_line(data):
    table = data.draw(st.sampled_from(list(TABLES.values())))
    argv = data.draw(_words_of(table))
    refused = ""
    try:
        values, operands = parse(table, argv)
    except UsageError as error:
        refused = str(error)
    if refused:
        assert len(refused.splitlines()) == 1
        return
    if "help" in values:
        return
    assert set(values) <= {row[2] for row in table[5]}
    assert set(operands) <= set(argv)
    assert table[3] <= len(operands)


@given(st.data())
def test_what_options_say_comes_back_in_any_order_among_operands(data):
    table = data.draw(st.sampled_from(list(TABLES.values())))
    known = [row for row in table[5] if row[0] != "-signo"]
    rows = data.draw(st.lists(st.sampled_from(known), unique_by=lambda row: row[2])) if known else []
    pieces, wanted = [], {}
    for word, value_name, key, bounds, _ in rows:
        value = True
        if value_name:
            value = data.draw(st.integers(*bounds)) if bounds else data.draw(st.text(max_size=8))
        wanted[key] = value
        pieces.append([word] if value is True else [word, str(value)])
    most = table[4] if table[4] >= 0 else 5
    operands = data.draw(st.lists(st.from_regex(r"[a-z0-9.]{1,8}", fullmatch=True), min_size=table[3], max_size=most))
    mixed = data.draw(st.permutations([*pieces, *[[word] for word in operands]]))
    found, left = parse(table, [word for piece in mixed for word in piece])
    assert found == wanted
    assert sorted(left) == sorted(operands)

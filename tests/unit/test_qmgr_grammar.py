"""The grammar of qmgr: every abbreviation that fits one keyword, every kind of value, every precise error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.model.qmgr_commands import COMMANDS, MANAGER, OPERATOR, USER
from jcq.model.qmgr_grammar import (
    FORMS,
    LINE_CHARACTERS_MAX,
    completions,
    form_of,
    join_lines,
    next_keywords,
    parse,
)
from jcq.model.qmgr_help import help_text
from jcq.model.qmgr_values import KINDS
from support.qmgr_samples import SAMPLES


def values_text(form):
    """A whole set of values for a form, as text, and what must be understood."""
    text = f" {form.equals.strip('[]')}"
    values = {}
    for part in form.parts:
        word = f" {part.keyword.text}" if part.keyword else ""
        if part.kind:
            sample, values[part.name] = SAMPLES[part.kind]
            word += f" = {sample}" if part.keyword else f" {sample}"
        else:
            values[part.name] = True
        text += word
    return text, values


def test_every_kind_of_value_has_a_sample():
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.verb)
def test_every_command_parses_with_all_its_values(form):
    text, values = values_text(form)
    command = parse(form.verb + text)
    assert (command.verb, command.values, command.right) == (form.verb, values, form.right)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.verb)
def test_documented_short_forms_are_enough(form):
    """The capitals of the table, typed alone, mean the command."""
    short = " ".join(keyword.name[: keyword.shortest] for keyword in form.keywords)
    text, _ = values_text(form)
    assert parse(short + text).verb == form.verb


def test_no_two_keywords_at_one_place_share_their_documented_short_form():
    paths = {()} | {tuple(form.verb.split())[:length] for form in FORMS for length in range(1, 4)}
    for path in paths:
        short = [keyword.name[: keyword.shortest] for keyword in next_keywords(path)]
        assert len(short) == len(set(short)), (path, short)


@st.composite
def abbreviated(draw):
    """(form, its keywords each cut to a form that nothing else at its place begins with, in random case)."""
    form = draw(st.sampled_from(FORMS))
    words, path = [], ()
    for keyword in form.keywords:
        others = [other.name for other in next_keywords(path) if other != keyword]
        length = draw(st.integers(1, len(keyword.name)))
        while any(other.startswith(keyword.name[:length]) for other in others) and length < len(keyword.name):
            length += 1
        words.append("".join(draw(st.sampled_from((c.lower(), c.upper()))) for c in keyword.name[:length]))
        path = (*path, keyword.name)
    return form, words


@given(abbreviated(), st.sampled_from((" ", "  ", "\t ")))
def test_any_unambiguous_abbreviation_in_any_case_means_the_same(case, blank):
    form, words = case
    text, values = values_text(form)
    command = parse(blank.join(words) + text)
    assert (command.verb, command.values) == (form.verb, values)


def _fits(path, prefix):
    """Keywords that fit, where nothing decides between them."""
    fits = [keyword for keyword in next_keywords(path) if keyword.name.startswith(prefix)]
    decided = [keyword for keyword in fits if len(prefix) >= keyword.shortest or keyword.name == prefix]
    return [keyword.name for keyword in fits] if len(fits) > 1 and len(decided) != 1 else []


#: (words up to there, an ambiguous prefix, the keywords that fit it).
AMBIGUOUS = [
    (path, prefix, _fits(path, prefix))
    for path in sorted({tuple(form.verb.split())[:length] for form in FORMS for length in range(3)})
    for prefix in sorted({keyword.name[:length] for keyword in next_keywords(path) for length in range(1, 5)})
    if _fits(path, prefix)
]


@given(st.sampled_from(AMBIGUOUS), st.booleans())
def test_an_ambiguous_abbreviation_names_the_words_that_fit(case, upper):
    path, prefix, fits = case
    word = prefix.upper() if upper else prefix
    with pytest.raises(UsageError) as caught:
        parse(" ".join((*path, word, "x")))
    message = str(caught.value)
    assert "ambiguous" in message
    assert message.split(": ", 1)[1].split(", ") == fits


def refusal_of(line):
    """The message and exit code of a line that is refused; None for one that parses."""
    try:
        parse(line)
    except UsageError as error:
        return str(error), error.exit_code
    return None


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_in_one_line(text):
    refused = refusal_of(text)
    assert refused is None or (len(refused[0].splitlines()) == 1 and refused[1] == 2)


_WORDS = ("set", "create", "run_limit", "b", "=", "(", ")", ",", "3", "night", "'", "#", "a:m")


@given(st.lists(st.sampled_from(_WORDS)))
def test_words_of_the_grammar_in_any_order_parse_or_are_refused(words):
    refused = refusal_of(" ".join(words))
    assert refused is None or refused[1] == 2


# --- single facts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "set run_limit = 3 night",
        "set run_limit=(3) night",
        "set run_limit= 3 night",
        "set run_limit =3 night",
        "SET RUN_LIMIT=( 3 )night",
        "se r = '3' \"night\"  # three",
        "\tset\trun_limit\t=\t3\tnight",
    ],
)
def test_blanks_case_parentheses_and_quotes_do_not_matter(line):
    command = parse(line)
    assert (command.verb, command.values) == ("set run_limit", {"run_limit": 3, "queue": "night"})


@pytest.mark.parametrize("line", ["", "   ", "\t", "# create batch_queue x", "   # x"])
def test_blank_lines_and_comments_are_nothing(line):
    assert parse(line) is None


def test_options_come_in_any_order_and_short():
    command = parse("cr pipe p dest=(a,b) pri = 4 pipeonly")
    assert command.values == {
        "queue": "p",
        "destinations": (("a", ""), ("b", "")),
        "priority": 4,
        "pipeonly": True,
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("craete batch_queue x", ["'craete' is no command of qmgr", "help"]),
        ("create", ["create: a word is missing", "use one of batch_queue, ", "pipe_queue"]),
        ("create box x", ["create: unknown word 'box'", "use one of batch_queue, ", "pipe_queue"]),
        ("set default destination_retry wait = 0", ["a number of minutes must be a whole number from 1"]),
        ("set retention 5", ["= is missing"]),
        ("set shell_strategy", ["use one of fixed, free, login"]),
        ("create batch_queue", ["a queue is missing", "syntax: Create Batch_queue <queue>"]),
        ("create batch_queue 9x", ["'9x' is no name of a queue"]),
        ("create batch_queue x priority", ["= is missing after priority"]),
        ("create batch_queue x priority=", ["a priority is missing"]),
        ("create batch_queue x priority=64", ["from 0 to 63", "'64'"]),
        ("create batch_queue x priority=-1", ["from 0 to 63", "'-1'"]),
        ("create batch_queue x priority=²", ["from 0 to 63"]),
        ("create batch_queue x priority=1 pri=2", ["priority is given twice"]),
        ("create batch_queue x pipeonly=1", ["unexpected '='"]),
        ("create batch_queue x y", ["unexpected 'y'"]),
        ("create batch_queue x run_limit=0", ["a run limit must be a whole number from 1"]),
        ("create batch_queue x user_limit=-2", ["a user limit must be a whole number from 0"]),
        ("create complex = (a, a) x", ["a is named twice"]),
        ("create complex = (a) 9", ["'9' is no name of a complex"]),
        ("create pipe_queue x dest=()", ["a destination is missing"]),
        ("create pipe_queue x dest=(a", ["the parenthesis of a list is not closed"]),
        ("create pipe_queue x dest=(a,,b)", ["a destination is missing before a comma"]),
        ("create pipe_queue x dest=a@", ["the host after @ is missing"]),
        ("create pipe_queue x server=(/a/b", ["the parenthesis of a program is not closed"]),
        ("set run_limit 3 night", ["set run_limit: = is missing", "syntax: SEt Run_limit = <run_limit> <queue>"]),
        ("set run_limit=(3 night", ["one value is expected in the parentheses"]),
        ("set run_limit=(3", ["the parenthesis before '3' is not closed"]),
        ("set priority = 4", ["a queue is missing"]),
        ("set restart = (mig) night", ["ambiguous: MIGRATION_PURGE, MIGRATION_STOP"]),
        ("set restart = (AGAIN) night", ["'AGAIN' is no restart attribute", "RESTART, PURGE, STOP"]),
        ("set nqsbg = maybe night", ["write ON or OFF, not 'maybe'", "syntax: SEt NQsbg = <on_off> <queue>"]),
        ("add managers alice", ["write NAME:m for a manager and NAME:o for an operator", "'alice'"]),
        ("add managers alice:x", ["write NAME:m"]),
        ("add managers :m", ["write NAME:m"]),
        ("add managers a:m a:o", ["a is named twice"]),
        ("hold request=(1, x)", ["'x' is no request id"]),
        ("move request 1 night", ["move request: = is missing"]),
        ("move request = (1, x) night", ["'x' is no request id"]),
        ("modify request 1,2 name=x", ["unexpected ','"]),
        ("modify request x", ["'x' is no request id"]),
        ("modify request 1 name=a/b", ["a request name holds neither '/' nor control characters"]),
        ("modify request 1 name=''", ["NAME needs a name"]),
        ("abort queue night soon", ["a number of seconds", "'soon'"]),
        ("shutdown now", ["a number of seconds", "'now'"]),
        ("show queue a b", ["show queue: unexpected 'b'"]),
        ("show queue 'a", ["the quote ' before 'a' is not closed"]),
        ("show\x00queue", ["control character"]),
        ("exit now", ["unexpected 'now'"]),
        ("#" * (LINE_CHARACTERS_MAX + 1), [f"at most {LINE_CHARACTERS_MAX}"]),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_write(line, words):
    with pytest.raises(UsageError) as caught:
        parse(line)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["a", "b"], [(1, "a", True), (2, "b", True)]),
        (["a \\", "b\n", "c"], [(1, "a  b", True), (3, "c", True)]),
        (["a \\\n", "b\\  \n", "c\r\n"], [(1, "a  b c", True)]),
        (["# a \\", "b"], [(1, "# a \\", True), (2, "b", True)]),
        (["'#' \\", "b"], [(1, "'#'  b", True)]),
        (["a", "b \\"], [(1, "a", True), (2, "b  ", False)]),
        ([], []),
    ],
)
def test_a_backslash_at_the_end_continues_a_line_and_errors_name_its_first(lines, joined):
    assert list(join_lines(lines)) == joined


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["abort", "add", "create", "delete", "disable", "enable", "exit", "help", "hold", "lock", "modify"]),
        ("sh", ["show", "shutdown"]),
        ("set r", ["restart", "retention", "run_limit"]),
        ("SET RE", ["restart", "retention"]),
        ("set def b ", ["priority", "queue"]),
        ("create b night p", ["priority", "pipeonly"]),
        ("create b ", []),
        ("set run_limit = 3 n", []),
        ("nonsense ", []),
        ("mov", ["move"]),
        ("s ", []),
    ],
)
def test_completion_offers_what_may_stand_there(typed, offered):
    found = completions(typed)
    assert found[: len(offered)] == offered
    if typed:
        assert found == offered


def test_help_lists_every_command_and_explains_it():
    text = help_text()
    for form in FORMS:
        assert f"  {form.syntax}\n" in text
        assert form.help.split()[0] in help_text(form.verb.split())
    assert "  SEt PER_Process Cpu_limit = <limit> <queue>\n" in text


@pytest.mark.parametrize(
    ("topic", "verbs"),
    [
        (("set", "run"), ["set run_limit"]),
        (("SHOW", "LONG", "QUEUE"), ["show long queue"]),
        (("add", "u"), ["add users"]),
        (("add", "d"), ["add destination", "add device"]),
    ],
)
def test_help_explains_the_commands_that_begin_with_a_topic(topic, verbs):
    text = help_text(topic)
    shown = [form.verb for form in FORMS if f"{form.syntax}\n" in text]
    assert shown == verbs


def test_help_for_an_unknown_topic_is_refused():
    with pytest.raises(UsageError, match="no command begins with 'data_limit'"):
        help_text(("data_limit",))


def test_rights_are_those_of_the_design():
    """Managers may do all; operators what keeps queues going; users look."""
    rights = {form.verb: form.right for form in FORMS}
    of_operators = {"enable queue", "disable queue", "start queue", "stop queue", "abort queue", "purge queue"}
    of_operators |= {"move queue", "disable device", "enable device"} | {
        verb for verb in rights if verb.endswith(" request")
    }
    assert {verb for verb, right in rights.items() if right == OPERATOR} == of_operators
    assert {verb for verb, right in rights.items() if right == USER} == {
        verb for verb in rights if verb.startswith("show") or verb in ("help", "exit")
    }
    assert {right for _, right, _ in COMMANDS} == {USER, OPERATOR, MANAGER}


def test_form_of_needs_all_keywords():
    assert form_of(("set", "default")) is None
    assert form_of(("show", "queue")).verb == "show queue"

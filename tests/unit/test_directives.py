"""Options in a script's first comment block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.model.directives import BLOCK_BYTES_MAX, effective, lines
from jcq.options import QSUB


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (b"", []),
        (b"echo\n#@$-q x\n", []),
        (b"#@$-q x\n", [(1, ["-q", "x"])]),
        (b"#@$-q x", [(1, ["-q", "x"])]),
        (b"# @$-q x\n", [(1, ["-q", "x"])]),
        (b"#\t@$ -q x\n", [(1, ["-q", "x"])]),
        (b"#QSUB -q x\n", [(1, ["-q", "x"])]),
        (b"#   QSUB\t-q x\n", [(1, ["-q", "x"])]),
        (b"#!/bin/sh\n\n: a label\n   \t\n# words\n#@$-eo -nr\n", [(6, ["-eo", "-nr"])]),
        (b"## @$-lm 1800mb\n#@$-q x\n", [(2, ["-q", "x"])]),
        (b"# # @$-q y\n#@$-q x\n", [(2, ["-q", "x"])]),
        (b"#@$-q x\n#@$\n#@$-q y\n", [(1, ["-q", "x"])]),
        (b"#@$-q x\n#@$  \t\r\n#@$-q y\n", [(1, ["-q", "x"])]),
        (b"#QSUB -q x\n# QSUB\n#QSUB -q y\n", [(1, ["-q", "x"])]),
        (b"#@$-q x\n #@$-q y\n#@$-q z\n", [(1, ["-q", "x"])]),
        (b"#QSUBMIT -q x\n#QSUB-q x\n#qsub -q x\n", []),
        (b"#@$-q x # the night queue\n", [(1, ["-q", "x"])]),
        (b"#@$-q x#-p 3\n", [(1, ["-q", "x"])]),
        (b"#@$-r 'a #1' -q x\n", [(1, ["-r", "a #1", "-q", "x"])]),
        (b'#@$-a "11pm tues"\n', [(1, ["-a", "11pm tues"])]),
        (b"#@$-r a' 'b\"c\"\n", [(1, ["-r", "a bc"])]),
        (b"#@$-r ''\n", [(1, ["-r", ""])]),
        (b"#@$-q x\r\n#@$-nr\r\n", [(1, ["-q", "x"]), (2, ["-nr"])]),
        (b"#@$-r caf\xe9\n", [(1, ["-r", "caf\udce9"])]),
        ("#@$-r café\n".encode(), [(1, ["-r", "café"])]),
        (b"\x7fELF\x00\x01#@$-q x\n", []),
        (b"#@$ # only a remark\n#@$-q x\n", [(1, []), (2, ["-q", "x"])]),
    ],
)
def test_lines(script, found):
    assert lines(script) == found


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (b"#!/bin/sh\n#@$-q x\n# @$-lP 64\n", "script line 3: unknown option '-lP'"),
        (b"#@$-q\n", "script line 1: -q needs a value"),
        (b"#@$-p 64\n", "script line 1: -p needs a number"),
        (b"\n\n#@$-r 'a\n", "script line 3: the quote ' is not closed"),
        (b"# QSUB options follow\n", "script line 1: 'options' is no option"),
        (b"#@$--help\n", "script line 1: '--help' is no option"),
        (b"#@$-e a\n#@$-eo\n", "script: -e and -eo exclude each other"),
        (b"#@$-ke -eo\n", "exclude each other"),
        (b"#@$-o a -ko\n", "script: -o and -ko exclude each other"),
    ],
)
def test_bad_directives_name_the_line(script, words):
    with pytest.raises(UsageError, match=words):
        effective(QSUB, [], script)


def test_the_command_line_wins():
    script = b"#@$-q night -p 5\n#@$-o a -eo -nr\n"
    assert effective(QSUB, ["-q", "day", "x.sh"], script) == (
        {"queue": "day", "priority": 5, "out_path": "a", "joined": True, "not_restartable": True},
        ["x.sh"],
    )


@pytest.mark.parametrize("argv", [["-e", "b"], ["-ke"], ["-eo"]])
@pytest.mark.parametrize("script", [b"#@$-e a\n", b"#@$-ke\n", b"#@$-eo\n"])
def test_the_command_line_replaces_a_contradicting_directive(argv, script):
    assert effective(QSUB, argv, script) == effective(QSUB, argv, b"")


@pytest.mark.parametrize("argv", [["-e", "b", "-eo"], ["-o", "b", "-ko"], ["-ke", "-eo"]])
def test_a_contradiction_on_the_command_line_is_refused(argv):
    with pytest.raises(UsageError, match="exclude each other"):
        effective(QSUB, argv, b"")


@pytest.mark.parametrize("word", ["-d", "--parsable", "--wait"])
def test_what_the_command_itself_does_is_no_directive(word):
    with pytest.raises(UsageError, match=f"script line 2: {word} may stand on the command line only"):
        effective(QSUB, [], b"#!/bin/sh\n#@$-q x %b\n" % word.encode())
    effective(QSUB, [word], b"#!/bin/sh\n#@$-q x\n")


def test_parsable_and_z_exclude_each_other_and_the_command_line_wins():
    with pytest.raises(UsageError, match="-z and --parsable exclude each other"):
        effective(QSUB, ["-z", "--parsable"], b"")
    assert effective(QSUB, ["--parsable"], b"#@$-z\n")[0] == {"parsable": True}


def test_a_later_directive_replaces_an_earlier_one():
    assert effective(QSUB, [], b"#@$-q a\n#@$-q b\n")[0] == {"queue": "b"}


def test_a_comment_block_without_end_is_refused():
    line = b"#" + b"x" * 1022 + b"\n"
    with pytest.raises(UsageError, match="comment block is longer"):
        lines(line * (BLOCK_BYTES_MAX // 1024 + 1))
    with pytest.raises(UsageError, match="comment block is longer"):
        lines(b"#" + b"x" * BLOCK_BYTES_MAX)
    assert lines(line * (BLOCK_BYTES_MAX // 1024)) == []


def test_a_large_script_without_a_comment_is_no_trouble():
    assert lines(b"#@$-q x\necho " + b"x" * (4 * BLOCK_BYTES_MAX)) == [(1, ["-q", "x"])]
    assert lines(b"x" * (4 * BLOCK_BYTES_MAX)) == []


WORD = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1).filter(
    lambda word: not set(word) & set("'\"#")
)


@given(
    st.lists(st.lists(WORD, min_size=1, max_size=4), max_size=5),
    st.sampled_from(["#@$", "# @$ ", "#QSUB ", "#\tQSUB\t"]),
)
def test_what_is_written_is_read(rows, marker):
    script = "#!/bin/sh\n" + "".join(f"{marker}{' '.join(row)}\n" for row in rows) + "echo\n#@$-q late\n"
    assert lines(script.encode()) == [(number, row) for number, row in enumerate(rows, 2)]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(script):
    for prefix in (b"", b"#@$", b"# QSUB "):
        refused = ""
        try:
            effective(QSUB, [], prefix + script)
        except UsageError as error:
            refused = str(error)
        assert "\n" not in refused


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n'\"", exclude_categories=("Cs",))),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_what_is_quoted_comes_back(words, data):
    quotes = [data.draw(st.sampled_from("'\"")) for _ in words]
    line = " ".join(f"{quote}{word}{quote}" for quote, word in zip(quotes, words, strict=True))
    for marker in ("#@$", "# @$ ", "#QSUB ", "# QSUB\t"):
        assert lines(f"{marker}{line} # '\n".encode()) == [(1, words)]

"""The options that stand in a script: the first comment block's `#@$-q x`, `# @$-q x`, `#QSUB -q x` lines.

Rules (nqs-facts.md section 2): blank lines and lines that begin with `:` are passed over; the first
other line that does not begin with `#` ends the block, and so does a marker with nothing behind it;
`#` outside quotes ends the options of its line; `## @$` is an ordinary comment. A marker `QSUB` must
be followed by a blank. Quotes group words, there is no escape character. What stands behind a marker
and is no option is an error that names the line: a misspelt directive that is silently a comment
would run the request somewhere else.
"""

from jcq import options
from jcq.errors import UsageError

#: A comment block longer than this is refused: reading it would keep other people's commands waiting.
BLOCK_BYTES_MAX = 1024 * 1024

#: Options that replace each other: those of the command line drop all of their group from the script.
GROUPS = (
    ("err_path", "joined", "keep_err"),
    ("out_path", "keep_out"),
    ("direct_err", "joined", "keep_err"),
    ("direct_out", "keep_out"),
    ("silent", "parsable"),
)
_SPELLED = {
    "err_path": "-e",
    "joined": "-eo",
    "keep_err": "-ke",
    "direct_err": "-re",
    "out_path": "-o",
    "keep_out": "-ko",
    "direct_out": "-ro",
    "silent": "-z",
    "parsable": "--parsable",
}
#: What the submitting command itself does, which reads no directives.
_COMMAND_LINE_ONLY = {"delete": "-d", "parsable": "--parsable", "timeout": "--timeout", "wait": "--wait"}


def effective(table, argv, script):
    """The options of a submission: the script's, overridden by the command line's.

    Args:
        table: the option table, `jcq.options.QSUB`.
        argv: the command line behind the command's name.
        script: bytes; any bytes, since a script need not be text.
    Returns:
        ({key: value}, [operands]) as `jcq.options.parse`.
    Raises:
        UsageError: bad usage of either; for the script it names the line.
    """
    given, operands = options.parse(table, argv)
    refuse_contradiction(given, "")
    embedded = {}
    # A directive has no operands: let them pass, to say so in words that fit.
    flags_only = (*table[:3], 0, -1, *table[5:])
    for number, words in lines(script):
        try:
            values, stray = options.parse(flags_only, words)
        except UsageError as error:
            raise UsageError(reason=f"script line {number}: {error}") from None
        if stray or "help" in values:
            raise UsageError(
                reason=f"script line {number}: {(stray or ['--help'])[0]!r} is no option; "
                "correct it, or put a second # before the marker"
            )
        for key, word in _COMMAND_LINE_ONLY.items():
            if key in values:
                raise UsageError(reason=f"script line {number}: {word} may stand on the command line only")
        embedded.update(values)
    refuse_contradiction(embedded, "script: ")
    for group in GROUPS:
        if any(key in given for key in group):
            for key in group:
                embedded.pop(key, None)
    return {**embedded, **given}, operands


def refuse_contradiction(values, where):
    """Raise UsageError where two options of one group are given; `where` begins the message."""
    for group in GROUPS:
        both = [_SPELLED[key] for key in group if key in values]
        if len(both) > 1:
            raise UsageError(reason=f"{where}{both[0]} and {both[1]} exclude each other; give one of them")


def lines(script):
    """The directives of a script.

    Returns:
        A list of (line number from 1, [words]); words are text with the script's odd bytes as surrogates.
    Raises:
        UsageError: a quote is not closed, or the block is longer than `BLOCK_BYTES_MAX`.
    """
    found = []
    number = 0
    start = 0
    while start < len(script):
        number += 1
        end = script.find(b"\n", start, BLOCK_BYTES_MAX)
        first = script[start : start + 1]
        if end < 0:
            if len(script) > BLOCK_BYTES_MAX and first in b"#:":
                raise UsageError(
                    reason=f"the script's first comment block is longer than {BLOCK_BYTES_MAX >> 20} MiB; "
                    "end it with a line that is no comment"
                )
            end = min(len(script), BLOCK_BYTES_MAX)
        line = script[start:end]
        start = end + 1
        if first == b":" or not line.strip():
            continue
        if first != b"#":
            break
        flags = _behind_marker(line)
        if flags is None:
            continue
        if not flags.strip():
            break
        found.append((number, _words(flags, number)))
    return found


def _behind_marker(line):
    """What stands behind `@$` or `QSUB` of a comment line, or None where it is no directive."""
    text = line[1:].lstrip(b" \t")
    if text.startswith(b"@$"):
        return text[2:]
    if text.startswith(b"QSUB") and (len(text) == 4 or text[4:5].isspace()):
        return text[4:]
    return None


def _words(flags, number):
    words = []
    word = ""
    inside = False
    quote = ""
    for character in flags.decode("utf-8", "surrogateescape"):
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote = character
            inside = True
        elif character == "#":
            break
        elif character.isspace():
            if inside:
                words.append(word)
            word, inside = "", False
        else:
            word += character
            inside = True
    if quote:
        raise UsageError(reason=f"script line {number}: the quote {quote} is not closed")
    if inside:
        words.append(word)
    return words

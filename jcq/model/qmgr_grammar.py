"""The grammar of qmgr: one line of text becomes a command, or a precise error.

Both sides use it: the client, to complete keywords and to answer without the site what needs no
site; the daemon, which believes nobody. It is driven by the table in `jcq.model.qmgr_commands`.

Keywords may be written in any case and abbreviated: to the documented shortest form, or to anything
that fits one keyword only. Blanks round `=`, `(`, `)` and `,` mean nothing; `#` outside quotes starts
a comment; a value may stand in quotes or parentheses; a list is `(a, b)`, `a, b`, or one value.
Source: nqs-facts.md sections 4 and 8, which have the scripts that this must read.
"""

import re
from dataclasses import dataclass, field

from jcq.errors import UsageError
from jcq.model.qmgr_commands import COMMANDS
from jcq.model.qmgr_tokens import Tokens, match
from jcq.model.qmgr_values import KINDS

#: The longest line that is read, continuations included.
LINE_CHARACTERS_MAX = 8192

_PART = re.compile(r"\[=\]|=|\[<(\w+)>\]|<(\w+)>|\[(\w+)(?: = <(\w+)>)?\]|(\w+)")
#: Kinds of resource limits are called as the limits are.
_LIMIT = re.compile(r"<\w+_(?:process|request)>")


@dataclass(frozen=True)
class Keyword:
    """A keyword as it is written in the table: capitals are its documented shortest form."""

    text: str

    @property
    def name(self):
        """In full, lower case."""
        return self.text.lower()

    @property
    def shortest(self):
        """Length of the documented shortest form."""
        capitals = re.split(r"[a-z]", self.text, maxsplit=1)[0]
        return len(capitals.rstrip("_"))


@dataclass(frozen=True)
class Part:
    """What may follow the keywords of a command: a value, or an option with or without one."""

    keyword: Keyword | None
    #: A key of `KINDS`; empty for an option without value.
    kind: str
    optional: bool

    @property
    def name(self):
        """Under which the value stands in `Command.values`."""
        if self.keyword and not self.kind:
            return self.keyword.name
        return self.kind.removesuffix("_or_none")


@dataclass(frozen=True)
class Form:
    """One row of the table, compiled."""

    keywords: tuple[Keyword, ...]
    #: Between the keywords and the value: "", "=" or "[=]".
    equals: str
    parts: tuple[Part, ...]
    right: str
    help: str
    syntax: str

    @property
    def verb(self):
        """The keywords in full, for instance `set run_limit`."""
        return " ".join(keyword.name for keyword in self.keywords)


@dataclass(frozen=True)
class Command:
    """One command as it was understood."""

    verb: str
    #: One of jcq.model.qmgr_commands.USER, OPERATOR, MANAGER.
    right: str
    #: Kind of value, or name of an option without one -> what was given.
    values: dict = field(default_factory=dict)


def compile_form(syntax, right, help_text):
    """Turn one row of the table into a `Form`."""
    keywords, parts, equals = [], [], ""
    for found in _PART.finditer(syntax):
        optional_kind, kind, option, option_kind, keyword = found.groups()
        if keyword:
            keywords.append(Keyword(keyword))
        elif option:
            parts.append(Part(Keyword(option), option_kind or "", True))
        elif kind or optional_kind:
            parts.append(Part(None, kind or optional_kind, bool(optional_kind)))
        else:
            equals = found.group()
    shown = syntax.replace("_or_none>", ">").replace("<anything>", "...")
    shown = _LIMIT.sub("<limit>", shown)
    return Form(tuple(keywords), equals, tuple(parts), right, help_text, shown)


FORMS = tuple(compile_form(*row) for row in COMMANDS)


def next_keywords(path):
    """The keywords that may follow `path`, in the table's order.

    Args:
        path: tuple of full keyword names; empty for the first word of a command.
    """
    found = {}
    for form in FORMS:
        names = tuple(keyword.name for keyword in form.keywords)
        if names[: len(path)] == path and len(names) > len(path):
            found[names[len(path)]] = form.keywords[len(path)]
    return list(found.values())


def form_of(path):
    """The form whose keywords are exactly `path`, or None."""
    for form in FORMS:
        if tuple(keyword.name for keyword in form.keywords) == path:
            return form
    return None


def parse(line):
    """Parse one line.

    Args:
        line: text; continued lines are joined already, see `join_lines`.
    Returns:
        A `Command`, or None for a blank line or a comment.
    Raises:
        UsageError: what is wrong, and what to write instead.
    """
    if len(line) > LINE_CHARACTERS_MAX:
        raise UsageError(reason=f"a line of {len(line)} characters; at most {LINE_CHARACTERS_MAX} are read")
    tokens = Tokens(line)
    if not tokens.left():
        return None
    form = _read_keywords(tokens)
    values = {}
    _read_values(form, tokens, values)
    return Command(form.verb, form.right, values)


def _read_keywords(tokens):
    path: tuple[str, ...] = ()
    while True:
        choices = next_keywords(path)
        form = form_of(path)
        if not choices:
            return form
        token = tokens.peek()
        if token is None:
            raise UsageError(reason=f"{' '.join(path)}: a word is missing; {_one_of(choices)}")
        keyword = match(token.text, choices) if token.kind == "word" else None
        if keyword is None:
            if not path:
                raise UsageError(reason=f"{token.text!r} is no command of qmgr; help lists them")
            raise UsageError(reason=f"{' '.join(path)}: unknown word {token.text!r}; {_one_of(choices)}")
        tokens.next()
        path = (*path, keyword.name)


def _one_of(choices):
    return f"use one of {', '.join(keyword.name for keyword in choices)}"


def _read_values(form, tokens, values):
    def wrong(reason):
        return UsageError(reason=f"{form.verb}: {reason}; syntax: {form.syntax}")

    if form.equals:
        token = tokens.peek()
        if token is not None and token.kind == "=":
            tokens.next()
        elif form.equals == "=":
            raise wrong("= is missing")
    options = [part for part in form.parts if part.keyword]
    for part in form.parts:
        if part.keyword is None and (tokens.left() or not part.optional):
            values[part.name] = _read_value(part.kind, tokens, wrong)
    while tokens.left():
        token = tokens.next()
        keyword = match(token.text, [part.keyword for part in options]) if token.kind == "word" else None
        if keyword is None:
            raise wrong(f"unexpected {token.text!r}")
        part = next(part for part in options if part.keyword == keyword)
        if part.name in values:
            raise wrong(f"{keyword.name} is given twice")
        if not part.kind:
            values[part.name] = True
            continue
        if not tokens.left() or tokens.next().kind != "=":
            raise wrong(f"= is missing after {keyword.name}")
        values[part.name] = _read_value(part.kind, tokens, wrong)


def _read_value(kind, tokens, wrong):
    try:
        return KINDS[kind](tokens)
    except ValueError as error:
        raise wrong(str(error)) from None


# --- lines -----------------------------------------------------------------------------------


def join_lines(lines):
    r"""Join lines that end with `\` with those that follow.

    Args:
        lines: iterable of text lines, with or without their newline.
    Yields:
        (number of the first line from 1, joined text, whether it is complete). The last one is
        incomplete where a `\` has no line after it. A `\` in a comment continues nothing.
    """
    first, text = 0, ""
    for number, line in enumerate(lines, 1):
        first = first or number
        text += line.rstrip("\r\n")
        if continues(text):
            text = text.rstrip()[:-1] + " "
            continue
        yield first, text, True
        first, text = 0, ""
    if first:
        yield first, text, False


def continues(text):
    r"""Whether a line goes on with the next one: it ends with `\` outside a comment."""
    stripped = text.rstrip()
    return stripped.endswith("\\") and not _in_comment(stripped)


def _in_comment(text):
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#":
            return True
    return False


# --- completion ------------------------------------------------------------------------------


def completions(line):
    """Keywords that may stand where `line` ends, for the interactive form.

    Args:
        line: what has been typed up to the cursor; its last word may be unfinished.
    Returns:
        Keywords in full, lower case. Empty where a value is expected.
    """
    words = line.split()
    unfinished = words.pop().lower() if words and not line[-1].isspace() else ""
    path: tuple[str, ...] = ()
    for word in words:
        choices = next_keywords(path)
        if not choices:
            break
        try:
            keyword = match(word, choices)
        except UsageError:
            return []
        if keyword is None:
            return []
        path = (*path, keyword.name)
    known = [keyword.name for keyword in next_keywords(path)]
    form = form_of(path)
    if form and len(words) > len(path):
        known = [part.keyword.name for part in form.parts if part.keyword]
    return [name for name in known if name.startswith(unfinished)]

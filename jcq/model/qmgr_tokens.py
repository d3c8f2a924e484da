"""The words and signs of a qmgr line, and which keyword a word means."""

from dataclasses import dataclass

from jcq.errors import UsageError

_SINGLE = "=(),"


@dataclass(frozen=True)
class Token:
    """A word or a sign; `start` and `end` say where it stands in the line."""

    #: "word", "quoted" (a word with quotes in it, which is never a keyword), or the sign itself.
    kind: str
    text: str
    start: int
    end: int


class Tokens:
    """The tokens of one line, read from left to right.

    Raises:
        UsageError: a quote is not closed, or there is a control character.
    """

    def __init__(self, line):
        self.line = line
        self._tokens = list(_split(line))
        self._next = 0

    def left(self):
        """How many have not been read."""
        return len(self._tokens) - self._next

    def peek(self):
        """The next token, or None."""
        return self._tokens[self._next] if self.left() else None

    def next(self):
        """Read the next token, or None."""
        token = self.peek()
        self._next += 1 if token else 0
        return token


def _split(line):
    at = 0
    while at < len(line):
        character = line[at]
        if character == "#":
            return
        if character.isspace() and character not in "\r\n\v\f":
            at += 1
        elif character in _SINGLE:
            yield Token(character, character, at, at + 1)
            at += 1
        else:
            token = _word(line, at)
            yield token
            at = token.end


def _word(line, start):
    text, at, quote, kind = "", start, "", "word"
    while at < len(line):
        character = line[at]
        if not character.isprintable() and character != "\t":
            raise UsageError(reason=f"the control character {character!r} may not stand in a command")
        if quote:
            if character == quote:
                quote = ""
            else:
                text += character
        elif character in "'\"":
            quote, kind = character, "quoted"
        elif character.isspace() or character in _SINGLE or character == "#":
            break
        else:
            text += character
        at += 1
    if quote:
        raise UsageError(reason=f"the quote {quote} before {text!r} is not closed")
    return Token(kind, text, start, at)


def match(word, keywords):
    """Find the keyword that a word means.

    Args:
        word: as typed, in any case.
        keywords: objects with `.name` (full, lower case) and `.shortest` (documented length).
    Returns:
        The keyword, or None where none begins with the word. A full keyword and a documented short
        form win over longer keywords that begin with them too.
    Raises:
        UsageError: it is ambiguous; the message names the words that fit.
    """
    wanted = word.lower()
    fits = [keyword for keyword in keywords if wanted and keyword.name.startswith(wanted)]
    for keyword in fits:
        if keyword.name == wanted:
            return keyword
    documented = [keyword for keyword in fits if len(wanted) >= keyword.shortest]
    if len(documented) == 1:
        return documented[0]
    if len(fits) > 1:
        raise UsageError(reason=f"{word!r} is ambiguous: {', '.join(keyword.name for keyword in fits)}")
    return fits[0] if fits else None

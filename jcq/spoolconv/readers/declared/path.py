"""Where files of a spool are: a path whose components may have parts, `control/{sub}/{seq}{mid}`.

A part is a number in some alphabet or a text. What is read out of a control file's name can be written into the name
of its data file; `*` stands for any name or piece of one.
"""

import re
import string
from dataclasses import dataclass

from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.declared.sheet import shown

PARTS_MAX = 16
#: Directories that one path may lead through; more is no spool.
_DIRECTORIES_MAX = 100_000
#: Digits in one part: what is longer is no number of a spool.
_CHARACTERS_MAX = 64
#: Of a file name.
_NAME_MAX = 255
_BASES = {8: string.octdigits, 10: string.digits, 16: "0123456789abcdef"}
_TOKEN = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*)\}|(\*)|([^{}*]+)", re.ASCII)


@dataclass(frozen=True)
class Part:
    """A piece of a name."""

    name: str
    #: 0: any number of them.
    characters: int
    #: Empty: a text.
    alphabet: str

    @property
    def regex(self):
        """What it may be, as an expression."""
        one = f"[{''.join(map(re.escape, self.alphabet))}]" if self.alphabet else "[^/]"
        return f"({one}{{{self.characters}}})" if self.characters else f"({one}{{1,{_CHARACTERS_MAX}}})"

    def parse(self, text):
        """The value in a name: int or str."""
        if not self.alphabet:
            return text
        value, base, find = 0, len(self.alphabet), self.alphabet.index
        for one in text:
            value = value * base + find(one)
        return value

    def render(self, value):
        """The characters of a value; None where it does not fit, or is none."""
        text = value if not self.alphabet else self._digits(value)
        if not isinstance(text, str) or not text or "/" in text or "\0" in text:
            return None
        if self.characters:
            text = text.rjust(self.characters, self.alphabet[0]) if self.alphabet else text
            return text if len(text) == self.characters else None
        return text if len(text) <= _CHARACTERS_MAX else None

    def _digits(self, value):
        if not isinstance(value, int) or value < 0 or value.bit_length() > 64:
            return None
        digits = []
        while value or not digits:
            value, digit = divmod(value, len(self.alphabet))
            digits.append(self.alphabet[digit])
        return "".join(reversed(digits))


class Component:
    """One component of a path.

    Args:
        tokens: of `_TOKEN`: a str for itself, None for `*`, a `Part`.
    """

    def __init__(self, tokens):
        self.tokens = tokens
        self.parts = [token for token in tokens if isinstance(token, Part)]
        self.literal = "".join(tokens) if all(isinstance(token, str) for token in tokens) else None
        words = [re.escape(token) if isinstance(token, str) else token.regex if token else "[^/]*" for token in tokens]
        self._regex = re.compile("".join(words), re.DOTALL)

    def fits(self, name):
        """Whether a name may be one of this component."""
        return self._regex.fullmatch(name) is not None

    def match(self, name):
        """{part: value} where a name fits, else None."""
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        values = {}
        for part, text in zip(self.parts, found.groups(), strict=True):
            value = part.parse(text)
            if values.setdefault(part.name, value) != value:
                return None
        return values

    def render(self, values):
        """The name that these values make; None where `*` or a part that they lack is in it. Raises ValueError."""
        words = []
        for token in self.tokens:
            if token is None or (isinstance(token, Part) and token.name not in values):
                return None
            word = token if isinstance(token, str) else token.render(values[token.name])
            if word is None:
                raise ValueError(f"{token.name} {values[token.name]!r:.40} cannot be part of a file name")
            words.append(word)
        name = "".join(words)
        if name in (".", "..") or len(name) > _NAME_MAX:
            raise ValueError(f"{name!r:.40} is no file name")
        return name

    @property
    def open_ended(self):
        """How many of its tokens have no fixed length."""
        return sum(token is None or (isinstance(token, Part) and not token.characters) for token in self.tokens)


class Path:
    """A path with parts.

    Args:
        text: as it is written.
        components: of it.
    """

    def __init__(self, text, components):
        self.text = text
        self.components = components
        self.parts = {part.name for component in components for part in component.parts}
        self.is_literal = all(component.literal is not None for component in components)

    def whole(self, values):
        """The path itself, where `values` has all its parts and no `*` is in it; else None. Raises ValueError."""
        names = [component.render(values) for component in self.components]
        return None if None in names else "/".join(names)

    def find(self, source, values=None):
        """Yield (where, {part: value}) for all that the spool has under this path, directory by directory.

        Args:
            source: the `Source`.
            values: of parts that are known.
        Raises:
            ValueError: a known value cannot be part of a file name.
            Unreadable: there are too many directories.
        """
        values = dict(values or {})
        where = self.whole(values)
        if where is not None:
            if _is_there(source, where):
                yield where, values
            return
        yield from self._below(source, [], values, [_DIRECTORIES_MAX])

    def _below(self, source, directories, values, left):
        component = self.components[len(directories)]
        name = component.render(values)
        names = [name]
        if name is None:
            left[0] -= 1
            if left[0] < 0:
                raise Unreadable(path=self.text, reason=f"it leads through more than {_DIRECTORIES_MAX} directories")
            names = _names(source, "/".join(directories))
        for one in names:
            found = component.match(one)
            if found is None or any(values.get(part, value) != value for part, value in found.items()):
                continue
            where = "/".join((*directories, one))
            if len(directories) + 1 == len(self.components):
                if name is None or _is_there(source, where):
                    yield where, values | found
            elif _is_directory(source, where):
                yield from self._below(source, [*directories, one], values | found, left)


def _names(source, directory):
    try:
        return source.names(directory or ".")
    except Unreadable:
        # The search for what the description does not name reports it.
        return []


def _is_there(source, where):
    try:
        return source.status(where) is not None
    except Unreadable:
        return False


def _is_directory(source, where):
    try:
        return source.is_directory(where)
    except Unreadable:
        return False


def read_parts(sheet):
    """{name: Part} of the table `[parts]`."""
    parts = {}
    for name, one in sheet.rest().items():
        characters = one.number("characters", 1, _CHARACTERS_MAX, 0)
        base = one.take("base", int)
        alphabet = one.take("alphabet", str, "")
        if base is not None and base not in _BASES:
            one.wrong("base", f"{shown(base)} is not known", "write 8, 10 or 16, or an alphabet")
        elif base is not None and "alphabet" in one:
            one.wrong("base", "there is an alphabet too", "remove one of them")
        elif base is not None:
            alphabet = _BASES[base]
        elif "alphabet" in one and (len(alphabet) < 2 or len(set(alphabet)) < len(alphabet) or "/" in alphabet):
            one.wrong(
                "alphabet", "it needs two or more different characters and no /", "write each digit once, 0 first"
            )
            alphabet = ""
        elif "\0" in alphabet:
            one.wrong("alphabet", "a file name has no NUL", "remove it")
            alphabet = ""
        if not _TOKEN.fullmatch(f"{{{name}}}"):
            one.wrong("", "this is no name of a part", "use letters, digits and _")
        one.close()
        parts[name] = Part(name, characters, alphabet)
    return parts


def read_path(sheet, word, parts):
    """Check a path in a `Sheet`; -> `Path`, or None where it is missing or wrong."""
    text = sheet.take(word, str)
    if text is None:
        return None
    components = []
    names = text.split("/")
    if not 0 < len(names) <= PARTS_MAX or any(name in ("", ".", "..") for name in names) or "\0" in text:
        sheet.wrong(
            word, f"{shown(text)} is no path in the spool", f"write up to {PARTS_MAX} names with / between them"
        )
        return None
    for name in names:
        component = _read_component(sheet, word, name, parts)
        if component is None:
            return None
        components.append(component)
    return Path(text, components)


def _read_component(sheet, word, name, parts):
    tokens, at = [], 0
    while at < len(name):
        found = _TOKEN.match(name, at)
        if found is None:
            sheet.wrong(word, f"{shown(name)} has a brace too many", "write {part} for a part of a name")
            return None
        if found[1] is not None and found[1] not in parts:
            sheet.wrong(word, f"there is no part {found[1]}", f"add [parts.{found[1]}]")
            return None
        tokens.append(parts[found[1]] if found[1] is not None else None if found[2] else found[3])
        at = found.end()
    component = Component(tokens)
    if component.literal is not None and len(component.literal) > _NAME_MAX:
        sheet.wrong(word, f"{shown(name)} is longer than a file name", f"write at most {_NAME_MAX} characters")
        return None
    if component.open_ended > 1:
        what = f"{shown(name)} has two pieces of unknown length"
        sheet.wrong(word, what, "give all parts in it but one their number of characters")
        return None
    return component

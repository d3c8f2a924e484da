"""A table of a description while it is checked: each wrong key becomes one line, and checking goes on."""

import difflib

#: More than so many are not worth reading.
MISTAKES_MAX = 20
_SHOWN_CHARACTERS = 60
_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list in brackets",
}


class Mistakes:
    """The lines about one file.

    Args:
        file: its name, as the lines name it.
    """

    def __init__(self, file):
        self.file = file
        self.lines = []

    def add(self, key, what, remedy):
        """Note a mistake: where, what is wrong, what to do."""
        if len(self.lines) < MISTAKES_MAX:
            line = f"{self.file}: {key}: {what}; {remedy}"
            # A key or a value of the file may hold anything.
            self.lines.append("".join(one if one.isprintable() else "?" for one in line))


class Sheet:
    """One table of the file.

    Args:
        table: what tomllib made of it; anything else is noted and taken for an empty table.
        key: where it stands, `records.header`; empty for the file itself.
        mistakes: the `Mistakes` of the file.
    """

    def __init__(self, table, key, mistakes):
        self.key = key
        self.mistakes = mistakes
        self._asked = []
        self._table = table if isinstance(table, dict) else {}
        if not isinstance(table, dict):
            self.wrong("", f"{shown(table)} is no table", f"write it as [{key}]")

    def __contains__(self, word):
        return word in self._table

    def wrong(self, word, what, remedy):
        """Note a mistake at one of its keys, or at the table itself where `word` is empty."""
        self.mistakes.add(self.at(word), what, remedy)

    def at(self, word):
        """The full key of one of its words."""
        return ".".join(part for part in (self.key, word) if part) or "the file"

    def take(self, word, kind, default=None, needed=False):
        """The value of a key.

        Args:
            kind: str, int, bool, dict or list.
            default: what is returned where the key is not there or is wrong.
            needed: whether it is a mistake where it is not there.
        """
        self._asked.append(word)
        if word not in self._table:
            if needed:
                self.wrong(word, "it is missing", f"add {word} = with {_KINDS[kind]}")
            return default
        value = self._table[word]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.wrong(word, f"{shown(value)} is not {_KINDS[kind]}", f"write {_KINDS[kind]}")
            return default
        return value

    def number(self, word, low, high, default=None, needed=False):
        """A whole number from `low` to `high`."""
        value = self.take(word, int, None, needed)
        if value is None:
            return default
        if not low <= value <= high:
            self.wrong(word, f"{shown(value)} is not from {low} to {high}", "write a number between them")
            return default
        return value

    def choice(self, word, words, default=None, needed=False):
        """One of several words."""
        value = self.take(word, str, None, needed)
        if value is None:
            return default
        if value not in words:
            self.wrong(word, f"{shown(value)} is not known", f"write one of {', '.join(words)}{near(value, words)}")
            return default
        return value

    def name(self, word, known, what, default=None, needed=False):
        """The name of something that the description defines elsewhere."""
        value = self.take(word, str, None, needed)
        if value is None:
            return default
        if value not in known:
            self.wrong(word, f"there is no {what} {shown(value)}", f"define it or name another{near(value, known)}")
            return default
        return value

    def anything(self, word):
        """The value of a key, whatever it is, or None."""
        self._asked.append(word)
        return self._table.get(word)

    def table(self, word):
        """A table in it as a `Sheet`; empty where it is not there."""
        return Sheet(self.take(word, dict, {}), self.at(word), self.mistakes)

    def tables(self, word, needed=False):
        """The `Sheet`s of a list of tables, written `[[word]]`."""
        found = self.take(word, list, [], needed)
        return [Sheet(one, f"{self.at(word)}[{number}]", self.mistakes) for number, one in enumerate(found)]

    def named(self, word):
        """{name: Sheet} of the tables in a table."""
        return self.table(word).rest()

    def rest(self):
        """{key: Sheet} of all its own keys that were not asked for, each of which must be a table."""
        names = [name for name in self._table if name not in self._asked]
        self._asked += names
        return {name: Sheet(self._table[name], self.at(name), self.mistakes) for name in names}

    def pairs(self):
        """[(key, value)] of all that was not asked for, whatever it is."""
        names = [name for name in self._table if name not in self._asked]
        self._asked += names
        return [(name, self._table[name]) for name in names]

    def close(self):
        """Every key that nobody asked for is a mistake."""
        for word in self._table:
            if word not in self._asked:
                self.wrong(word, "this key is not known", f"remove it{near(word, self._asked)}")


def shown(value):
    """A value of the file in a message."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of too many digits"
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def near(word, words):
    """`, perhaps X`, where a word of `words` is like it."""
    found = difflib.get_close_matches(word[:_SHOWN_CHARACTERS], [one for one in words if isinstance(one, str)], 1)
    return f", perhaps {found[0]}" if found else ""

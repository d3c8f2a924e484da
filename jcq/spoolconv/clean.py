"""Any text, made fit for a line of a report."""

_NOTE_CHARACTERS_MAX = 300


def clean(text, most=_NOTE_CHARACTERS_MAX):
    """A text that fits a line: what is not printable is `?`, what is too long is cut."""
    text = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else text[: most - 3] + "..."

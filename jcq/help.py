"""The text of `--help`, made from a command's option table; needs no daemon."""

_COLUMN = 18


def text(table):
    """The help of one of the tables of `jcq.options`, ending with a newline."""
    command, purpose, operands, _, _, rows = table
    flags = "[options] " if rows else ""
    lines = [f"usage: {command} {flags}{operands}".rstrip(), "", purpose]
    if rows:
        lines += ["", "options:"]
    for word, value, _, _, help_text in rows:
        left = f"  {word} {value}".rstrip()
        gap = " " * max(2, _COLUMN + 2 - len(left))
        lines.append(left + gap + help_text)
    lines += ["", "The site is named by NQS_SITE; unset, it is the local site."]
    return "\n".join(lines) + "\n"

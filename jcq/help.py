"""The text of `--help`, made from a command's option table; needs no daemon."""

from jcq.options import TIMEOUT

_COLUMN = 18


def text(table):
    """The help of one of the tables of `jcq.options`, ending with a newline."""
    command, purpose, operands, _, _, rows = table
    lines = [f"usage: {command} [options] {operands}".rstrip(), "", purpose, "", "options:"]
    for word, value, _, _, help_text in (*rows, TIMEOUT):
        left = f"  {word} {value}".rstrip()
        gap = " " * max(2, _COLUMN + 2 - len(left))
        lines.append(left + gap + help_text)
    lines += ["", "The site is named by NQS_SITE; unset, it is the local site."]
    return "\n".join(lines) + "\n"

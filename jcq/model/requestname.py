"""A request's name: what `-r` says, else the script's file name, else STDIN.

A name stands in qstat's columns, in QSUB_REQNAME and at the head of the output files' names, so it
holds neither `/` nor control characters. A leading digit gets an `R` in front (nqs-facts.md section
2). NQS kept 15 characters, NQSII 63: jcq keeps 63.
"""

from jcq.errors import UsageError
from jcq.model.request import NAME_MAX

STDIN = "STDIN"


def chosen(name):
    """The name that `-r` asks for.

    Raises:
        UsageError: it is empty, too long, `.` or `..`, or holds `/` or a control character.
    """
    if not name or name in (".", ".."):
        raise UsageError(reason=f"-r needs a name, not {name!r}")
    if "/" in name or not _is_clean(name):
        raise UsageError(reason=f"-r: a request name holds neither '/' nor control characters: {name!r}")
    name = _with_letter(name)
    if len(name) > NAME_MAX:
        raise UsageError(reason=f"-r: a request name has at most {NAME_MAX} characters, not {len(name)}")
    return name


def default(script_name):
    """The name made from the script's file name: cut, and with `_` for what a name may not hold; never fails."""
    base = script_name.rsplit("/", 1)[-1]
    base = "".join(character if _is_clean(character) else "_" for character in base[: NAME_MAX + 1])
    if not base or base in (".", ".."):
        base = STDIN
    return _with_letter(base)[:NAME_MAX]


def _with_letter(name):
    return "R" + name if name[0] in "0123456789" else name


def _is_clean(text):
    """Whether there are no control characters; bytes that are no UTF-8 (surrogates) are taken as they are."""
    return all(character.isprintable() or 0xDC80 <= ord(character) <= 0xDCFF for character in text)

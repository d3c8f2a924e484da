"""The help of qmgr, made from the table of commands; it needs no site."""

from jcq.errors import UsageError
from jcq.model.qmgr_commands import MANAGER, OPERATOR, USER
from jcq.model.qmgr_grammar import FORMS

_HEAD = """\
Commands of qmgr. Keywords may be written in any case and abbreviated: capitals show the shortest form,
but whatever fits only one keyword will do. A list is (a, b), or one value. # starts a comment, \\ at the
end of a line continues it. `help WORDS` explains the commands that begin with these words.

"""
_WRAP = 100
_FOR = {USER: "", OPERATOR: " For an operator.", MANAGER: " For a manager."}


def help_text(topic=()):
    """The text of `help`, or of `help TOPIC`.

    Args:
        topic: tuple of words; each may be abbreviated.
    Raises:
        UsageError: no command begins with them.
    """
    forms = [form for form in FORMS if _about(form, topic)]
    if not forms:
        raise UsageError(reason=f"no command begins with {' '.join(topic)!r}; help lists them")
    if not topic:
        return _HEAD + "".join(f"  {form.syntax}\n" for form in forms)
    return "\n".join(_explained(form) for form in forms)


def _about(form, topic):
    names = form.verb.split()
    return len(topic) <= len(names) and all(
        name.startswith(word.lower()) for name, word in zip(names, topic, strict=False)
    )


def _explained(form):
    lines, line = [], form.help + _FOR[form.right]
    while len(line) > _WRAP:
        cut = line.rindex(" ", 0, _WRAP)
        lines.append(line[:cut])
        line = line[cut + 1 :]
    lines.append(line)
    return f"{form.syntax}\n" + "".join(f"    {line}\n" for line in lines)

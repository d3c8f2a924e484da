"""What jcq takes for one mail address."""

CHARACTERS_MAX = 254
#: They could make it several addresses, an option or a command of a mail program.
_REFUSED = frozenset(" ,;:<>()\"'`|\\/")


def valid_address(text):
    """Whether a text is `user` or `user@host`, and nothing that a mail program could take for something else."""
    return (
        0 < len(text) <= CHARACTERS_MAX
        and text.isascii()
        and text.isprintable()
        and not _REFUSED & set(text)
        and text.count("@") < 2
        and text[0] not in "-@"
        and text[-1] != "@"
    )

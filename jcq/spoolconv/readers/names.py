"""Names of old queues as jcq takes them."""

from jcq.model.queue import NAME_MAX, valid_name


class QueueNames:
    """Gives every old name one that is legal here, and no two the same.

    What is no letter, digit, `_` or `-` becomes `_`; a name that does not begin with a letter gets a `q` in front; one
    that is too long is cut; one that is taken gets a number. So `long.q` is `long_q`.
    """

    def __init__(self):
        self._by_old = {}
        self._taken = set()

    def legal(self, old):
        """The name of an old queue (str, any characters) here: the same one whenever it is asked."""
        if old not in self._by_old:
            self._by_old[old] = self._made(old)
            self._taken.add(self._by_old[old])
        return self._by_old[old]

    def _made(self, old):
        if valid_name(old) and old not in self._taken:
            return old
        stem = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in old)
        stem = (stem if stem[:1].isalpha() else f"q{stem}")[:NAME_MAX]
        name, number = stem, 2
        while name in self._taken:
            tail = f"_{number}"
            name, number = stem[: NAME_MAX - len(tail)] + tail, number + 1
        return name

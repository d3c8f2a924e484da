"""Those who asked cjcpw for something that takes its time, until they are answered."""


class Waiting:
    """Askers, each with the state that it waits for."""

    def __init__(self):
        self._askers = []

    def add(self, asker, wanted):
        """Let one wait.

        Args:
            asker: the `jcq.cluster.control.Asker`; None where a signal asked.
            wanted: the state that it asked for.
        """
        self._askers.append((asker, wanted))

    def answer(self, state, text):
        """Answer everyone who waits: 0 where the state is the one that was asked for."""
        for asker, wanted in self._askers:
            answer(asker, 0 if state == wanted else 1, text)
        self._askers.clear()


def answer(asker, code, text):
    """Answer one; `asker` is None where a signal asked."""
    if asker is not None:
        asker.answer(code, text)

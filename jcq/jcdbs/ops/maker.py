"""How an Op is made of a script of the site database, and how what many of them say and answer is written."""

from itertools import chain

from jcq.jcdbs import scripts
from jcq.jcdbs.rq_forms import rq_time
from jcq.jcdbs.sending import Op


def text(answer):
    """Text of what was answered, in which bytes are text, too."""
    # A name may be damaged: what is no UTF-8 goes back to the database as it came.
    return answer.decode(errors="surrogateescape") if isinstance(answer, bytes) else answer


def flat(fields):
    """-> name, value, name, value of a dict, as scripts take and give it."""
    return chain.from_iterable(fields.items())


class Maker:
    """Makes Ops; every family of them is made by one class that is built on this one.

    Args:
        epoch: the run's epoch; every changing script refuses when the database has another.
    """

    def __init__(self, epoch):
        self.epoch = epoch
        self._scripts = scripts.load()

    def _script(self, name, args, decode, repeatable=True, changes=False):
        command = ("EVALSHA", self._scripts[name][0], 0, *args)
        return Op(name, (command,), lambda answers: decode(answers[0]), repeatable, changes)

    def _change(self, name, now_s, args=(), decode=text, repeatable=True):
        """An Op for a changing script: epoch, now, now as rq writes it, then its own arguments."""
        head = (self.epoch, f"{now_s:.6f}", rq_time(now_s))
        return self._script(name, (*head, *args), decode, repeatable, changes=True)

"""What nqsdaemon does unasked: at the start of a run, when a time has come, and with mail."""

from jcq.jcdbs import keys
from jcq.jcdbs.ops.execution import end_of
from jcq.jcdbs.ops.maker import Maker, text
from jcq.jcdbs.sending import Op


class UpkeepOps(Maker):
    """Ops of nqsdaemon's own work."""

    def recover(self, rid, decision, reason, now_s, ended=None, retention_s=0):
        """Carry out a decision about an interrupted request: see recover.lua.

        Args:
            decision: `rerun`, `keep`, `remove`, `redo`, or `recorded` with `ended`, a Request with its outcome, and
                `retention_s`, how long rq keeps its result.
        """
        end = end_of(ended, "", retention_s) if ended is not None else ()
        return self._change("recover", now_s, (rid, decision, reason, *end), repeatable=False)

    def known(self, rids):
        """-> [whether anything of the request is known: its record, its place in a list, or that it is lost]."""
        return self._script("known", tuple(rids), lambda answer: [bool(found) for found in answer])

    def due(self, now_s, most=1000):
        """-> (how many waiting requests were queued, time of what is next or None); also SIGKILLs of `abort`."""
        return self._change("due", now_s, (most,), lambda answer: (answer[0], float(answer[1]) if answer[1] else None))

    def retire(self, before_s, now_s, most=1000):
        """Forget what ended before a moment -> [rid], whose files may be removed; the next start removes the rest."""
        return self._change("retire", now_s, (f"{before_s:.6f}", most), lambda answer: [text(rid) for rid in answer])

    def mail(self, most=50):
        """-> [(rid, event: an outcome or `begun`, seconds since 1970, the entry itself)], the oldest first."""

        def decode(answers):
            entries = [text(entry) for entry in answers[0]]
            return [(*entry.split(" ")[:2], float(entry.split(" ")[2]), entry) for entry in entries]

        return Op("mail", (("LRANGE", keys.MAIL, 0, most - 1),), decode)

    def mailed(self, count, first, now_s):
        """Forget the first mails; `first` is the entry of the very first."""
        return self._change("mailed", now_s, (count, first))

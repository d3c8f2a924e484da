"""Damaged requests: looked for over all that the database holds, and put into the lost-and-found."""

from jcq.jcdbs import keys
from jcq.jcdbs.ops.maker import Maker, text
from jcq.jcdbs.sending import Op
from jcq.model.request import Request

#: Keys, or members, that one step of a walk looks at.
_WALK = 250


class DamageOps(Maker):
    """Ops of what is damaged."""

    def lose(self, rid, reason, now_s, in_any_case=False):
        """Put a damaged request into the lost-and-found -> whether there was anything of it.

        Args:
            reason: why it cannot be trusted, in words.
            in_any_case: also where the database knows nothing of it.
        """
        return self._change("lose", now_s, (rid, reason, "1" if in_any_case else "0"), bool)

    def check(self, rids, now_s, found_in="", queue="", state=""):
        """Look whether requests stand where their records say -> how many are lost: see check.lua.

        Args:
            rids: at most some hundred.
            found_in: key of the sorted set in which they were found; empty: their records were found.
            queue, state: what that set is of; `queue` is empty where it is of all.
        """
        return self._change("check", now_s, (found_in, queue, state, *rids))

    def lost_found(self, since_s=0.0):
        """-> [(rid, seconds since 1970 when it was found, reason, Request as far as known)], the oldest first."""

        def decode(answer):
            rows = []
            for rid, found_s, row in answer:
                fields = dict(zip(row[::2], row[1::2], strict=True))
                reason = text(fields.get(b"lost_reason", b""))
                rows.append((text(rid), float(found_s), reason, Request.from_hash(fields)))
            return rows

        return self._script("lost_found", (f"({since_s:.6f}",), decode)

    def records(self, cursor):
        """Walk over all records -> (next cursor, 0 at the end; [rid])."""
        prefix = len(keys.request(""))

        def decode(answers):
            return int(answers[0][0]), [text(key)[prefix:] for key in answers[0][1]]

        return Op("records", (("SCAN", cursor, "MATCH", keys.request("*"), "COUNT", _WALK),), decode)

    def walk(self, key, cursor):
        """Walk over a sorted set of requests -> (next cursor, 0 at the end; [rid])."""

        def decode(answers):
            return int(answers[0][0]), [text(rid) for rid, _ in answers[0][1]]

        return Op("walk", (("ZSCAN", key, cursor, "COUNT", _WALK),), decode)

"""The conversion of an old spool: staged in parts, made part of the site in one step, and found again by old ids."""

from jcq.jcdbs import keys
from jcq.jcdbs.ops.maker import Maker, flat, text
from jcq.jcdbs.sending import Op


class ImportOps(Maker):
    """Ops of conversions."""

    def import_reserve(self, token, first, count):
        """Take sequence numbers for a conversion. Raises ImportTaken."""
        return self._change("import_reserve", 0.0, (token, first, count), repeatable=False)

    def import_stage(self, token, rows, now_s):
        """Keep some hundred requests ready -> how many.

        Args:
            rows: [(rid, origin, line of `keys.OLD_IDS`, {field: text})]; the fields name queue and state.
        Raises (when run): ImportTaken.
        """
        args = []
        for rid, origin, line, fields in rows:
            args += (rid, origin, line, 2 * len(fields), *flat(fields))
        return self._change("import_stage", now_s, (token, *args))

    def import_part(self, token, kind, name, values):
        """Keep a queue, complex, parameter or manager ready; see import_part.lua. Raises ImportTaken."""
        return self._change("import_part", 0.0, (token, kind, name, *values))

    def import_clear(self):
        """Forget a range of what an incomplete conversion has staged -> (first number, how many), None at the end."""
        return self._change("import_clear", 0.0, (), lambda answer: tuple(answer) or None, repeatable=False)

    def import_all(self, token, count, seq, about, now_s):
        """Make what was staged part of the site, in one step.

        Args:
            count: how many requests were staged.
            seq: what the site's sequence number is to be at least.
            about: JSON text that is kept about this conversion.
        Raises (when run): ImportTaken; QueueExists, NoSuchQueue, ComplexExists, SiteConfigured: the site has changed.
        """
        return self._change("import", now_s, (token, count, seq, about))

    def importing(self):
        """-> whether something of a conversion is staged."""
        keys_of_it = (keys.IMPORT, keys.staged("ranges"))
        return Op("importing", (("EXISTS", *keys_of_it),), lambda answers: bool(answers[0]))

    def by_origin(self, origins):
        """-> [rid of the request that was made of a record, staged or for good, or None], for some hundred."""
        commands = (("HMGET", keys.ORIGINS, *origins), ("HMGET", keys.staged("origins"), *origins))
        return Op("by_origin", commands, lambda found: [text(a or b) for a, b in zip(*found, strict=True)])

    def by_old_id(self, old_id):
        """-> [(old id, rid, token of the conversion, place in the old spool)] of an id of an old system.

        `5` means `5.1` too: the task of an array, or what had the name of a host behind its number.
        """
        least = b"[" + old_id.encode(errors="surrogateescape")
        ends = ((b"\0", b"\x01"), (b".", b"/"))
        commands = tuple(("ZRANGEBYLEX", keys.OLD_IDS, least + low, least + high) for low, high in ends)
        return Op("by_old_id", commands, lambda found: [_old_id_line(line) for lines in found for line in lines])

    def old_ids(self, start, most=250):
        """-> as `by_old_id`, of every request that was converted, from a position on, by old id."""
        commands = (("ZRANGE", keys.OLD_IDS, start, start + most - 1),)
        return Op("old_ids", commands, lambda answers: [_old_id_line(line) for line in answers[0]])

    def imports(self):
        """-> {token of a conversion: JSON text about it}."""

        def decode(answers):
            return {text(key): text(value) for key, value in answers[0].items()}

        return Op("imports", (("HGETALL", keys.IMPORTS),), decode)


def _old_id_line(line):
    return tuple([*text(line).split("\0"), "", "", ""][:4])

"""Where a conversion puts what it makes: a database that this process holds, or a site that runs, through nqsdaemon.

Both do the same in the same steps; what is staged becomes part of the site in one step, `commit`.
"""

import json

from jcq import client
from jcq.errors import JcqError
from jcq.jcdbs.sending import ConnectionLost
from jcq.model.request import Request
from jcq.spoolconv import facts
from jcq.spoolconv.errors import ConversionFailed

VERB = "spoolconv"
#: Bytes that one message to nqsdaemon may carry, with room for what stands around them.
MESSAGE_BYTES_MAX = 12 * 1024 * 1024


class HeldDatabase:
    """A stopped site's database, which this process holds.

    Args:
        store: the `Store`.
        identity: the `SiteIdentity`.
        files: the `RequestFiles`.
        still_ours: called before the last step; raises Fenced where the site is another's.
        clock: seconds since 1970.
    """

    def __init__(self, store, identity, files, still_ours, clock):
        self._store, self._identity, self._files = store, identity, files
        self._still_ours, self._clock = still_ours, clock
        self._seq = 0

    def facts(self):
        """-> `SiteFacts`."""
        record, *rest = self._many(facts.ops(self._store))
        self._seq = max(record.seq, self._files.highest_number())
        return facts.make(record, self._identity.uid, self._identity.uid == 0, *rest)

    def clear(self):
        """Forget what a conversion that was not completed has left."""
        while found := self._run(self._store.import_clear()):
            first, count = found
            self._files.remove(f"{self._identity.machine_id}-{seq}" for seq in range(first, first + count))

    def reserve(self, token, count):
        """-> the first of so many sequence numbers, which are the conversion's from now on."""
        first = self._seq + 1
        self._run(self._store.import_reserve(token, first, count))
        self._seq += count
        return first

    def known(self, origins):
        """-> [rid or None] of what was made of these records."""
        return self._run(self._store.by_origin(origins))

    def stage(self, token, rows):
        """Keep requests ready; see `Store.import_stage`."""
        self._run(self._store.import_stage(token, rows, self._clock()))

    def part(self, token, kind, name, words):
        """Keep a queue, complex, parameter or manager ready."""
        self._run(self._store.import_part(token, kind, name, words))

    def commit(self, token, count, seq, about):
        """Make all of it part of the site."""
        self._still_ours()
        self._run(self._store.import_all(token, count, seq, about, self._clock()))

    def requests(self, rids):
        """-> [Request or None]."""
        return self._run(self._store.requests(rids))

    def _run(self, op):
        return self._many([op])[0]

    def _many(self, ops):
        try:
            results = self._store.run_many(ops)
        except ConnectionLost as error:
            reason = (
                f"the site database has ended ({error}); run spoolconv again: it finds all of the conversion, or none"
            )
            raise ConversionFailed(reason=reason) from None
        for result in results:
            if isinstance(result, JcqError):
                raise result
        return results


class RunningSite:
    """A site that runs: its nqsdaemon is asked, as root or as the uid that made the site.

    Args:
        site: the `jcq.site.Site`.
        identity: the `SiteIdentity`.
        files: the `RequestFiles`.
    """

    def __init__(self, site, identity, files):
        self._site, self._identity, self._files = site, identity, files

    def facts(self):
        """As `HeldDatabase` has them all."""
        return facts.SiteFacts.from_json(self._ask("facts"))

    def clear(self):
        """See there."""
        while found := self._ask("clear"):
            first, count = found
            self._files.remove(f"{self._identity.machine_id}-{seq}" for seq in range(first, first + count))

    def reserve(self, token, count):
        """See there."""
        return self._ask("reserve", token, count)

    def known(self, origins):
        """See there."""
        return self._ask("known", origins)

    def stage(self, token, rows):
        """See there; in as many messages as it takes."""
        size, some = 0, []
        for row in rows:
            length = sum(len(word) for pair in row[3].items() for word in pair) * 6
            if some and size + length > MESSAGE_BYTES_MAX:
                self._ask("stage", token, some)
                size, some = 0, []
            some.append(row)
            size += length
        if some:
            self._ask("stage", token, some)

    def part(self, token, kind, name, words):
        """See there."""
        self._ask("part", token, kind, name, words)

    def commit(self, token, count, seq, about):
        """See there."""
        self._ask("commit", token, count, seq, about)

    def requests(self, rids):
        """See there."""
        return [Request(**row) if row else None for row in self._ask("requests", rids)]

    def _ask(self, step, *arguments):
        # ASCII with escapes: bytes of old names that are no UTF-8 travel as lone surrogates.
        code, out, err = client.call(VERB, self._site, [step], json.dumps(arguments).encode("ascii"))
        if code:
            raise ConversionFailed(reason=err.strip().removeprefix(f"{VERB}: ") or f"nqsdaemon refused to {step}")
        return json.loads(out)

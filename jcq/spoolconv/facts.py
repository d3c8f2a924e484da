"""What a site has before a conversion, as far as the conversion must know it. Pure; travels to and from JSON."""

from dataclasses import asdict, dataclass, field

from jcq.jcdbs.ops.queues import Complex
from jcq.jcdbs.ops.site import SiteRecord
from jcq.model.queue import DEFAULT_QUEUES, Queue


@dataclass
class SiteFacts:
    """A site as it is."""

    record: SiteRecord
    #: Uid that the site runs as; 0 serves every user.
    uid: int
    #: Has it root, it serves every user; else its own uid only.
    as_root: bool
    queues: dict = field(default_factory=dict)
    complexes: dict = field(default_factory=dict)
    managers: dict = field(default_factory=dict)
    #: Tokens of the conversions before.
    imports: list = field(default_factory=list)

    @property
    def untouched(self):
        """It is as cjcmksite made it, and never had a request: its queues are nobody's own definition."""
        used = self.record.seq or self.complexes or self.imports
        return not used and set(self.queues) <= set(DEFAULT_QUEUES)

    def to_json(self):
        """A dict for json.dumps."""
        return {
            "record": asdict(self.record),
            "uid": self.uid,
            "as_root": self.as_root,
            "queues": [asdict(queue) for queue in self.queues.values()],
            "complexes": [asdict(one) for one in self.complexes.values()],
            "managers": self.managers,
            "imports": self.imports,
        }

    @classmethod
    def from_json(cls, found):
        """What `to_json` made, read back."""
        return make(
            SiteRecord(**found["record"]),
            found["uid"],
            found["as_root"],
            [Queue(**_tuples(row)) for row in found["queues"]],
            [Complex(**_tuples(row)) for row in found["complexes"]],
            found["managers"],
            found["imports"],
        )


def make(record, uid, as_root, queues, complexes, managers, imports):
    """SiteFacts of lists."""
    return SiteFacts(record, uid, as_root, _by_name(queues), _by_name(complexes), managers, list(imports))


def ops(store):
    """The Ops whose results, in this order, are `record`, `queues`, `complexes`, `managers`, `imports` of `make`."""
    return [store.site(), store.queues(), store.complexes(), store.managers(), store.imports()]


def _by_name(some):
    return {one.name: one for one in some}


def _tuples(row):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}

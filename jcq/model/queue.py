"""A queue, as the site database keeps it."""

from dataclasses import dataclass, field, fields

from jcq.model import limits as limits_model
from jcq.model.restart import RESTART

BATCH = "BATCH"
PIPE = "PIPE"
TYPES = (BATCH, PIPE)
#: Those that a site is made with: where requests go, and what leads there.
DEFAULT_QUEUES = ("batch", "guilb_def")
PRIORITY_MAX = 63
RUN_LIMIT_MAX = 100_000
NAME_MAX = 31


@dataclass
class Queue:
    """A batch or pipe queue."""

    name: str = ""
    type: str = BATCH
    priority: int = 0
    #: Accepts submissions.
    enabled: bool = False
    #: Starts, or routes, requests.
    started: bool = False
    #: Batch: so many run at once.
    run_limit: int = 1
    #: Pipe: where requests go, tried in this order.
    destinations: tuple[str, ...] = ()
    #: Accepts requests from pipe queues only.
    pipeonly: bool = False
    #: One of jcq.model.restart.ATTRIBUTES.
    restart: str = RESTART
    #: Batch: processes that outlive a request's script live on, `nqsbg` of qmgr.
    background: bool = False
    #: Accepts requests of these users and groups only, each `name:id`.
    restricted: bool = False
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    #: Batch: so many of one user run at once; 0: no limit.
    user_limit: int = 0
    #: Batch: resource limits, see `jcq.model.limits`; what is not there is unlimited.
    limits: str = ""
    #: Requests by state; filled when read, never written.
    counts: dict[str, int] = field(default_factory=dict, compare=False)

    @classmethod
    def from_hash(cls, flat):
        """Build from the database's dict of bytes."""
        text = {key.decode(): value.decode() for key, value in flat.items()}
        limits_model.from_text(text.get("limits", ""))
        return cls(
            name=text["name"],
            type=text["type"],
            priority=int(text["priority"]),
            enabled=text["enabled"] == "1",
            started=text["started"] == "1",
            run_limit=int(text["run_limit"]),
            user_limit=int(text.get("user_limit", "0")),
            destinations=tuple(text["destinations"].split(",")) if text.get("destinations") else (),
            pipeonly=text["pipeonly"] == "1",
            restart=text["restart"],
            background=text.get("background") == "1",
            restricted=text.get("restricted") == "1",
            users=tuple(text["users"].split(",")) if text.get("users") else (),
            groups=tuple(text["groups"].split(",")) if text.get("groups") else (),
            limits=text.get("limits", ""),
        )

    def to_hash(self):
        """A flat dict of text."""
        flat = {}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name == "counts":
                continue
            if isinstance(value, bool):
                value = "1" if value else "0"
            elif isinstance(value, tuple):
                value = ",".join(value)
            flat[spec.name] = str(value)
        return flat


def valid_name(name):
    """Whether a queue may be called so: a letter, then letters, digits, `_` and `-`, at most 31 in all."""
    return (
        0 < len(name) <= NAME_MAX
        and name.isascii()
        and name[0].isalpha()
        and name.replace("_", "a").replace("-", "a").isalnum()
    )

"""What the administrator asked for, who converts an old spool."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wishes:
    """What the administrator asked for."""

    #: Old login name, or uid as text -> login name on this node.
    map_user: dict = field(default_factory=dict)
    #: Old queue -> queue of the site.
    map_queue: dict = field(default_factory=dict)
    #: Queues are started as they were, requests in existing queues not held.
    start: bool = False

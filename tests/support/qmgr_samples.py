"""A value of each kind that the commands of qmgr take."""

from jcq.model import limits
from jcq.model.request import RequestId

_LIMITS = {
    limits.SIZE: ("(2gb, 1gb)", (2 << 30, 1 << 30)),
    limits.CPU: ("1:00:00, 90", (3600, 90)),
    limits.ELAPSED: ("(unlimited)", (None, None)),
    limits.NICE: ("-5", (-5, None)),
}
#: Kind -> (as typed, as understood).
SAMPLES = {
    "complex": ("all", "all"),
    "queues": ("(batch, night)", ("batch", "night")),
    "queues_or_none": ("(batch, night)", ("batch", "night")),
    "user_limit": ("2", 2),
    "accounts": ("(alice, 1001)", ("alice", "1001")),
    "anything": ("= (x, y) z", "= ( x , y ) z"),
    "destinations": ("(batch, night@testsite)", (("batch", ""), ("night", "testsite"))),
    "hours": ("(48)", 48),
    "minutes": ("10", 10),
    "number": ("3", 3),
    "address": ("nqs@example.com", "nqs@example.com"),
    "text": ("'/var/log/x'", "/var/log/x"),
    "managers": ("alice:m, bob:o", (("alice", "m"), ("bob", "o"))),
    "name": ("(night.sh)", "night.sh"),
    "on_off": ("(on)", True),
    "priority": ("10", 10),
    "program": ("(/usr/lib/nqs/pipeclient -x)", "/usr/lib/nqs/pipeclient -x"),
    "queue": ("night", "night"),
    "requests": ("(12, 13.testsite)", (RequestId(12), RequestId(13, "testsite"))),
    "request": ("12", RequestId(12)),
    "request_list": ("(12, 13.testsite)", (RequestId(12), RequestId(13, "testsite"))),
    "restart": ("(PURGE)", "PURGE"),
    "run_limit": ("3", 3),
    "run_limit_or_none": ("0", 0),
    "seconds": ("60", 60),
    "to_queue": ("day", "day"),
    "topic": ("set run", ("set", "run")),
    **{limit.name: _LIMITS[limit.kind] for limit in limits.LIMITS},
}

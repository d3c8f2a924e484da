"""Every key of the site database. The Lua kernel spells the same names once more; a contract test compares them."""

SITE = "jcq:site"
EPOCH = "jcq:epoch"
MANAGERS = "jcq:managers"
#: Sorted set of queue names; score: minus the priority, so that the order is that of dispatch.
QUEUES = "jcq:queues"
#: Sorted set of waiting requests by due time, and of ended ones by end.
WAITING = "jcq:waiting"
DONE = "jcq:done"
#: Set of requests that hold a run slot: promoted or running.
SLOTS = "jcq:slots"
#: Hash request -> signal: orders for the worker.
KILLS = "jcq:kills"
#: Sorted set of "<rid>:<attempt>" by the time at which that attempt is sent SIGKILL if it still runs.
KILL_TIMES = "jcq:killtimes"
#: Sorted set of damaged requests by the time they were found.
LOST_FOUND = "jcq:lostfound"
#: List of mails to be sent, the oldest first: `RID EVENT TIME`, the event an outcome or `begun`.
MAIL = "jcq:mail"
#: Hash "<uid>:<token>" -> "<rid> <queue>" of the submissions that may be repeated, and their order, the newest first.
TOKENS = "jcq:tokens"
TOKEN_ORDER = "jcq:tokenorder"
#: Set of the names of complexes.
COMPLEXES = "jcq:complexes"
#: Hash: what tells a record of an old spool from every other -> the request that spoolconv made of it; for good.
ORIGINS = "jcq:origins"
#: Sorted set, by name: `OLD ID, rid, token of the conversion, place in the old spool`, with NUL between them.
OLD_IDS = "jcq:oldids"
#: Hash: token of a conversion -> what is known of it, as JSON.
IMPORTS = "jcq:imports"
#: Hash: the token of the conversion that is under way. What it has staged stands below, and is part of nothing.
IMPORT = "jcq:import"
#: Ranges of numbers that it took (list); requests, their places and their entries for the keys above; queues and
#: complexes with their names (sets); `defaults`: queues that replace those the site was made with (set); parameters
#: and managers (hashes).
STAGED = (
    "ranges request: in: sets waiting origins oldids queue: queues defaults complex: complexes param manager".split()
)
#: Name of the worker of this epoch. Nothing is promoted without one.
WORKER = "jcq:worker"
#: Fields that every rq job hash has, made by rq itself.
RQ_TEMPLATE = "jcq:rqjob"

#: Channels. What they say is a hint; the keys are the truth.
CHANNEL_WAKE = "jcq:wake"
CHANNEL_DONE = "jcq:ended"
CHANNEL_MAIL = "jcq:mailed"

SCHEMA_VERSION = 1


def queue(name):
    """Hash: one queue's attributes."""
    return f"jcq:queue:{name}"


def members(name, state):
    """Sorted set: the requests of one queue in one state, in order of dispatch. QUEUED holds those not promoted."""
    return f"jcq:in:{name}:{state}"


def promoted(name):
    """Sorted set: the queued requests that hold a slot and stand in rq's list."""
    return f"jcq:promoted:{name}"


def complex_of(name):
    """Hash: a complex's run limit and queues."""
    return f"jcq:complex:{name}"


def mine(queue, uid):
    """Sorted set: one user's queued requests that are not promoted, in a queue with a user limit."""
    return f"jcq:mine:{queue}:{uid}"


def uids(queue):
    """Set: the uids that have such requests."""
    return f"jcq:uids:{queue}"


def used(queue):
    """Hash uid -> slots, of a queue with a user limit."""
    return f"jcq:used:{queue}"


def next_users(queue):
    """Sorted set of the uids that are below the user limit, by their best queued request."""
    return f"jcq:next:{queue}"


def staged(name):
    """One of the keys in which a conversion keeps things ready."""
    return f"{IMPORT}:{name}"


def request(rid):
    """Hash: one request."""
    return f"jcq:request:{rid}"


def lost(rid):
    """Hash: what is left of one damaged request, and `lost_reason`."""
    return f"jcq:lost:{rid}"

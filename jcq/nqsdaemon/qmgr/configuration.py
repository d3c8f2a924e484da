"""qmgr's `show configuration`: a script for qmgr that gives a new site the configuration of this one.

At that site, `show configuration` writes the same text, byte for byte: all is sorted, each list has one line for each
member, and neither site, machine nor time is named. Its first command, `delete default_queues`, makes nothing of what
cjcmksite made: batch and guilb_def may be as they were made, changed or deleted. At a site with other queues,
complexes or requests that command is refused, and qmgr, as ever, reports it and carries out the rest.

What is not in it:
  * Whoever made a site is its manager and is not named: at another site this is another's right.
  * Where no retention was set, that of daemon.conf holds, and there is no line.
  * Queues accept and start requests last of all, when everything else is set.

An account or group in an access list that has gone, or has another id now, is written as its id, which is what counts.
A manager whose account has gone has a line, which qmgr refuses as long as there is no such account.
"""

from jcq.model.limits import qmgr_lines
from jcq.model.queue import BATCH
from jcq.nqsdaemon.qmgr.access import entry_of
from jcq.nqsdaemon.qmgr.show import always_managers

_HEAD = (
    "# Configuration of a jcq site, format 1: a script for qmgr at a new site.",
    "# The first command deletes the queues that cjcmksite makes. It is not for a site that has others.",
    "delete default_queues",
)
#: What a word may have without quotes, beside letters and digits.
_PLAIN = frozenset("_-./@:+%")


def show_configuration(values, call, desk):
    """The script. Raises RecordDamaged."""
    found = yield [desk.store.site(), desk.store.managers(), desk.store.queues(), desk.store.complexes()]
    for one in found:
        if isinstance(one, Exception):
            raise one
    site, managers, queues, complexes = found
    queues = sorted(queues, key=lambda queue: queue.name)
    blocks = [
        _HEAD,
        _parameters(site),
        *([*_queue(queue), *_access(queue)] for queue in queues),
        # Behind all queues, so that each destination is there, also in a circle.
        [f"add destination = {name} {queue.name}" for queue in queues for name in queue.destinations],
        *(_complex(one) for one in complexes),
        [_default_queue(site)],
        _managers(managers, desk.identity),
        *(_state(queue) for queue in queues),
    ]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def _parameters(site):
    lines = [
        f"set default batch_request priority = {site.default_priority}",
        f"set default destination_retry time = {site.retry_time_s // 3600}",
        f"set default destination_retry wait = {site.retry_wait_s // 60}",
        f"set global_run_limit = {site.run_limit}",
        f"set lifetime = {site.lifetime_s // 3600}",
        f"set mail = {quoted(site.mail_account or 'nqs')}",
    ]
    if site.retention_s:
        lines.append(f"set retention = {site.retention_s // 3600}")
    strategy = site.shell_strategy
    word = f"fixed = {quoted(strategy)}" if strategy.startswith("/") else strategy.lower()
    return [*lines, f"set shell_strategy {word}"]


def _queue(queue):
    head = f"{queue.name} priority = {queue.priority}{' pipeonly' if queue.pipeonly else ''}"
    if queue.type != BATCH:
        return [f"create pipe_queue {head}"]
    return [
        f"create batch_queue {head} run_limit = {queue.run_limit} user_limit = {queue.user_limit}",
        f"set nqsbg = {'ON' if queue.background else 'OFF'} {queue.name}",
        *qmgr_lines(queue.limits, queue.name),
        f"set restart = {queue.restart} {queue.name}",
    ]


def _access(queue):
    if not queue.restricted:
        return [f"set unrestricted_access {queue.name}"]
    lines = [f"set no_access {queue.name}"]
    for kind, entries in (("groups", queue.groups), ("users", queue.users)):
        for name in sorted({_account(kind, entry) for entry in entries}):
            lines.append(f"add {kind} = {quoted(name)} {queue.name}")
    return lines


def _account(kind, entry):
    """The name in `name:id`, if that is still its id; else the id."""
    name, _, number = entry.rpartition(":")
    return name if entry_of(kind, name, must_exist=False) == entry else number


def _complex(one):
    return [
        f"create complex = () {one.name}",
        f"set complex run_limit = {one.run_limit} {one.name}",
        *(f"add queues = {name} {one.name}" for name in sorted(one.queues)),
    ]


def _default_queue(site):
    if site.default_queue:
        return f"set default batch_request queue = {site.default_queue}"
    return "set no_default batch_request queue"


def _managers(managers, identity):
    fixed = always_managers(identity)
    others = sorted(f"{name}:{role}" for name, role in managers.items() if name not in fixed)
    return ["set managers root:m", *(f"add managers {quoted(other)}" for other in others)]


def _state(queue):
    return [
        f"{'enable' if queue.enabled else 'disable'} queue {queue.name}",
        f"{'start' if queue.started else 'stop'} queue {queue.name}",
    ]


def quoted(text):
    """A text as qmgr's grammar reads it back as one word: without quotes where none are needed."""
    if text and all((char.isascii() and char.isalnum()) or char in _PLAIN for char in text):
        return text
    # Pieces that stand side by side are one word.
    return "'\"'".join(f'"{piece}"' for piece in text.split('"'))

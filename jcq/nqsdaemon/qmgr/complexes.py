"""qmgr's commands about complexes: batch queues that share a run limit. A queue may be in several; all limits hold.

Functions take and return what those of `jcq.nqsdaemon.qmgr.queues` do.
"""

from jcq.nqsdaemon.complex_lines import complex_block

#: NQS's run limit of a new complex (our recollection).
_RUN_LIMIT = 1


def create_complex(values, call, desk):
    """Raises ComplexExists, NoSuchQueue, BadValue for a pipe queue."""
    yield desk.store.edit_complex(values["complex"], "create", desk.now(), values["queues"], _RUN_LIMIT)
    return [f"its run_limit is {_RUN_LIMIT} until it is set"]


def delete_complex(values, call, desk):
    """Raises NoSuchComplex."""
    yield desk.store.edit_complex(values["complex"], "delete", desk.now())
    return []


def set_run_limit(values, call, desk):
    """Raises NoSuchComplex."""
    yield desk.store.edit_complex(values["complex"], "limit", desk.now(), run_limit=values["run_limit"])
    return []


def _queues(mode):
    def change(values, call, desk):
        """Change a complex's queues, all or none. Raises as `Store.edit_complex`."""
        yield desk.store.edit_complex(values["complex"], mode, desk.now(), values["queues"])
        return []

    return change


def show_complexes(values, call, desk):
    """Run limit, slots that are taken, and queues of each."""
    found = yield desk.store.complexes()
    return "".join(complex_block(one, desk.identity.name) for one in found) or "No complexes.\n"


ACTIONS = {
    "add queues": _queues("add"),
    "create complex": create_complex,
    "delete complex": delete_complex,
    "remove queues": _queues("remove"),
    "set complex run_limit": set_run_limit,
}

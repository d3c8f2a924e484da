"""The lines that describe a complex, for `qstat -c` and qmgr's `show complex`; and which complexes somebody means.

That they show run limit and queues is documented (nqs-facts.md section 3); the words are ours.
"""

from jcq.jcdbs.errors import NoSuchComplex


def complex_block(one, site_name):
    """Two lines.

    Args:
        one: a `jcq.jcdbs.ops.queues.Complex`.
        site_name: the site's name as cjcmksite was told.
    """
    head = f"{one.name}@{site_name};  Run_limit = {one.run_limit};  {one.used} run;"
    return f"{head}\n  Queues = {{{', '.join(one.queues)}}}\n"


def complexes_named(command, names, desk, err):
    """The complexes named, each once, or all by name: `found = yield from complexes_named(...)`.

    Args:
        command: whose lines `err` gets, one for each name that is unknown.
    """
    found = yield desk.store.complexes()
    if not names:
        return found
    by_name = {one.name: one for one in found}
    for name in dict.fromkeys(names):
        if name not in by_name:
            how = "qstat -c" if command == "qstat" else command
            err.append(f"{command}: {NoSuchComplex(detail=repr(name))}; {how} without an operand shows them")
    return [by_name[name] for name in dict.fromkeys(names) if name in by_name]

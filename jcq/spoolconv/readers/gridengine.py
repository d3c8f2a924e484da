"""Reader of the spools of Grid Engine 8.1: classic, and Berkeley DB through db5.3_dump."""

import os
from dataclasses import replace

from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.readers.names import QueueNames
from jcq.spoolconv.readers.sge import places, queues
from jcq.spoolconv.readers.sge.berkeleydb import BerkeleyCell
from jcq.spoolconv.readers.sge.cell import Queue
from jcq.spoolconv.readers.sge.classic import ClassicCell
from jcq.spoolconv.readers.sge.jobs import Jobs
from jcq.spoolconv.records import OldSetting, Skip

NAME = "gridengine"

_WORDS = {places.CLASSIC: "classic spool", places.BERKELEYDB: "Berkeley DB spool"}
#: Files of the common directory that are no configuration of queues or jobs.
_ACCOUNTING = "accounting"


def evidence(source):
    """What makes a directory a spool of Grid Engine, in a phrase; empty where it is none.

    Args:
        source: a `jcq.spoolconv.source.Source`.
    """
    place = places.find(source)
    if place is None:
        return ""
    words = _WORDS[place.method]
    return f"{words} of Grid Engine, by {place.bootstrap or place.spool}"


def read(source, clock_s):
    """Yield a record for each queue, administrator, job and task, and a `Skip` for what has no counterpart.

    Args:
        source: a `Source`.
        clock_s: seconds since 1970; what is due later waits.
    Raises:
        WrongLayout: there is no such spool, a part of it lies elsewhere, or db5.3_dump is missing.
        Unreadable: the database cannot be read.
    """
    place = places.find(source)
    path = os.fspath(source.path)
    if place is None:
        raise WrongLayout(reason=f"{path} holds no spool of Grid Engine: neither bootstrap nor cqueues is there")
    if not place.spool:
        raise WrongLayout(
            reason=f"{path} holds {place.bootstrap} of Grid Engine, but not {place.wanted or 'its spool'},"
            " which that names; give a directory that holds both"
        )
    cell = (ClassicCell if place.method == places.CLASSIC else BerkeleyCell)(source, place.spool)
    try:
        for record in _records(source, cell, place, clock_s):
            yield _shown(record)
    finally:
        cell.close()


def _shown(record):
    """The same record, whose reason and notes are one line each whatever names they hold."""
    if isinstance(record, Skip):
        return record if record.reason.isprintable() else replace(record, reason=_printable(record.reason))
    if all(note.isprintable() for note in record.notes):
        return record
    return replace(record, notes=tuple(_printable(note) for note in record.notes))


def _printable(text):
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _records(source, cell, place, clock_s):
    groups, names, known = cell.groups(), QueueNames(), []
    for queue in cell.queues():
        if isinstance(queue, Queue):
            queue, one = queues.made(queue, cell, groups, names)
            known.append(one)
        yield queue
    managers = set()
    for name, is_manager, where in cell.administrators():
        if name not in managers:
            managers.add(name)
            yield OldSetting(f"manager:{name}", "m" if is_manager else "o", where)
    for where, name, what in cell.others():
        yield Skip(where, f"jcq has nothing like a {what}", old_id=name, kind="setting")
    accounting = places.below(place.common, _ACCOUNTING)
    if place.common and source.is_file(accounting):
        yield Skip(accounting, "the accounts of jobs that have ended are not carried over", kind="file")
    jobs = Jobs(known, names, clock_s)
    for job in cell.jobs():
        if isinstance(job, Skip):
            yield job
        else:
            yield from jobs.records(job)

"""A classic spool of Grid Engine: qmaster's directory, objects as text, jobs packed."""

import os
import re
from functools import cache, partial

from jcq.model.request import SCRIPT_BYTES_MAX
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.sge import cull, text
from jcq.spoolconv.readers.sge.cell import WITHOUT_COUNTERPART, Job, Queue
from jcq.spoolconv.readers.sge.places import below
from jcq.spoolconv.records import Skip

_TEXT_BYTES_MAX = 4 * 1024 * 1024
#: jobs/AA/BBBB/CCCC: the parts of a job's number.
_PARTS = (re.compile(r"\d{2}", re.ASCII), re.compile(r"\d{4}", re.ASCII), re.compile(r"\d{4}", re.ASCII))
_TASK_RANGE = re.compile(r"\d{1,10}-\d{1,10}", re.ASCII)
_TASK = re.compile(r"\d{1,10}", re.ASCII)
_COMMON = "common"


class ClassicCell:
    """Reads qmaster's directory.

    Args:
        source: a `Source`.
        spool: qmaster's directory there.
    """

    def __init__(self, source, spool):
        self._source = source
        self._spool = spool

    def close(self):
        """Nothing is held."""

    def queues(self):
        """Yield a `Queue`, or a `Skip`, for each cluster queue."""
        for name in self._names("cqueues"):
            where = self._where("cqueues", name)
            try:
                found = text.pairs(self._source.read(where, _TEXT_BYTES_MAX).data)
            except Unreadable as error:
                yield Skip(where, error.fields["reason"], old_id=name, kind="queue")
                continue
            if found.get("qname") != name:
                yield Skip(where, "it is no cluster queue of this name", old_id=name, kind="queue")
                continue
            notes = []
            states = self._states(name, notes)
            yield Queue(name, where, {key: text.by_host(value) for key, value in found.items()}, states, tuple(notes))

    def _states(self, queue, notes):
        states = {}
        for host in self._names(f"qinstances/{queue}"):
            try:
                found = self._pairs(f"qinstances/{queue}", host)
                states[host] = int(found["state"])
            except (Unreadable, KeyError, ValueError):
                notes.append(f"its state on host {host[:60]} cannot be read")
        return states

    def groups(self):
        """-> {@group: [hosts and groups]}."""
        found = {}
        for name in self._names("hostgroups"):
            try:
                found[name] = text.words(self._pairs("hostgroups", name).get("hostlist", ""))
            except Unreadable:
                found[name] = []
        return found

    def user_set(self, name):
        """-> the entries of a user set, or None: it is not there or cannot be read."""
        try:
            return text.words(self._pairs("usersets", name).get("entries", ""))
        except Unreadable:
            return None

    def administrators(self):
        """Yield (login name, whether a manager rather than an operator, where)."""
        for name in ("managers", "operators"):
            where = below(self._spool, name)
            try:
                for line in text.lines(self._source.read(where, _TEXT_BYTES_MAX).data):
                    yield line, name == "managers", where
            except Unreadable:
                continue

    def others(self):
        """Yield (where, name, what it is) of what has no counterpart."""
        for directory, _, what, usual in WITHOUT_COUNTERPART:
            for name in self._names(directory):
                if name not in usual:
                    yield self._where(directory, name), name, what

    def jobs(self):
        """Yield a `Job`, or a `Skip`, for each job, by number."""
        yield from self._jobs_below("jobs", ())

    def _jobs_below(self, directory, digits):
        depth = len(digits)
        where = below(self._spool, directory)
        try:
            names = self._source.names_in_order(where) if self._source.status(where) else ()
            for name in names:
                if name.startswith("."):
                    # An unfinished write: the whole one stands beside it.
                    continue
                path = f"{directory}/{name}"
                if not _PARTS[depth].fullmatch(name):
                    yield Skip(below(self._spool, path), "it is no job of Grid Engine", kind="file")
                elif depth < len(_PARTS) - 1:
                    yield from self._jobs_below(path, (*digits, name))
                else:
                    yield self._job(path, int("".join((*digits, name))))
        except Unreadable as error:
            yield Skip(where, error.fields["reason"], kind="file")

    def _job(self, path, number):
        where = below(self._spool, path)
        try:
            parted = self._source.is_directory(where)
            tasks, unreadable = {}, {}
            if parted:
                self._read_tasks(where, tasks, unreadable)
                where = f"{where}/{_COMMON}"
            found = cull.unpack(self._source.read(where, cull.BYTES_MAX).data, "JB")
            tasks = {task["JAT_task_number"]: task for task in found.get("JB_ja_tasks", ())} | tasks
        except Unreadable as error:
            return Skip(where, error.fields["reason"], old_id=str(number))
        except cull.Damaged as error:
            return Skip(where, str(error), old_id=str(number))
        return Job(number, where, found, tasks, unreadable, cache(partial(self._script, number)))

    def _script(self, number):
        return self._source.read(self._where("job_scripts", str(number)), SCRIPT_BYTES_MAX).data

    def _read_tasks(self, where, tasks, unreadable):
        """The tasks that were handed to a host, of an array or a parallel job: a file for each."""
        for name in self._source.names(where):
            if name.startswith(".") or name == _COMMON:
                continue
            if not _TASK_RANGE.fullmatch(name):
                continue
            for task in self._source.names(f"{where}/{name}"):
                if _TASK.fullmatch(task):
                    self._read_task(f"{where}/{name}/{task}", int(task), tasks, unreadable)

    def _read_task(self, where, number, tasks, unreadable):
        try:
            # Where the parts of a parallel task were stored one by one, it is a directory itself.
            path = f"{where}/{_COMMON}" if self._source.is_directory(where) else where
            task = cull.unpack(self._source.read(path, cull.BYTES_MAX).data, "JAT")
            if task["JAT_task_number"] != number:
                raise cull.Damaged(f"it says that it is task {task['JAT_task_number']}")
            tasks[number] = task
        except (Unreadable, cull.Damaged) as error:
            unreadable[number] = error.fields["reason"] if isinstance(error, Unreadable) else str(error)

    def _names(self, directory):
        """The names of finished files in a directory of qmaster's; none where it cannot be listed."""
        try:
            where = below(self._spool, directory)
            names = self._source.names(where) if self._source.is_directory(where) else []
        except Unreadable:
            return []
        return [name for name in names if not name.startswith(".")]

    def _where(self, directory, name):
        return below(self._spool, f"{directory}/{name}")

    def _pairs(self, directory, name):
        if os.sep in name:
            raise Unreadable(path=name, reason="it is no name of a file")
        return text.pairs(self._source.read(self._where(directory, name), _TEXT_BYTES_MAX).data)

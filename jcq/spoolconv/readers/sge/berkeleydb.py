"""A Berkeley DB spool of Grid Engine, read by Debian's db5.3_dump from a copy.

Python has no reader of its own, and such a database is native to its machine, with overflow pages and a log. The copy
stands in a directory of its own that vanishes; `db5.3_recover` brings into it what stands in the log only, after a
crash of qmaster. What is read goes into a temporary SQLite file, so that memory does not grow with the number of jobs.
"""

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from functools import cache, partial

from jcq.model.request import SCRIPT_BYTES_MAX
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.sge import cull, text
from jcq.spoolconv.readers.sge.cell import WITHOUT_COUNTERPART, Job, Queue
from jcq.spoolconv.readers.sge.places import below
from jcq.spoolconv.records import Skip
from jcq.spoolconv.source import FILE_BYTES_MAX

_DUMP, _RECOVER, _PACKAGE = "db5.3_dump", "db5.3_recover", "db5.3-util"
_FILES = ("sge", "sge_job")
_LOG = re.compile(r"log\.\d{10}", re.ASCII)
_JOB = re.compile(r"JOB:\s*(\d{1,10})", re.ASCII)
_TASK = re.compile(r"JATASK:\s*(\d{1,10})\.\s*(\d{1,10})", re.ASCII)
#: Attributes that are numbers when packed.
_BITS = {"rerun": ("FALSE", "TRUE")}
_QTYPES = ((1, "BATCH"), (2, "INTERACTIVE"))
#: A damaged database may send its readers round in circles: so much CPU time, and so many bytes for each of the file.
CPU_LIMIT_S = 600
_TIME_LIMIT_S = 3600
_DUMPED_PER_BYTE = 4
_DUMPED_LEAST = 1 << 20


class BerkeleyCell:
    """Reads the database.

    Args:
        source: a `Source`.
        spool: the database's directory there.
    Raises:
        WrongLayout: db5.3_dump is not installed; the message names the package.
        Unreadable: the database cannot be read.
    """

    def __init__(self, source, spool):
        self._source = source
        self._spool = spool
        if not shutil.which(_DUMP):
            raise WrongLayout(
                reason=f"{os.fspath(source.path)} holds a Berkeley DB spool of Grid Engine: {_DUMP} is needed to read"
                f" it, install Debian's package {_PACKAGE}"
            )
        self._directory = tempfile.TemporaryDirectory(prefix="jcq-spoolconv-")
        self._rows = sqlite3.connect(os.path.join(self._directory.name, "rows"), isolation_level=None)
        self._recovered = True
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Remove the copy."""
        self._rows.close()
        self._directory.cleanup()

    def queues(self):
        """Yield a `Queue`, or a `Skip`, for each cluster queue."""
        for key, value in self._objects("CQUEUE:"):
            name, where = key.partition(":")[2], self._where("sge", key)
            try:
                found = cull.unpack(value, "CQ", spooled_only=True)
            except cull.Damaged as error:
                yield Skip(where, str(error), old_id=name, kind="queue")
                continue
            notes = []
            attributes = {attribute: _by_host(attribute, own) for attribute, own in found.items()}
            yield Queue(name, where, attributes, self._states(name, notes), tuple(notes))

    def _states(self, queue, notes):
        states = {}
        for key, value in self._objects(f"QINSTANCE:{queue}/"):
            host = key.partition("/")[2]
            try:
                states[host] = cull.unpack(value, "QU", spooled_only=True)["state"]
            except cull.Damaged:
                notes.append(f"its state on host {host[:60]} cannot be read")
        return states

    def groups(self):
        """-> {@group: [hosts and groups]}."""
        found = {}
        for key, value in self._objects("HOSTGROUP:"):
            try:
                hosts = cull.unpack(value, "HGRP", spooled_only=True)["hostlist"]
            except cull.Damaged:
                hosts = []
            found[key.partition(":")[2]] = [_first_text(host) for host in hosts]
        return found

    def user_set(self, name):
        """-> the entries of a user set, or None: it is not there or cannot be read."""
        value = self._value(f"USERSET:{name}")
        try:
            return value and [_first_text(entry) for entry in cull.unpack(value, "US", spooled_only=True)["entries"]]
        except cull.Damaged:
            return None

    def administrators(self):
        """Yield (login name, whether a manager rather than an operator, where)."""
        for kind in ("MANAGER", "OPERATOR"):
            for key, _ in self._objects(f"{kind}:"):
                yield key.partition(":")[2], kind == "MANAGER", self._where("sge", key)

    def others(self):
        """Yield (where, name, what it is) of what has no counterpart."""
        if not self._recovered:
            yield self._spool, "", "log: changes that stand only there may be missing; db5.3_recover failed on a copy"
        for _, kind, what, usual in WITHOUT_COUNTERPART:
            for key, _ in self._objects(f"{kind}:"):
                name = key.partition(":")[2]
                if name not in usual:
                    yield self._where("sge", key), name, what

    def jobs(self):
        """Yield a `Job`, or a `Skip`, for each job, by number."""
        for key, value in self._objects("JOB:"):
            found = _JOB.fullmatch(key)
            where = self._where("sge_job", key)
            if not found:
                yield Skip(where, "it is no job of Grid Engine", kind="file")
                continue
            number = int(found[1])
            try:
                fields = cull.unpack(value, "JB", spooled_only=True)
            except cull.Damaged as error:
                yield Skip(where, str(error), old_id=str(number))
                continue
            tasks, unreadable = {}, {}
            for task_key, task_value in self._objects(f"JATASK:{number:8d}."):
                self._read_task(task_key, task_value, tasks, unreadable)
            yield Job(number, where, fields, tasks, unreadable, cache(partial(self._script, number)))

    def _read_task(self, key, value, tasks, unreadable):
        found = _TASK.fullmatch(key)
        if not found:
            # A part of a parallel task.
            return
        number = int(found[2])
        try:
            tasks[number] = cull.unpack(value, "JAT", spooled_only=True)
        except cull.Damaged as error:
            unreadable[number] = str(error)

    def _script(self, number):
        value = self._value(f"JOBSCRIPT:{number}")
        if value is None:
            raise Unreadable(path=f"JOBSCRIPT:{number}", reason="its script is not in the database")
        if len(value) > SCRIPT_BYTES_MAX:
            raise Unreadable(path=f"JOBSCRIPT:{number}", reason=f"its script has {len(value)} bytes")
        return value.removesuffix(b"\0")

    def _where(self, file, key):
        return f"{below(self._spool, file)}:{key}"

    # --- the copy ----------------------------------------------------------------------------

    def _load(self):
        directory = self._directory.name
        try:
            for name in self._source.names(self._spool):
                if name in _FILES or _LOG.fullmatch(name):
                    self._source.copy(below(self._spool, name), os.path.join(directory, name))
            if any(_LOG.fullmatch(name) for name in os.listdir(directory)):
                self._recover(directory)
            self._rows.execute("pragma journal_mode = off")
            self._rows.execute("pragma synchronous = off")
            self._rows.execute("create table rows (key blob primary key, value blob) without rowid")
            for name in _FILES:
                self._dump(os.path.join(directory, name), below(self._spool, name))
        except (OSError, sqlite3.Error) as error:
            raise Unreadable(path=self._spool, reason=f"its copy failed: {error}") from None

    def _recover(self, directory):
        """Bring into the files what the log has only; where that fails, the files are read as they were."""
        saved = {name: os.path.join(directory, f"{name}.saved") for name in _FILES}
        for name, path in saved.items():
            shutil.copyfile(os.path.join(directory, name), path)
        if not (shutil.which(_RECOVER) and _succeeds([_RECOVER, "-h", directory])):
            for name, path in saved.items():
                os.replace(path, os.path.join(directory, name))
            self._recovered = False

    def _dump(self, path, where):
        command = [_DUMP, path]
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as running,
        ):
            _limit(running)
            output = running.stdout
            assert output is not None
            whole = self._store(output, os.path.getsize(path) * _DUMPED_PER_BYTE + _DUMPED_LEAST)
            # What it has not written yet is not wanted.
            output.close()
            status = running.wait()
            errors.seek(0)
            words = errors.read(500).decode(errors="replace").strip().splitlines()
        if not whole:
            reason = words[-1] if words else f"{_DUMP} ended with {status}"
            raise Unreadable(path=where, reason=f"{_DUMP} cannot read it: {reason}")

    def _store(self, lines, bytes_max):
        """Take keys and values of a dump -> whether it came to its end."""
        for line in lines:
            if line.strip() == b"HEADER=END":
                break
        self._rows.execute("begin")
        key = None
        whole = False
        while line := lines.readline(2 * FILE_BYTES_MAX + 4):
            bytes_max -= len(line)
            if bytes_max < 0:
                break
            if line.startswith(b"DATA=END"):
                whole = True
                break
            try:
                value = bytes.fromhex(line.decode("ascii", errors="replace").strip())
            except ValueError:
                break
            if key is None:
                key = os.fsdecode(value.removesuffix(b"\0"))
                continue
            self._rows.execute("insert or replace into rows values (?, ?)", (os.fsencode(key), value))
            key = None
        self._rows.execute("commit")
        return whole

    def _objects(self, prefix):
        """Yield (key, value) of the keys that begin so, sorted."""
        first = os.fsencode(prefix)
        found = self._rows.cursor()
        found.execute("select key, value from rows where key >= ? and key < ? order by key", (first, first + b"\xff"))
        for key, value in found:
            yield os.fsdecode(key), value

    def _value(self, key):
        found = self._rows.execute("select value from rows where key = ?", (os.fsencode(key),)).fetchone()
        return found[0] if found else None


def _limit(running):
    """Keep a program of Berkeley DB's from running for ever."""
    try:
        resource.prlimit(running.pid, resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
    except ProcessLookupError:
        pass


def _succeeds(command):
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        _limit(running)
        try:
            return running.wait(_TIME_LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            running.kill()
            return False


def _by_host(attribute, value):
    """A packed attribute -> {host: text}, as it stands in a text object."""
    if isinstance(value, bytes):
        return {text.EVERYWHERE: os.fsdecode(value)}
    if attribute == "hostlist":
        return {text.EVERYWHERE: " ".join(_first_text(host) for host in value)}
    found = {}
    for element in value or ():
        # host, value: the first two fields of every such element.
        host, own = (*element.values(), b"", b"")[:2]
        found[os.fsdecode(host) if isinstance(host, bytes) else str(host)] = _text(attribute, own)
    return found


def _text(attribute, value):
    if isinstance(value, list):
        return " ".join(_first_text(element) for element in value) or "NONE"
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if attribute in _BITS and value in (0, 1):
        return _BITS[attribute][value]
    if attribute == "qtype" and isinstance(value, int):
        return " ".join(word for bit, word in _QTYPES if value & bit) or "NONE"
    return str(value)


def _first_text(element):
    """The name of an element of a list, with the value of a resource."""
    for value in element.values():
        if isinstance(value, bytes):
            more = element.get("CE_stringval")
            return os.fsdecode(value if more is None else b"%b=%b" % (value, more))
    return ""

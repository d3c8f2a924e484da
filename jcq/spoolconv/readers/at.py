"""Reader of the spool of at and batch, as Debian and Red Hat lay it.

What becomes of what:
  * Queue letter X becomes queue `at_X`. Letter b and capitals start one job at a time: run limit 1; the others have
    none in at, and get the greatest. A letter's nice value (2 for each letter after a, at most 19) becomes a limit of
    the queue and of its requests.
  * A job ran in /bin/sh, in its directory, with its umask and with nothing but the environment that it was submitted
    with. at mailed the output; here it goes to files, stdout and stderr together, and a mail says only that it ended.
  * A job that had begun (a name with `=`) may have run half: at never starts it again, so it is held by the operator,
    with a note. `=` beside the original name of the same file is what a crash of atd leaves before the job began:
    one waiting job.
  * A job file without the x bit was never written to its end, one with more than one name or of another owner than
    its header says is a forgery: atd runs none of them, and they are skipped.

The number of a job is no key: numbers wrap, begin anew with a new spool, and two files may carry the same one. The
file's name is, with the letter that a job had before it began.
"""

import os
import re
import stat
from itertools import islice

from jcq.model.limits import NICE_MAX
from jcq.model.mail_address import valid_address
from jcq.model.queue import RUN_LIMIT_MAX
from jcq.model.request import ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers import at_job
from jcq.spoolconv.records import HELD, QUEUED, WAITING, OldQueue, OldRequest, Skip

NAME = "at"

#: Where the jobs may be below the directory that is given, and where their output is, seen from there.
_PLACES = (
    (".", ("spool",)),
    ("atjobs", ("atspool",)),
    ("cron/atjobs", ("cron/atspool",)),
    ("spool/cron/atjobs", ("spool/cron/atspool",)),
    ("var/spool/cron/atjobs", ("var/spool/cron/atspool",)),
    ("at", ("at/spool",)),
    ("spool/at", ("spool/at/spool",)),
    ("var/spool/at", ("var/spool/at/spool",)),
)
_JOB = re.compile(r"([A-Za-z=])([0-9a-f]{5})([0-9a-f]{8})", re.ASCII)
_NAME_LENGTH = 14
_LAST_NUMBER = ".SEQ"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BEGUN = "="
#: at's default queue.
_DEFAULT = "a"
_HEAD = b"#!/bin/sh\n# atrun uid="
#: So many names are looked at to recognise a spool.
_LOOKED_AT = 1000
#: The first second of the year 10000.
_TIME_END_S = 253402300800
_MODE_BITS = 0o777
_HAD_BEGUN = "it had begun, and perhaps half of it is done: it is held; release it to run it again, or delete it"
_JOB_BYTES_MAX = SCRIPT_BYTES_MAX + ENVIRONMENT_BYTES_MAX * 2


def evidence(source):
    """What makes a directory the spool of at, in a phrase; empty where it is none.

    Args:
        source: a `jcq.spoolconv.source.Source`.
    """
    return "; ".join(f"jobs of at in {jobs}" for jobs, _ in _places(source))


def read(source, clock_s):
    """Yield a record for each queue that is used, and one for each file.

    Args:
        source: a `Source`.
        clock_s: seconds since 1970; what is due later waits.
    Raises:
        WrongLayout: there is no spool of at.
        Unreadable: it cannot be listed.
    """
    places = _places(source)
    if not places:
        raise WrongLayout(reason=f"{os.fspath(source.path)} holds no spool of at: neither .SEQ nor a job file is there")
    used = {letter for jobs, outputs in places for letter in _letters(source, jobs, outputs)}
    for letter in sorted(used):
        yield _queue(letter, places[0][0])
    for jobs, outputs in places:
        yield from _Spool(source, jobs, outputs, clock_s).records()


def _places(source):
    return [(jobs, outputs[0]) for jobs, outputs in _PLACES if _is_place(source, jobs)]


def _is_place(source, jobs):
    try:
        if not source.is_directory(jobs):
            return False
        if source.is_file(_below(jobs, _LAST_NUMBER)) and all(
            name.startswith(".") or _JOB.match(name) or source.is_directory(_below(jobs, name))
            for name in islice(source.scan(jobs), _LOOKED_AT)
        ):
            return True
        return any(
            _begins_as_job(source, _below(jobs, name))
            for name in islice(source.scan(jobs), _LOOKED_AT)
            if _JOB.fullmatch(name)
        )
    except Unreadable:
        return False


def _begins_as_job(source, where):
    try:
        return source.read(where, _JOB_BYTES_MAX).data.startswith(_HEAD)
    except Unreadable:
        return False


def _below(directory, name):
    return name if directory == "." else f"{directory}/{name}"


def _letters(source, jobs, outputs):
    """The letters of the queues that may be needed."""
    for name in source.scan(jobs):
        found = _JOB.match(name)
        if found:
            yield _DEFAULT if found[1] == _BEGUN else found[1]
    try:
        if source.is_directory(outputs):
            yield from (name[0] for name in source.scan(outputs) if _JOB.fullmatch(name) and name[0] != _BEGUN)
    except Unreadable:
        pass


def _nice(letter):
    """atd.c: twice the letter's place behind a; the kernel takes no more than 19."""
    return min(2 * (ord(letter.lower()) - ord("a")), NICE_MAX)


def _limits(letter):
    return {"nice_process": (_nice(letter), None)} if _nice(letter) else {}


def _queue(letter, where):
    alone = letter == "b" or letter.isupper()
    notes = ["at started its jobs only while the load was low"] if alone else []
    return OldQueue(
        name=f"at_{letter}",
        where=where,
        run_limit=1 if alone else RUN_LIMIT_MAX,
        limits=_limits(letter),
        notes=tuple(notes),
    )


class _Refused(Exception):
    """A file that becomes a `Skip`; the text is the reason."""


class _Spool:
    """One directory of jobs, and that of their output."""

    def __init__(self, source, jobs, outputs, clock_s):
        self._source = source
        self._jobs = jobs
        self._outputs = outputs
        self._clock_s = clock_s

    def records(self):
        for name in self._source.names_in_order(self._jobs):
            record = self._record(name)
            if record is not None:
                yield record
        yield from self._left_output()

    def _record(self, name):
        where = _below(self._jobs, name)
        found = _JOB.match(name)
        if not found:
            return None if self._is_known(name, where) else Skip(where, "it is no job of at", kind="file")
        number = str(int(found[2], 16))
        try:
            return self._request(where, name, found, number)
        except _Refused as refused:
            return Skip(where, str(refused), old_id=number)
        except Unreadable as error:
            return Skip(where, error.fields["reason"], old_id=number)

    def _is_known(self, name, where):
        """The number that was last given, and the directory of output (Red Hat) are no one's job."""
        try:
            return name == _LAST_NUMBER or (where == self._outputs and self._source.is_directory(where))
        except Unreadable:
            return False

    def _request(self, where, name, found, number):
        """-> OldRequest, or None where another name stands for the same job."""
        status = self._source.status(where)
        if status is None:
            raise _Refused("it vanished while the spool was read: has at been stopped?")
        if not stat.S_ISREG(status.st_mode):
            raise _Refused("it is no regular file")
        notes = []
        if status.st_nlink != 1:
            others = self._other_names(name, status)
            if found[1] == _BEGUN and others:
                # The job stands under its own name.
                return None
            if others != [_BEGUN + name[1:]] or status.st_nlink != 2:
                raise _Refused(f"its file has {status.st_nlink} names: atd refuses a linked job")
            notes.append(f"atd broke off while it started it ({others[0]} is the same file): it had not begun")
        if not status.st_mode & stat.S_IXUSR:
            raise _Refused("at never finished writing it (its file is not executable), and atd would not run it")
        job = self._job(where, status)
        due_s = int(found[3], 16) * 60
        if due_s >= _TIME_END_S:
            raise _Refused("its time lies before 1970 or beyond the year 9999")
        letter = found[1]
        if letter == _BEGUN:
            letter = self._letter_of_begun(name, notes)
        return self._made(where, name, number, job, status, due_s, letter, notes)

    def _job(self, where, status):
        file = self._source.read(where, _JOB_BYTES_MAX)
        if (file.status.st_ino, file.status.st_dev) != (status.st_ino, status.st_dev):
            raise _Refused("it was replaced while it was read")
        if not file.data:
            raise _Refused("its file is empty")
        try:
            job = at_job.parse(file.data)
        except at_job.NoJob as error:
            raise _Refused(str(error)) from None
        if job.uid != file.status.st_uid:
            raise _Refused(f"its header says uid {job.uid}, but its file belongs to uid {file.status.st_uid}")
        if len(job.script) > SCRIPT_BYTES_MAX:
            raise _Refused(f"its script has {len(job.script)} bytes, more than {SCRIPT_BYTES_MAX}")
        size = sum(len(name) + len(value) + 2 for name, value in job.environment.items())
        if size > ENVIRONMENT_BYTES_MAX:
            raise _Refused(f"its environment has {size} bytes, more than {ENVIRONMENT_BYTES_MAX}")
        return job

    def _other_names(self, name, status):
        """The other names of a job that are the same file."""
        same = (status.st_ino, status.st_dev)
        others = []
        for letter in _BEGUN + _LETTERS:
            other = letter + name[1:]
            if other != name:
                found = self._source.status(_below(self._jobs, other))
                if found is not None and (found.st_ino, found.st_dev) == same:
                    others.append(other)
        return others

    def _letter_of_begun(self, name, notes):
        """The queue of a job that had begun: its output file has kept the name."""
        letters = [letter for letter in _LETTERS if self._has_output(letter + name[1:])]
        notes.append(_HAD_BEGUN)
        if len(letters) == 1:
            notes.append(f"its output until then is in {_below(self._outputs, letters[0] + name[1:])}")
            return letters[0]
        notes.append(f"its queue is not known any more: {_DEFAULT} is taken")
        return _DEFAULT

    def _has_output(self, name):
        try:
            return self._source.is_file(_below(self._outputs, name))
        except Unreadable:
            return False

    def _left_output(self):
        """Output whose job is gone."""
        try:
            if not self._source.is_directory(self._outputs):
                return
            for name in self._source.names_in_order(self._outputs):
                found = _JOB.fullmatch(name)
                if found and self._source.status(_below(self._jobs, _BEGUN + name[1:])) is not None:
                    continue
                where = _below(self._outputs, name)
                # Debian keeps .SEQ of its own beside them.
                if name == _LAST_NUMBER:
                    continue
                yield Skip(where, "it is output of a job that is gone" if found else "it is no job of at", kind="file")
        except Unreadable as error:
            yield Skip(self._outputs, error.fields["reason"], kind="file")

    def _made(self, where, name, number, job, status, due_s, letter, notes):
        if job.note:
            notes.append(job.note)
        if len(name) > _NAME_LENGTH:
            notes.append(f"its file's name goes on behind the time: {name[_NAME_LENGTH:60]!r}")
        if job.umask > _MODE_BITS:
            notes.append(f"its umask {job.umask:o} is cut to {job.umask & _MODE_BITS:o}")
        mail_to = os.fsdecode(job.mail_to)
        if not valid_address(mail_to):
            if job.mail >= 0:
                notes.append(f"its mail would go to {mail_to[:60]!r}, which is no address: it goes to its owner")
            mail_to = ""
        if job.mail > 0:
            notes.append("at mailed its output: here it goes to a file, and the mail says that it has ended")
        elif job.mail == 0:
            notes.append("at mailed its output if there was any: here it goes to a file, without a mail")
        submitted_s = status.st_mtime
        if not 0 <= submitted_s <= self._clock_s:
            notes.append("the time of its submission (that of its file) lies outside any sense: now is taken")
            submitted_s = float(self._clock_s)
        shell = os.fsdecode(job.environment.get(b"SHELL", b"")) if job.wrapped else ""
        begun = name[0] == _BEGUN
        return OldRequest(
            old_id=number,
            where=where,
            queue=f"at_{letter}",
            script=job.script,
            state=HELD if begun else WAITING if due_s > self._clock_s else QUEUED,
            operator_hold=begun,
            uid=job.uid,
            gid=job.gid,
            submitted_s=submitted_s,
            due_s=float(due_s),
            workdir=os.fsdecode(job.directory),
            umask=job.umask & _MODE_BITS,
            tz=os.fsdecode(job.environment.get(b"TZ", b"")),
            shell=shell if shell.startswith("/") else "/bin/sh",
            joined=True,
            mail_end=job.mail > 0,
            mail_to=mail_to,
            limits=_limits(letter),
            environment=job.environment,
            identity=f"{letter}{due_s // 60:08x}",
            notes=tuple(notes),
        )

"""Jobs of Grid Engine as requests of jcq: one for each task of an array that is not over.

What becomes of what:
  * old id: `42`, and `42.3` for task 3 of an array, which finds SGE_TASK_ID in its environment.
  * queue: where it ran; else the first of those it asked for (-q, hard before soft) that is there; else that of the
    lowest sequence number whose limits allow it. A job whose queues are all gone is held, as it waited for ever.
  * priority -1023..1024 becomes 0..63, so that 0 is the usual one, and what is above or below it stays so.
  * directory: -cwd or -wd, else HOME. umask: not stored, the site's usual one.
  * shell: -S, else that of the queue, whatever the script's first line says, as posix_compliant queues do.
  * -r y and -r n are kept; a job with -r y that ran in a queue that reruns nothing is queued again.
  * `#$` lines were applied when it was submitted: they are not looked at.
  * a mail when it is aborted (-m a) becomes one when it ends.
"""

import fnmatch
import os

from jcq.model import requestname
from jcq.model.mail_address import valid_address
from jcq.model.request import ENVIRONMENT_BYTES_MAX, PRIORITY_DEFAULT, PRIORITY_MAX
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.sge import environment, outputs, resources
from jcq.spoolconv.readers.sge.notes import note_options
from jcq.spoolconv.readers.sge.refused import Refused
from jcq.spoolconv.readers.sge.script import script
from jcq.spoolconv.readers.sge.tasks import ARRAY, Tasks
from jcq.spoolconv.records import HELD, QUEUED, RUNNING, OldRequest, Skip

_NO_ID = 0xFFFFFFFF
_INTERACTIVE = 0x2 | 0x4 | 0x8 | 0x10
_RERUN, _NO_RERUN = 1, 2
_MAIL_ABORT, _MAIL_BEGIN, _MAIL_END, _MAIL_SUSPEND = 0x40000, 0x80000, 0x100000, 0x400000
_PRIORITY_ZERO, _PRIORITY_LOWEST, _PRIORITY_STEPS = 1024, 1, 2047
#: What an open end of a range of slots is stored as.
_ENDLESS = 9_999_999


class Jobs:
    """Makes requests of jobs.

    Args:
        queues: every `KnownQueue`.
        names: the `QueueNames`.
        clock_s: seconds since 1970.
    """

    def __init__(self, queues, names, clock_s):
        self._queues = sorted(queues, key=lambda queue: queue.order)
        self._by_old = {queue.old_name: queue for queue in queues}
        self._names = names
        self._clock_s = clock_s

    def records(self, job):
        """Yield an `OldRequest` or a `Skip` for each task, at least one for each job."""
        number = str(job.number)
        try:
            tasks = Tasks(job)
            self._check(job)
            numbers = tasks.numbers()
            if not numbers:
                raise Refused("none of its tasks is left to run")
        except Refused as refused:
            yield Skip(job.where, str(refused), old_id=number)
            return
        array = bool(job.fields["JB_type"] & ARRAY) or len(numbers) > 1
        for task in numbers:
            old_id = f"{number}.{task}" if array else number
            try:
                yield self._request(job, tasks, task, array, old_id)
            except Refused as refused:
                yield Skip(job.where, str(refused), old_id=old_id)
            except Unreadable as error:
                yield Skip(job.where, f"its script: {error.fields['reason']}", old_id=old_id)

    def _check(self, job):
        fields = job.fields
        if fields["JB_job_number"] != job.number:
            raise Refused(f"it says that it is job {fields['JB_job_number']}")
        if not fields["JB_owner"]:
            raise Refused("it names no owner")
        if _NO_ID in (fields["JB_uid"], fields["JB_gid"]):
            raise Refused("its uid or gid is none that a user or group can have")
        if fields["JB_type"] & _INTERACTIVE:
            raise Refused("it is interactive")
        if fields["JB_cwd"] and not fields["JB_cwd"].startswith(b"/"):
            raise Refused(f"its directory {os.fsdecode(fields['JB_cwd'])[:100]!r} is not absolute")

    def _request(self, job, tasks, task, array, old_id):
        fields, notes = job.fields, []
        state, by_operator = tasks.state(task, self._clock_s, notes)
        started = job.tasks.get(task)
        queue, name, lost = self._queue(fields, started if state == RUNNING else None, notes)
        restartable = {_RERUN: True, _NO_RERUN: False}.get(fields["JB_restart"])
        if state == RUNNING and restartable and queue is not None and not queue.rerun:
            # jcq purges every request of such a queue; Grid Engine went by -r y.
            notes.append("it had begun, and runs again from its start (-r y)")
            state = QUEUED
        shell = self._shell(fields, queue, notes)
        text, shell, without_arguments = script(job, shell, notes)
        if lost or without_arguments:
            state, by_operator = HELD, True
        slots = _slots(fields, started)
        owner, workdir = os.fsdecode(fields["JB_owner"]), os.fsdecode(fields["JB_cwd"])
        old_name = os.fsdecode(fields["JB_job_name"])
        request_name = requestname.default(old_name)
        if request_name != old_name:
            notes.append(f"its name was {old_name[:100]!r}")
        variables = environment.environment(
            fields, task if array else None, _structure(fields, task), queue, slots, notes
        )
        if sum(len(key) + len(value) + 2 for key, value in variables.items()) > ENVIRONMENT_BYTES_MAX:
            raise Refused(f"its environment has more than {ENVIRONMENT_BYTES_MAX} bytes")
        values = {
            "USER": owner,
            "HOME": environment.home(fields),
            "JOB_ID": str(job.number),
            "JOB_NAME": old_name,
            "TASK_ID": str(task) if array else "undefined",
        }
        submitted_s = fields["JB_submission_time"]
        if not 0 < submitted_s <= self._clock_s:
            notes.append(f"the time of its submission, {submitted_s}, lies outside any sense: now is taken")
            submitted_s = self._clock_s
        note_options(fields, notes)
        mail = fields["JB_mail_options"]
        return OldRequest(
            old_id=old_id,
            where=job.where,
            queue=name,
            script=text,
            state=state,
            operator_hold=by_operator,
            name=request_name,
            user=owner,
            uid=fields["JB_uid"],
            gid=fields["JB_gid"],
            priority=_priority(fields["JB_priority"], notes),
            submitted_s=float(submitted_s),
            due_s=float(fields["JB_execution_time"]),
            restartable=restartable,
            workdir=workdir,
            host=environment.host(fields),
            shell=shell,
            out_path=outputs.path(fields["JB_stdout_path_list"], "-o", values, workdir, notes),
            err_path=outputs.path(fields["JB_stderr_path_list"], "-e", values, workdir, notes),
            joined=bool(fields["JB_merge_stderr"]),
            mail_begin=bool(mail & _MAIL_BEGIN),
            mail_end=bool(mail & (_MAIL_END | _MAIL_ABORT)),
            mail_to=_mail_to(fields, mail, notes),
            limits=_limits(fields, slots, notes),
            environment=variables,
            after=_after(fields),
            # Numbers begin anew with a new cell.
            identity=str(fields["JB_submission_time"]),
            notes=tuple(notes),
        )

    def _queue(self, fields, running, notes):
        """-> (KnownQueue or None, its name here, whether all that it asked for are gone)."""
        if running is not None and running["JAT_master_queue"]:
            old = os.fsdecode(running["JAT_master_queue"]).partition("@")[0]
            found = self._by_old.get(old)
            if found is None:
                notes.append(f"the queue where it ran is not there: {old[:100]}")
            return found, self._names.legal(old), found is None
        hard = [os.fsdecode(element["QR_name"]) for element in fields["JB_hard_queue_list"]]
        soft = [os.fsdecode(element["QR_name"]) for element in fields["JB_soft_queue_list"]]
        wanted = _fitting(self._queues, hard)
        if hard and not wanted:
            notes.append(f"the queue that it asked for is not there: {' '.join(hard)[:100]}")
        if any("@" in one for one in hard):
            notes.append(f"it asked for a host: {' '.join(hard)[:100]}")
        may_be = wanted or self._queues
        allowed = [queue for queue in may_be if queue.runs_batch and _allows(queue, fields)]
        preferred = _fitting(allowed, soft) or [queue for queue in allowed if queue.may_start] or allowed or may_be
        if not preferred:
            old = (hard or soft or ["batch"])[0].partition("@")[0] or "batch"
            return None, self._names.legal(old), bool(hard)
        if len(wanted) != 1:
            notes.append(f"Grid Engine had not chosen its queue yet: {preferred[0].old_name} is taken")
        return preferred[0], preferred[0].name, bool(hard and not wanted)

    def _shell(self, fields, queue, notes):
        wanted = [os.fsdecode(element["PN_path"]) for element in fields["JB_shell_list"]]
        if len(wanted) > 1:
            notes.append(f"-S named {len(wanted)} shells: {wanted[0][:100]} is taken")
        if wanted and wanted[0].startswith("/"):
            return wanted[0]
        if wanted:
            notes.append(f"-S {wanted[0][:100]!r} is not absolute: it is left out")
        return queue.shell if queue is not None else ""


def _fitting(queues, patterns):
    """The queues that any of the names or patterns means; a host behind `@` is passed over."""
    names = [pattern.partition("@")[0] or "*" for pattern in patterns]
    return [queue for queue in queues if any(_means(name, queue.old_name) for name in names)]


def _means(pattern, name):
    return fnmatch.fnmatchcase(name, pattern) if set(pattern) & set("*?[") else name == pattern


def _allows(queue, fields):
    """Whether the limits of a queue are as great as those that a job asks for."""
    asked = resources.limits(_requested(fields), [])
    for name, (value, _) in asked.items():
        allowed = queue.limits.get(name, (None, None))[0]
        if allowed is not None and value is not None and value > allowed:
            return False
    return True


def _requested(fields):
    return {
        os.fsdecode(element["CE_name"]): os.fsdecode(element["CE_stringval"])
        for element in fields["JB_hard_resource_list"]
    }


def _slots(fields, started):
    """The slots of a parallel job: those that it had, else the most that it asks for, within reason; else 1."""
    if not fields["JB_pe"]:
        return 1
    had = sum(element["JG_slots"] for element in started["JAT_granted_destin_identifier_list"]) if started else 0
    most = max((element["RN_max"] for element in fields["JB_pe_range"]), default=1)
    least = max((element["RN_min"] for element in fields["JB_pe_range"]), default=1)
    return max(1, had or (most if most < _ENDLESS else least))


def _limits(fields, slots, notes):
    return resources.limits(_requested(fields), notes, slots)


def _structure(fields, task):
    for element in fields["JB_ja_structure"]:
        return element["RN_min"], element["RN_max"], element["RN_step"]
    return task, task, 1


def _priority(stored, notes):
    """0..63, or None for the usual one."""
    if stored == _PRIORITY_ZERO:
        return None
    number = max(0, min(stored - _PRIORITY_LOWEST, _PRIORITY_STEPS)) * PRIORITY_MAX // _PRIORITY_STEPS
    # What is above or below 0 stays above or below what is usual here.
    if stored > _PRIORITY_ZERO:
        number = max(number, PRIORITY_DEFAULT + 1)
    else:
        number = min(number, PRIORITY_DEFAULT - 1)
    notes.append(f"its priority was {stored - _PRIORITY_ZERO} (-1023 to 1024)")
    return number


def _mail_to(fields, mail, notes):
    if not mail & (_MAIL_ABORT | _MAIL_BEGIN | _MAIL_END | _MAIL_SUSPEND):
        return ""
    if mail & _MAIL_SUSPEND:
        notes.append("a mail when it is suspended (-m s) is not sent here")
    if mail & _MAIL_ABORT and not mail & _MAIL_END:
        notes.append("a mail when it is aborted (-m a) is sent whenever it ends")
    addresses = []
    for element in fields["JB_mail_list"]:
        user, host = os.fsdecode(element["MR_user"]), os.fsdecode(element["MR_host"])
        address = f"{user}@{host}" if host else user
        if valid_address(address):
            addresses.append(address)
        else:
            notes.append(f"mail to {address[:100]!r}, which is no address, is left out")
    if len(addresses) > 1:
        notes.append(f"mail went to {len(addresses)} addresses: {addresses[0]} is taken")
    return addresses[0] if addresses else ""


def _after(fields):
    numbers = [
        element["JRE_job_number"]
        for key in ("JB_jid_predecessor_list", "JB_ja_ad_predecessor_list")
        for element in fields[key]
    ]
    return tuple(str(number) for number in dict.fromkeys(numbers) if number)

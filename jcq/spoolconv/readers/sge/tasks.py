"""The tasks of a job of Grid Engine, and what each was doing."""

import os

from jcq.spoolconv.readers.sge.refused import Refused
from jcq.spoolconv.records import HELD, QUEUED, RUNNING, WAITING

#: More tasks than this no job is made into; Grid Engine itself takes 75,000 (max_aj_tasks).
TASKS_MAX = 100_000
#: JB_type.
ARRAY = 0x80
#: JAT_state, JAT_status (sge_jobL.h).
_RUNNING, _SUSPENDED, _TRANSFERRING, _DELETED, _ERROR, _FINISHED = 0x80, 0x100, 0x200, 0x400, 0x8000, 0x10000
#: JAT_hold.
_HOLD_USER, _HOLD_OPERATOR, _HOLD_SYSTEM, _HOLD_ARRAY = 1, 2, 4, 8
_SETS = {
    "JB_ja_u_h_ids": _HOLD_USER,
    "JB_ja_o_h_ids": _HOLD_OPERATOR,
    "JB_ja_s_h_ids": _HOLD_SYSTEM,
    "JB_ja_a_h_ids": _HOLD_ARRAY,
}
_WORDS = {
    _HOLD_USER: "its owner",
    _HOLD_OPERATOR: "an operator",
    _HOLD_SYSTEM: "the system",
    _HOLD_ARRAY: "the tasks of another array that must end first",
}


class Tasks:
    """The tasks of one job that are not over.

    Raises:
        Refused: its ranges make no sense, or are too large.
    """

    def __init__(self, job):
        self._job = job
        self._held = {bit: _numbers(job.fields, key) for key, bit in _SETS.items()}
        self._every = _numbers(job.fields, "JB_ja_n_h_ids").union(*self._held.values(), job.tasks, job.unreadable)

    def numbers(self):
        """-> the numbers of the tasks, sorted."""
        return sorted(self._every)

    def state(self, number, clock_s, notes):
        """What a task was doing.

        Args:
            number: of the task.
            clock_s: seconds since 1970.
            notes: list that takes what its reader should know.
        Returns:
            (state, whether an operator or the system holds it).
        Raises:
            Refused: it is not to be run again.
        """
        if number in self._job.unreadable:
            raise Refused(f"the file of the task cannot be read: {self._job.unreadable[number]}")
        task = self._job.tasks.get(number)
        if task is not None:
            begun = self._of_started(task, notes)
            if begun:
                return begun
        holds = task["JAT_hold"] if task is not None else 0
        if task is None:
            for bit, numbers in self._held.items():
                if number in numbers:
                    holds |= bit
        by = [words for bit, words in _WORDS.items() if holds & bit]
        if by:
            notes.append(f"it was held by {' and '.join(by)}")
            return HELD, bool(holds & (_HOLD_OPERATOR | _HOLD_SYSTEM))
        return (WAITING if self._job.fields["JB_execution_time"] > clock_s else QUEUED), False

    def _of_started(self, task, notes):
        state, status = task["JAT_state"], task["JAT_status"]
        if state & _DELETED:
            raise Refused("it had been deleted, and was still ending")
        if status & _FINISHED:
            raise Refused("it had ended")
        if state & _ERROR:
            messages = [message.get("QIM_message", b"") for message in task["JAT_message_list"]]
            reason = os.fsdecode(b"; ".join(message for message in messages if message))[:300] or "no reason is stored"
            notes.append(f"it was in error: {reason}")
            return HELD, True
        if state & (_RUNNING | _SUSPENDED) or status & (_RUNNING | _TRANSFERRING):
            if state & _SUSPENDED:
                notes.append("it was suspended")
            return RUNNING, False
        return None


def _numbers(fields, key):
    """The numbers of a list of ranges."""
    found, count = set(), 0
    for element in fields[key]:
        first, last, step = element["RN_min"], element["RN_max"], element["RN_step"]
        if not 0 < first <= last or not step:
            raise Refused(f"its tasks {first}-{last}:{step} make no sense")
        numbers = range(first, last + 1, step)
        count += len(numbers)
        if count > TASKS_MAX:
            raise Refused(f"it has {count} tasks, more than {TASKS_MAX}")
        found.update(numbers)
    return found

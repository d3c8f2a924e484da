"""Job scripts that say when they ran, and that wait for a gate which the test opens."""

import os
from dataclasses import dataclass

#: Waits for the gate at most 60 s, so that a failed test leaves no job for long.
_WAIT = """\
tries=0
while [ ! -e "{gate}" ] && [ $tries -lt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done
"""


class Gate:
    """A directory in which jobs leave records, and a file that holds them back until it exists."""

    def __init__(self, directory):
        """`directory` exists and can be written by the jobs' owners."""
        self.directory = directory
        self._gate = os.path.join(directory, "open")

    def script(self, label="job", work="", exit_code=0):
        """A job: writes its start, waits for the gate, does `work`, writes its end and exits.

        Args:
            label: any word, kept in the record; tests use the queue's name.
            work: shell commands.
            exit_code: what it ends with.
        """
        record = f'{self.directory}/"$QSUB_REQID"'
        return (
            f'#!/bin/sh\necho "{label} $(date +%s%N)" > {record}.start\n'
            + _WAIT.format(gate=self._gate)
            + f"{work}\ndate +%s%N > {record}.part\nmv {record}.part {record}.end\nexit {exit_code}\n"
        )

    def open(self):
        """Let every job through."""
        with open(self._gate, "w", encoding="ascii"):
            pass

    def started(self, label=None):
        """Ids of the requests that have started, those with this label."""
        return [record.id for record in self.records() if label in (None, record.label)]

    def records(self):
        """All records, in no order."""
        found = []
        for name in os.listdir(self.directory):
            request_id, dot, kind = name.rpartition(".")
            if not dot or kind != "start":
                continue
            words = _words(os.path.join(self.directory, name))
            if len(words) < 2:
                continue
            end = _words(os.path.join(self.directory, f"{request_id}.end"))
            found.append(Record(request_id, words[0], int(words[1]), int(end[0]) if end else 0))
        return found


@dataclass(frozen=True)
class Record:
    """What one job wrote."""

    id: str
    label: str
    start_ns: int
    #: 0 while it runs.
    end_ns: int


def greatest_overlap(records):
    """How many of the finished records ran at the same time, at most."""
    steps = [(record.start_ns, 1) for record in records] + [(record.end_ns, -1) for record in records]
    running = greatest = 0
    for _, change in sorted(steps):
        running += change
        greatest = max(greatest, running)
    return greatest


def _words(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []

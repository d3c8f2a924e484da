"""Removes the spooled files of delivered requests, when nothing else is to be done.

ext4 makes new files slowly for some seconds after others were deleted, and a job needs three new
ones: deleting at once would halve the rate of short jobs. Files are removed when the worker is idle,
or when many, or large ones, have gathered. What a crash leaves is removed with its request (retention).
"""

import os
import time
from collections import deque

_IDLE_S = 2.0
_FILES_MAX = 5000
_LARGE_BYTES = 1024 * 1024
_FILES_PER_TURN = 200


class Tidy:
    """Files that may go, the oldest first."""

    def __init__(self):
        self._paths = deque()
        self._quiet_since = time.monotonic()

    def add(self, paths):
        """Files of a request that is delivered and recorded; a large one that has no other name goes at once."""
        for path in paths:
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                continue
            if found.st_size >= _LARGE_BYTES and found.st_nlink == 1:
                os.unlink(path)
            else:
                self._paths.append(path)

    def patience_s(self):
        """How long the loop may wait before `run_once` has something to do, in seconds."""
        if not self._paths:
            return float("inf")
        return max(0.0, self._quiet_since + _IDLE_S - time.monotonic())

    def run_once(self, busy):
        """Remove some files if it is time.

        Args:
            busy: whether requests are on their way.
        Returns:
            How many were removed.
        """
        now = time.monotonic()
        if busy:
            self._quiet_since = now
        if len(self._paths) <= _FILES_MAX and now < self._quiet_since + _IDLE_S:
            return 0
        return self._remove(_FILES_PER_TURN)

    def run_all(self):
        """Remove every file, before the worker ends; returns how many."""
        return self._remove(len(self._paths))

    def _remove(self, most):
        count = 0
        while self._paths and count < most:
            try:
                os.unlink(self._paths.popleft())
            except FileNotFoundError:
                continue
            count += 1
        return count

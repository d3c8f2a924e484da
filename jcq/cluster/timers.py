"""Timers of an event loop: what is to be done when, and how long the loop may wait."""

import time


class Timers:
    """Functions with a moment of the monotonic clock; each is known by a name, which a new one replaces."""

    def __init__(self):
        #: name -> (moment, seconds until it comes again or None, function)
        self._set = {}

    def after(self, name, delay_s, function):
        """Call `function()` once, in `delay_s` seconds."""
        self._set[name] = (time.monotonic() + delay_s, None, function)

    def every(self, name, interval_s, function):
        """Call `function()` every `interval_s` seconds, for the first time in that time."""
        self._set[name] = (time.monotonic() + interval_s, interval_s, function)

    def cancel(self, name):
        """Forget it; nothing happens where it is not set."""
        self._set.pop(name, None)

    def timeout_s(self):
        """How long the loop may wait: seconds, or None where nothing is set."""
        if not self._set:
            return None
        return max(0.0, min(moment for moment, _, _ in self._set.values()) - time.monotonic())

    def run(self):
        """Call everything whose moment has come, the earliest first."""
        now = time.monotonic()
        due = sorted((moment, name) for name, (moment, _, _) in self._set.items() if moment <= now)
        for moment, name in due:
            # One that ran before may have cancelled or replaced it.
            if name not in self._set or self._set[name][0] != moment:
                continue
            _, interval_s, function = self._set.pop(name)
            if interval_s is not None:
                self._set[name] = (now + interval_s, interval_s, function)
            function()

"""A /bin/sh that is given one command after the other, as a person would type them."""

import contextlib
import os
import select
import signal
import subprocess
import time

from jcq.errors import JcqError

_CHUNK_BYTES = 65536


class QuickstartFailed(JcqError):
    """{reason}"""


class ShellSession:
    """One shell for all steps, so that exported variables, directories and background jobs last."""

    def __init__(self, environment):
        """Start it.

        Args:
            environment: its whole environment.
        """
        self._mark = f"jcq-end-of-step-{os.getpid()}"
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert self._shell.stdin
        assert self._shell.stdout
        self._commands, self._output = self._shell.stdin, self._shell.stdout

    def run(self, command, limit_s):
        """Run one command.

        Args:
            command: text as typed, one or several lines.
            limit_s: seconds in which it must end.
        Returns:
            (what it, and background jobs meanwhile, printed; exit code).
        Raises:
            QuickstartFailed: the shell has ended, or the command took longer.
        """
        deadline = time.monotonic() + limit_s
        self._commands.write(f'{command}\nprintf "\\n{self._mark} %d\\n" "$?"\n'.encode())
        seen = b""
        mark = f"\n{self._mark} ".encode()
        while mark not in seen or not seen.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            ready, _, _ = select.select([self._output], [], [], max(left_s, 0))
            if not ready:
                raise QuickstartFailed(reason=f"this took longer than {limit_s} s: {command}")
            data = os.read(self._output.fileno(), _CHUNK_BYTES)
            if not data:
                raise QuickstartFailed(reason=f"the shell ended at: {command}")
            seen += data
        out, _, rest = seen.partition(mark)
        code, _, late = rest.partition(b"\n")
        return (out + late).decode(errors="replace"), int(code)

    def close(self):
        """End the shell, and with it what it still waits for; a site that it started goes on."""
        self._commands.close()
        self._output.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.wait()

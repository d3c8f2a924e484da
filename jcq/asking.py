"""Asking a site's nqsdaemon one thing, and taking its answer: again where the site moves meanwhile and that is safe.

Part of the users' commands' fast path, see `jcq.client`.
"""

import os
import sys

from jcq import site
from jcq.errors import AnswerLost, JcqError, NoAnswer, NotServed, SiteNotRunning
from jcq.frames import Decoder, netstring

#: How long a daemon that is alive may be silent; qwait waits as long as its request does.
ANSWER_TIMEOUT_S = 120
#: Longest part of an answer that is accepted, in bytes: qstat of 100,000 requests has 10 MB.
ANSWER_BYTES_MAX = 900_000_000
#: What only looks may be asked again where its answer was lost, unless some of it was printed; qsub has a token.
_ONLY_LOOKS = ("history", "qcat", "qlimit", "qselect", "qstat", "qstatq", "qstatr", "qwait")
#: A restart forgets what a conversion has staged: there is nothing to wait for.
_NEVER_WAITS = ("spoolconv",)
#: `qcat -f` is answered with this where the request that it followed does not run just now.
NOT_NOW_CODE = 75
_NOT_NOW_PAUSE_S = 0.5
#: What to do when there was no answer.
_ADVICE_LOOK = "look with qstat what was done"
_ADVICE = {
    "dump": "nothing was written; try again",
    "qcat": "the request is not touched; look with qstat",
    "history": "try again",
    "spoolconv": "give the command again: what was converted is not converted twice",
    "qselect": "try again",
    "qstat": "try again",
    "qsub": "the request may or may not have been accepted; look with qstat",
    "qwait": "the request is not touched; look with qstat",
}


def advice(asked):
    """What to do when there was no answer to the last of `asked`, see `_ask`."""
    return _ADVICE.get(asked[-1], _ADVICE_LOOK)


class Printed:
    """Prints an answer as it comes; where that is repeated word for word, only what is new."""

    def __init__(self):
        self._printed = {1: 0, 2: 0}
        self._to_skip = {1: 0, 2: 0}

    def __call__(self, fd, text, _command):
        skipped = min(len(text), self._to_skip[fd])
        self._to_skip[fd] -= skipped
        self._printed[fd] += len(text) - skipped
        print_bytes(fd, text[skipped:])

    def begin_again(self, same):
        """Whether an answer may come once more; `same`: it begins with what was printed."""
        self._to_skip = dict(self._printed)
        return same or not any(self._printed.values())


class Collected:
    """Keeps an answer."""

    def __init__(self):
        self.said = {1: b"", 2: b""}

    def __call__(self, fd, text, _command):
        self.said[fd] += text

    def begin_again(self, same):
        """As `Printed.begin_again`: nothing was printed."""
        self.said = {1: b"", 2: b""}
        return True


def until_answered(command, there, parts, answer, limit_s, asked, accepted=None, read=None):
    """As `_ask`, but wait for a site that is being started or moved, and repeat what is safe to repeat.

    `answer` takes the answer, a `Printed` or `Collected`; `limit_s` is how long one gap may last.
    """
    patience = lost = None
    again = False
    failure: JcqError
    while True:
        try:
            said = [*parts, b"again=1"] if again else parts
            code = _ask(command, there, said, answer, asked, accepted, read)
            if not (again and command == "qcat" and code == NOT_NOW_CODE):
                return code
            from time import sleep

            sleep(_NOT_NOW_PAUSE_S)
            continue
        except SiteNotRunning as error:
            if command in _NEVER_WAITS:
                raise
            failure = error
        except AnswerLost as error:
            failure = lost = error
            if not (command == "qsub" or command in _ONLY_LOOKS) or not answer.begin_again(command == "qsub"):
                raise
        if patience is None:
            from jcq.patience import Patience

            patience = Patience(there, limit_s)
        again = bool(asked)
        may_have_changed = lost if command not in _ONLY_LOOKS else None
        patience.wait(may_have_changed or failure, again, advice(asked) if asked else "")


def _ask(command, there, parts, write, asked, accepted=None, read=None):
    """Send one request, hand each part of the answer to `write(1 or 2, bytes, command)`; returns the exit code.

    `asked` gets what `_ADVICE` is to be looked up by; `accepted`, if any, is called without arguments as soon as a
    submission is known to be accepted, and again where that is answered again; `read` reads the answer.
    """
    connection = _connect(there)
    try:
        asked.append(command)
        if command == "qwait":
            _limit_silence(connection, 0)
        try:
            connection.sendall(netstring(b"".join([netstring(part) for part in parts])))
        except (BrokenPipeError, ConnectionResetError):
            # The daemon refused it before it had read all; why stands in its answer.
            pass
        except BlockingIOError:
            raise NoAnswer(site=_shown(there), advice=f"it took nothing for {ANSWER_TIMEOUT_S} s; try again") from None
        return (read or read_answer)(command, there, connection, write, asked, accepted)
    finally:
        connection.close()


def _connect(there):
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    _limit_silence(connection, ANSWER_TIMEOUT_S)
    borrowed = -1
    try:
        path, borrowed = site.socket_path(there.api_socket)
        connection.connect(path)
    except PermissionError:
        connection.close()
        raise NotServed(
            reason=f"no permission to reach site {_shown(there)}; every directory above {there.run} must be searchable"
        ) from None
    except BlockingIOError:
        connection.close()
        raise NoAnswer(site=_shown(there), advice="too many commands are waiting for it; try again later") from None
    except OSError:
        connection.close()
        raise SiteNotRunning(site=_shown(there)) from None
    finally:
        if borrowed >= 0:
            os.close(borrowed)
    return connection


def _limit_silence(connection, limit_s):
    """Let the kernel end a wait after `limit_s` seconds (0: never); Python's own time-outs fail on a full backlog."""
    import _socket

    word = 8 if sys.maxsize > 1 << 32 else 4
    timeval = limit_s.to_bytes(word, sys.byteorder) + bytes(word)
    connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, timeval)
    connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, timeval)


def read_answer(command, there, connection, write, asked, accepted):
    """Read an answer to its end; arguments and return value as those of `_ask`."""
    decoder = Decoder(ANSWER_BYTES_MAX)
    while True:
        try:
            data = connection.recv(1 << 18)
        except BlockingIOError:
            raise NoAnswer(
                site=_shown(there), advice=f"it was silent for {ANSWER_TIMEOUT_S} s; {advice(asked)}"
            ) from None
        except ConnectionResetError:
            data = b""
        if not data:
            raise AnswerLost(site=_shown(there), advice=advice(asked))
        for part in decoder.feed(data):
            kind, text = part[:1], part[1:]
            if kind == b"x":
                return int(text)
            if kind == b"a":
                # From here on it waits as qwait does.
                asked.append("qwait")
                _limit_silence(connection, 0)
                if accepted:
                    accepted()
                continue
            write(2 if kind == b"e" else 1, text, command)


def _shown(there):
    return there.name or there.directory


# --- printing --------------------------------------------------------------------------------


def print_bytes(fd, text):
    """Write bytes to standard output (1) or error (2); a reader that has gone (`qstat | head`) is no error."""
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        pass
    except OSError as error:
        if fd == 1:
            raise NotServed(reason=f"cannot write to standard output: {error.strerror}") from None


def complain(line):
    """Write one line to standard error, if anybody reads it."""
    try:
        os.write(2, line.encode("utf-8", "surrogateescape") + b"\n")
    except OSError:
        pass

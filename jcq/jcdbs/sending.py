"""Sending to the site database: Ops in one pipeline, and what becomes of them when the connection is lost.

No client repeats anything silently: a lost answer means that the outcome is unknown (design section 4). Only
where the server is started again in the same epoch, on a full disk, what is `repeatable` is sent once more.
"""

from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from jcq.errors import JcqError
from jcq.jcdbs.errors import LimitExceeded, OutcomeUnknown, from_code
from jcq.model import limits

#: What a client raises when the server does not answer: a lost answer means that the outcome is unknown.
ConnectionLost = redis.RedisError
#: A server that hangs is given up after this time, so that nobody hangs with it (ha-facts.md section 4).
ANSWER_LIMIT_S = 30.0
_LOST = (redis.ConnectionError, redis.TimeoutError)
#: Errors whose detail is data, of which words are made here: the errors themselves import nothing.
_WORDS = {LimitExceeded.code: limits.excess}


@dataclass(frozen=True)
class Op:
    """One thing to ask the site database: commands to send, and a function from their answers to the result."""

    name: str
    commands: tuple
    decode: object
    #: Whether a repetition after a lost answer does no more than the first one, and has the same answer.
    repeatable: bool = True
    #: Whether it may write to the disk.
    changes: bool = False


def connect(path):
    """A client of the server behind a Unix socket: no silent retry, one protocol.

    Args:
        path: path of the socket, at most 107 bytes.
    """
    return redis.Redis(
        unix_socket_path=path,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=ANSWER_LIMIT_S,
        health_check_interval=0,
        # Paths and names of users are bytes: what is no UTF-8 travels as surrogates.
        encoding_errors="surrogateescape",
    )


class Sender:
    """Sends Ops.

    Args:
        connection: a `redis.Redis`, see `connect`.
        texts: the scripts that the server has to know.
    """

    def __init__(self, connection, texts):
        self.connection = connection
        #: Called when the connection was lost, with the arguments of `wait_revived`: returns when this epoch's server
        #: answers again, or raises a `JcqError`, which ends the daemon. None: the connection's loss is raised.
        self.revive = None
        self._texts = texts
        self._load_scripts()

    def _load_scripts(self):
        pipeline = self.connection.pipeline(transaction=False)
        for text in self._texts:
            pipeline.execute_command("SCRIPT LOAD", text)
        pipeline.execute()

    def run(self, op):
        """Run one Op.

        Returns:
            What the method that made it promises.
        Raises:
            JcqError: the script refused. ConnectionLost: the answer is lost.
        """
        result = self.run_many([op])[0]
        if isinstance(result, JcqError):
            raise result
        return result

    def run_many(self, ops):
        """Run several Ops in one pipeline, in order.

        Returns:
            For each its result, or the JcqError that its script answered; OutcomeUnknown for what may not be
            repeated and was on its way when the server ended and was started again.
        """
        if not ops:
            return []
        try:
            return self._send(ops)
        except _LOST as error:
            if self.revive is None:
                raise
            lost = error
        again = [op for op in ops if op.repeatable]
        changes = any(op.changes for op in again)
        self.wait_revived(lost, changes)
        answers = iter(self.lasting(lambda: self._send(again) if again else [], changes))
        return [next(answers) if op.repeatable else OutcomeUnknown(what=op.name) for op in ops]

    def lasting(self, function, changes=True):
        """Call what speaks to the server by itself, again and again until the connection holds.

        Args:
            function: called without arguments; a repetition must do no harm.
            changes: whether it may write to the disk.
        Returns:
            What it returned.
        Raises:
            ConnectionLost: nobody starts servers again. JcqError: what `revive` raised.
        """
        while True:
            try:
                return function()
            except _LOST as error:
                self.wait_revived(error, changes)

    def wait_revived(self, lost, changes):
        """Return when the server answers again and knows the scripts.

        Args:
            lost: what the client raised, and what is raised where nobody starts servers again.
            changes: whether what comes next may write to the disk, which is then waited for too.
        """
        while True:
            if self.revive is None:
                raise lost
            self.revive(lost, changes)
            try:
                self._load_scripts()
                return
            except _LOST as error:
                lost = error

    def _send(self, ops):
        pipeline = self.connection.pipeline(transaction=False)
        for op in ops:
            for command in op.commands:
                pipeline.execute_command(*command)
        answers = iter(pipeline.execute(raise_on_error=False))
        results = []
        for op in ops:
            mine = [next(answers) for _ in op.commands]
            failed = next((answer for answer in mine if isinstance(answer, Exception)), None)
            results.append(self._error(op, failed) if failed else self._decoded(op, mine))
        return results

    @staticmethod
    def _error(op, failed):
        if isinstance(failed, redis.ConnectionError):
            raise failed
        return from_code(op.name, str(failed), _WORDS)

    @staticmethod
    def _decoded(op, answers):
        try:
            return op.decode(answers)
        except JcqError as error:
            return error

"""Launcher, shepherds and rq presence for the worker's loop, which say what a test tells them to say."""

import socket
from types import SimpleNamespace

from worker.errors import ShepherdGone


class FakeShepherd:
    """Remembers its orders; says what it is told to say."""

    def __init__(self, pid):
        self.pid = pid
        self.orders = []
        #: Order -> what it says at once.
        self.answers = {}
        self.said = []
        self.dead = False
        self._ours, self._theirs = socket.socketpair()

    def fileno(self):
        return self._ours.fileno()

    def send(self, message):
        if self.dead or self.fileno() < 0:
            raise ShepherdGone(pid=self.pid, reason="Broken pipe")
        self.orders.append(message)
        if message[0] in self.answers:
            self.say(*self.answers[message[0]])

    def quit(self):
        self.send(("quit",))

    def receive(self):
        said, self.said = self.said, []
        return said

    def close(self):
        self._ours.close()
        self._theirs.close()

    # --- what a test makes it do

    def say(self, *message):
        self.said.append(message)
        self._theirs.send(b"x")

    def die(self):
        """End: its socket reads None after what it has said."""
        self.dead = True
        self.said.append(None)
        self._theirs.send(b"x")

    @property
    def last(self):
        return self.orders[-1][0] if self.orders else None


class FakeLauncher:
    """Gives shepherds when a test lets it."""

    def __init__(self):
        self.ordered = 0
        self.news = []
        self.shepherds = []
        self._ours, self._theirs = socket.socketpair()

    def fileno(self):
        return self._ours.fileno()

    def request_shepherd(self):
        self.ordered += 1

    def read(self):
        news, self.news = self.news, []
        if news:
            self._ours.recv(4096)
        return news

    def tell(self, *news):
        self.news += news
        self._theirs.send(b"x")

    def give(self):
        """Bring every shepherd that was ordered; returns the last one."""
        while self.ordered:
            self.ordered -= 1
            self.shepherds.append(FakeShepherd(1000 + len(self.shepherds)))
            self.tell(("shepherd", self.shepherds[-1]))
        return self.shepherds[-1]

    def close(self):
        self._ours.close()
        self._theirs.close()


class FakePresence:
    """The worker without rq."""

    name = "worker-1"

    def __init__(self):
        self._ours, self._theirs = socket.socketpair()
        connection = SimpleNamespace(_sock=self._ours)
        self.pubsub = SimpleNamespace(connection=connection, get_message=lambda **_: None)

    def heartbeat(self):
        """Nothing to tell."""

    def show_state(self, busy):
        """Nobody looks."""

    def show_queues(self, names):
        """Nobody looks."""

    def close(self):
        self._ours.close()
        self._theirs.close()

"""A stand-in for nqsdaemon's end of the socket, to see what a command sends and how it takes an answer."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import jcq
from jcq.frames import Decoder, netstring, split

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(jcq.__file__)))


def hot_argv(command, *args, before="", after=""):
    """How an installed command starts: no site-packages, one import."""
    code = (
        f"import sys; sys.path.insert(0, {PACKAGES!r}); sys.argv[0] = {command!r}\n"
        f"{before}\nfrom jcq.cli.{command} import main\ncode = main()\n{after}\nsys.exit(code)"
    )
    return [sys.executable, "-I", "-S", "-c", code, *args]


class FakeDaemon:
    """Listens at a local site below `root`; `answer(message)` gives the bytes to send back, or None to say nothing.

    Args:
        root: a scratch directory.
        read: False to answer and close without reading.
    """

    def __init__(self, root, answer=lambda message: netstring(b"x0"), read=True, listen=True):
        self.root = str(root)
        self.directory = os.path.join(self.root, "usr", "spool", "nqs")
        os.makedirs(os.path.join(self.directory, "database"), exist_ok=True)
        os.makedirs(os.path.join(self.directory, "run"), exist_ok=True)
        self.socket_path = os.path.join(self.directory, "run", "nqsdaemon.sock")
        self.messages = []
        self.answer = answer
        self._read = read
        self._listener = None
        if listen:
            fd = os.open(os.path.dirname(self.socket_path), os.O_PATH)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(f"/proc/self/fd/{fd}/nqsdaemon.sock")
            os.close(fd)
            self._listener.listen(8)
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(10)
            assert not self._thread.is_alive()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                message = self._receive(peer) if self._read else {}
                self.messages.append(message)
                answer = self.answer(message)
                if answer is not None:
                    peer.sendall(answer)

    @staticmethod
    def _receive(peer):
        decoder = Decoder(64 << 20)
        whole = []
        while not whole:
            data = peer.recv(1 << 16)
            if not data:
                return {}
            whole = decoder.feed(data)
        message = {}
        for part in split(whole[0], 100_000):
            key, _, value = part.partition(b"=")
            message.setdefault(key.decode(), []).append(value)
        return message

    def run(self, command, *args, stdin=b"", env=None, limit_s=60, **options):
        """Run the real command against this daemon, without patience unless `env` gives it.

        Returns:
            (exit code, standard output, standard error), in bytes.
        """
        environment = {"JCQ_ROOT": self.root, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NQS_TIMEOUT": "0"}
        environment |= env or {}
        environment = {name: value for name, value in environment.items() if value is not None}
        done = subprocess.run(
            hot_argv(command, *args), input=stdin, capture_output=True, env=environment, timeout=limit_s, **options
        )
        return done.returncode, done.stdout, done.stderr

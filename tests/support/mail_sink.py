"""A mail system for tests: an SMTP server on loopback that keeps what it gets, and a `sendmail` that writes files."""

import os
import socketserver
import sys
import threading
from email import message_from_bytes
from email.policy import default


class SmtpSink:
    """An SMTP server on a free port of 127.0.0.1; `mails` has (sender, recipient, message) of all that it took.

    Args:
        refuse: answer every recipient with 550.
    """

    def __init__(self, refuse=False):
        self.mails = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self._say("220 sink")
                sender = recipient = ""
                while line := self.rfile.readline():
                    word, _, rest = line.decode().strip().partition(" ")
                    if word.upper() == "MAIL":
                        sender = rest
                    elif word.upper() == "RCPT":
                        recipient = rest
                        if refuse:
                            self._say("550 nobody of this name")
                            continue
                    elif word.upper() == "DATA":
                        self._say("354 go on")
                        sink.mails.append((_address(sender), _address(recipient), self._message()))
                    elif word.upper() == "QUIT":
                        self._say("221 bye")
                        return
                    self._say("250 ok")

            def _message(self):
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                return message_from_bytes(b"".join(lines), policy=default)

            def _say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def place(self):
        """`HOST:PORT`, the value of `smtp=`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self):
        """End the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _address(text):
    return text.partition("<")[2].partition(">")[0]


def sendmail(directory, before=""):
    """Make a program that takes mail as sendmail does, and keeps each in `directory`.

    Args:
        directory: where `N.mail` are written: its arguments, an empty line, the message.
        before: Python that runs first.
    Returns:
        Its path.
    """
    path = os.path.join(directory, "sendmail")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"#!{sys.executable} -IS\nimport os, sys\n{before}\n"
            f"path = {directory!r} + f'/{{os.getpid()}}'\n"
            "with open(path + '.part', 'w') as file:\n"
            "    file.write(' '.join(sys.argv[1:]) + '\\n\\n' + sys.stdin.read())\n"
            "os.rename(path + '.part', path + '.mail')\n"
        )
    os.chmod(path, 0o755)
    return path


def kept(directory):
    """What that program was given: [(arguments, message)], the oldest first."""
    names = [name for name in os.listdir(directory) if name.endswith(".mail")]
    found = []
    for path in sorted((os.path.join(directory, name) for name in names), key=os.path.getmtime):
        with open(path, "rb") as file:
            arguments, _, message = file.read().partition(b"\n\n")
        found.append((arguments.decode(), message_from_bytes(message, policy=default)))
    return found

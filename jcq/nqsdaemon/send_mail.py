"""The program that sends one mail: `python -I -m jcq.nqsdaemon.send_mail`, started by nqsdaemon for each.

Standard input is the JSON of a `jcq.nqsdaemon.postman.Mail`. It ends with 0, or with 1 and one line on standard
error that says why the mail was not sent.
"""

import json
import smtplib
import subprocess
import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

#: The mail system must have taken it by then.
_LIMIT_S = 60.0


def main():
    """Send it; returns the exit code."""
    mail = json.load(sys.stdin)
    message = EmailMessage()
    message["From"] = f"NQS <{mail['sender']}>"
    message["To"] = mail["recipient"]
    message["Subject"] = mail["subject"].encode("utf-8", "replace").decode()
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain="jcq")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail["body"].encode("utf-8", "replace").decode())
    try:
        if mail["smtp"]:
            _by_smtp(mail, message)
        else:
            _by_program(mail, message)
    except (OSError, ValueError, smtplib.SMTPException, subprocess.SubprocessError) as error:
        print(f"{mail['smtp'] or mail['sendmail']}: {error}", file=sys.stderr)
        return 1
    return 0


def _by_smtp(mail, message):
    host, colon, port = mail["smtp"].rpartition(":")
    with smtplib.SMTP(host or port, int(port) if colon else smtplib.SMTP_PORT, timeout=_LIMIT_S) as server:
        server.send_message(message, from_addr=mail["sender"], to_addrs=[mail["recipient"]])


def _by_program(mail, message):
    argv = [mail["sendmail"], "-oi", "-f", mail["sender"], mail["recipient"]]
    done = subprocess.run(argv, input=message.as_bytes(), capture_output=True, timeout=_LIMIT_S, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(f"exit code {done.returncode}{': ' + words[-1] if words else ''}")


if __name__ == "__main__":
    sys.exit(main())

"""qsub -mb, -me, -mu: what arrives at a mail system, and that a broken or slow one costs nothing but the mail."""

import contextlib
import os

import pytest

from support.mail_sink import SmtpSink, kept, sendmail
from support.waiting import wait_until

LIMIT_S = 30


@contextlib.contextmanager
def site_with(setting, node):
    """A running cluster site with one more line in its daemon.conf."""
    site = node.cluster_site()
    with open(os.path.join(site.directory, "daemon.conf"), "a", encoding="utf-8") as file:
        file.write(setting + "\n")
    yield site.start()


@pytest.fixture
def sink():
    made = SmtpSink()
    yield made
    made.close()


def arrived(count, mails, site):
    wait_until(lambda: len(mails()) >= count, LIMIT_S, lambda: f"{mails()}\n{site.log_text()}")
    assert len(mails()) == count
    return mails()


def test_begin_and_end_by_smtp(node, sink):
    with site_with(f"smtp={sink.place}", node) as site:
        site.qwait(site.qsub("true\n"))
        request_id = site.qsub("exit 3\n", "-mb", "-me", "-mu", "ops@example.com", "-r", "caf\xe9")
        assert site.qwait(request_id) == 3
        # Each mail has a process of its own: they may arrive in any order.
        begun, ended = sorted(arrived(2, lambda: sink.mails, site), key=lambda mail: "ended" in mail[2]["Subject"])
    for sender, recipient, message in (begun, ended):
        assert (sender, recipient) == ("nqs", "ops@example.com")
        assert request_id in message["Subject"]
        assert "caf\xe9" in message["Subject"]
    assert "has begun" in begun[2]["Subject"]
    assert "exited, exit code 3" in ended[2].get_content()


def test_directives_and_deleted_ones_by_sendmail(node):
    directory = node.make_directory("mail", mode=0o777)
    with site_with(f"sendmail={sendmail(directory)}", node) as site:
        site.qmgr("stop queue batch")
        deleted = site.qsub("#@$-me -mu ops\ntrue\n")
        site.run("qdel", deleted).ok()
        ((arguments, message),) = arrived(1, lambda: kept(directory), site)
        assert arguments == "-oi -f nqs ops"
        assert "was deleted" in message["Subject"]
        site.qmgr("set mail = batch@example.com")
        altered = site.qsub("kill -9 $$\n")
        site.run("qalter", "-me", "-mu", "else", altered).ok()
        site.qmgr("start queue batch")
        assert site.qwait(altered) == 137
        _, (arguments, message) = arrived(2, lambda: kept(directory), site)
        assert arguments == "-oi -f batch@example.com else"
        assert "signalled, signal 9" in message.get_content()


def test_a_rejected_request_is_mailed_unasked(node):
    directory = node.make_directory("mail", mode=0o777)
    with site_with(f"sendmail={sendmail(directory)}", node) as site:
        site.qmgr("create pipe_queue nowhere", "enable queue nowhere", "start queue nowhere")
        site.qsub("true\n", "-q", "nowhere")
        ((_, message),) = arrived(1, lambda: kept(directory), site)
        assert "was rejected" in message["Subject"]
        assert "no destination" in message.get_content()


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("sendmail=/nonexistent/sendmail", "there is no /nonexistent/sendmail"),
        ("sendmail=/bin/false", "exit code 1"),
        ("smtp=127.0.0.1:1", "refused"),
    ],
)
def test_a_mail_that_fails_is_logged_and_stops_nothing(node, setting, why):
    with site_with(setting, node) as site:
        assert site.qwait(site.qsub("true\n", "-me")) == 0
        wait_until(lambda: why in site.log_text(), LIMIT_S, site.log_text)
        assert site.qwait(site.qsub("true\n")) == 0


def test_a_refused_recipient_is_logged(node):
    sink = SmtpSink(refuse=True)
    try:
        with site_with(f"smtp={sink.place}", node) as site:
            site.qwait(site.qsub("true\n", "-me"))
            wait_until(lambda: "nobody of this name" in site.log_text(), LIMIT_S, site.log_text)
    finally:
        sink.close()


def test_a_mail_system_that_hangs_delays_nothing_and_is_asked_again_after_a_stop(node):
    directory = node.make_directory("mail", mode=0o777)
    held = os.path.join(directory, "held")
    path = sendmail(directory, f"import time\nwhile os.path.exists({held!r}): time.sleep(0.05)")
    with open(held, "w", encoding="utf-8"):
        pass
    with site_with(f"sendmail={path}", node) as site:
        assert site.qwait(site.qsub("true\n", "-me")) == 0
        assert [site.qwait(site.qsub("true\n", "-me")) for _ in range(12)] == [0] * 12
        assert kept(directory) == []
        site.stop()
        os.unlink(held)
        site.start()
        arrived(13, lambda: kept(directory), site)


def test_what_is_no_address(cluster_site):
    for address in ("-f", "a b", "a,b", "a@b@c", "", "a\nb", "@x", "caf\xe9"):
        result = cluster_site.run("qsub", "-mu", address, stdin="true\n")
        result.refused("qsub", "-mu needs one mail address", exit_code=2)

"""What the owner of a purged request reads at the end of its output."""

import os
import stat

import pytest

from jcq.exit_record import run_file
from jcq.model.lifecycle import EXITED, PURGED
from jcq.model.request import Request
from jcq.site import Site
from worker import notice
from worker.account import Account

LINE = "jcq: request 12.testsite was interrupted, and is purged: why\n"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "output").mkdir()
    return Site(str(tmp_path), str(tmp_path), name="testsite")


@pytest.fixture
def account():
    return Account("me", os.getuid(), os.getgid(), (), "/", "/bin/sh")


def purged(**fields):
    values = {"rid": "200-12", "seq": 12, "site": "testsite", "attempt": 1, "epoch": 4, "outcome": PURGED}
    return Request(**{**values, "reason": "interrupted, and is purged: why", **fields})


def test_it_follows_what_the_request_wrote(site, account):
    request = purged()
    path = run_file(site.output, request, "err")
    with open(path, "w", encoding="ascii") as file:
        file.write("so far\n")
    notice.leave(site, request, account)
    with open(path, encoding="ascii") as file:
        assert file.read() == "so far\n" + LINE
    assert os.listdir(site.output) == [os.path.basename(path)]


def test_it_begins_a_line_and_comes_once(site, account):
    request = purged(joined=True)
    path = run_file(site.output, request, "out")
    with open(path, "w", encoding="ascii") as file:
        file.write("half a line")
    for _ in range(2):
        notice.leave(site, request, account)
    with open(path, encoding="ascii") as file:
        assert file.read() == "half a line\n" + LINE


def test_where_nothing_was_written_there_is_a_file_of_the_owner(site, account):
    request = purged()
    notice.leave(site, request, account)
    path = run_file(site.output, request, "err")
    with open(path, encoding="ascii") as file:
        assert file.read() == LINE
    found = os.stat(path)
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (account.uid, 0o600)


def test_others_get_none(site, account):
    notice.leave(site, purged(outcome=EXITED), account)
    assert os.listdir(site.output) == []


def test_no_link_is_followed(site, account, tmp_path):
    request = purged()
    (tmp_path / "precious").write_text("mine\n")
    os.symlink(tmp_path / "precious", run_file(site.output, request, "err"))
    with pytest.raises(OSError, match="Too many levels"):
        notice.leave(site, request, account)
    assert (tmp_path / "precious").read_text() == "mine\n"

"""Requests and answers of nqsdaemon's socket, as netstrings."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import BadFrame, JcqError, UsageError
from jcq.frames import netstring, split
from jcq.jcdbs.errors import NoSuchQueue
from jcq.model.request import ARGUMENTS_MAX, ENVIRONMENT_BYTES_MAX, SCRIPT_BYTES_MAX
from jcq.nqsdaemon.call import ARGUMENT_BYTES_MAX, Call, Reply, encode_reply, log_refusal, parse_call, refusal

WHO = {"uid": 1000, "gid": 100, "pid": 7, "user": "smith"}


def message(*parts):
    return b"".join(map(netstring, parts))


def test_every_part():
    payload = message(
        b"verb=qsub", b"arg=-q", b"arg=night", b"arg=a=b", b"cwd=/home/caf\xe9", b"umask=27",
        b"tz=JST-9", b"host=host1",
        b"env=HOME=/home/smith", b"env=A=b=c", b"env=EMPTY=", b"script-name=job.sh", b"script=echo\0\xff=\n",
        b"token=0aF", b"again=1",
    )  # fmt: skip
    assert parse_call(payload, **WHO) == Call(
        "qsub", ["-q", "night", "a=b"], 1000, 100, 7, "smith", "/home/caf\udce9", 0o27, "JST-9", "host1",
        {"HOME": "/home/smith", "A": "b=c", "EMPTY": ""}, b"echo\0\xff=\n", "job.sh", "0aF", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"arg=x",),
        (b"verb=",),
        (b"verb=../x",),
        (b"verb=qsub", b"token=a:b"),
        (b"verb=qsub", b"token=" + b"a" * 65),
        (b"verb=qsub", b"nonsense"),
        (b"verb=qsub", b"uid=0"),
        (b"verb=qsub", b"user=root"),
        (b"verb=qsub", b"cwd=relative"),
        (b"verb=qsub", b"umask="),
        (b"verb=qsub", b"umask=8"),
        (b"verb=qsub", b"umask=-1"),
        (b"verb=qsub", b"umask=77777"),
        (b"verb=qsub", b"arg=a\0b"),
        (b"verb=qsub", b"env=A=\0"),
        (b"verb=qsub", b"host=a\nb"),
    ],
)
def test_no_request(parts):
    with pytest.raises(BadFrame):
        parse_call(message(*parts), **WHO)


@pytest.mark.parametrize(
    ("parts", "fits"),
    [
        ([b"arg=x"] * ARGUMENTS_MAX, True),
        ([b"arg=x"] * (ARGUMENTS_MAX + 1), False),
        ([b"arg=" + b"x" * ARGUMENT_BYTES_MAX], True),
        ([b"arg=" + b"x" * ARGUMENT_BYTES_MAX, b"arg=x"], False),
        ([b"env=A=" + b"x" * (ENVIRONMENT_BYTES_MAX - 3)], True),
        ([b"env=A=" + b"x" * (ENVIRONMENT_BYTES_MAX - 2)], False),
        ([b"script=" + b"x" * SCRIPT_BYTES_MAX], True),
        ([b"script=" + b"x" * (SCRIPT_BYTES_MAX + 1)], False),
        ([b"cwd=/" + b"x" * 4094], True),
        ([b"cwd=/" + b"x" * 4095], False),
        ([b"tz=" + b"x" * 256], False),
    ],
)
def test_bounds(parts, fits):
    payload = message(b"verb=qsub", *parts)
    if fits:
        parse_call(payload, **WHO)
        return
    with pytest.raises(UsageError):
        parse_call(payload, **WHO)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(payload):
    for candidate in (payload, message(b"verb=qsub", payload)):
        try:
            call = parse_call(candidate, **WHO)
        except JcqError as error:
            message_text = str(error)
        else:
            message_text = ""
            assert (call.uid, call.gid, call.pid, call.user) == (1000, 100, 7, "smith")
        assert message_text.isprintable()


def test_answer():
    assert split(encode_reply(Reply(3, "out\n", "café \udcff\n")), 9) == [
        b"oout\n", "ecafé ".encode() + b"\xff\n", b"x3",
    ]  # fmt: skip
    assert split(encode_reply(Reply()), 9) == [b"x0"]


def test_refusal_has_the_command_and_the_error_s_own_code():
    assert refusal("qsub", NoSuchQueue(detail="night")) == Reply(1, "", "qsub: no queue named night at this site\n")
    assert refusal("qsub", UsageError(reason="no")).exit_code == 2


def test_what_is_logged_is_one_line_of_bounded_length(caplog):
    call = Call("qsub", ["-r", "a\nroot: all is well", "x" * 5000], **WHO)
    with caplog.at_level(logging.WARNING):
        log_refusal(logging.getLogger("test"), call, "line\nline" + "y" * 5000)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("refused smith (uid 1000, pid 7): qsub '-r' 'a\\nroot")
    assert line.isprintable()
    assert len(line) < 800

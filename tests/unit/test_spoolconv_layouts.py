"""Which reader reads a spool: by its own evidence, by name, or by a description; and what is said where none can."""

import os

import pytest

from jcq.errors import UsageError
from jcq.spoolconv import layouts
from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.readers import at, gridengine, neutral
from jcq.spoolconv.source import Source
from support import old_spools

SPOOLS = {"at": "at-small", "gridengine": "sge-small"}


def choose(path, wanted=""):
    with Source(path) as source:
        return layouts.choose(source, wanted)


def refusal(path, wanted=""):
    with pytest.raises(WrongLayout) as error:
        choose(path, wanted)
    return str(error.value)


def unpacked(tmp_path, *names):
    for name in names:
        old_spools.unpack(name, str(tmp_path)).close()
    return tmp_path


def neutral_dump(path):
    (path / "jcq-dump.json").write_text('{"format": "jcq-dump", "version": 1}\n')
    (path / "queues.jsonl").write_text('{"name": "q"}\n')
    return path


def test_the_names():
    assert layouts.names() == ["neutral", "gridengine", "at", "declared"]
    assert len(set(layouts.names())) == len(layouts.READERS)


@pytest.mark.parametrize(("name", "reader"), [("at", at), ("gridengine", gridengine)])
@pytest.mark.parametrize("named", [True, False])
def test_a_spool_is_read_by_its_own_reader(tmp_path, name, reader, named):
    spool = unpacked(tmp_path, SPOOLS[name])
    assert choose(spool, name if named else "") == (name, reader.read)
    assert layouts.looks_old(spool).startswith(f"{name}: ")


def test_a_dump_of_jcq(tmp_path):
    assert choose(neutral_dump(tmp_path)) == ("neutral", neutral.read)
    assert layouts.looks_old(tmp_path) == "neutral: it has jcq-dump.json"


def test_two_that_fit_are_told_apart_by_name_only(tmp_path):
    spool = neutral_dump(unpacked(tmp_path, "at-small"))
    said = refusal(spool)
    assert "may be of more than one layout" in said
    assert "neutral: it has jcq-dump.json" in said
    assert "at: jobs of at in var/spool/cron/atjobs" in said
    assert "--from LAYOUT" in said
    assert choose(spool, "at") == ("at", at.read)
    assert choose(spool, "neutral") == ("neutral", neutral.read)


def test_the_layout_that_is_named_must_be_there(tmp_path):
    said = refusal(unpacked(tmp_path, "at-small"), "gridengine")
    assert said == f"{tmp_path} shows no sign of layout gridengine; it holds 'etc', 'var'"


def test_what_is_none_says_what_it_holds(tmp_path):
    assert refusal(tmp_path).endswith("any of the layouts neutral, gridengine, at, declared; it holds nothing")
    assert layouts.looks_old(tmp_path) == ""
    for number in range(15):
        (tmp_path / f"file{number:02}\n").write_text("")
    said = refusal(tmp_path)
    assert said.endswith("'file11\\n' and 3 more")
    assert "\n" not in said


def test_no_such_layout(tmp_path):
    with pytest.raises(UsageError, match="'cron': no such layout; there are neutral, gridengine, at, declared"):
        choose(tmp_path, "cron")


def test_a_directory_that_cannot_be_read_looks_like_nothing(tmp_path):
    assert layouts.looks_old(tmp_path / "nowhere") == ""


# --- declared --------------------------------------------------------------------------------


def nqs_like(path):
    for name in ("control", "data", "database", "output", "private", "scripts"):
        (path / name).mkdir()
    return path


def test_a_spool_of_nqs_without_a_description_is_refused_with_what_is_missing(tmp_path):
    spool = nqs_like(tmp_path)
    said = refusal(spool)
    assert "looks like a spool of NQS or JobCenter" in said
    assert "--probe" in said
    assert "example-layout.toml" in said
    assert layouts.looks_old(spool)
    # Who names a layout is told of that.
    assert "no sign of layout at" in refusal(spool, "at")


def test_a_description_that_is_named_is_handed_on(tmp_path, monkeypatch):
    told = tmp_path / "own.toml"
    told.write_text("")
    asked = []
    monkeypatch.setattr(layouts.declared, "read", lambda *words, **more: asked.append((words, more)))
    name, read = choose(tmp_path, str(told))
    read("source", 5)
    assert name == "declared"
    assert asked == [(("source", 5), {"description": str(told)})]


def test_a_description_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.toml: there is no such file"):
        choose(tmp_path, os.fspath(tmp_path / "nowhere.toml"))

"""What a conversion says: warnings in the manual's form, sums that must be right, the log, the report as JSON."""

import json

import pytest

from jcq.spoolconv import report as report_module
from jcq.spoolconv.records import Skip
from jcq.spoolconv.report import Report


class Said:
    """A report, and what it said."""

    def __init__(self, path, **how):
        self.lines = []
        self.log, self.json = path / "spoolconv.log", path / "report.json"
        self.report = Report(self.lines.append, str(self.log), str(self.json), {"site": "testsite"}, **how)
        self._closed = False

    def close(self, complete=True):
        """The first time."""
        if not self._closed:
            self._closed = True
            self.report.close(complete)

    def skip(self, **fields):
        self.report.read_one()
        self.report.skipped(Skip(**{"where": "a00011", "reason": "why", "old_id": "17", **fields}))

    def done(self, kind="request", notes=(), new_id="1.testsite"):
        self.report.read_one()
        self.report.done(kind, "17", "a00011", new_id, notes)

    def logged(self):
        return self.log.read_text(encoding="utf-8").splitlines()

    def found(self):
        return json.loads(self.json.read_text(encoding="utf-8"))


@pytest.fixture
def said(tmp_path):
    made = Said(tmp_path)
    yield made
    made.close()


def test_a_skip_has_the_manuals_form(said):
    said.skip()
    said.skip(kind="queue", old_id="q", reason='it "is" none')
    assert said.lines == [
        'Warning : Convert Skip ([Request]17 where="a00011" reason="why")',
        """Warning : Convert Skip ([Queue]q where="a00011" reason="it 'is' none")""",
    ]


@pytest.mark.parametrize(("kind", "title"), [("complex", "Complex"), ("setting", "Setting"), ("file", "File"),
                                             ("whatever", "File")])  # fmt: skip
def test_what_a_skip_is_of(said, kind, title):
    said.skip(kind=kind)
    assert said.lines[0].startswith(f"Warning : Convert Skip ([{title}]17 ")
    assert said.report.totals["file" if title == "File" else kind]["skipped"] == 1


def test_bytes_of_old_names_break_no_line(said):
    said.skip(where="a\nb\udcff", old_id="1\x1b[2J", reason="x" * 1000)
    (line,) = said.lines
    assert line.isprintable()
    assert len(line) < 500
    assert "a?b?" in line
    said.close(True)
    assert said.found()["records"][0]["where"] == "a\nb\udcff"


def test_a_note_is_said_and_what_has_none_is_not(said):
    said.done()
    said.done(notes=["its priority became 63", "its umask became 022"])
    assert said.lines == [
        'Warning : Convert Note ([Request]17 where="a00011" note="its priority became 63")',
        'Warning : Convert Note ([Request]17 where="a00011" note="its umask became 022")',
    ]
    assert said.report.made("request") == 2
    assert said.report.made("queue") == 0


def test_the_sums(said):
    said.done("queue")
    said.done()
    said.done(notes=["n"])
    said.skip()
    said.skip(kind="file")
    rows = [line.split() for line in said.report.summary()]
    assert rows == [
        ["read", "converted", "with", "a", "note", "skipped"],
        ["queues", "1", "1", "0", "0"],
        ["requests", "3", "1", "1", "1"],
        ["files", "1", "0", "0", "1"],
        ["all", "5", "2", "1", "2"],
    ]


@pytest.mark.parametrize("lost", [1, -1])
def test_a_record_without_an_outcome_or_with_two_is_found(said, lost):
    said.done()
    if lost > 0:
        said.report.read_one()
    else:
        said.report.done("request", "17", "a00011", None, [])
    with pytest.raises(
        AssertionError, match=f"{1 + (lost > 0)} records were read, but {1 + (lost < 0)} have an outcome"
    ):
        said.report.summary()


def test_the_log_has_all_where_the_screen_has_not(said, monkeypatch):
    monkeypatch.setattr(report_module, "SHOWN_MAX", 3)
    for _ in range(5):
        said.skip()
    said.report.log("for the log only")
    assert len(said.lines) == 4
    assert said.lines[-1] == f"Warning : there are more, which are not shown; {said.log} has all of them"
    said.close(True)
    assert sum("Convert Skip" in line for line in said.logged()) == 5
    assert said.logged()[-1].endswith(" for the log only")


def test_without_a_log_the_report_is_named(monkeypatch):
    monkeypatch.setattr(report_module, "SHOWN_MAX", 0)
    lines = []
    report = Report(lines.append)
    report.warn("x")
    report.warn("y")
    report.log("nowhere")
    assert report.log_path is None
    assert lines == ["Warning : there are more, which are not shown; the file of --report has all of them"]
    report.close(True)


def test_the_report_as_json(said):
    said.done("queue", new_id=None)
    said.done(notes=["n"])
    said.skip(old_id="")
    said.close(True)
    found = said.found()
    assert (found["version"], found["site"]) == (1, "testsite")
    assert found["totals"] == {"queue": {"converted": 1}, "request": {"noted": 1, "skipped": 1}}
    rows = [tuple(row.values()) for row in found["records"]]
    assert list(found["records"][0]) == ["kind", "old_id", "where", "outcome", "id", "reason", "notes"]
    assert rows == [
        ("queue", "17", "a00011", "converted", None, None, []),
        ("request", "17", "a00011", "noted", "1.testsite", None, ["n"]),
        ("request", None, "a00011", "skipped", None, "why", []),
    ]


def test_the_report_of_what_was_not_completed_is_thrown_away(said, tmp_path):
    said.json.write_text("of the run before")
    said.done()
    said.close(False)
    assert said.json.read_text() == "of the run before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "spoolconv.log"]


def test_a_log_of_another_run_is_not_written_over(said):
    with pytest.raises(FileExistsError):
        Report(print, str(said.log))


def test_progress_makes_way_for_a_warning(tmp_path, capsys):
    said = Said(tmp_path, progress=True)
    said.done()
    said.skip()
    said.report.summary()
    said.close(True)
    shown = capsys.readouterr().err
    assert shown.startswith("\r1 records read")
    assert shown.endswith("\r" + " " * 40 + "\r")
    assert "Warning" not in shown

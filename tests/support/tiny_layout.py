"""A reader of old spools for tests of what is behind the readers: a file `TINY`, and one JSON object a line.

Run as a program it is spoolconv with this layout, and with those that jcq has.
"""

import json
import os
import sys

from jcq.spoolconv import layouts, records

NAME = "tiny"
_KINDS = {
    "queue": records.OldQueue,
    "complex": records.OldComplex,
    "setting": records.OldSetting,
    "request": records.OldRequest,
    "skip": records.Skip,
}


def evidence(source):
    """The file is there."""
    return "it holds TINY" if source.is_file("TINY") else ""


def read(source, _clock_s):
    """The records, as they stand there."""
    with open(os.path.join(source.path, "records"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield record(json.loads(line), f"records:{number}")


def record(row, where):
    """A record of its fields; scripts and environments are text, and `kind` says what it is."""
    row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    made = _KINDS[row.pop("kind")]
    row.setdefault("where", where)
    if made is records.OldRequest:
        row["script"] = row["script"].encode("utf-8", "surrogateescape")
        if row.get("environment") is not None:
            pairs = row["environment"].items()
            row["environment"] = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in pairs}
        row["limits"] = {name: tuple(pair) for name, pair in row.get("limits", {}).items()}
    elif made is records.Skip and "kind_of" in row:
        row["kind"] = row.pop("kind_of")
    return made(**row)


def make(directory, rows):
    """Write a spool of this layout; returns the directory."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "TINY"), "w", encoding="ascii"):
        pass
    with open(os.path.join(directory, "records"), "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return directory


def queue(name="old", **fields):
    """The row of a queue."""
    return {"kind": "queue", "name": name, **fields}


def request(number, uid, queue="old", **fields):
    """The row of a request."""
    submitted_s = 1_700_000_000.0 + int(float(number))
    return {"kind": "request", "old_id": str(number), "queue": queue, "script": f"echo {number}\n", "uid": uid,
            "submitted_s": submitted_s, "name": f"job{number}", "workdir": "/", **fields}  # fmt: skip


def argv(*words):
    """How spoolconv is run with this layout."""
    return [sys.executable, "-I", os.path.abspath(__file__), *words]


if __name__ == "__main__":
    from jcq.cli.spoolconv import main

    layouts.READERS = (sys.modules["__main__"], *layouts.READERS)
    sys.exit(main())

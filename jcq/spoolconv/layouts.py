"""Which reader reads an old spool: the one whose own evidence is there, or the one that is named.

A reader is a module with `NAME`, `evidence(source)` (what speaks for its layout, '' where nothing does) and
`read(source, clock_s)`, which yields records. The declared one needs a description, in the spool or named.
"""

import os

from jcq.errors import UsageError
from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers import at, gridengine, neutral
from jcq.spoolconv.readers.declared import reader as declared
from jcq.spoolconv.readers.declared.probe import probe
from jcq.spoolconv.readers.declared.recognition import refusal, signs
from jcq.spoolconv.source import Source

__all__ = ["choose", "looks_old", "names", "probe"]

#: In the order in which they are asked.
READERS = (neutral, gridengine, at, declared)
_SHOWN_NAMES_MAX = 12


def names():
    """-> [name] of the layouts."""
    return [reader.NAME for reader in READERS]


def choose(source, wanted=""):
    """Find the reader of a spool.

    Args:
        source: the `Source`.
        wanted: name of a layout, path of a description `FILE.toml`, or empty: by evidence.
    Returns:
        (name of the layout, function of the source and the time that yields records).
    Raises:
        UsageError: there is no such layout. WrongLayout: none fits, or more than one, or not the one that is named.
    """
    known = {reader.NAME: reader for reader in READERS}
    if wanted.endswith(".toml"):
        return _declared(wanted)
    if wanted and wanted not in known:
        raise UsageError(
            reason=f"--from {wanted!r}: no such layout; there are {', '.join(known)}, and descriptions FILE.toml"
        )
    found = {name: reader.evidence(source) for name, reader in known.items() if wanted in ("", name)}
    found = {name: evidence for name, evidence in found.items() if evidence}
    if len(found) == 1:
        name = next(iter(found))
        return name, known[name].read
    looks = "" if found or wanted else signs(source)
    if looks:
        raise refusal(looks)
    if not found:
        what = f"layout {wanted}" if wanted else f"any of the layouts {', '.join(known)}"
        raise WrongLayout(reason=f"{source.path} shows no sign of {what}; it holds {_contents(source)}")
    evidence = "; ".join(f"{name}: {words}" for name, words in found.items())
    raise WrongLayout(reason=f"{source.path} may be of more than one layout ({evidence}); say which with --from LAYOUT")


def looks_old(path):
    """What speaks for an old spool in a directory, as words; empty where nothing does, or it cannot be read."""
    try:
        with Source(path) as source:
            for reader in READERS:
                evidence = reader.evidence(source)
                if evidence:
                    return f"{reader.NAME}: {evidence}"
            return signs(source)
    except Unreadable:
        return ""


def _declared(path):
    if not os.path.isfile(path):
        raise UsageError(reason=f"--from {path}: there is no such file")

    def read(source, clock_s):
        return declared.read(source, clock_s, description=path)

    return declared.NAME, read


def _contents(source):
    names = source.names()
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES_MAX])
    more = f" and {len(names) - _SHOWN_NAMES_MAX} more" if len(names) > _SHOWN_NAMES_MAX else ""
    return f"{shown}{more}" if names else "nothing"

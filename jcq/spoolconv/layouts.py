"""Which reader reads an old spool: the one whose own evidence is there, or the one that is named.

A reader is a module with `NAME`, `evidence(source)` (what speaks for its layout, '' where nothing does) and
`read(source, clock_s)`, which yields records. The declared one has a description besides, and is only taken where one
is given.
"""

import importlib
import os

from jcq.errors import UsageError, WrongLayout

#: In the order in which they are asked.
READERS = (
    "jcq.spoolconv.readers.neutral",
    "jcq.spoolconv.readers.gridengine",
    "jcq.spoolconv.readers.at",
    "jcq.spoolconv.readers.declared",
)
_DECLARED = "declared"
_SHOWN_NAMES_MAX = 12


def readers():
    """-> [module], those that this jcq has."""
    found = []
    for name in READERS:
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return found


def names():
    """-> [name] of the layouts."""
    return [reader.NAME for reader in readers()]


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
    known = {reader.NAME: reader for reader in readers()}
    if wanted.endswith(".toml"):
        return _declared(known, wanted)
    if wanted and wanted not in known:
        raise UsageError(
            reason=f"--from {wanted!r}: no such layout; there are {', '.join(known)}, and descriptions FILE.toml"
        )
    found = {name: reader.evidence(source) for name, reader in known.items() if wanted in ("", name)}
    found = {name: evidence for name, evidence in found.items() if evidence}
    # A directory that only looks like one that needs a description is for those that say what they are.
    certain = {name: evidence for name, evidence in found.items() if name != _DECLARED} or found
    if len(certain) == 1:
        name = next(iter(certain))
        return name, known[name].read
    if not certain:
        what = f"layout {wanted}" if wanted else f"any of the layouts {', '.join(known)}"
        raise WrongLayout(reason=f"{source.path} shows no sign of {what}; it holds {_contents(source)}")
    signs = "; ".join(f"{name}: {evidence}" for name, evidence in certain.items())
    raise WrongLayout(reason=f"{source.path} may be of more than one layout ({signs}); say which with --from LAYOUT")


def looks_old(path):
    """What speaks for an old spool in a directory, as words; empty where nothing does, or it cannot be read."""
    from jcq.errors import Unreadable
    from jcq.spoolconv.source import Source

    try:
        with Source(path) as source:
            for reader in readers():
                evidence = reader.evidence(source)
                if evidence:
                    return f"{reader.NAME}: {evidence}"
    except Unreadable:
        return ""
    return ""


def _declared(known, path):
    reader = known.get(_DECLARED)
    if reader is None:
        raise UsageError(reason=f"--from {path}: this jcq reads no described layouts")
    if not os.path.isfile(path):
        raise UsageError(reason=f"--from {path}: there is no such file")

    def read(source, clock_s):
        return reader.read(source, clock_s, description=path)

    return _DECLARED, read


def probe(source, description=None):
    """Lines that say what a directory looks like; see the declared reader. Raises UsageError where there is none."""
    for reader in readers():
        if reader.NAME == _DECLARED:
            return reader.probe(source, description)
    raise UsageError(reason="--probe: this jcq reads no described layouts")


def _contents(source):
    names = source.names()
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES_MAX])
    more = f" and {len(names) - _SHOWN_NAMES_MAX} more" if len(names) > _SHOWN_NAMES_MAX else ""
    return f"{shown}{more}" if names else "nothing"

"""Layout "declared": spools of the NQS family, whose C structures a description in TOML tells.

The description is the file that the user names (`--from FILE.toml`), or `jcq-layout.toml` in the old spool's directory;
`conf/spoolconv/example-layout.toml` is a commented example. The rest of spoolconv uses:

    NAME                                    "declared"
    evidence(source) -> str                 why it is this layout: a description is there
    read(source, clock_s, description=None) an iterator of records; description: a path, or what `load` returned
    signs(source) -> str                    what makes a directory look like NQS or JobCenter, also without description
    refusal(signs) -> WrongLayout           for such a directory without description
    load(path) -> Description               checked; WrongLayout has one line per mistake
    probe(source, description=None, clock_s=None)  an iterator of lines of text for `spoolconv --probe DIR`

`source` is a `jcq.spoolconv.source.Source`, `clock_s` now in seconds since 1970.
"""

from jcq.spoolconv.readers.declared.description import FILE_NAME, load
from jcq.spoolconv.readers.declared.probe import probe
from jcq.spoolconv.readers.declared.reader import NAME, evidence, read
from jcq.spoolconv.readers.declared.recognition import refusal, signs

__all__ = ["FILE_NAME", "NAME", "evidence", "load", "probe", "read", "refusal", "signs"]

"""Reads a spool by its description: every record of it becomes one neutral record or one `Skip`.

This is layout "declared": spools of the NQS family, whose C structures a description in TOML tells. It is the file that
the user names (`--from FILE.toml`), or `jcq-layout.toml` in the old spool's directory; the commented example is
`conf_path("spoolconv", "example-layout.toml")`. What the rest of spoolconv uses, all in this package:

    reader.NAME                                    "declared"
    reader.evidence(source) -> str                 a description lies in the spool
    reader.read(source, clock_s, description=None) an iterator of records; description: a path, or a `Description`
    description.load(path) -> Description          checked; WrongLayout has one line per mistake
    recognition.signs(source) -> str               what makes a directory look like NQS or JobCenter, or empty
    recognition.refusal(signs) -> WrongLayout      for such a directory without description; `read` raises it too
    probe.probe(source, description=None, clock_s=None)  an iterator of lines of text, for `spoolconv --probe DIR`
"""

import os

from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.declared.builder import Builder, file_facts, part_values, skip_kind
from jcq.spoolconv.readers.declared.description import FILE_NAME, Description, load, parse
from jcq.spoolconv.readers.declared.leftovers import leftovers
from jcq.spoolconv.readers.declared.place import FILE_BYTES_MAX
from jcq.spoolconv.readers.declared.recognition import refusal, signs
from jcq.spoolconv.readers.declared.seen import Seen
from jcq.spoolconv.readers.declared.slots import ONE, cut
from jcq.spoolconv.readers.declared.target import REQUEST
from jcq.spoolconv.records import Skip
from jcq.spoolconv.source import FILE_BYTES_MAX as TABLE_BYTES_MAX

NAME = "declared"
_DESCRIPTION_BYTES_MAX = 1024 * 1024


def evidence(source):
    """What says that a spool is of this layout: a description in it. Empty where there is none."""
    try:
        return f"{FILE_NAME} is there" if source.is_file(FILE_NAME) else ""
    except Unreadable:
        return ""


def read(source, clock_s, description=None):
    """The records of a spool.

    Args:
        source: the `Source`.
        clock_s: now, in seconds since 1970.
        description: a `Description`, or the path of its file; None: the one in the spool.
    Returns:
        An iterator of records: settings, queues and complexes first, then requests, then what nobody names.
    Raises:
        WrongLayout: there is no description, it has mistakes, or nothing that it names is there.
        Unreadable: the description cannot be read, or nothing that it names may be.
    """
    description = find_description(source, description)
    reader = Reader(source, clock_s, description)
    reader.check()
    return reader.records()


def find_description(source, description=None):
    """The `Description` of a spool. Args, Raises: see `read`."""
    if isinstance(description, Description):
        return description
    if description is not None:
        return load(description)
    if evidence(source):
        return parse(source.read(FILE_NAME, _DESCRIPTION_BYTES_MAX).data)
    found = signs(source)
    if found:
        raise refusal(found)
    raise WrongLayout(reason=f"there is no {FILE_NAME} in the old spool, and no description is named with --from")


class Reader:
    """One reading of a spool. Args: see `read`; the description is a `Description`."""

    def __init__(self, source, clock_s, description):
        self._source = source
        self._description = description
        self._builder = Builder(source, clock_s)
        self._read = Seen()

    def check(self):
        """Raises WrongLayout where nothing that the description names is there, Unreadable where it is closed to us."""
        files, failure = self._description.files, None
        for one in files:
            try:
                if self._is_there(one.path):
                    return
            except Unreadable as error:
                failure = failure or error
        if failure is not None:
            raise failure
        paths = ", ".join(one.path.text for one in files)
        raise WrongLayout(reason=f"the description does not fit this spool: nothing is there of {paths}")

    def records(self):
        """Yield every record."""
        files = sorted(self._description.files, key=lambda one: any(held.kind == REQUEST for held in one.holds))
        for one in files:
            try:
                if not one.optional and not self._is_there(one.path):
                    yield Skip(one.path.text, "the description names it, and it is not there", kind=_kind(one))
            except Unreadable as error:
                yield Skip(one.path.text, error.fields["reason"], kind=_kind(one))
        for one in files:
            try:
                for where, parts in one.path.find(self._source):
                    if self._read.add(where):
                        yield from self.records_of(one, where, parts)
            except Unreadable as error:
                yield Skip(one.path.text, str(error), kind="file")
        yield from self._unclaimed()
        yield from leftovers(self._source, self._description)

    def records_of(self, files, where, parts):
        """Yield the records of one file.

        Args:
            files: the `Files` that it is of.
            where: its path.
            parts: {part: value} of its path.
        """
        bytes_max = FILE_BYTES_MAX if files.slots.layout == ONE else TABLE_BYTES_MAX
        values = part_values(parts)
        try:
            old = self._source.read(where, bytes_max)
        except Unreadable as error:
            self._builder.claim(files, values)
            yield Skip(where, error.fields["reason"], kind=_kind(files))
            return
        values |= file_facts(where, old.status)
        for slot in cut(files.slots, old.data):
            place = where if files.slots.layout == ONE else f"{where}#{slot.number}"
            yield self._record(files, place, values | slot.values, old.data, slot)

    def _record(self, files, where, values, data, slot):
        flaw = slot.flaw or (files.slots.structure.flaw(values) if files.slots.structure else "")
        if flaw:
            self._builder.claim(files, values)
            return Skip(where, flaw, kind=_kind(files))
        holding = next((one for one in files.holds if one.when is None or one.when.holds(values)), None)
        if holding is None:
            return Skip(where, f"none of the kinds that the description has for {files.path.text}", kind=_kind(files))
        structure = holding.structure
        if structure is not None:
            length = slot.end - slot.start
            if length < structure.size:
                flaw = f"it has {length} bytes, and {structure.name} has {structure.size}: it is truncated"
            else:
                values = values | structure.decode(data, slot.start)
                flaw = structure.flaw(values)
            if flaw:
                self._builder.claim(files, values)
                return Skip(where, flaw, kind=skip_kind(holding.kind))
        return self._builder.build(holding, where, values, data, slot.start)

    def _unclaimed(self):
        """Yield a `Skip` for each file that could be a request's and is none's."""
        for place in self._description.places:
            try:
                for where, _ in place.path.find(self._source):
                    if where not in self._read and self._builder.claimed.add(where):
                        yield Skip(where, "no request that was read has it for its own", kind="file")
            except Unreadable as error:
                yield Skip(place.path.text, str(error), kind="file")

    def _is_there(self, path):
        """Whether what comes before the first unknown component of a path is there. Raises Unreadable."""
        names = []
        for component in path.components:
            if component.literal is None:
                break
            names.append(component.literal)
        return not names or self._source.status(os.path.join(*names)) is not None


def _kind(files):
    """What a `Skip` calls a record of these files that cannot be told apart."""
    kinds = {skip_kind(one.kind) for one in files.holds}
    return kinds.pop() if len(kinds) == 1 else "file"

"""`spoolconv --probe DIR`: what a directory looks like, for whoever writes a description, and how well one fits."""

import collections
import itertools
import pwd
import time

from jcq.errors import JcqError
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.declared import look, tree
from jcq.spoolconv.readers.declared.builder import file_facts, part_values
from jcq.spoolconv.readers.declared.reader import Reader, evidence, find_description
from jcq.spoolconv.readers.declared.recognition import signs
from jcq.spoolconv.readers.declared.slots import cut
from jcq.spoolconv.readers.declared.value import plain
from jcq.spoolconv.records import Skip

#: Directories whose files are looked into, and files that are decoded for each entry of a description.
_LOOKED_MAX = 40
_DECODED_MAX = 3
_REASONS_MAX = 40
_NUMBERS_MAX = 12
#: Smaller files are no tables, and less likeness than this is none.
_TABLE_BYTES_MIN, _SHARE = 512, 0.18
_FILE_BYTES_MAX = 16 * 1024 * 1024


def probe(source, description=None, clock_s=None):
    """What a spool looks like.

    Args:
        source: the `Source`.
        description: a `Description` or the path of one, to be checked against the spool; None: one that lies in it.
        clock_s: now; None: as the clock says.
    Returns:
        An iterator of lines of text, without the newline.
    Raises:
        WrongLayout: the description that is named has mistakes.
        Unreadable: it cannot be read.
    """
    checked = find_description(source, description) if description is not None or evidence(source) else None
    return _lines(source, checked, time.time() if clock_s is None else clock_s)


def _lines(source, description, clock_s):
    found = signs(source)
    yield f"It looks like a spool of NQS or JobCenter: {found}." if found else "It has no names that NQS is known for."
    yield ""
    yield "What is there"
    directories = []
    for directory in tree.walk(source):
        yield from (f"  {line}" for line in directory.lines())
        directories.append(directory)
    if len(directories) == tree.DIRECTORIES_MAX:
        yield "  (there may be more directories)"
    if description is None:
        yield from _looks(source, directories)
        yield ""
        yield "No description is given; write one with what is above, and see how it fits with --from FILE.toml."
        return
    yield from _check(source, description, clock_s)


def _looks(source, directories):
    """Lines about what is in the files."""
    known = {account.pw_uid: account.pw_name for account in pwd.getpwall()}
    for directory in [one for one in directories if one.samples][:_LOOKED_MAX]:
        samples = []
        yield ""
        yield f"In files of {tree.shown(directory.where)}"
        for where in directory.samples:
            try:
                old = source.read(where, _FILE_BYTES_MAX)
            except Unreadable as error:
                yield f"  {tree.shown(str(error))}"
                continue
            ids = {old.status.st_uid: "owner of the file", old.status.st_gid: "group of the file"} | known
            samples.append(look.numbers(old.data, int(old.status.st_mtime), ids))
            yield from _look(where, old)
        yield from (f"  {line}" for line in _common(samples, known))


def _look(where, old):
    yield f"  {tree.shown(where)}: {len(old.data)} bytes"
    for offset, text in look.texts(old.data):
        yield f"    {offset:6d} {text}"
    for stride, share in look.strides(old.data):
        if share >= _SHARE and len(old.data) >= _TABLE_BYTES_MIN:
            yield f"    records of {stride} bytes? {share:.0%} of what is not NUL comes again at that distance"


def _common(samples, names):
    """Lines about the numbers at the same places of all samples."""
    counts = look.byte_order(samples)
    if not counts:
        return
    yield f"numbers at the same offset of most of {len(samples)}, where they could be times or ids:"
    for word, count in counts:
        yield f"  {word}: {count} places"
        for _, offset, what, value in [one for one in look.common(samples) if one[0] == word][:_NUMBERS_MAX]:
            yield f"    {offset:6d} {value} {what} {_date(value) if what == 'time' else names.get(value, '')}".rstrip()


def _date(value):
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(value))


# --- a description against the spool ---------------------------------------------------------


def _check(source, description, clock_s):
    yield ""
    yield f"The description {tree.shown(description.name)!r}"
    reader = Reader(source, clock_s, description)
    try:
        reader.check()
    except JcqError as error:
        yield f"  {error}"
        return
    for one in description.files:
        yield f"  {one.path.text}"
        try:
            found = list(itertools.islice(one.path.find(source), _DECODED_MAX))
        except Unreadable as error:
            yield f"    {tree.shown(str(error))}"
            continue
        for where, parts in found:
            yield from (f"    {tree.shown(line)}" for line in _decoded(source, one, where, parts))
        if not found:
            yield "    no file has such a name"
    yield from _sums(reader)


def _decoded(source, files, where, parts):
    """Lines about the first records of a file, field by field."""
    try:
        old = source.read(where, _FILE_BYTES_MAX)
    except Unreadable as error:
        yield str(error)
        return
    base = part_values(parts) | file_facts(where, old.status)
    for count, slot in enumerate(cut(files.slots, old.data)):
        if count == _DECODED_MAX:
            yield "..."
            return
        values = base | slot.values
        yield f"{where}, record {slot.number}, bytes {slot.start} to {slot.end}{': ' if slot.flaw else ''}{slot.flaw}"
        holding = next((one for one in files.holds if one.when is None or _holds(one.when, values)), None)
        if holding and holding.structure and slot.end - slot.start >= holding.structure.size and not slot.flaw:
            values |= holding.structure.decode(old.data, slot.start)
        for name, value in values.items():
            if not name.startswith("@"):
                yield f"  {name} = {_value(value)}"


def _holds(condition, values):
    return condition.reference.name in values and condition.holds(values)


def _value(value):
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value[:8])) + (", ..." if len(value) > 8 else "") + "]"
    found = plain(value)
    return f"{found} ({found:#x})" if isinstance(found, int) else repr(found)[:80]


def _sums(reader):
    """Lines that say what the records would be, and what does not fit."""
    kinds, reasons, noted = collections.Counter(), collections.Counter(), 0
    examples = {}
    for record in reader.records():
        skipped = isinstance(record, Skip)
        kinds[f"{record.kind}s skipped" if skipped else _NAMES[type(record).__name__]] += 1
        noted += bool(not skipped and record.notes)
        for reason in [record.reason] if skipped else record.notes:
            # Numbers differ from record to record, and the reason is the same.
            key = "".join("#" if one.isdigit() else one for one in reason)
            if key in reasons or len(reasons) < 1000:
                reasons[key] += 1
                examples.setdefault(key, f"{record.where}: {reason}")
    yield ""
    yield "What a conversion would read"
    for kind, count in sorted(kinds.items()):
        yield f"  {count} {kind}"
    yield f"  {noted} of them with a note"
    if reasons:
        yield "What does not fit"
        for key, count in reasons.most_common(_REASONS_MAX):
            yield f"  {count} times, first {tree.shown(examples[key])}"


_NAMES = {"OldRequest": "requests", "OldQueue": "queues", "OldComplex": "complexes", "OldSetting": "settings"}

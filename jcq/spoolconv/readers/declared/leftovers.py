"""What is in a spool and the description does not name: said once for each file or whole directory."""

from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.declared.description import FILE_NAME
from jcq.spoolconv.records import Skip

#: Counting files of a directory that nobody names ends here.
_COUNT_MAX = 10_000
_DEPTH_MAX = 64


def leftovers(source, description):
    """Yield a `Skip` for each.

    Args:
        source: the `Source`.
        description: the `Description`.
    """
    paths = [one.path for one in description.files] + [place.path for place in description.places]
    yield from _below(source, "", paths, description.ignored, 0)


def _below(source, directory, paths, ignored, depth):
    """`paths` and `ignored` lead through this directory, which is `depth` deep."""
    try:
        names = source.names(directory or ".")
    except Unreadable as error:
        yield Skip(directory or ".", error.fields["reason"], kind="file")
        return
    for name in names:
        on = _further(paths, name, depth)
        if _ends(on, depth) or (not directory and name == FILE_NAME) or _ends(_further(ignored, name, depth), depth):
            continue
        where = f"{directory}/{name}" if directory else name
        is_directory = _is_directory(source, where)
        if is_directory and on:
            yield from _below(source, where, on, _further(ignored, name, depth), depth + 1)
            continue
        if not is_directory:
            reason = "it is no directory; a link is not followed" if on else "the description does not name it"
            yield Skip(where, reason, kind="file")
            continue
        count = _count(source, where, 0)
        if count:
            words = f"{count} files" if count < _COUNT_MAX else f"{_COUNT_MAX} files or more"
            yield Skip(where, f"the description does not name it, a directory with {words}", kind="file")


def _further(paths, name, depth):
    """Those of the paths that go on with this name."""
    return [path for path in paths if path.components[depth].fits(name)]


def _ends(paths, depth):
    """Whether one of them names the entry itself."""
    return any(len(path.components) == depth + 1 for path in paths)


def _is_directory(source, where):
    try:
        return source.is_directory(where)
    except Unreadable:
        return False


def _count(source, where, depth):
    """How many files are below a directory; a directory that cannot be read counts as one."""
    try:
        names = source.names(where)
    except Unreadable:
        return 1
    count = 0
    for name in names:
        below = f"{where}/{name}"
        count += _count(source, below, depth + 1) if depth < _DEPTH_MAX and _is_directory(source, below) else 1
        if count >= _COUNT_MAX:
            break
    return count

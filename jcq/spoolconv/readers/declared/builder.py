"""One record of the old spool into one neutral record, or into a `Skip` with the reason."""

import os

from jcq.model import limits as limits_model
from jcq.spoolconv.errors import Unreadable
from jcq.spoolconv.readers.declared import place as places
from jcq.spoolconv.readers.declared.doubt import Doubt, Refused
from jcq.spoolconv.readers.declared.seen import Seen
from jcq.spoolconv.readers.declared.structure import Number, Text
from jcq.spoolconv.readers.declared.target import (
    COMPLEX,
    HOLD,
    NOTHING,
    QUEUE,
    REQUEST,
    SETTING,
    SKIP,
    convert,
    convert_limit,
)
from jcq.spoolconv.readers.declared.value import plain
from jcq.spoolconv.records import HELD, QUEUED, RUNNING, OldComplex, OldQueue, OldRequest, OldSetting, Skip

_CLASSES = {REQUEST: OldRequest, QUEUE: OldQueue, COMPLEX: OldComplex, SETTING: OldSetting}


def skip_kind(kind):
    """What a `Skip` calls it."""
    return kind if kind in _CLASSES else "file"


def file_facts(where, status):
    """{name: value} of what the system says of a file."""
    return {
        "@name": Text(os.fsencode(where.rpartition("/")[2])),
        "@path": Text(os.fsencode(where)),
        "@size": Number(status.st_size),
        "@uid": Number(status.st_uid),
        "@gid": Number(status.st_gid),
        "@mode": Number(status.st_mode & 0o7777),
        "@nlink": Number(status.st_nlink),
        "@mtime": Number(int(status.st_mtime)),
        "@ctime": Number(int(status.st_ctime)),
    }


def part_values(parts):
    """{name: value} of the parts of a path."""
    return {
        name: Number(value) if isinstance(value, int) else Text(os.fsencode(value)) for name, value in parts.items()
    }


class Builder:
    """Makes records.

    Args:
        source: the `Source`.
        clock_s: now.
    """

    def __init__(self, source, clock_s):
        self._source = source
        self._clock_s = clock_s
        self._ids = Seen()
        #: Files that some request has for its own.
        self.claimed = Seen()

    def build(self, holding, where, values, data, start):
        """The record.

        Args:
            holding: the `Holding`.
            where: of the record.
            values: {name: Number, Text or tuple}.
            data: of the file, and where in it the record begins.
            start: the offset.
        """
        found = {"where": where}
        try:
            files = self._files(holding, values) if holding.kind == REQUEST else {}
            self._check(holding, values, found)
            notes, held = self._convert(holding, values, found)
            if holding.kind == REQUEST:
                held |= self._request(holding, values, found, notes, files, data, start)
            self._once(holding.kind, found)
        except Refused as refused:
            return Skip(where, str(refused), found.get("old_id", ""), skip_kind(holding.kind))
        if held:
            _close(holding.kind, found, notes)
        return _CLASSES[holding.kind](**found, notes=tuple(notes))

    def claim(self, files, values):
        """Claim the files that a record has which cannot be read, as far as the name of its own file tells them."""
        for holding in files.holds:
            for place in (holding.script, holding.environment):
                if place and place.path and place.path.parts <= values.keys() | place.fixed.keys():
                    try:
                        self.claimed.add(place.find(self._source, values))
                    except Doubt:
                        pass

    def _check(self, holding, values, found):
        """Raises Refused where the description says so, `found` being filled with the old id where it is known."""
        if holding.kind == NOTHING:
            raise Refused(holding.reason)
        for part, reference in holding.agree.items():
            if plain(values[part]) != plain(reference(values)):
                told = f"{part} is {plain(values[part])} in its file's name and {plain(reference(values))} in the file"
                raise Refused(f"{told}: one of them is wrong")
        if holding.kind == REQUEST:
            target, entry = holding.map[0]
            try:
                found[target.name] = convert(target, entry, values, self._clock_s) or ""
            except Doubt:
                pass
        for condition, reason in holding.skips:
            if condition.holds(values):
                raise Refused(reason)

    def _convert(self, holding, values, found):
        """Fill `found`; -> (notes, whether what it is must be held). Raises Refused."""
        notes, held = [], False
        for target, entry in holding.map:
            try:
                value = convert(target, entry, values, self._clock_s)
            except Doubt as doubt:
                if target.doubt == SKIP:
                    raise Refused(f"{target.name}: {doubt}") from None
                notes.append(f"{target.name}: {doubt}; left out")
                held |= target.doubt == HOLD
                continue
            if value is not None:
                found[target.name] = value
            elif target.needed:
                raise Refused(f"{target.name}: the old system says none")
        limits = {}
        for name, entry in holding.limits.items():
            try:
                limit = convert_limit(limits_model.BY_NAME[name], entry, values)
            except Doubt as doubt:
                notes.append(f"limit {name}: {doubt}; left out")
                held = True
                continue
            if limit is not None:
                limits[name] = limit
        if limits:
            found["limits"] = limits
        return notes, held

    def _files(self, holding, values):
        """{"script": path, "environment": path} of files of its own, or the `Doubt`; they are claimed."""
        files = {}
        for name in ("script", "environment"):
            place = getattr(holding, name)
            if place is None or place.path is None:
                continue
            try:
                path = place.find(self._source, values)
                if path not in files.values() and not self.claimed.add(path):
                    raise Doubt(f"{path} is another request's too")
                files[name] = path
            except Doubt as doubt:
                files[name] = doubt
        return files

    def _request(self, holding, values, found, notes, files, data, start):
        """Its script and environment; -> whether it must be held. Raises Refused."""
        if "user" not in found and "uid" not in found:
            raise Refused("its owner is not told")
        if holding.script is None:
            raise Refused("its script is not told")
        try:
            found["script"] = self._bytes(holding.script, files.get("script"), values, data, start)
            places.check_script(found["script"])
        except Doubt as doubt:
            raise Refused(f"script: {doubt}") from None
        if holding.environment is None:
            return False
        try:
            raw = self._bytes(holding.environment, files.get("environment"), values, data, start)
            found["environment"] = places.environment(raw, holding.environment)
        except Doubt as doubt:
            notes.append(f"environment: {doubt}; left out")
            return True
        return False

    def _bytes(self, place, path, values, data, start):
        if isinstance(path, Doubt):
            raise path
        if path is None:
            return place.take(data, values, start)
        try:
            data = self._source.read(path, places.FILE_BYTES_MAX).data
        except Unreadable as error:
            raise Doubt(str(error)) from None
        return place.take(data, values, 0)

    def _once(self, kind, found):
        """Raises Refused where the spool has the same thing twice."""
        name = found["old_id"] if kind == REQUEST else found["name"]
        if not self._ids.add(f"{kind} {name}"):
            raise Refused(f"there is another {kind} {name}")


def _close(kind, found, notes):
    """What is in doubt does nothing until somebody has looked at it."""
    if kind == REQUEST:
        if found.get("state", QUEUED) == RUNNING:
            notes.append("it was running")
        found["state"], found["operator_hold"] = HELD, True
        notes.append("held until this is looked at")
    elif kind == QUEUE:
        found["enabled"] = found["started"] = False
        notes.append("closed until this is looked at")

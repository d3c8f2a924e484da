"""By what an old request is known again: its origin, and the number of its old id. Pure."""

import hashlib
import os

#: The site's numbers go on above an old one up to this: those of at and of Grid Engine.
OLD_NUMBER_MAX = 9_999_999


def origin_of(layout, old):
    """What tells a record from every other, of this spool or another, however often it is read: 24 hex digits.

    No times and no place: a copy of a spool may have lost the ones, and a job's file may be renamed.
    """
    digest = hashlib.sha256()
    owner = str(old.uid) if old.uid >= 0 else old.user
    for text in (layout, old.old_id, owner, old.identity):
        digest.update(os.fsencode(text) + b"\0")
    digest.update(b"%d " % len(old.script) + old.script)
    if old.environment is not None:
        digest.update(b"environment" + b"".join(b"%b=%b\0" % pair for pair in sorted(old.environment.items())))
    return digest.hexdigest()[:24]


def old_number(old_id):
    """The number at the beginning of an old id, where the site's own are to go on above it; else 0."""
    digits = ""
    for character in old_id:
        if not ("0" <= character <= "9"):
            break
        digits += character
    return int(digits) if digits and len(digits) < 9 and int(digits) <= OLD_NUMBER_MAX else 0

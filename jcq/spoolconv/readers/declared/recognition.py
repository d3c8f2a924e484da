"""Whether a directory looks like a spool of the NQS family, by the names of what is in it.

The names are those that public descriptions of this family have (nqs-facts.md section 7.2, from memory there); what
the files hold differs by vendor and is not public, so that a description is needed.
"""

from jcq.spoolconv.errors import Unreadable, WrongLayout
from jcq.spoolconv.readers.declared.description import FILE_NAME

#: Where the root of such a spool may be below the directory that is given.
_ROOTS = (".", "private/root", "nqs", "nqs/private/root")
_DIRECTORIES = "control data database database_qa database_qo failed interproc output transact".split()
_DATABASE = "devices forms managers netqueues params pipeto qcomplex qmaps queues seqno servers".split()
#: So many of the names are no accident; a site of jcq has two of the directories and none of the files.
_DIRECTORIES_MIN, _DATABASE_MIN = 4, 3


def signs(source):
    """What makes a directory look like such a spool, in words; empty where it does not."""
    for root in _ROOTS:
        directories = [name for name in _DIRECTORIES if name in _names(source, root)]
        files = [name for name in _DATABASE if name in _names(source, f"{root}/database")]
        if len(directories) >= _DIRECTORIES_MIN or ("database" in directories and len(files) >= _DATABASE_MIN):
            words = [", ".join(directories), f"database/{{{','.join(files)}}}" if files else ""]
            place = "" if root == "." else f" in {root}"
            return f"{' and '.join(word for word in words if word)}{place}"
    return ""


def refusal(found):
    """The `WrongLayout` for a spool that has `signs` and no description."""
    return WrongLayout(
        reason=f"this looks like a spool of NQS or JobCenter ({found}), whose files are C structures that differ by "
        f"vendor and machine, and no description of them is given: see `spoolconv --probe DIR`, write the description "
        f"(the commented example-layout.toml of jcq is a start) as {FILE_NAME} into a copy of the spool, or name it "
        f"with --from FILE.toml"
    )


def _names(source, where):
    try:
        return source.names(where)
    except Unreadable:
        return []

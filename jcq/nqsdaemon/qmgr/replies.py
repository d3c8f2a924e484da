"""Replies of qmgr in NQS's frame, `NQS manager[CODE]: text`.

Where they come from (nqs-facts.md section 4): the frame and its success line are well remembered, the names of the
codes TCML_ALREADEXI, TCML_INSUFFPRV, TCML_NOLOCALDAE, TCML_NOSUCHQUE and TCML_QUEENABLE less so; nobody compared
either with a running NQS. The other names are formed after their pattern, so scripts should not rely on them, and
TCML_REFUSED is ours altogether: it stands where no such name is at hand. The texts of failures are ours.
"""

from jcq.errors import NotPermitted, SiteNotRunning
from jcq.jcdbs.errors import (
    AccessExists,
    BadValue,
    ComplexExists,
    DestinationExists,
    InComplex,
    NoSuchAccess,
    NoSuchComplex,
    NoSuchDestination,
    NoSuchManager,
    NoSuchQueue,
    NoSuchRequest,
    NotInComplex,
    QueueEnabled,
    QueueExists,
    QueueNotEmpty,
    QueueUnrestricted,
    SelfDestination,
)
from jcq.nqsdaemon.errors import ManagerFixed, NoSuchAccount, NoSuchGroup

COMPLETE = "TCML_COMPLETE"
REFUSED = "TCML_REFUSED"

_CODES = {
    # To the commands of qmgr it is raised for a wrong type of queue only.
    BadValue: "TCML_WROQUETYP",
    AccessExists: "TCML_ALREADACC",
    ComplexExists: "TCML_ALREADEXI",
    InComplex: "TCML_ALREADCOM",
    NoSuchComplex: "TCML_NOSUCHCOM",
    NotInComplex: "TCML_NOTMEMCOM",
    DestinationExists: "TCML_ALREADEXI",
    ManagerFixed: "TCML_ROOTINDEL",
    NoSuchAccess: "TCML_NOACCNOW",
    NoSuchAccount: "TCML_NOSUCHACC",
    NoSuchDestination: "TCML_NOSUCHDES",
    NoSuchGroup: "TCML_NOSUCHGRP",
    NoSuchManager: "TCML_NOSUCHMAN",
    NoSuchQueue: "TCML_NOSUCHQUE",
    NoSuchRequest: "TCML_NOSUCHREQ",
    NotPermitted: "TCML_INSUFFPRV",
    QueueEnabled: "TCML_QUEENABLE",
    QueueExists: "TCML_ALREADEXI",
    QueueUnrestricted: "TCML_UNRESTR",
    QueueNotEmpty: "TCML_QUEHASREQ",
    SelfDestination: "TCML_SELFREFDES",
    SiteNotRunning: "TCML_NOLOCALDAE",
}


def frame(code, text):
    """One line; the code is padded to 15 characters, as the success line is."""
    return f"NQS manager[{code:<15}]: {text}\n"


def complete(notes=()):
    """The answer to a command that was carried out.

    Args:
        notes: lines about what was read but has no effect in jcq.
    """
    return frame(COMPLETE, "Transaction complete at local host.") + "".join(f"Note: {note}.\n" for note in notes)


def refusal(error, request_id=""):
    """The answer to a command that was refused with this `JcqError`; about one of its requests, where that is given."""
    text = str(error)
    if request_id and request_id not in text:
        text = f"request {request_id}: {text}"
    return frame(_CODES.get(type(error), REFUSED), text if text.endswith(".") else text + ".")

"""Replies of qmgr in NQS's frame, `NQS manager[CODE]: text`.

Where they come from (nqs-facts.md section 4): the frame and its success line are well remembered, the names of the
codes TCML_ALREADEXI, TCML_INSUFFPRV, TCML_NOLOCALDAE, TCML_NOSUCHQUE and TCML_QUEENABLE less so; nobody compared
either with a running NQS. The other names are formed after their pattern, so scripts should not rely on them, and
TCML_REFUSED is ours altogether: it stands where no such name is at hand. The texts of failures are ours.
"""

from jcq import errors

COMPLETE = "TCML_COMPLETE"
REFUSED = "TCML_REFUSED"

_CODES = {
    # To the commands of qmgr it is raised for a wrong type of queue only.
    errors.BadValue: "TCML_WROQUETYP",
    errors.AccessExists: "TCML_ALREADACC",
    errors.ComplexExists: "TCML_ALREADEXI",
    errors.InComplex: "TCML_ALREADCOM",
    errors.NoSuchComplex: "TCML_NOSUCHCOM",
    errors.NotInComplex: "TCML_NOTMEMCOM",
    errors.DestinationExists: "TCML_ALREADEXI",
    errors.ManagerFixed: "TCML_ROOTINDEL",
    errors.NoSuchAccess: "TCML_NOACCNOW",
    errors.NoSuchAccount: "TCML_NOSUCHACC",
    errors.NoSuchDestination: "TCML_NOSUCHDES",
    errors.NoSuchGroup: "TCML_NOSUCHGRP",
    errors.NoSuchManager: "TCML_NOSUCHMAN",
    errors.NoSuchQueue: "TCML_NOSUCHQUE",
    errors.NoSuchRequest: "TCML_NOSUCHREQ",
    errors.NotPermitted: "TCML_INSUFFPRV",
    errors.QueueEnabled: "TCML_QUEENABLE",
    errors.QueueExists: "TCML_ALREADEXI",
    errors.QueueUnrestricted: "TCML_UNRESTR",
    errors.QueueNotEmpty: "TCML_QUEHASREQ",
    errors.SelfDestination: "TCML_SELFREFDES",
    errors.SiteNotRunning: "TCML_NOLOCALDAE",
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

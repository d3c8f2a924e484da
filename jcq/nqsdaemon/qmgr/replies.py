"""Replies of qmgr in NQS's frame, `NQS manager[CODE]: text`.

The frame, its success line and the names of the codes are recollections (nqs-facts.md section 4,
MEM-hi and MEM-lo); the texts of failures are ours. TCML_REFUSED is ours too: it stands where we
know no name of NQS's.
"""

from jcq import errors

COMPLETE = "TCML_COMPLETE"
REFUSED = "TCML_REFUSED"

_CODES = {
    # Only a wrong type of queue is answered with it to the commands of qmgr.
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


def refusal(error):
    """The answer to a command that was refused with this `JcqError`."""
    text = str(error)
    return frame(_CODES.get(type(error), REFUSED), text if text.endswith(".") else text + ".")

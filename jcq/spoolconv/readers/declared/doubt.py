"""What a record of an old spool can be found to be, other than right."""


class Doubt(Exception):
    """A value cannot be trusted; the words say why."""


class Refused(Exception):
    """The description says that such a record is not to be converted; the words say why."""

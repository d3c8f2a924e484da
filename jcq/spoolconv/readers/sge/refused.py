"""The exception that stands for a `Skip`."""


class Refused(Exception):
    """A job, or a task of one, cannot be carried over; the text is the reason."""

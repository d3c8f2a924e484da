"""The date and time of `qsub -a`: not before then.

Accepted, in any order, blanks or commas between: a date (`2027-01-01`, `01-Jan-2027`, `1 jan`, `jan 1
2027`, `tues`, `today`, `tomorrow`), a time (`23:00`, `8:00:30`, `11pm`, `11:30 pm`, `noon`,
`midnight`, `12m`), a zone (`JST`, `PDT`, `UTC`, `+09:00`, `Europe/Berlin`); the zone is else the
submitter's TZ, else this machine's. The forms with words are NQS's (nqs-facts.md section 2), ISO dates are ours.

What is not said, decided as its user would expect: without a date it is the next time that the clock
shows this; a weekday, or a day and month without a year, is the next such moment; a date without a
time begins at midnight; a full date, or today, in the past means at once, since "not before" is
satisfied. A time that the clocks skip in spring is taken by the offset before the change, and one
that they show twice in autumn is the first of the two that is still to come.
"""

import io
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jcq.errors import UsageError

_TEXT_MAX = 100
_MONTHS = ("january february march april may june july august september october november december").split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
#: Hours from UTC of the abbreviations in use with NQS; the American reading where there are several.
_ABBREVIATIONS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "JST": 9, "KST": 9, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip


def start_time(text, now_s, tz=""):
    """When a request that says `-a text` may start.

    Args:
        text: the value of `-a`.
        now_s: seconds since 1970.
        tz: the submitter's TZ: a name of the zone database or a POSIX rule such as `JST-9`; empty: this
            machine's zone.
    Returns:
        Seconds since 1970; it may lie in the past, which means at once.
    Raises:
        UsageError: it is no date and time, or the zone is not known.
    """
    try:
        return _start_time(text, now_s, tz)
    except (OverflowError, ValueError):
        raise _not_understood(text) from None


def zone(tz):
    """The time zone that a user's TZ names.

    Args:
        tz: see `start_time`. Paths are not opened (a daemon calls this); one below a zoneinfo directory is
            taken as the name it holds.
    Raises:
        UsageError: the zone is not known.
    """
    name = tz.removeprefix(":")
    if not name:
        return _machine_zone()
    if name.startswith("/"):
        name = name.partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        return _posix_zone(name)
    except (ValueError, UnicodeError):
        raise UsageError(reason=f"the time zone {tz!r} is not known; correct TZ") from None


def _machine_zone():
    try:
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def _posix_zone(rule):
    """A zone from a rule such as `EST5EDT,M3.2.0,M11.1.0`: the footer of an otherwise empty zone file holds it."""
    if not rule or len(rule) > _TEXT_MAX or "\n" in rule:
        raise ValueError(rule)
    header = b"TZif2" + bytes(15)
    counts = b"".join(count.to_bytes(4, "big") for count in (0, 0, 0, 0, 1, 4))
    block = header + counts + bytes(6) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(block + block + b"\n" + rule.encode("ascii") + b"\n"))


# --- reading ---------------------------------------------------------------------------------


def _start_time(text, now_s, tz):
    if len(text) > _TEXT_MAX or not text.isprintable():
        raise ValueError(text)
    said = _Said()
    for token in text.replace(",", " ").split():
        said.take(token)
    where = said.zone or zone(tz)
    now = datetime.fromtimestamp(now_s, where)
    return said.resolve(now)


class _Said:
    """What a text has said so far."""

    def __init__(self):
        self.year = self.month = self.day = self.weekday = self.shift = None
        self.time = None
        self.zone = None
        #: `24:00` is midnight at the end of the day.
        self.days_more = 0
        self._hour_needs_meridian = None

    def take(self, token):
        """Understand one word, or raise ValueError."""
        lower = token.lower()
        taken = (
            self._meridian(lower)
            or self._iso(token)
            or self._clock(lower)
            or self._day_word(lower)
            or self._day_month(lower)
            or self._zone(token)
        )
        if not taken:
            raise ValueError(token)

    def resolve(self, now):
        """The moment, in seconds since 1970."""
        if self._hour_needs_meridian is not None:
            raise ValueError("a day without a month")
        at = self.time or time(0)
        if self.time is None and not self._has_date():
            raise ValueError("nothing but a zone")
        if not self._has_date():
            return self._next(now, at, [now.date() + timedelta(days=n) for n in (0, 1, 2)])
        if self.shift is not None:
            return self._moments(now.date() + timedelta(days=self.shift), at, now)[0]
        if self.weekday is not None:
            first = now.date() + timedelta(days=(self.weekday - now.weekday()) % 7)
            return self._next(now, at, [first, first + timedelta(days=7)])
        if self.day is None or self.month is None:
            raise ValueError("a day without a month, or the reverse")
        if self.year is not None:
            return self._moments(date(self.year, self.month, self.day), at, now)[0]
        years = [year for year in range(now.year, now.year + 9) if _exists(year, self.month, self.day)]
        return self._next(now, at, [date(year, self.month, self.day) for year in years])

    def _has_date(self):
        return any(part is not None for part in (self.year, self.month, self.day, self.weekday, self.shift))

    def _moments(self, day, at, now):
        day += timedelta(days=self.days_more)
        return [datetime.combine(day, at.replace(fold=fold), tzinfo=now.tzinfo).timestamp() for fold in (0, 1)]

    def _next(self, now, at, days):
        """The first moment from now on; a day and a second fold are tried in turn."""
        for day in days:
            moments = self._moments(day, at, now)
            # Only a time that the clocks show twice has a second moment behind the first.
            for moment in moments if moments[1] > moments[0] else moments[:1]:
                if moment >= now.timestamp():
                    return moment
        raise ValueError("no such day")

    # Each of these takes its word and returns True, returns False, or raises ValueError.

    def _meridian(self, word):
        if word not in ("am", "pm", "m"):
            return False
        if self._hour_needs_meridian is not None:
            hour, self._hour_needs_meridian = self._hour_needs_meridian, None
            self._set_time(_with_meridian(hour, word), 0, 0)
        elif self.time is not None:
            at, self.time = self.time, None
            self._set_time(_with_meridian(at.hour, word), at.minute, at.second)
        else:
            raise ValueError(word)
        return True

    def _iso(self, word):
        day, t, clock = word.upper().partition("T")
        if len(day) != 10 or day[4] != "-" or day[7] != "-":
            return False
        found = date.fromisoformat(day)
        self._set_date(found.year, found.month, found.day)
        if t:
            at = time.fromisoformat(clock)
            self._set_time(at.hour, at.minute, at.second)
            if at.tzinfo is not None:
                self._set_zone(at.tzinfo)
        return True

    def _clock(self, word):
        if word in ("noon", "midnight"):
            self._set_time(12 if word == "noon" else 0, 0, 0)
            return True
        digits = word.rstrip("apm")
        meridian = word[len(digits) :]
        parts = digits.split(":")
        if not all(_is_number(part) for part in parts) or len(parts) > 3 or (len(parts) == 1 and not meridian):
            return False
        numbers = [int(part) for part in parts] + [0, 0]
        if meridian:
            numbers[0] = _with_meridian(numbers[0], meridian)
        self._set_time(*numbers[:3])
        return True

    def _day_word(self, word):
        if word in ("today", "tomorrow"):
            self._refuse_second_date()
            self.shift = int(word == "tomorrow")
            return True
        for number, name in enumerate(_WEEKDAYS):
            if len(word) >= 3 and name.startswith(word):
                self._refuse_second_date()
                self.weekday = number
                return True
        return False

    def _day_month(self, word):
        """`01-Jan-2027`, `01-jan`, or `1`, `jan`, `2027` as words of their own."""
        parts = word.split("-")
        if len(parts) in (2, 3) and _is_number(parts[0]) and _month(parts[1]):
            year = _year(parts[2]) if len(parts) == 3 else None
            self._set_date(year, _month(parts[1]), int(parts[0]))
            return True
        if self.weekday is not None or self.shift is not None:
            if _is_number(word) and self._hour_needs_meridian is None and int(word) <= 12:
                self._hour_needs_meridian = int(word)
                return True
            return False
        if _month(word):
            if self.month is not None:
                raise ValueError(word)
            self.month = _month(word)
            if self._hour_needs_meridian is not None:
                self.day, self._hour_needs_meridian = self._hour_needs_meridian, None
            return True
        if not _is_number(word):
            return False
        if len(word) == 4 and self.month and self.day and self.year is None:
            self.year = int(word)
        elif self.month and self.day is None and len(word) <= 2:
            self.day = int(word)
        elif self._hour_needs_meridian is None and len(word) <= 2:
            # A day whose month follows, or an hour whose am or pm does.
            self._hour_needs_meridian = int(word)
        else:
            raise ValueError(word)
        return True

    def _zone(self, token):
        hours = _ABBREVIATIONS.get(token.upper())
        if hours is not None:
            self._set_zone(timezone(timedelta(hours=hours)))
        elif token[0] in "+-" and len(token) >= 5:
            self._set_zone(datetime.strptime(token, "%z").tzinfo)
        elif "/" in token and not token.startswith("/"):
            self._set_zone(zone(token))
        else:
            return False
        return True

    def _set_date(self, year, month, day):
        self._refuse_second_date()
        self.year, self.month, self.day = year, month, day

    def _refuse_second_date(self):
        if self._has_date():
            raise ValueError("two dates")

    def _set_time(self, hour, minute, second):
        if self.time is not None:
            raise ValueError("two times")
        if (hour, minute, second) == (24, 0, 0):
            hour, self.days_more = 0, 1
        self.time = time(hour, minute, second)

    def _set_zone(self, where):
        if self.zone is not None:
            raise ValueError("two zones")
        self.zone = where


def _with_meridian(hour, meridian):
    """12am is midnight, 12pm and 12m noon."""
    if not 1 <= hour <= 12 or meridian not in ("am", "pm", "m") or (meridian == "m" and hour != 12):
        raise ValueError(meridian)
    return hour % 12 + (0 if meridian == "am" else 12)


def _is_number(text):
    return text.isascii() and text.isdigit() and len(text) <= 4


def _month(word):
    for number, name in enumerate(_MONTHS, 1):
        if len(word) >= 3 and name.startswith(word):
            return number
    return 0


def _year(text):
    if not _is_number(text) or len(text) not in (2, 4):
        raise ValueError(text)
    return int(text) + (2000 if len(text) == 2 else 0)


def _exists(year, month, day):
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _not_understood(text):
    return UsageError(
        reason=f"-a: {text[:_TEXT_MAX]!r} is no date and time; "
        "give for example '23:00', '11pm tues' or '2027-01-01 08:00'"
    )

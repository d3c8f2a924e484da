"""`qsub -a`: dates, times, zones, and the clocks' changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcq.errors import UsageError
from jcq.model.starttime import start_time, zone

#: A Wednesday.
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()


def at(text, now_s=NOW, tz="UTC"):
    """The moment as UTC text."""
    return datetime.fromtimestamp(start_time(text, now_s, tz), UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # A time alone is the next one.
        ("23:00", "2026-11-25 23:00:00"),
        ("8:00", "2026-11-26 08:00:00"),
        ("12:00", "2026-11-25 12:00:00"),
        ("11:59:59", "2026-11-26 11:59:59"),
        ("11:30pm", "2026-11-25 23:30:00"),
        ("11:30 PM", "2026-11-25 23:30:00"),
        ("11pm", "2026-11-25 23:00:00"),
        ("11 pm", "2026-11-25 23:00:00"),
        ("12am", "2026-11-26 00:00:00"),
        ("12pm", "2026-11-25 12:00:00"),
        ("12m", "2026-11-25 12:00:00"),
        ("noon", "2026-11-25 12:00:00"),
        ("midnight", "2026-11-26 00:00:00"),
        ("24:00", "2026-11-26 00:00:00"),
        # Days.
        ("tues 11pm", "2026-12-01 23:00:00"),
        ("11pm tues", "2026-12-01 23:00:00"),
        ("wed", "2026-12-02 00:00:00"),
        ("wednesday 13:00", "2026-11-25 13:00:00"),
        ("wed 11:00", "2026-12-02 11:00:00"),
        ("thurs", "2026-11-26 00:00:00"),
        ("today", "2026-11-25 00:00:00"),
        ("today 8:00", "2026-11-25 08:00:00"),
        ("tomorrow", "2026-11-26 00:00:00"),
        ("tomorrow 8:00", "2026-11-26 08:00:00"),
        ("8:00, Tomorrow", "2026-11-26 08:00:00"),
        ("today 24:00", "2026-11-26 00:00:00"),
        # Dates.
        ("01-Jan-2027 12am", "2027-01-01 00:00:00"),
        ("01-Jan-1986 12am, PDT", "1986-01-01 07:00:00"),
        ("01-Jan-2027 12am, JST", "2026-12-31 15:00:00"),
        ("1-jan-27", "2027-01-01 00:00:00"),
        ("1-jan", "2027-01-01 00:00:00"),
        ("25-nov 11:00", "2027-11-25 11:00:00"),
        ("jan 1", "2027-01-01 00:00:00"),
        ("January 1 2027 9am", "2027-01-01 09:00:00"),
        ("1 jan 2027 9 am", "2027-01-01 09:00:00"),
        ("9 am 1 jan 2027", "2027-01-01 09:00:00"),
        ("29 feb", "2028-02-29 00:00:00"),
        ("2027-01-01 08:00", "2027-01-01 08:00:00"),
        ("2027-01-01T08:00", "2027-01-01 08:00:00"),
        ("2027-01-01T08:00:30+02:00", "2027-01-01 06:00:30"),
        ("2027-01-01T08:00Z", "2027-01-01 08:00:00"),
        ("2027-01-01", "2027-01-01 00:00:00"),
        ("2020-01-01 08:00", "2020-01-01 08:00:00"),
        ("2027-01-01 08:00 +09:00", "2026-12-31 23:00:00"),
        ("2027-01-01 08:00 Europe/Berlin", "2027-01-01 07:00:00"),
        ("23:00 JST", "2026-11-25 14:00:00"),
        ("20:00 JST", "2026-11-26 11:00:00"),
    ],
)
def test_understood(text, moment):
    assert at(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "soon", "25:00", "23:60", "13pm", "0am", "11m", "23", "8 8", "8:00 9:00", "tues wed", "jan feb",
        "32 jan", "31-feb-2027", "30 feb", "2027-13-01", "2027-01", "2027", "UTC", "8:00 UTC JST", "8:00 +25:00",
        "8:00 Nowhere/None", "8:00 ../etc/passwd", "1-1-2027", "01/02/2027", "12 nov 5 6", "jan", "5 pm am", "9" * 60,
        "x" * 200, "8:00\n", "8:00\x1b", "1e3:00", "٨:00", "tomorrow 5 jan", "today 5 5 pm",
    ],
)  # fmt: skip
def test_not_understood(text):
    with pytest.raises(UsageError) as caught:
        start_time(text, NOW, "UTC")
    assert str(caught.value).isprintable()


BERLIN = ZoneInfo("Europe/Berlin")


def berlin(*parts, fold=0):
    return datetime(*parts, tzinfo=BERLIN, fold=fold).timestamp()


def test_a_time_that_is_skipped_in_spring_is_after_the_gap():
    now_s = berlin(2027, 3, 27, 12)
    assert start_time("2027-03-28 02:30", now_s, "Europe/Berlin") == berlin(2027, 3, 28, 3, 30)
    assert start_time("2:30", now_s, "Europe/Berlin") == berlin(2027, 3, 28, 3, 30)


def test_a_time_that_is_shown_twice_in_autumn():
    first, second = berlin(2027, 10, 31, 2, 30), berlin(2027, 10, 31, 2, 30, fold=1)
    assert second - first == 3600
    assert start_time("2:30", berlin(2027, 10, 30, 12), "Europe/Berlin") == first
    assert start_time("2:30", first + 60, "Europe/Berlin") == second
    assert start_time("2:30", second + 60, "Europe/Berlin") == berlin(2027, 11, 1, 2, 30)
    assert start_time("2027-10-31 02:30", second + 60, "Europe/Berlin") == first


def test_tomorrow_is_a_day_of_the_submitter():
    now_s = datetime(2026, 11, 25, 20, 0, tzinfo=UTC).timestamp()
    assert at("tomorrow", now_s, "Asia/Tokyo") == "2026-11-26 15:00:00"
    assert at("tomorrow", now_s, "JST-9") == "2026-11-26 15:00:00"


@pytest.mark.parametrize(
    ("tz", "winter_h", "summer_h"),
    [
        ("Europe/Berlin", 1, 2),
        (":Europe/Berlin", 1, 2),
        ("/usr/share/zoneinfo/Europe/Berlin", 1, 2),
        ("JST-9", 9, 9),
        ("EST5EDT,M3.2.0,M11.1.0", -5, -4),
        ("<-03>3", -3, -3),
        ("UTC", 0, 0),
    ],
)
def test_zones(tz, winter_h, summer_h):
    where = zone(tz)
    for month, hours in ((1, winter_h), (7, summer_h)):
        assert datetime(2027, month, 1, tzinfo=where).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    "tz", ["Nowhere", "/etc/passwd", "../../etc/passwd", "a\nb", "x" * 250, "America", "\udcff", "JST-99"]
)
def test_unknown_zones_are_refused(tz):
    with pytest.raises(UsageError, match="time zone"):
        zone(tz)


def test_without_tz_the_machine_s_zone():
    assert zone("").utcoffset(datetime(2027, 1, 1)) is not None


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused(text):
    try:
        assert isinstance(start_time(text, NOW, "Europe/Berlin"), float)
    except UsageError:
        return


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_iso_is_what_it_says(moment):
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert start_time(moment.strftime("%Y-%m-%d %H:%M:%S"), NOW, "UTC") == moment.timestamp()


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 4 * 10**9),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]),
)
def test_a_time_alone_is_never_past_and_within_a_day_and_an_hour(hour, minute, now_s, tz):
    found = start_time(f"{hour}:{minute:02d}", now_s, tz)
    assert now_s <= found <= now_s + 86400 + 7200


def test_the_examples_of_the_manual():
    assert at('"23:00"'.strip('"')) == "2026-11-25 23:00:00"
    assert at("11pm tues") == "2026-12-01 23:00:00"
    assert at("01-Jan-2027 12am, JST") == "2026-12-31 15:00:00"


ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "EST5EDT,M3.2.0,M11.1.0"])


@given(st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)), ZONES)
def test_a_date_and_time_shows_itself_on_the_clock_unless_the_clocks_skip_it(moment, tz):
    moment = moment.replace(second=0, microsecond=0)
    where = zone(tz)
    found = datetime.fromtimestamp(start_time(moment.strftime("%Y-%m-%d %H:%M"), NOW, tz), where)
    exists = moment.replace(tzinfo=where).astimezone(UTC).astimezone(where).replace(tzinfo=None) == moment
    if exists:
        assert found.replace(tzinfo=None) == moment
    else:
        assert timedelta(0) < found.replace(tzinfo=None) - moment <= timedelta(hours=1)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)), ZONES)
def test_every_way_to_write_a_date_means_the_same(moment, tz):
    day, clock = moment.strftime("%d-%b-%Y"), moment.strftime("%H:%M:%S")
    wanted = start_time(moment.strftime("%Y-%m-%dT%H:%M:%S"), NOW, tz)
    hour = moment.hour % 12 or 12
    for text in (
        f"{day} {clock}",
        f"{clock}, {day.lower()}",
        f"{moment.strftime('%B %d %Y')} {clock}",
        f"{moment.strftime('%d %b %Y')}, {hour}:{moment:%M:%S} {'PM' if moment.hour >= 12 else 'am'}",
        f"{hour}:{moment:%M:%S}{'pm' if moment.hour >= 12 else 'AM'} {day}",
    ):
        assert start_time(text, NOW, tz) == wanted, text


@given(st.integers(0, 4 * 10**9), st.sampled_from("mon tues wednesday thu fri satur sun".split()), ZONES)
def test_a_weekday_is_never_past_and_within_a_week_and_an_hour(now_s, day, tz):
    found = start_time(f"{day} 8:00", now_s, tz)
    assert now_s <= found <= now_s + 7 * 86400 + 3600
    assert datetime.fromtimestamp(found, zone(tz)).strftime("%A").lower().startswith(day[:3])

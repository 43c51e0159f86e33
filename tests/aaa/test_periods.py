"""Hours, days and periods where the ISP is: daylight saving, half-hour zones, short months."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.periods import local_day, local_hour, period_start
from radiuscore.aaa.records import QuotaPeriod

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]
instants = st.integers(0, 2**32 - 1)
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(1970, 2, 1), date(2105, 12, 31))


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("zone", "at", "hour", "day"),
    [
        ("UTC", "2026-03-01T12:59:59.999+00:00", "2026-03-01T12:00+00:00", "2026-03-01"),
        ("Asia/Kolkata", "2026-03-01T18:29:59+00:00", "2026-03-01T17:30+00:00", "2026-03-01"),
        ("Asia/Kolkata", "2026-03-01T18:30:00+00:00", "2026-03-01T18:30+00:00", "2026-03-02"),
        ("Asia/Kathmandu", "2026-03-01T18:14:59+00:00", "2026-03-01T17:15+00:00", "2026-03-01"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00+00:00", "2026-03-01T18:15+00:00", "2026-03-02"),
        # 2026-03-29 in Berlin has 23 hours: 01:59 CET is followed by 03:00 CEST.
        ("Europe/Berlin", "2026-03-29T00:59:59+00:00", "2026-03-29T00:00+00:00", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T01:10:00+00:00", "2026-03-29T01:00+00:00", "2026-03-29"),
        ("Europe/Berlin", "2026-03-28T23:00:00+00:00", "2026-03-28T23:00+00:00", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T21:59:59+00:00", "2026-03-29T21:00+00:00", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T22:00:00+00:00", "2026-03-29T22:00+00:00", "2026-03-30"),
        # 2026-10-25 has 25, and 02:30 is twice.
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-25T00:00+00:00", "2026-10-25"),
        ("Europe/Berlin", "2026-10-25T01:30:00+00:00", "2026-10-25T01:00+00:00", "2026-10-25"),
        ("Europe/Berlin", "2026-10-25T22:59:59+00:00", "2026-10-25T22:00+00:00", "2026-10-25"),
        # Lord Howe Island repeats half an hour: 01:30 to 02:00 of 2026-04-05, at 15:00 UTC.
        ("Australia/Lord_Howe", "2026-04-04T14:45:00+00:00", "2026-04-04T14:00+00:00", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-04-04T15:15:00+00:00", "2026-04-04T14:00+00:00", "2026-04-05"),
    ],
)
def test_an_instant_has_one_local_hour_and_day(zone: str, at: str, hour: str, day: str) -> None:
    assert local_hour(epoch(at), ZoneInfo(zone)) == datetime.fromisoformat(hour)
    assert local_day(epoch(at), ZoneInfo(zone)) == date.fromisoformat(day)


@given(instants, zones)
def test_an_hour_begins_at_a_full_local_hour_that_is_not_later(at: int, zone: ZoneInfo) -> None:
    hour = local_hour(at, zone)
    assert hour.utcoffset() == timedelta(0)
    assert 0 <= at - hour.timestamp() < 2 * 3600
    assert local_hour(hour.timestamp(), zone) == hour
    assert local_day(hour.timestamp(), zone) == local_day(at, zone)


@given(st.sampled_from(ZONES).map(ZoneInfo), instants, st.integers(0, 90_000))
def test_a_later_instant_never_has_an_earlier_hour_or_day(zone: ZoneInfo, at: int, later: int) -> None:
    assert local_hour(at, zone) <= local_hour(at + later, zone)
    assert local_day(at, zone) <= local_day(at + later, zone)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"])
@pytest.mark.parametrize(("zone", "lengths"), [("Europe/Berlin", {23, 24, 25}), ("Asia/Kolkata", {24})])
def test_the_hours_of_a_day_are_its_length(zone: str, lengths: set[int], day: str) -> None:
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    quarters = [midnight.timestamp() + 900 * n for n in range(-8, 120)]
    of_day = {local_hour(at, ZoneInfo(zone)) for at in quarters if local_day(at, ZoneInfo(zone)).isoformat() == day}
    next_day = datetime.combine(date.fromisoformat(day) + timedelta(1), datetime.min.time(), ZoneInfo(zone))
    assert len(of_day) == (next_day.astimezone(UTC) - midnight) / timedelta(hours=1)
    assert len(of_day) in lengths


@pytest.mark.parametrize(
    ("day", "period", "anchor_day", "start"),
    [
        ("2026-05-20", QuotaPeriod.DAY, 1, "2026-05-20"),
        ("2026-05-20", QuotaPeriod.MONTH, 1, "2026-05-01"),
        ("2026-05-20", QuotaPeriod.MONTH, 20, "2026-05-20"),
        ("2026-05-20", QuotaPeriod.MONTH, 21, "2026-04-21"),
        ("2026-01-14", QuotaPeriod.MONTH, 15, "2025-12-15"),
        ("2026-05-30", QuotaPeriod.MONTH, 31, "2026-04-30"),
        ("2026-05-31", QuotaPeriod.MONTH, 31, "2026-05-31"),
        ("2026-04-30", QuotaPeriod.MONTH, 31, "2026-04-30"),
        ("2026-02-28", QuotaPeriod.MONTH, 31, "2026-02-28"),
        ("2026-03-01", QuotaPeriod.MONTH, 31, "2026-02-28"),
        ("2028-02-28", QuotaPeriod.MONTH, 30, "2028-01-30"),
        ("2028-02-29", QuotaPeriod.MONTH, 30, "2028-02-29"),
        ("2026-05-20", QuotaPeriod.WEEK, 1, "2026-05-18"),
        ("2026-05-18", QuotaPeriod.WEEK, 1, "2026-05-18"),
        ("2026-05-17", QuotaPeriod.WEEK, 1, "2026-05-11"),
        ("2026-05-17", QuotaPeriod.WEEK, 7, "2026-05-17"),
        ("2026-05-16", QuotaPeriod.WEEK, 7, "2026-05-10"),
    ],
)
def test_a_period_begins_on_its_anchor_day(day: str, period: QuotaPeriod, anchor_day: int, start: str) -> None:
    assert period_start(date.fromisoformat(day), period, anchor_day) == date.fromisoformat(start)


@given(days, st.sampled_from(QuotaPeriod), st.integers(1, 31))
def test_periods_follow_each_other_without_gap(day: date, period: QuotaPeriod, anchor_day: int) -> None:
    anchor_day = min(anchor_day, 7) if period is QuotaPeriod.WEEK else anchor_day
    start = period_start(day, period, anchor_day)
    assert start <= day
    assert (day - start).days < {QuotaPeriod.DAY: 1, QuotaPeriod.WEEK: 7, QuotaPeriod.MONTH: 31}[period]
    assert period_start(start, period, anchor_day) == start
    assert period_start(day + timedelta(days=1), period, anchor_day) in (start, day + timedelta(days=1))

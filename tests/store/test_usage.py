"""Usage by the ISP's local hour and day and by the quota's period, whenever it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.records import QuotaPeriod
from radiuscore.store.sessions import record
from radiuscore.store.usage import (
    DayOfUsage,
    HourOfUsage,
    PeriodOfUsage,
    find_changed_periods,
    find_days,
    find_hours,
    find_period,
)
from tests.store.reporting import CUSTOMER, T, check_usage, interim, start, stop, tell

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")
ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
ALL_DAYS = date(1970, 1, 1), date(2200, 1, 1)


def reports(begin: str, times: Sequence[str], **others: Any) -> list[AccountingEvent]:
    """Return a Start at one time and an Interim of 100 more octets at each of the others (ISO, UTC)."""
    began = datetime.fromisoformat(begin).timestamp()
    sent = [datetime.fromisoformat(text).timestamp() for text in times]
    return [
        start(began - T, **others),
        *(interim(at - T, int(at - began), 100 * n, **others) for n, at in enumerate(sent, 1)),
    ]


async def hours(db: Db) -> dict[str, int]:
    found = await find_hours(db, 1, CUSTOMER, *ALL_TIME)
    return {one.hour.isoformat(timespec="minutes"): one.input_octets for one in found}


async def days(db: Db) -> dict[str, int]:
    return {one.day.isoformat(): one.input_octets for one in await find_days(db, 1, CUSTOMER, *ALL_DAYS)}


async def test_hours_and_days_of_a_half_hour_zone(db: Db, system_db: Db) -> None:
    times = ["2026-03-01T18:10+00:00", "2026-03-01T18:29:59+00:00", "2026-03-01T18:30+00:00", "2026-03-01T19:31+00:00"]
    await tell(system_db, *reports("2026-03-01T18:00+00:00", times, zone=KOLKATA))
    assert await hours(system_db) == {
        "2026-03-01T17:30+00:00": 200,
        "2026-03-01T18:30+00:00": 100,
        "2026-03-01T19:30+00:00": 100,
    }
    assert await days(system_db) == {"2026-03-01": 200, "2026-03-02": 200}
    await check_usage(db)


async def test_the_hour_that_daylight_saving_repeats_is_two(db: Db, system_db: Db) -> None:
    times = ["2026-10-25T00:30+00:00", "2026-10-25T01:30+00:00", "2026-10-25T22:59+00:00", "2026-10-25T23:00+00:00"]
    await tell(system_db, *reports("2026-10-24T22:00+00:00", times, zone=BERLIN))
    assert await hours(system_db) == {
        "2026-10-25T00:00+00:00": 100,
        "2026-10-25T01:00+00:00": 100,
        "2026-10-25T22:00+00:00": 100,
        "2026-10-25T23:00+00:00": 100,
    }
    assert await days(system_db) == {"2026-10-25": 300, "2026-10-26": 100}
    await check_usage(db)


async def test_a_day_of_23_hours(system_db: Db) -> None:
    times = ["2026-03-28T23:00+00:00", "2026-03-29T01:00+00:00", "2026-03-29T21:59+00:00", "2026-03-29T22:00+00:00"]
    await tell(system_db, *reports("2026-03-28T22:00+00:00", times, zone=BERLIN))
    assert await days(system_db) == {"2026-03-29": 300, "2026-03-30": 100}


async def test_what_arrives_late_is_counted_to_when_it_was_sent(db: Db, system_db: Db) -> None:
    """From a spool after hours, or with an Acct-Delay-Time: the hour is the report's, not the arrival's."""
    events = reports("2026-11-20T10:00+00:00", ["2026-11-20T10:55+00:00", "2026-11-20T11:55+00:00"])
    delayed = events[2]._replace(received_at=events[2].received_at + 7200, delay_time=7200)
    await tell(system_db, events[0], events[1], delayed)
    assert await hours(system_db) == {"2026-11-20T10:00+00:00": 100, "2026-11-20T11:00+00:00": 100}
    await check_usage(db)


@pytest.mark.parametrize(
    ("period", "anchor_day", "starts"),
    [
        (QuotaPeriod.MONTH, 31, {"2026-04-30": 200, "2026-05-31": 200}),
        (QuotaPeriod.MONTH, 1, {"2026-05-01": 200, "2026-06-01": 200}),
        (QuotaPeriod.WEEK, 7, {"2026-05-24": 200, "2026-05-31": 200}),
        (QuotaPeriod.DAY, 1, {"2026-05-29": 100, "2026-05-30": 100, "2026-06-01": 200}),
    ],
)
async def test_periods_begin_on_their_anchor_day(
    db: Db, system_db: Db, period: QuotaPeriod, anchor_day: int, starts: dict[str, int]
) -> None:
    times = ["2026-05-29T21:59+00:00", "2026-05-29T22:00+00:00", "2026-05-31T22:00+00:00", "2026-06-01T10:00+00:00"]
    events = reports("2026-05-29T21:00+00:00", times, zone=BERLIN, quota_period=period, quota_anchor_day=anchor_day)
    await tell(system_db, *events)
    found = await find_changed_periods(system_db, within_s=60)
    assert {one.period_start.isoformat(): one.input_octets for one in found} == starts
    assert {one.period for one in found} == {period}
    await check_usage(db)


async def test_a_period_has_its_total_and_nothing_is_zero(system_db: Db) -> None:
    await tell(system_db, *reports("2026-05-29T21:00+00:00", ["2026-05-29T21:50+00:00"]))
    month = date(2026, 5, 1)
    assert await find_period(system_db, 1, CUSTOMER, QuotaPeriod.MONTH, month) == PeriodOfUsage(
        1, CUSTOMER, QuotaPeriod.MONTH, month, 100, 100, 3000
    )
    for isp_id, customer_id, period in [(2, CUSTOMER, "month"), (1, 8, "month"), (1, CUSTOMER, "day")]:
        nothing = await find_period(system_db, isp_id, customer_id, QuotaPeriod(period), month)
        assert nothing == PeriodOfUsage(isp_id, customer_id, QuotaPeriod(period), month, 0, 0, 0)


async def test_two_sessions_of_a_customer_in_one_batch_are_added_up(db: Db, system_db: Db) -> None:
    events = [interim(60, 60, (n, 10 * n), acct_session_id=f"8100000{n}") for n in range(1, 5)]
    await record(system_db, events)
    [hour] = await find_hours(system_db, 1, CUSTOMER, *ALL_TIME)
    [day] = await find_days(system_db, 1, CUSTOMER, *ALL_DAYS)
    assert hour == HourOfUsage(datetime.fromtimestamp(T, UTC), 10, 100, 240)
    assert day == DayOfUsage(datetime.fromtimestamp(T, UTC).date(), 10, 100, 240)
    await check_usage(db)


async def test_hours_and_days_are_asked_for_half_open_and_of_one_isp(system_db: Db) -> None:
    await tell(system_db, interim(60, 60, 1), interim(3660, 3660, 2), stop(7260, 7260, 4), interim(60, 60, 9, isp_id=2))
    second, third = (datetime.fromtimestamp(T + 3600 * n, UTC) for n in (1, 2))
    assert [one.input_octets for one in await find_hours(system_db, 1, CUSTOMER, second, third)] == [1]
    assert [one.input_octets for one in await find_hours(system_db, 2, CUSTOMER, *ALL_TIME)] == [9]
    today = datetime.fromtimestamp(T, UTC).date()
    assert await find_days(system_db, 1, CUSTOMER, date(2020, 1, 1), today) == []


async def test_only_what_was_changed_lately_is_pulled(db: Db, system_db: Db) -> None:
    await tell(system_db, interim(60, 60, 1))
    await db.execute("UPDATE accounting.usage_period SET changed_at = now() - interval '1 minute'")
    await tell(system_db, interim(60, 60, 1), interim(60, 60, 3, customer_id=8, acct_session_id="81000002"))
    assert [one.customer_id for one in await find_changed_periods(system_db, within_s=30)] == [8]
    assert len(await find_changed_periods(system_db, within_s=90)) == 2

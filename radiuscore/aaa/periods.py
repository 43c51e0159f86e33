"""When an hour, a day and a billing period begin where the ISP is; pure, and right across daylight-saving changes.

Every instant belongs to exactly one hour, day and period, and a later instant never to an earlier one.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo

from radiuscore.aaa.records import QuotaPeriod


def local_hour(at: float, zone: tzinfo) -> datetime:
    """Return the aware UTC time at which the local hour of an instant began; ``at`` is seconds since 1970.

    The hour that daylight saving repeats is two hours. Where it repeats only a part of one (Lord Howe Island), that
    hour is a long one.
    """
    return datetime.fromtimestamp(at, zone).replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def local_day(at: float, zone: tzinfo) -> date:
    """Return the local date of an instant; ``at`` is seconds since 1970."""
    return datetime.fromtimestamp(at, zone).date()


def period_start(day: date, period: QuotaPeriod, anchor_day: int = 1) -> date:
    """Return the local date on which the period that holds ``day`` began, at its midnight.

    ``anchor_day`` is the day of the month, or of the week (1 is Monday), on which a period begins. In a month that has
    no such day it is the last one.
    """
    match period:
        case QuotaPeriod.DAY:
            return day
        case QuotaPeriod.WEEK:
            return day - timedelta(days=(day.isoweekday() - anchor_day) % 7)
        case QuotaPeriod.MONTH:
            this_month = _anchor_in(day, anchor_day)
            return this_month if this_month <= day else _anchor_in(day.replace(day=1) - timedelta(days=1), anchor_day)


def _anchor_in(month: date, anchor_day: int) -> date:
    return month.replace(day=min(anchor_day, monthrange(month.year, month.month)[1]))

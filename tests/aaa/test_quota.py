"""Quotas: what is left, what follows, and until when, where clocks change and months are short."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from radiuscore.aaa.periods import local_day, period_start
from radiuscore.aaa.quota import (
    Period,
    QuotaLevel,
    QuotaVerdict,
    RouterLimits,
    TopUp,
    Usage,
    counted_octets,
    judge_quota,
    period_at,
    router_limits,
)
from radiuscore.aaa.records import QuotaAction, QuotaDirection, QuotaPeriod, ServicePlan
from radiuscore.wire.attributes import VendorAttribute
from radiuscore.wire.mikrotik import (
    MIKROTIK_RECV_LIMIT,
    MIKROTIK_RECV_LIMIT_GIGAWORDS,
    MIKROTIK_TOTAL_LIMIT,
    MIKROTIK_TOTAL_LIMIT_GIGAWORDS,
    MIKROTIK_XMIT_LIMIT,
    MIKROTIK_XMIT_LIMIT_GIGAWORDS,
)
from radiuscore.wire.packet import encode_attributes

GB = 1_000_000_000
HOUR, DAY = 3600, 86_400
BERLIN = ZoneInfo("Europe/Berlin")
PLAN = ServicePlan(1, 1, "home", data_quota_octets=100 * GB, quota_action=QuotaAction.BLOCK)
TIMED = replace(PLAN, data_quota_octets=None, time_quota_s=10 * HOUR)


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


NOW = at("2026-11-23 12:00")
MONTH_END = at("2026-12-01 00:00")

# Where clocks change at midnight, where a day is missing, where the change is of half an hour.
ZONES = (
    *("UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Asia/Beirut", "America/Sao_Paulo", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "America/New_York"),
)


@pytest.mark.parametrize(
    ("zone", "period", "anchor_day", "now", "begins", "ends", "hours"),
    [
        # Daylight saving: a day of 23 and of 25 hours, a month that has one of each sort
        ("Europe/Berlin", "day", 1, "2026-03-29 12:00", "2026-03-29", "2026-03-30", 23),
        ("Europe/Berlin", "day", 1, "2026-10-25 12:00", "2026-10-25", "2026-10-26", 25),
        ("Europe/Berlin", "month", 1, "2026-03-29 12:00", "2026-03-01", "2026-04-01", 31 * 24 - 1),
        ("Europe/Berlin", "month", 1, "2026-10-31 23:59", "2026-10-01", "2026-11-01", 31 * 24 + 1),
        ("Europe/Berlin", "week", 1, "2026-03-29 23:59", "2026-03-23", "2026-03-30", 7 * 24 - 1),
        ("Europe/Berlin", "week", 7, "2026-03-29 00:00", "2026-03-29", "2026-04-05", 7 * 24 - 1),
        # Midnight itself is skipped (the day begins at one), or comes twice
        ("Africa/Cairo", "day", 1, "2026-04-24 12:00", "2026-04-24 01:00", "2026-04-25", 23),
        ("Asia/Beirut", "day", 1, "2026-03-29 12:00", "2026-03-29 01:00", "2026-03-30", 23),
        ("America/Havana", "day", 1, "2026-11-01 12:00", "2026-11-01", "2026-11-02", 25),
        ("America/Sao_Paulo", "day", 1, "2018-02-17 12:00", "2018-02-17", "2018-02-18", 25),
        ("Australia/Lord_Howe", "day", 1, "2026-04-05 12:00", "2026-04-05", "2026-04-06", 24.5),
        ("Pacific/Apia", "month", 1, "2011-12-31 12:00", "2011-12-01", "2012-01-01", 30 * 24),
        # Short months
        ("Europe/Berlin", "month", 31, "2026-02-27 12:00", "2026-01-31", "2026-02-28", 28 * 24),
        ("Europe/Berlin", "month", 31, "2026-02-28 00:00", "2026-02-28", "2026-03-31", 31 * 24 - 1),
        ("Europe/Berlin", "month", 31, "2026-04-15 12:00", "2026-03-31", "2026-04-30", 30 * 24),
        ("Europe/Berlin", "month", 30, "2028-02-28 12:00", "2028-01-30", "2028-02-29", 30 * 24),
        ("Europe/Berlin", "month", 29, "2026-03-01 12:00", "2026-02-28", "2026-03-29", 29 * 24),
        ("Europe/Berlin", "month", 15, "2026-01-01 12:00", "2025-12-15", "2026-01-15", 31 * 24),
        ("Europe/Berlin", "month", 1, "2026-12-31 23:59", "2026-12-01", "2027-01-01", 31 * 24),
    ],
)
def test_a_period_lasts_from_one_first_day_to_the_next(
    zone: str, period: str, anchor_day: int, now: str, begins: str, ends: str, hours: float
) -> None:
    plan = replace(PLAN, quota_period=QuotaPeriod(period), quota_anchor_day=anchor_day)
    there = ZoneInfo(zone)
    found = period_at(plan, there, at(now, there))
    assert found == Period(date.fromisoformat(begins[:10]), at(begins, there), at(ends, there))
    assert (found.ends_at - found.begins_at) / HOUR == hours


instants = st.floats(0, 4e9)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@st.composite
def plans(draw: st.DrawFn) -> ServicePlan:
    period = draw(st.sampled_from(QuotaPeriod))
    octets = draw(st.none() | st.integers(1, 1000))
    return replace(
        PLAN,
        data_quota_octets=octets,
        time_quota_s=draw(st.integers(1, 1000) if octets is None else st.none() | st.integers(1, 1000)),
        quota_period=period,
        quota_anchor_day=draw(st.integers(1, 7 if period is QuotaPeriod.WEEK else 31)),
        quota_direction=draw(st.sampled_from(QuotaDirection)),
        quota_action=draw(st.sampled_from(QuotaAction)),
    )


@given(plans(), zones, instants)
def test_every_instant_is_in_one_period_and_the_next_follows_without_gap(
    plan: ServicePlan, zone: ZoneInfo, now: float
) -> None:
    period = period_at(plan, zone, now)
    assert period.begins_at <= now < period.ends_at
    assert period_at(plan, zone, period.begins_at) == period
    assert period_at(plan, zone, period.ends_at).begins_at == period.ends_at
    assert period.first_day == period_start(local_day(now, zone), plan.quota_period, plan.quota_anchor_day)


@pytest.mark.parametrize(
    ("direction", "counted"), [(QuotaDirection.BOTH, 30), (QuotaDirection.DOWNLOAD, 20), (QuotaDirection.UPLOAD, 10)]
)
def test_counts_the_plans_direction(direction: QuotaDirection, counted: int) -> None:
    assert counted_octets(replace(PLAN, quota_direction=direction), Usage(10, 20, 99)) == counted


NONE, WARNED, BLOCK = QuotaLevel.NONE, QuotaLevel.WARNED, QuotaLevel.BLOCK


@pytest.mark.parametrize(
    ("plan", "usage", "level", "remaining_octets", "remaining_s"),
    [
        (PLAN, Usage(), NONE, 100 * GB, None),
        (PLAN, Usage(30 * GB, 50 * GB - 1), NONE, 20 * GB + 1, None),
        (PLAN, Usage(30 * GB, 50 * GB), WARNED, 20 * GB, None),
        (PLAN, Usage(0, 100 * GB - 1), WARNED, 1, None),
        (PLAN, Usage(0, 100 * GB), BLOCK, 0, None),
        (PLAN, Usage(70 * GB, 100 * GB), BLOCK, 0, None),
        (PLAN, Usage(session_time=99 * HOUR), NONE, 100 * GB, None),
        (replace(PLAN, quota_action=QuotaAction.THROTTLE), Usage(100 * GB), QuotaLevel.THROTTLE, 0, None),
        (replace(PLAN, quota_action=QuotaAction.WALLED_GARDEN), Usage(100 * GB), QuotaLevel.WALLED_GARDEN, 0, None),
        (replace(PLAN, quota_direction=QuotaDirection.DOWNLOAD), Usage(200 * GB, 10 * GB), NONE, 90 * GB, None),
        (replace(PLAN, quota_direction=QuotaDirection.UPLOAD), Usage(200 * GB, 10 * GB), BLOCK, 0, None),
        (TIMED, Usage(900 * GB, 0, 8 * HOUR - 1), NONE, None, 2 * HOUR + 1),
        (TIMED, Usage(0, 0, 8 * HOUR), WARNED, None, 2 * HOUR),
        (TIMED, Usage(0, 0, 10 * HOUR), BLOCK, None, 0),
        (replace(TIMED, data_quota_octets=GB), Usage(GB, 0, 0), BLOCK, 0, 10 * HOUR),
        (replace(TIMED, data_quota_octets=GB), Usage(0, 0, 11 * HOUR), BLOCK, GB, 0),
        (replace(TIMED, data_quota_octets=GB), Usage(0, 0, 9 * HOUR), WARNED, GB, HOUR),
        (replace(PLAN, data_quota_octets=1), Usage(), NONE, 1, None),
    ],
)
def test_judges_usage(
    plan: ServicePlan, usage: Usage, level: QuotaLevel, remaining_octets: int | None, remaining_s: int | None
) -> None:
    verdict = judge_quota(plan, BERLIN, [], usage, NOW)
    assert verdict == QuotaVerdict(level, MONTH_END, remaining_octets, remaining_s)


def test_a_plan_without_quota_has_no_verdict() -> None:
    assert judge_quota(replace(PLAN, data_quota_octets=None), BERLIN, [], Usage(10**15), NOW) is None


@pytest.mark.parametrize(("level", "action"), [(NONE, None), (WARNED, None), (BLOCK, QuotaAction.BLOCK)])
def test_a_warning_is_no_action(level: QuotaLevel, action: QuotaAction | None) -> None:
    assert QuotaVerdict(level, MONTH_END, 1, None).action is action


LATER, SOON = at("2026-11-28 18:00"), at("2026-11-24 00:00")


@pytest.mark.parametrize(
    ("top_ups", "level", "until", "remaining"),
    [
        ([TopUp(NOW, 50 * GB)], BLOCK, MONTH_END, 0),
        ([TopUp(NOW, 50 * GB + 1)], WARNED, MONTH_END, 1),
        ([TopUp(NOW, 30 * GB), TopUp(NOW, 30 * GB)], WARNED, MONTH_END, 10 * GB),
        ([TopUp(NOW, 100 * GB)], NONE, MONTH_END, 50 * GB),
        ([TopUp(NOW, seconds=HOUR)], BLOCK, MONTH_END, 0),
        # Valid from, and until
        ([TopUp(LATER, 100 * GB)], BLOCK, LATER, 0),
        ([TopUp(LATER, 100 * GB), TopUp(SOON, GB)], BLOCK, LATER, 0),
        ([TopUp(NOW - DAY, 100 * GB, valid_until=LATER)], NONE, LATER, 50 * GB),
        ([TopUp(NOW - DAY, 100 * GB, valid_until=NOW)], BLOCK, MONTH_END, 0),
        ([TopUp(NOW - DAY, 100 * GB, valid_until=NOW + 1)], NONE, NOW + 1, 50 * GB),
        ([TopUp(NOW, 60 * GB, valid_until=LATER), TopUp(LATER, 60 * GB)], WARNED, MONTH_END, 10 * GB),
        # Without an end it ends with its period; with one it goes on into the next
        ([TopUp(at("2026-10-31 23:00"), 100 * GB)], BLOCK, MONTH_END, 0),
        ([TopUp(at("2026-10-31 23:00"), 100 * GB, valid_until=at("2027-01-01"))], NONE, MONTH_END, 50 * GB),
    ],
)
def test_a_top_up_counts_while_it_is_valid(
    top_ups: list[TopUp], level: QuotaLevel, until: float, remaining: int
) -> None:
    verdict = judge_quota(PLAN, BERLIN, top_ups, Usage(50 * GB, 100 * GB), NOW)
    assert verdict == QuotaVerdict(level, until, remaining, None)


usages = st.builds(Usage, st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 2000))
top_ups_near = st.lists(
    st.builds(
        lambda days, length, octets, seconds: TopUp(
            NOW + days * DAY, octets, seconds, NOW + (days + length) * DAY if length else None
        ),
        *(st.integers(-40, 40), st.none() | st.integers(1, 60), st.integers(0, 2000), st.integers(0, 2000)),
    ),
    max_size=4,
)


@given(plans(), zones, top_ups_near, usages, st.floats(0, 1))
def test_a_verdict_holds_until_it_says_and_no_longer(
    plan: ServicePlan, zone: ZoneInfo, top_ups: list[TopUp], usage: Usage, share: float
) -> None:
    verdict = judge_quota(plan, zone, top_ups, usage, NOW)
    assert verdict is not None
    ends_at = period_at(plan, zone, NOW).ends_at
    assert NOW < verdict.until <= ends_at

    between = judge_quota(plan, zone, top_ups, usage, NOW + (verdict.until - NOW) * share * 0.999)
    assert between is not None
    assert (between.level, between.until) == (verdict.level, verdict.until)
    if verdict.until < ends_at:
        after = judge_quota(plan, zone, top_ups, usage, verdict.until)
        assert after is not None
        assert after.level is not verdict.level


@given(plans(), zones, top_ups_near, usages, usages)
def test_more_usage_leaves_less(
    plan: ServicePlan, zone: ZoneInfo, top_ups: list[TopUp], usage: Usage, more: Usage
) -> None:
    before = judge_quota(plan, zone, top_ups, usage, NOW)
    after = judge_quota(plan, zone, top_ups, Usage(*map(sum, zip(usage, more, strict=True))), NOW)
    assert before is not None
    assert after is not None
    order = [QuotaLevel.NONE, QuotaLevel.WARNED, QuotaLevel(plan.quota_action.value)]
    assert order.index(before.level) <= order.index(after.level)
    for left, less in ((before.remaining_octets, after.remaining_octets), (before.remaining_s, after.remaining_s)):
        assert (left is None) == (less is None)
        assert left is None or less is None or 0 <= less <= left
    assert (before.action is None) == (before.remaining_octets != 0 and before.remaining_s != 0)


@given(plans(), zones, top_ups_near, usages)
def test_every_period_begins_with_the_whole_quota(
    plan: ServicePlan, zone: ZoneInfo, top_ups: list[TopUp], usage: Usage
) -> None:
    assume(all(one.valid_until is None and one.valid_from < NOW for one in top_ups))
    next_begins = period_at(plan, zone, NOW).ends_at
    fresh = judge_quota(plan, zone, top_ups, Usage(), next_begins)
    assert fresh is not None
    assert fresh.level is QuotaLevel.NONE
    assert (fresh.remaining_octets, fresh.remaining_s) == (plan.data_quota_octets, plan.time_quota_s)


# What the router is told to keep by itself

Limit = VendorAttribute[int]


@pytest.mark.parametrize(
    ("direction", "limit", "limit_gigawords"),
    [
        (QuotaDirection.BOTH, MIKROTIK_TOTAL_LIMIT, MIKROTIK_TOTAL_LIMIT_GIGAWORDS),
        (QuotaDirection.DOWNLOAD, MIKROTIK_XMIT_LIMIT, MIKROTIK_XMIT_LIMIT_GIGAWORDS),
        (QuotaDirection.UPLOAD, MIKROTIK_RECV_LIMIT, MIKROTIK_RECV_LIMIT_GIGAWORDS),
    ],
)
@pytest.mark.parametrize(
    ("remaining", "low", "gigawords"),
    [(1, 1, 0), (0xFFFFFFFF, 0xFFFFFFFF, 0), (1 << 32, 0, 1), (100 * GB, 1_215_752_192, 23)],
)
def test_what_remains_is_sent_in_two_halves_from_the_routers_view(
    direction: QuotaDirection, limit: Limit, limit_gigawords: Limit, remaining: int, low: int, gigawords: int
) -> None:
    plan = replace(PLAN, quota_direction=direction)
    sent = router_limits(plan, QuotaVerdict(NONE, MONTH_END, remaining, None))
    assert sent == RouterLimits(encode_attributes([limit(low), limit_gigawords(gigawords)]), None)


@pytest.mark.parametrize("action", [QuotaAction.BLOCK, QuotaAction.WALLED_GARDEN])
def test_time_is_limited_by_session_timeout(action: QuotaAction) -> None:
    plan = replace(TIMED, quota_action=action)
    assert router_limits(plan, QuotaVerdict(WARNED, MONTH_END, None, 7200)) == RouterLimits(b"", 7200)


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        (replace(PLAN, data_quota_octets=None), None),
        (replace(PLAN, quota_action=QuotaAction.THROTTLE), QuotaVerdict(NONE, MONTH_END, GB, None)),
        (replace(TIMED, quota_action=QuotaAction.THROTTLE), QuotaVerdict(NONE, MONTH_END, None, HOUR)),
        (PLAN, QuotaVerdict(BLOCK, MONTH_END, 0, None)),
        (replace(PLAN, quota_action=QuotaAction.WALLED_GARDEN), QuotaVerdict(QuotaLevel.WALLED_GARDEN, NOW, 0, 5)),
    ],
)
def test_who_is_to_stay_online_is_not_limited_by_the_router(plan: ServicePlan, verdict: QuotaVerdict | None) -> None:
    assert router_limits(plan, verdict) == RouterLimits()


@given(usages, usages)
def test_a_limit_counts_from_the_beginning_of_the_session(before: Usage, session: Usage) -> None:
    """Whatever a session has used, it ends at the same count of its own: the limit does not wander."""
    plan = replace(PLAN, data_quota_octets=10_000, time_quota_s=10_000)
    at_login = judge_quota(plan, BERLIN, [], before, NOW)
    later = judge_quota(plan, BERLIN, [], Usage(*map(sum, zip(before, session, strict=True))), NOW)
    assert router_limits(plan, later, session) == router_limits(plan, at_login)


def test_a_limit_beyond_all_measure_still_fits() -> None:
    plan = replace(PLAN, data_quota_octets=(1 << 63) - 1)
    verdict = judge_quota(plan, BERLIN, [TopUp(NOW, (1 << 63) - 1), TopUp(NOW, (1 << 63) - 1)], Usage(), NOW)
    most = encode_attributes([MIKROTIK_TOTAL_LIMIT(0xFFFFFFFF), MIKROTIK_TOTAL_LIMIT_GIGAWORDS(0x7FFFFFFF)])
    assert router_limits(plan, verdict).attributes == most


def test_a_throttle_of_the_old_period_is_over_when_the_new_one_begins() -> None:
    plan = replace(PLAN, quota_action=QuotaAction.THROTTLE, quota_anchor_day=31)
    verdict = judge_quota(plan, BERLIN, [], Usage(200 * GB), at("2026-02-15 12:00"))
    assert verdict is not None
    assert verdict.until == at("2026-02-28 00:00")

"""How much of a plan's quota is left, what follows from that, and until when: usage in, a verdict out.

A quota is of octets (of one direction or both), of time online, or of both; a period begins at midnight of its first
day where the ISP is. A customer's usage is that of all his sessions, so the verdict is one for all of them.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple

from radiuscore.aaa.periods import local_day, period_start
from radiuscore.aaa.records import QuotaAction, QuotaDirection, QuotaPeriod, ServicePlan
from radiuscore.wire.mikrotik import (
    MIKROTIK_RECV_LIMIT,
    MIKROTIK_RECV_LIMIT_GIGAWORDS,
    MIKROTIK_TOTAL_LIMIT,
    MIKROTIK_TOTAL_LIMIT_GIGAWORDS,
    MIKROTIK_XMIT_LIMIT,
    MIKROTIK_XMIT_LIMIT_GIGAWORDS,
)
from radiuscore.wire.packet import encode_attributes

WARNING_PERCENT: Final = 80

_MOST_OCTETS: Final = (1 << 63) - 1
_LIMITS: Final = {  # of the router's view: it receives what the customer uploads
    QuotaDirection.BOTH: (MIKROTIK_TOTAL_LIMIT, MIKROTIK_TOTAL_LIMIT_GIGAWORDS),
    QuotaDirection.DOWNLOAD: (MIKROTIK_XMIT_LIMIT, MIKROTIK_XMIT_LIMIT_GIGAWORDS),
    QuotaDirection.UPLOAD: (MIKROTIK_RECV_LIMIT, MIKROTIK_RECV_LIMIT_GIGAWORDS),
}


class QuotaLevel(StrEnum):
    """Where a customer stands: untouched, warned, or under the action that his plan names."""

    NONE = "none"
    WARNED = "warned"
    THROTTLE = "throttle"
    WALLED_GARDEN = "walled_garden"
    BLOCK = "block"


class Period(NamedTuple):
    """A period of a quota: its first day where the ISP is, when it begins, and when the next one does.

    Times are seconds since 1970.
    """

    first_day: date
    begins_at: float
    ends_at: float


class Usage(NamedTuple):
    """What was used: octets from the customer, octets to him, seconds online."""

    input_octets: int = 0
    output_octets: int = 0
    session_time: int = 0


class TopUp(NamedTuple):
    """What a customer has on top of his plan from ``valid_from`` until ``valid_until`` (seconds since 1970).

    It counts in full in every period that it is valid in; without an end it ends with the period in which it began.
    """

    valid_from: float
    octets: int = 0
    seconds: int = 0
    valid_until: float | None = None


class QuotaVerdict(NamedTuple):
    """Where a customer stands, and until when that is so if he uses nothing more (seconds since 1970).

    What remains is never negative, and ``None`` where the plan has no such quota.
    """

    level: QuotaLevel
    until: float
    remaining_octets: int | None
    remaining_s: int | None

    @property
    def action(self) -> QuotaAction | None:
        """The action in force; ``None`` while there is some of every quota left."""
        return None if self.level in _LEFT else QuotaAction(self.level.value)


_LEFT: Final = frozenset({QuotaLevel.NONE, QuotaLevel.WARNED})


class RouterLimits(NamedTuple):
    """Limits that RouterOS keeps by itself: attributes for octets, and a Session-Timeout in seconds for time."""

    attributes: bytes = b""
    session_timeout_s: int | None = None


NO_USAGE: Final = Usage()


def period_at(plan: ServicePlan, zone: tzinfo, now: float) -> Period:
    """Return the plan's period that an instant (seconds since 1970) is in."""
    first_day = period_start(local_day(now, zone), plan.quota_period, plan.quota_anchor_day)
    next_first_day = _next_start(first_day, plan.quota_period, plan.quota_anchor_day)
    return Period(first_day, _midnight(first_day, zone), _midnight(next_first_day, zone))


def judge_quota(
    plan: ServicePlan, zone: tzinfo, top_ups: Sequence[TopUp], usage: Usage, now: float
) -> QuotaVerdict | None:
    """Return where a customer stands who has used this much in the period of ``now`` (seconds since 1970).

    ``None`` if his plan has no quota.
    """
    if plan.data_quota_octets is None and plan.time_quota_s is None:
        return None
    period = period_at(plan, zone, now)
    validities = [(one, _end_of(one, plan, zone)) for one in top_ups]
    verdict = _verdict_at(now, plan, validities, usage, period.ends_at)
    turns = {at for one, end in validities for at in (one.valid_from, end) if now < at < period.ends_at}
    for at in sorted(turns):
        if _verdict_at(at, plan, validities, usage, at).level is not verdict.level:
            return verdict._replace(until=at)
    return verdict


def router_limits(plan: ServicePlan, verdict: QuotaVerdict | None, session: Usage = NO_USAGE) -> RouterLimits:
    """Return what makes the router itself end a session that uses up the quota; it counts from the session's beginning.

    ``session`` is what a live session has used already. A quota that throttles is not limited: the customer is to stay
    online. Nor is one that is used up: then the action is in force instead.
    """
    if verdict is None or verdict.action is not None or plan.quota_action is QuotaAction.THROTTLE:
        return RouterLimits()
    attributes, session_timeout_s = b"", None
    if verdict.remaining_octets is not None:
        octets = min(verdict.remaining_octets + counted_octets(plan, session), _MOST_OCTETS)
        low, gigawords = _LIMITS[plan.quota_direction]
        attributes = encode_attributes([low(octets & 0xFFFFFFFF), gigawords(octets >> 32)])
    if verdict.remaining_s is not None:
        session_timeout_s = verdict.remaining_s + session.session_time
    return RouterLimits(attributes, session_timeout_s)


def counted_octets(plan: ServicePlan, usage: Usage) -> int:
    """Return the octets that count against the plan's data quota."""
    match plan.quota_direction:
        case QuotaDirection.BOTH:
            return usage.input_octets + usage.output_octets
        case QuotaDirection.DOWNLOAD:
            return usage.output_octets
        case QuotaDirection.UPLOAD:
            return usage.input_octets


def _verdict_at(
    at: float, plan: ServicePlan, validities: Sequence[tuple[TopUp, float]], usage: Usage, until: float
) -> QuotaVerdict:
    valid = [one for one, end in validities if one.valid_from <= at < end]
    quotas: list[tuple[int, int]] = []
    remaining_octets = remaining_s = None
    if plan.data_quota_octets is not None:
        allowed, used = plan.data_quota_octets + sum(one.octets for one in valid), counted_octets(plan, usage)
        quotas.append((used, allowed))
        remaining_octets = max(0, allowed - used)
    if plan.time_quota_s is not None:
        allowed = plan.time_quota_s + sum(one.seconds for one in valid)
        quotas.append((usage.session_time, allowed))
        remaining_s = max(0, allowed - usage.session_time)
    return QuotaVerdict(_level(plan, quotas), until, remaining_octets, remaining_s)


def _level(plan: ServicePlan, quotas: Sequence[tuple[int, int]]) -> QuotaLevel:
    """Return the level of whichever quota is nearest to its end; each is what was used and what is allowed."""
    if any(used >= allowed for used, allowed in quotas):
        return QuotaLevel(plan.quota_action.value)
    if any(used * 100 >= allowed * WARNING_PERCENT for used, allowed in quotas):
        return QuotaLevel.WARNED
    return QuotaLevel.NONE


def _end_of(top_up: TopUp, plan: ServicePlan, zone: tzinfo) -> float:
    return top_up.valid_until if top_up.valid_until is not None else period_at(plan, zone, top_up.valid_from).ends_at


def _next_start(first_day: date, period: QuotaPeriod, anchor_day: int) -> date:
    match period:
        case QuotaPeriod.DAY:
            return first_day + timedelta(days=1)
        case QuotaPeriod.WEEK:
            return first_day + timedelta(days=7)
        case QuotaPeriod.MONTH:
            in_next_month = first_day.replace(day=1) + timedelta(days=31)
            last_day = (in_next_month.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            return period_start(last_day, period, anchor_day)


def _midnight(day: date, zone: tzinfo) -> float:
    """Return the first instant of a local day; where daylight saving skips its midnight, that is not 0 o'clock."""
    return datetime.combine(day, time(), zone).timestamp()

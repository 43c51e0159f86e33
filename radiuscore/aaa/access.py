"""The decision on one Access-Request of an ISP's customer: facts in, decision out.

The same function answers a packet and a question ("what would he get?"), so both always agree.
"""

from datetime import datetime, time, timedelta
from enum import Enum
from math import inf
from typing import Final, NamedTuple, TypeAlias

from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    MinuteOfWeek,
    NasId,
    QuotaAction,
    ServicePlan,
)
from radiuscore.aaa.requests import AccessRequest

_MINUTES_PER_WEEK: Final = 7 * 24 * 60
_NOBODYS_PASSWORD: Final = b"\0 nobody has this password \0"
_NO_EXTRAS: Final = CustomerExtras()

_SUSPENDED: Final = CustomerStatus.SUSPENDED  # a name of its own: a class attribute costs more, and this is asked often
_UNPAID: Final = CustomerStatus.UNPAID

_UNPROVED: Final = {"none": RejectReason.NO_CREDENTIALS, "eap": RejectReason.UNSUPPORTED_METHOD}

MESSAGES: Final = {
    RejectReason.ISP_SUSPENDED: "The service is not available.",
    RejectReason.SUSPENDED: "This account is suspended.",
    RejectReason.UNPAID: "This account has an unpaid invoice.",
    RejectReason.EXPIRED: "This account has expired.",
    RejectReason.NO_PLAN: "This account has no service plan.",
    RejectReason.MAC_NOT_ALLOWED: "This account may not be used from this device.",
    RejectReason.DEVICE_NOT_ALLOWED: "This account may not be used here.",
    RejectReason.OUTSIDE_LOGIN_HOURS: "This account may not be used at this time.",
    RejectReason.QUOTA_EXHAUSTED: "The quota of this account is used up.",
    RejectReason.TOO_MANY_SESSIONS: "This account is in use already.",
    RejectReason.POOL_EXHAUSTED: "There is no free address at the moment.",
}


class Standing(Enum):
    """Which of a plan's replies a customer gets."""

    NORMAL = "normal"
    THROTTLED = "throttled"
    WALLED_GARDEN = "walled_garden"


class Grant(NamedTuple):
    """The customer may go online: how, and for at most how long (seconds; ``None`` is without limit)."""

    standing: Standing
    session_timeout_s: int | None


Judgement: TypeAlias = Grant | Reject


def decide_access(
    request: AccessRequest, isp: Isp, customer: Customer | None, plan: ServicePlan | None, nas_id: NasId, now: float
) -> Judgement:
    """Decide one Access-Request from facts already in hand.

    The credential is checked before the account is judged, so that only its owner can learn that an account is
    suspended or expired; a name nobody has costs the same work as a wrong password.
    """
    if not request.username_octets:
        return _reject(RejectReason.BAD_REQUEST)
    if customer is None:
        request.proves(_NOBODYS_PASSWORD)
        return _reject(_UNPROVED.get(request.credential.method, RejectReason.UNKNOWN_USER))
    proved = request.proves_mac() if customer.password is None else request.proves(customer.password)
    if not proved:
        return _reject(_UNPROVED.get(request.credential.method, RejectReason.BAD_CREDENTIALS))
    return judge_account(isp, customer, plan, nas_id, request.calling_mac if customer.extras else None, now)


def judge_account(
    isp: Isp, customer: Customer, plan: ServicePlan | None, nas_id: NasId, mac: bytes | None, now: float
) -> Judgement:
    """Decide what a customer whose credential is right gets on this router, from this device, now."""
    extras = customer.extras or _NO_EXTRAS
    if not isp.active:
        return _reject(RejectReason.ISP_SUSPENDED)
    if customer.status is _SUSPENDED:
        return _reject(RejectReason.SUSPENDED)
    if plan is None:
        return _reject(RejectReason.NO_PLAN)
    if extras.mac_addresses and mac not in extras.mac_addresses:
        return _reject(RejectReason.MAC_NOT_ALLOWED)
    if extras.nas_ids and nas_id not in extras.nas_ids:
        return _reject(RejectReason.DEVICE_NOT_ALLOWED)
    if customer.status is _UNPAID:
        return _unpaid_or_expired(plan, RejectReason.UNPAID)
    if customer.expires_at is not None and customer.expires_at <= now:
        return _unpaid_or_expired(plan, RejectReason.EXPIRED)
    open_for_s = login_seconds_left(plan, isp, now) if plan.login_hours else None
    if open_for_s == 0:
        return _reject(RejectReason.OUTSIDE_LOGIN_HOURS)
    return _grant(customer, extras, plan, open_for_s, now)


def login_seconds_left(plan: ServicePlan, isp: Isp, now: float) -> int:
    """Return for how many seconds the plan's login hours go on; 0 outside of them.

    Hours are the wall clock's in the ISP's zone, so the answer is right across a daylight-saving change. Ranges
    that touch, also over the end of the week, are one; hours that never end give a whole week.
    """
    local = datetime.fromtimestamp(now, isp.zone)
    minute: MinuteOfWeek = (local.weekday() * 24 + local.hour) * 60 + local.minute
    end, horizon = minute, minute + _MINUTES_PER_WEEK
    ranges = [(a + week, b + week) for week in (0, _MINUTES_PER_WEEK) for a, b in plan.login_hours]
    for start, stop in sorted(ranges):
        if start <= end < stop:
            end = min(stop, horizon)
    if end == minute:
        return 0
    monday = datetime.combine(local.date(), time(), isp.zone) - timedelta(days=local.weekday())
    return max(1, int((monday + timedelta(minutes=end)).timestamp() - now))


def _grant(
    customer: Customer, extras: CustomerExtras, plan: ServicePlan, open_for_s: int | None, now: float
) -> Judgement:
    limit = plan.session_timeout_s
    if customer.expires_at is not None and customer.expires_at < inf:
        limit = _shorter(limit, int(customer.expires_at - now) + 1)
    if open_for_s is not None:
        limit = _shorter(limit, open_for_s)
    standing = Standing.NORMAL
    if extras.quota_state is not None and (extras.quota_until is None or now < extras.quota_until):
        if extras.quota_state is QuotaAction.BLOCK:
            return _reject(RejectReason.QUOTA_EXHAUSTED)
        standing = Standing.THROTTLED if extras.quota_state is QuotaAction.THROTTLE else Standing.WALLED_GARDEN
    return Grant(standing, limit)


def _shorter(limit: int | None, other: int) -> int:
    return other if limit is None else min(limit, other)


def _unpaid_or_expired(plan: ServicePlan, reason: RejectReason) -> Judgement:
    if plan.expired_action is ExpiredAction.WALLED_GARDEN:
        return Grant(Standing.WALLED_GARDEN, plan.session_timeout_s)
    return _reject(reason)


def _reject(reason: RejectReason) -> Reject:
    return _REJECTS[reason]


_REJECTS: Final = {reason: Reject(reason, MESSAGES.get(reason, "")) for reason in RejectReason}

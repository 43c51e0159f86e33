"""What would have to change for a customer to get all that his plan promises: found by trying, one rule at a time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from radiuscore.aaa.decisions import RejectReason
from radiuscore.aaa.names import format_mac
from radiuscore.aaa.records import CustomerStatus, ServicePlan
from radiuscore.aaa.situation import (
    Situation,
    decide,
    next_login_hours,
    own_mac,
    sessions_in_the_way,
)

_ANY_PASSWORD: Final = b"any"


class Remedy(NamedTuple):
    """One thing that would have to change: which field to which value, and a sentence.

    ``value`` is ``None`` where not one value alone helps, or where the field must be empty. Times are seconds since
    1970. ``field`` is the name it has in the API; ``at`` and ``mac`` are when and from where the customer logs in.
    """

    rule: RejectReason
    field: str
    value: str | int | float | bool | None
    sentence: str


def cure(situation: Situation) -> tuple[tuple[Remedy, ...], Situation]:
    """Return what must change until no rule takes anything from the customer, and the situation in which that is so.

    Nobody can be cured who is no customer: the situation is the same then.
    """
    remedies: list[Remedy] = []
    for _ in RejectReason:
        rule, _judgement = decide(situation)
        if rule is None:
            break
        remedy, situation = _CURES[rule](situation)
        remedies.append(remedy)
        if situation.customer is None:
            break
    return tuple(remedies), situation


def time_text(then: float, situation: Situation) -> str:
    """Return a time as people there would say it: ``yesterday at 14:00``, ``on 2026-12-01 at 00:00``."""
    zone = situation.isp.zone
    local = datetime.fromtimestamp(then, zone)
    days = (local.date() - datetime.fromtimestamp(situation.at, zone).date()).days
    day = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days, f"on {local.date()}")
    return f"{day} at {local:%H:%M}"


_Cure: TypeAlias = Callable[[Situation], tuple[Remedy, Situation]]


def _customer(situation: Situation, **values: Any) -> Situation:
    assert situation.customer is not None
    return replace(situation, customer=replace(situation.customer, **values))


def _extras(situation: Situation, **values: Any) -> Situation:
    return _customer(situation, extras=replace(situation.extras, **values))


def _unknown_user(situation: Situation) -> tuple[Remedy, Situation]:
    sentence = "Look for a typing error in the username, or create a customer with it."
    return Remedy(RejectReason.UNKNOWN_USER, "username", None, sentence), situation


def _bad_credentials(situation: Situation) -> tuple[Remedy, Situation]:
    rule, customer = RejectReason.BAD_CREDENTIALS, situation.customer
    assert customer is not None
    own = own_mac(customer)
    if own is not None:
        sentence = f"Log in from the device {format_mac(own)}: this account is that device."
        return Remedy(rule, "mac", format_mac(own), sentence), replace(situation, mac=own)
    return Remedy(rule, "password", None, "Set a password."), _customer(situation, password=_ANY_PASSWORD)


def _isp_suspended(situation: Situation) -> tuple[Remedy, Situation]:
    cured = replace(situation, isp=replace(situation.isp, active=True))
    return Remedy(RejectReason.ISP_SUSPENDED, "isp.active", True, "Activate the ISP."), cured


def _suspended(situation: Situation) -> tuple[Remedy, Situation]:
    active = CustomerStatus.ACTIVE
    remedy = Remedy(RejectReason.SUSPENDED, "status", active.value, "Set the account's status to active.")
    return remedy, _customer(situation, status=active)


def _unpaid(situation: Situation) -> tuple[Remedy, Situation]:
    active = CustomerStatus.ACTIVE
    remedy = Remedy(RejectReason.UNPAID, "status", active.value, "Enter the payment, or set the status to active.")
    return remedy, _customer(situation, status=active)


def _expired(situation: Situation) -> tuple[Remedy, Situation]:
    remedy = Remedy(RejectReason.EXPIRED, "expires_at", None, "Set a later expiry, or none.")
    return remedy, _customer(situation, expires_at=None)


def _no_plan(situation: Situation) -> tuple[Remedy, Situation]:
    plan = ServicePlan(0, situation.isp.id, "any")
    remedy = Remedy(RejectReason.NO_PLAN, "service_plan_id", None, "Give the customer a service plan.")
    return remedy, _customer(replace(situation, plan=plan), plan_id=plan.id)


def _mac_not_allowed(situation: Situation) -> tuple[Remedy, Situation]:
    rule, field, mac = RejectReason.MAC_NOT_ALLOWED, "mac_addresses", situation.used_mac
    if mac is None:
        sentence = "Remove the lock to certain devices: this router does not tell which device it is."
        return Remedy(rule, field, None, sentence), _extras(situation, mac_addresses=frozenset())
    sentence = f"Add {format_mac(mac)} to the account's devices, or remove the lock."
    cured = _extras(situation, mac_addresses=situation.extras.mac_addresses | {mac})
    return Remedy(rule, field, format_mac(mac), sentence), cured


def _device_not_allowed(situation: Situation) -> tuple[Remedy, Situation]:
    nas_id = situation.used_nas
    sentence = "Add this router to the account's routers, or allow all."
    cured = _extras(situation, nas_ids=situation.extras.nas_ids | {nas_id})
    return Remedy(RejectReason.DEVICE_NOT_ALLOWED, "device_ids", nas_id, sentence), cured


def _outside_login_hours(situation: Situation) -> tuple[Remedy, Situation]:
    assert situation.plan is not None
    begin = next_login_hours(situation)
    wait = f"Log in again {time_text(begin, situation)}, or change" if begin is not None else "Change"
    remedy = Remedy(RejectReason.OUTSIDE_LOGIN_HOURS, "at", begin, f"{wait} the plan's login hours.")
    return remedy, replace(situation, plan=replace(situation.plan, login_hours=()))


def _quota_exhausted(situation: Situation) -> tuple[Remedy, Situation]:
    until = situation.extras.quota_until
    wait = f", or wait until the next period begins {time_text(until, situation)}" if until is not None else ""
    remedy = Remedy(RejectReason.QUOTA_EXHAUSTED, "quota", until, f"Sell a top-up{wait}.")
    return remedy, _extras(situation, quota_state=None, quota_until=None)


def _too_many_sessions(situation: Situation) -> tuple[Remedy, Situation]:
    oldest = sessions_in_the_way(situation)[0]
    sentence = (
        f"End session {oldest.acct_session_id} on {oldest.nas_name}, begun "
        f"{time_text(oldest.started_at, situation)}, or allow more sessions at once."
    )
    remedy = Remedy(RejectReason.TOO_MANY_SESSIONS, "simultaneous_use", len(situation.online) + 1, sentence)
    return remedy, replace(situation, online=())


def _reply_too_long(situation: Situation) -> tuple[Remedy, Situation]:
    sentence = "Give the customer fewer or shorter routes: all of it must fit into one packet."
    return Remedy(RejectReason.REPLY_TOO_LONG, "framed_routes", None, sentence), _extras(situation, framed_routes=())


_CURES: Final[Mapping[RejectReason, _Cure]] = MappingProxyType(
    {
        RejectReason.UNKNOWN_USER: _unknown_user,
        RejectReason.BAD_CREDENTIALS: _bad_credentials,
        RejectReason.ISP_SUSPENDED: _isp_suspended,
        RejectReason.SUSPENDED: _suspended,
        RejectReason.UNPAID: _unpaid,
        RejectReason.EXPIRED: _expired,
        RejectReason.NO_PLAN: _no_plan,
        RejectReason.MAC_NOT_ALLOWED: _mac_not_allowed,
        RejectReason.DEVICE_NOT_ALLOWED: _device_not_allowed,
        RejectReason.OUTSIDE_LOGIN_HOURS: _outside_login_hours,
        RejectReason.QUOTA_EXHAUSTED: _quota_exhausted,
        RejectReason.TOO_MANY_SESSIONS: _too_many_sessions,
        RejectReason.REPLY_TOO_LONG: _reply_too_long,
    }
)

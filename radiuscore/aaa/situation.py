"""All that the answer to a login depends on, and the answer: the decision of `access`, the octets of `reply`.

The rule that decided is asked of the same function, by taking away the plan's mercy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

from radiuscore.aaa.access import MESSAGES, Grant, Judgement, judge_account, login_seconds_left
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.due import standing_attributes
from radiuscore.aaa.names import parse_mac
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    ExpiredAction,
    Isp,
    NasId,
    QuotaAction,
    ServicePlan,
    SimultaneousUseMode,
)
from radiuscore.aaa.reply import customer_reply, plan_reply, session_timeout_attribute
from radiuscore.wire.packet import HEADER_LENGTH, MAX_LENGTH

NO_MAC: Final = b""
NO_EXTRAS: Final = CustomerExtras()

_SIGNATURE_AND_CLASS: Final = 18 + 18  # octets of Message-Authenticator, and of Class with a session's UUID
_ANY_NAS: Final = 0


class OnlineSession(NamedTuple):
    """A session of the customer that is up. ``started_at`` is seconds since 1970; ``nas_name`` is for people."""

    acct_session_id: str
    nas_id: NasId
    nas_name: str
    mac: bytes | None
    started_at: float


@dataclass(frozen=True, slots=True)
class Situation:
    """All that an answer depends on. ``at`` is seconds since 1970.

    ``nas_id`` and ``mac`` (6 octets) of ``None`` are a router and a device that the customer may use; `NO_MAC` is a
    device whose MAC address the router does not tell. ``online`` are the customer's sessions that are up.
    """

    isp: Isp
    customer: Customer | None
    plan: ServicePlan | None
    at: float
    nas_id: NasId | None = None
    mac: bytes | None = None
    online: tuple[OnlineSession, ...] = ()

    @property
    def extras(self) -> CustomerExtras:
        return (self.customer.extras if self.customer is not None else None) or NO_EXTRAS

    @property
    def used_nas(self) -> NasId:
        """The router that is used: the one that was asked about, or one that the customer may use."""
        return self.nas_id if self.nas_id is not None else min(self.extras.nas_ids, default=_ANY_NAS)

    @property
    def used_mac(self) -> bytes | None:
        """The device that is used, likewise; ``None`` where the router tells no MAC address."""
        if self.mac is not None:
            return self.mac or None
        own = own_mac(self.customer) if self.customer is not None else None
        return own or min(self.extras.mac_addresses, default=None)


def own_mac(customer: Customer) -> bytes | None:
    """Return the MAC address that an account without password is, 6 octets."""
    return parse_mac(customer.username) if customer.password is None else None


def decide(situation: Situation) -> tuple[RejectReason | None, Judgement]:
    """Return what the server decides for a customer who knows his password, and by which rule.

    Of a customer who is let in the rule is why he gets less than his plan, and ``None`` if he does not.
    """
    rule = _credential_fault(situation)
    if rule is None:
        judgement = judge(situation)
        if isinstance(judgement, Reject):
            return RejectReason(judgement.reason), judgement
        rule = _late_fault(situation, judgement)
        if rule is None:
            return _rule_without_mercy(situation), judgement
    return rule, Reject(rule, MESSAGES.get(rule, ""))


def judge(situation: Situation) -> Judgement:
    """Return the judgement on the account. The customer must be known."""
    assert situation.customer is not None
    return judge_account(
        situation.isp,
        situation.customer,
        situation.plan,
        situation.used_nas,
        situation.used_mac,
        situation.at,
    )


def accept_attributes(customer: Customer, plan: ServicePlan, grant: Grant) -> bytes:
    """Return what an Access-Accept says of the service, encoded: all but Class and what proves a password."""
    reply = plan_reply(plan)
    own = customer_reply(customer.extras) if customer.extras is not None else None
    attributes = standing_attributes(grant.standing, reply, own) + reply.interim_of(customer.id)
    if grant.session_timeout_s is not None:
        attributes += session_timeout_attribute(grant.session_timeout_s)
    return attributes


def sessions_in_the_way(situation: Situation) -> tuple[OnlineSession, ...]:
    """Return the sessions that use up the simultaneous use, oldest first; none where there is room for one more.

    The same device at the same router takes the place of its own session.
    """
    limit = situation.extras.simultaneous_use or (situation.plan.simultaneous_use if situation.plan else None)
    mac, nas_id = situation.used_mac, situation.used_nas
    others = [one for one in situation.online if mac is None or (one.mac, one.nas_id) != (mac, nas_id)]
    if limit is None or len(others) < limit:
        return ()
    return tuple(sorted(others, key=lambda one: one.started_at))


def turns_of_login_hours(situation: Situation) -> Iterator[float]:
    """Yield when the plan's login hours begin or end in this week and the next, in seconds since 1970, in no order."""
    zone = situation.isp.zone
    today = datetime.fromtimestamp(situation.at, zone)
    monday = datetime.combine(today.date(), time(), zone) - timedelta(days=today.weekday())
    for minute in {minute for hours in situation.plan.login_hours for minute in hours} if situation.plan else ():
        for week in range(3):
            turn = monday + timedelta(weeks=week, minutes=minute)
            yield from {turn.timestamp(), turn.replace(fold=1).timestamp()}


def next_login_hours(situation: Situation) -> float | None:
    """Return when the plan's login hours begin next (seconds since 1970), ``None`` if they do not."""
    plan, isp = situation.plan, situation.isp
    turns = sorted(turn for turn in turns_of_login_hours(situation) if turn > situation.at)
    return next((turn for turn in turns if plan is not None and login_seconds_left(plan, isp, turn)), None)


def _credential_fault(situation: Situation) -> RejectReason | None:
    """Return why no password would be right."""
    customer = situation.customer
    if customer is None:
        return RejectReason.UNKNOWN_USER
    if customer.password is None:
        own = own_mac(customer)
        return None if own is not None and situation.used_mac == own else RejectReason.BAD_CREDENTIALS
    return None if customer.password else RejectReason.BAD_CREDENTIALS


def _late_fault(situation: Situation, grant: Grant) -> RejectReason | None:
    """Return what still keeps a customer out whose account is in order."""
    assert situation.customer is not None
    assert situation.plan is not None
    strict = situation.plan.simultaneous_use_mode is SimultaneousUseMode.STRICT
    if strict and sessions_in_the_way(situation):
        return RejectReason.TOO_MANY_SESSIONS
    octets = len(accept_attributes(situation.customer, situation.plan, grant))
    too_long = HEADER_LENGTH + _SIGNATURE_AND_CLASS + octets > MAX_LENGTH
    return RejectReason.REPLY_TOO_LONG if too_long else None


def _rule_without_mercy(situation: Situation) -> RejectReason | None:
    """Return by which rule a customer would be kept out if the plan neither throttled nor had a walled garden."""
    customer, plan = situation.customer, situation.plan
    assert customer is not None
    assert plan is not None
    if customer.extras is not None and customer.extras.quota_state is not None:
        customer = replace(customer, extras=replace(customer.extras, quota_state=QuotaAction.BLOCK))
    plan = replace(plan, expired_action=ExpiredAction.REJECT)
    judgement = judge(replace(situation, customer=customer, plan=plan))
    return RejectReason(judgement.reason) if isinstance(judgement, Reject) else None

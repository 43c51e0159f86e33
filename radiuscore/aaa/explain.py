"""What a customer would get at some time, through some router, from some device; why; and what would change that.

For people: the decision and the octets are those of the server (`situation`), this file puts them into words.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from radiuscore.aaa.access import Judgement, Standing
from radiuscore.aaa.cures import Remedy, cure, time_text
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.due import Use, due_attributes
from radiuscore.aaa.names import format_mac
from radiuscore.aaa.reasons import Meaning, meaning_of
from radiuscore.aaa.reply import customer_reply, plan_reply
from radiuscore.aaa.situation import (
    OnlineSession,
    Situation,
    accept_attributes,
    decide,
    judge,
    next_login_hours,
    own_mac,
    sessions_in_the_way,
    turns_of_login_hours,
)


class Explanation(NamedTuple):
    """What the server would answer.

    ``rule`` is what decided: the reason of a reject, or why a customer who is let in gets less than his plan; ``None``
    is good standing. ``attributes`` is the Access-Accept, encoded, but for Message-Authenticator, Class, and what
    proves a password by MS-CHAP. ``displaced`` is the session that would be ended for this one. ``remedies`` together
    give the customer all that his plan promises. ``until`` is when the answer changes by itself (seconds since 1970);
    an hour of daylight saving that falls into login hours may make it that much late.
    """

    accepted: bool
    rule: RejectReason | None
    sentence: str
    standing: Standing | None
    session_timeout_s: int | None
    attributes: bytes
    displaced: OnlineSession | None
    remedies: tuple[Remedy, ...]
    until: float | None


def explain(situation: Situation) -> Explanation:
    """Return what a customer who knows his password would get, and why."""
    rule, judgement = decide(situation)
    remedies, _ = cure(situation)
    until = _next_change(situation, _kind(rule, judgement))
    sentence = _sentence(situation, rule, judgement)
    if isinstance(judgement, Reject):
        return Explanation(False, rule, sentence, None, None, b"", None, remedies, until)
    assert situation.customer is not None
    assert situation.plan is not None
    return Explanation(
        accepted=True,
        rule=rule,
        sentence=sentence,
        standing=judgement.standing,
        session_timeout_s=judgement.session_timeout_s,
        attributes=accept_attributes(situation.customer, situation.plan, judgement),
        displaced=next(iter(sessions_in_the_way(situation)), None),
        remedies=remedies,
        until=until,
    )


def explain_reject(reason: str, situation: Situation) -> Meaning:
    """Return what a reject meant, in the words of its situation if the rule would decide so again.

    It does not where an account has been changed since, and where the fault was in the login itself.
    """
    rule, judgement = decide(situation)
    if isinstance(judgement, Reject) and rule == reason:
        return meaning_of(reason)._replace(sentence=_sentence(situation, rule, judgement))
    return meaning_of(reason)


def due_reply(situation: Situation, began: float) -> bytes | Reject:
    """Return what a session should have that began then (seconds since 1970) and is up in a situation.

    It is as if sent at the session's beginning: Session-Timeout counts from there, as `reaction.plan_reaction` wants
    it. The customer must be known.
    """
    customer, plan = situation.customer, situation.plan
    assert customer is not None
    if plan is None:
        judgement = judge(situation)
        assert isinstance(judgement, Reject)
        return judgement
    own = customer_reply(customer.extras) if customer.extras is not None else None
    use = Use(situation.used_nas, situation.used_mac, began)
    return due_attributes(situation.isp, customer, plan_reply(plan), own, use, situation.at)


_Kind = tuple[RejectReason | None, Standing | None]


def _kind(rule: RejectReason | None, judgement: Judgement) -> _Kind:
    return rule, None if isinstance(judgement, Reject) else judgement.standing


def _next_change(situation: Situation, kind: _Kind) -> float | None:
    """Return the first moment at which time alone makes the answer another one."""
    if situation.customer is None:
        return None
    turns = {situation.customer.expires_at, situation.extras.quota_until, *turns_of_login_hours(situation)}
    for turn in sorted(turn for turn in turns if turn is not None and turn > situation.at):
        if _kind(*decide(replace(situation, at=turn))) != kind:
            return turn
    return None


def _sentence(situation: Situation, rule: RejectReason | None, judgement: Judgement) -> str:
    outcome = "Rejected" if isinstance(judgement, Reject) else _OUTCOMES[judgement.standing]
    if rule is not None:
        return f"{outcome}: {_CLAUSES[rule](situation)}."
    assert situation.plan is not None
    displaced = next(iter(sessions_in_the_way(situation)), None)
    ended = f" For it {_session_text(displaced, situation)}, is ended." if displaced is not None else ""
    return f"{outcome} with all that plan {situation.plan.name} promises.{ended}"


_OUTCOMES: Final[Mapping[Standing, str]] = MappingProxyType(
    {
        Standing.NORMAL: "Let in",
        Standing.THROTTLED: "Let in at the throttled speed",
        Standing.WALLED_GARDEN: "Let into the walled garden only",
    }
)


def _why_bad_credentials(situation: Situation) -> str:
    assert situation.customer is not None
    if situation.customer.password is not None:
        return "the account's password is empty"
    own = own_mac(situation.customer)
    if own is None:
        return "the account has no password, and its username is not a MAC address"
    return f"the account is the device {format_mac(own)}, and {_device_text(situation)}"


def _why_expired(situation: Situation) -> str:
    assert situation.customer is not None
    assert situation.customer.expires_at is not None
    return f"the account expired {time_text(situation.customer.expires_at, situation)}"


def _why_mac(situation: Situation) -> str:
    allowed = ", ".join(map(format_mac, sorted(situation.extras.mac_addresses)))
    return f"the account is locked to {allowed}, and {_device_text(situation)}"


def _why_hours(situation: Situation) -> str:
    begin = next_login_hours(situation)
    again = f"; they begin {time_text(begin, situation)}" if begin is not None else ""
    return f"it is outside the login hours of plan {situation.plan.name if situation.plan else ''}{again}"


def _why_quota(situation: Situation) -> str:
    until = situation.extras.quota_until
    return "the quota is used up" + (
        f"; the next one begins {time_text(until, situation)}" if until is not None else ""
    )


def _why_too_many(situation: Situation) -> str:
    return "the account is online as often as it may be: " + ", ".join(
        _session_text(session, situation) for session in sessions_in_the_way(situation)
    )


def _device_text(situation: Situation) -> str:
    mac = situation.used_mac
    return f"this is {format_mac(mac)}" if mac is not None else "the router does not tell which device this is"


def _session_text(session: OnlineSession, situation: Situation) -> str:
    began = time_text(session.started_at, situation)
    return f"session {session.acct_session_id} on {session.nas_name}, begun {began}"


def _always(clause: str) -> Callable[[Situation], str]:
    return lambda _: clause


_CLAUSES: Final[Mapping[RejectReason, Callable[[Situation], str]]] = MappingProxyType(
    {
        RejectReason.UNKNOWN_USER: _always("nobody has this username"),
        RejectReason.BAD_CREDENTIALS: _why_bad_credentials,
        RejectReason.ISP_SUSPENDED: _always("the ISP is suspended"),
        RejectReason.SUSPENDED: _always("the account is suspended"),
        RejectReason.UNPAID: _always("an invoice is unpaid"),
        RejectReason.EXPIRED: _why_expired,
        RejectReason.NO_PLAN: _always("the account has no service plan"),
        RejectReason.MAC_NOT_ALLOWED: _why_mac,
        RejectReason.DEVICE_NOT_ALLOWED: _always("the account may not be used through this router"),
        RejectReason.OUTSIDE_LOGIN_HOURS: _why_hours,
        RejectReason.QUOTA_EXHAUSTED: _why_quota,
        RejectReason.TOO_MANY_SESSIONS: _why_too_many,
        RejectReason.REPLY_TOO_LONG: _always("what the customer should get does not fit into one RADIUS packet"),
    }
)

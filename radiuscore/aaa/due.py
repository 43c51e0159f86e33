"""What a live session should have: the reply that its customer would get for it, as of the session's beginning.

One function for the worker, which notes it at a session's Start, and for the leader, which compares later: what differs
between both is a change of the configuration, or of the customer's standing, and never time alone.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from radiuscore.aaa.access import Grant, Standing, judge_account
from radiuscore.aaa.decisions import Reject
from radiuscore.aaa.pools import NO_POOLS
from radiuscore.aaa.records import Customer, Isp, NasId
from radiuscore.aaa.reply import PlanReply, ReplyParts, plan_reply, session_timeout_attribute

NO_PARTS: Final = ReplyParts()


class Use(NamedTuple):
    """Where and since when a customer is online. ``mac`` is 6 octets; ``began`` is seconds since 1970."""

    nas_id: NasId
    mac: bytes | None
    began: float


def due_attributes(
    isp: Isp, customer: Customer, plan: PlanReply, own: ReplyParts | None, use: Use, at: float
) -> bytes | Reject:
    """Return what a session should have at a moment (seconds since 1970), encoded, or why it should not be.

    It is as if sent at the session's beginning: Session-Timeout counts from there. A central pool stands in it by its
    name, as a router's would: which address came of it is the session's own, and a plan that names another pool wants
    another one.
    """
    judgement = judge_account(isp, customer, plan.plan, use.nas_id, use.mac, at)
    if isinstance(judgement, Reject):
        return judgement
    if plan.pools != NO_POOLS or plan.walled_pools != NO_POOLS:
        plan = plan_reply(plan.plan)
    attributes = standing_attributes(judgement.standing, plan, own) + plan.interim_of(customer.id)
    limit = plan.plan.session_timeout_s
    if customer.expires_at is not None or plan.plan.login_hours:
        limit = _until_its_end(isp, customer, plan, judgement, use, at)
    return attributes if limit is None else attributes + session_timeout_attribute(limit)


def standing_attributes(standing: Standing, plan: PlanReply, own: ReplyParts | None) -> bytes:
    """Return what a reply says of the service in a standing: all but what varies by customer and moment."""
    if standing is Standing.NORMAL:
        return plan.normal_octets if own is None else own.over(plan.normal)
    if standing is Standing.THROTTLED:
        return (own or NO_PARTS)._replace(rate=b"").over(plan.throttled)
    return (own or NO_PARTS)._replace(rate=b"", address_list=b"").over(plan.walled)


def _until_its_end(isp: Isp, customer: Customer, plan: PlanReply, grant: Grant, use: Use, at: float) -> int | None:
    """Return the session's limit in seconds: the plan's own counts from its beginning, a date and hours from now."""
    limit, dated = plan.plan.session_timeout_s, grant.session_timeout_s
    if limit is not None:
        without_limit = replace(plan.plan, session_timeout_s=None)
        judgement = judge_account(isp, customer, without_limit, use.nas_id, use.mac, at)
        dated = judgement.session_timeout_s if isinstance(judgement, Grant) else None
    if dated is None:
        return limit
    ends = dated + max(0, int(at - use.began))
    return ends if limit is None else min(limit, ends)

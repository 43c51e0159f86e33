"""What a login must have before its Accept: a slot of a strictly limited customer, an address of a central pool.

Both are kept in the accounting database, where all workers meet. A login that needs neither has no claim, and waits for
nothing.
"""

from typing import Final, NamedTuple, TypeAlias

from radiuscore.aaa.access import Standing
from radiuscore.aaa.decisions import RejectReason
from radiuscore.aaa.names import format_mac
from radiuscore.aaa.pools import NO_POOLS, Leases, WantedPools
from radiuscore.aaa.records import Customer, CustomerId, IspId, NasId, SimultaneousUseMode
from radiuscore.aaa.reply import PlanReply, interim_interval
from radiuscore.aaa.requests import AccessRequest

SILENT_INTERVALS: Final = 3.0  # without news for so many, a session holds nothing any more
UNTOLD_INTERVAL_S: Final = 8 * 3600  # of a session whose NAS was never told to report


class Claim(NamedTuple):
    """What one login must have.

    ``mac`` is the device that asks (``aa:bb:cc:dd:ee:ff``), where the NAS told: on the same NAS it takes over what its
    last session held. ``limit`` is how many sessions the customer may have, ``None`` where nothing is strict about it.
    ``held_s`` is for how many seconds an address is his without news.
    """

    isp_id: IspId
    customer_id: CustomerId
    nas_id: NasId
    session_uuid: bytes
    acct_session_id: str | None
    mac: str | None
    limit: int | None
    pools: WantedPools
    held_s: float


Claimed: TypeAlias = Leases | RejectReason | None
"""What a claim gave: addresses, or why the login must be refused. ``None``: it cannot be told now, and another server
may know."""


def claim_of(
    request: AccessRequest, session_uuid: bytes, customer: Customer, plan: PlanReply, standing: Standing
) -> Claim | None:
    """Return what a login needs before its Accept; ``None`` where it needs nothing."""
    limit = strict_limit(customer, plan)
    pools = wanted_pools(customer, plan.walled_pools if standing is Standing.WALLED_GARDEN else plan.pools)
    if limit is None and pools == NO_POOLS:
        return None
    mac = request.calling_mac
    return Claim(
        request.nas.isp_id,
        customer.id,
        request.nas.id,
        session_uuid,
        request.acct_session_id,
        format_mac(mac) if mac is not None else None,
        limit,
        pools,
        held_without_news_s(interim_interval(plan.plan.interim_interval_s, customer.id))
        if plan.plan.interim_interval_s
        else held_without_news_s(None),
    )


def strict_limit(customer: Customer, plan: PlanReply) -> int | None:
    """Return how many sessions a customer may have, where that is kept strictly; his own number before the plan's."""
    if plan.plan.simultaneous_use_mode is not SimultaneousUseMode.STRICT:
        return None
    own = customer.extras.simultaneous_use if customer.extras is not None else None
    return plan.plan.simultaneous_use if own is None else own


def wanted_pools(customer: Customer, pools: WantedPools) -> WantedPools:
    """Return those of a plan's central pools that a customer is given an address of: he has none of his own."""
    own = customer.extras
    if own is None or pools == NO_POOLS:
        return pools
    return WantedPools(
        pools.framed_ip_address if own.framed_ip_address is None else None,
        pools.framed_ipv6_prefix if own.framed_ipv6_prefix is None else None,
        pools.delegated_ipv6_prefix if own.delegated_ipv6_prefix is None else None,
    )


def held_without_news_s(interim_interval_s: int | None) -> float:
    """Return for how many seconds a session that is told to report this often holds its slot and its addresses."""
    return SILENT_INTERVALS * (interim_interval_s or UNTOLD_INTERVAL_S)

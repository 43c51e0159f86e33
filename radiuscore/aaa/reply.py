"""What an Access-Accept carries: encoded once per record, so that a login only joins octets.

A reply has four parts, because a customer's own value replaces the plan's of the same part: the speed, the address
list, the address, and the rest. The interim interval, jittered, is picked from the plan's; only Session-Timeout varies
with the moment.
"""

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from radiuscore.aaa.pools import NO_POOLS, AddressPool, Leases, WantedPools
from radiuscore.aaa.records import CustomerExtras, CustomerId, RateLimit, ServicePlan, SimultaneousUseMode
from radiuscore.wire.attributes import Attribute, VendorAttribute
from radiuscore.wire.mikrotik import (
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_DELEGATED_IPV6_POOL,
    MIKROTIK_GROUP,
    MIKROTIK_RATE_LIMIT,
)
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import (
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_POOL,
    FRAMED_IPV6_PREFIX,
    FRAMED_POOL,
    FRAMED_ROUTE,
    IDLE_TIMEOUT,
)

T = TypeVar("T")

MINIMUM_INTERIM_S: Final = 60
_JITTER_STEPS: Final = 128
_INTEGER_ATTRIBUTE: Final = Struct("!BBI")
_NO_CENTRAL_POOLS: Final[Mapping[str, AddressPool]] = MappingProxyType({})
_SESSION_TIMEOUT: Final = 27
_ACCT_INTERIM_INTERVAL: Final = 85


class ReplyParts(NamedTuple):
    """The encoded attributes of one record, in the order they are sent. An empty part leaves the other record's."""

    rate: bytes = b""
    address_list: bytes = b""
    address: bytes = b""
    rest: bytes = b""

    def over(self, base: "ReplyParts") -> bytes:
        """Return these parts joined with those of ``base`` that they do not replace."""
        return b"".join(
            (
                self.rate or base.rate,
                self.address_list or base.address_list,
                self.address or base.address,
                base.rest,
                self.rest,
            )
        )


class PlanReply(NamedTuple):
    """A plan with its reply in each of the states a customer can be in.

    What a central pool gives is not in it: ``pools`` (``walled_pools`` in the walled garden) name what must be leased.
    ``waits`` says that a login may need a lease, or a slot, before its Accept.
    """

    plan: ServicePlan
    normal: ReplyParts
    throttled: ReplyParts
    walled: ReplyParts
    normal_octets: bytes
    interim_attributes: tuple[bytes, ...]
    pools: WantedPools = NO_POOLS
    walled_pools: WantedPools = NO_POOLS
    waits: bool = False

    def interim_of(self, customer_id: CustomerId) -> bytes:
        """Return Acct-Interim-Interval as this customer is told it, encoded; empty where the NAS decides."""
        return self.interim_attributes[_step(customer_id)] if self.interim_attributes else b""


def plan_reply(plan: ServicePlan, central: Mapping[str, AddressPool] = _NO_CENTRAL_POOLS) -> PlanReply:
    """Encode a plan's attributes for customers in good standing, throttled ones, and those in the walled garden.

    ``central`` are the ISP's central pools by name. Any other name is that of a pool on the router.
    """
    pools, walled_pools = _wanted(plan, central)
    normal = ReplyParts(
        rate=_rate(plan.rate_limit),
        address_list=_octets(MIKROTIK_ADDRESS_LIST, plan.address_list),
        address=_router_pool(FRAMED_POOL, plan.framed_pool, pools.framed_ip_address),
        rest=b"".join(
            (
                _octets(IDLE_TIMEOUT, plan.idle_timeout_s),
                _octets(MIKROTIK_GROUP, plan.mikrotik_group),
                _router_pool(FRAMED_IPV6_POOL, plan.framed_ipv6_pool, pools.framed_ipv6_prefix),
                _router_pool(MIKROTIK_DELEGATED_IPV6_POOL, plan.delegated_ipv6_pool, pools.delegated_ipv6_prefix),
            )
        ),
    )
    walled = normal._replace(
        rate=_rate(plan.walled_garden_rate_limit) or normal.rate,
        address_list=_octets(MIKROTIK_ADDRESS_LIST, plan.walled_garden_address_list) or normal.address_list,
        address=_router_pool(FRAMED_POOL, plan.walled_garden_pool, walled_pools.framed_ip_address) or normal.address,
    )
    throttled = normal._replace(rate=_rate(plan.throttle_rate_limit) or normal.rate)
    return PlanReply(
        plan,
        normal,
        throttled,
        walled,
        ReplyParts().over(normal),
        _interim_attributes(plan.interim_interval_s),
        pools,
        walled_pools,
        plan.simultaneous_use_mode is SimultaneousUseMode.STRICT or pools != NO_POOLS or walled_pools != NO_POOLS,
    )


def lease_attributes(leases: Leases) -> bytes:
    """Return what a login was given of central pools, encoded."""
    return b"".join(
        (
            _octets(FRAMED_IP_ADDRESS, leases.framed_ip_address),
            _octets(FRAMED_IPV6_PREFIX, leases.framed_ipv6_prefix),
            _octets(DELEGATED_IPV6_PREFIX, leases.delegated_ipv6_prefix),
        )
    )


def customer_reply(extras: CustomerExtras) -> ReplyParts:
    """Encode a customer's own attributes. A fixed address replaces the plan's pool, as RouterOS would read it."""
    return ReplyParts(
        rate=_rate(extras.rate_limit),
        address_list=_octets(MIKROTIK_ADDRESS_LIST, extras.address_list),
        address=_octets(FRAMED_IP_ADDRESS, extras.framed_ip_address),
        rest=b"".join(
            (
                *(_octets(FRAMED_ROUTE, route) for route in extras.framed_routes),
                _octets(FRAMED_IPV6_PREFIX, extras.framed_ipv6_prefix),
                _octets(DELEGATED_IPV6_PREFIX, extras.delegated_ipv6_prefix),
            )
        ),
    )


def rate_limit_text(limit: RateLimit) -> str:
    """Return a Mikrotik-Rate-Limit: the router's view, so upload (its rx) comes first; '' where nothing is limited.

    ``rx/tx burst-rx/tx threshold-rx/tx time/time priority min-rx/tx``; a part that is not needed is left out only at
    the end, so a priority without burst is written ``rx/tx 0/0 0/0 0/0 5``. (RouterOS manual, RADIUS, Rate-Limit)
    """
    if limit.raw is not None:
        return limit.raw
    burst = bool(limit.burst_upload_bps or limit.burst_download_bps)
    parts = [
        (_pair(limit.upload_bps, limit.download_bps), True),
        (_pair(limit.burst_upload_bps, limit.burst_download_bps), burst),
        (_threshold(limit) if burst else "0/0", burst),
        (f"{limit.burst_time_s}/{limit.burst_time_s}", bool(limit.burst_time_s)),
        (str(limit.priority or 8), bool(limit.priority)),
        (_pair(limit.min_upload_bps, limit.min_download_bps), bool(limit.min_upload_bps or limit.min_download_bps)),
    ]
    while parts and not parts[-1][1]:
        parts.pop()
    text = " ".join(part for part, _ in parts)
    return "" if text == "0/0" else text


def interim_interval(interval_s: int, customer_id: CustomerId) -> int:
    """Return the interval one customer is told: the plan's, up to 10 % less or more, always the same for him.

    So a thousand customers who came back together do not report together. Never under 60 s (RFC 2869 §2.1).
    """
    return _jittered(interval_s, _step(customer_id))


def session_timeout_attribute(seconds: int) -> bytes:
    """Return Session-Timeout, encoded; at least one second, because 0 would mean none."""
    return _INTEGER_ATTRIBUTE.pack(_SESSION_TIMEOUT, 6, min(max(seconds, 1), 0xFFFFFFFF))


def _step(customer_id: CustomerId) -> int:
    """Spread neighbouring ids over the steps (Fibonacci hashing)."""
    return (customer_id * 2654435761 >> 16) % _JITTER_STEPS


def _jittered(interval_s: int, step: int) -> int:
    return max(MINIMUM_INTERIM_S, interval_s + interval_s * (step - _JITTER_STEPS // 2) // (5 * _JITTER_STEPS))


@lru_cache(maxsize=256)
def _interim_attributes(interval_s: int | None) -> tuple[bytes, ...]:
    """Return Acct-Interim-Interval at every step. Plans share few intervals, and it is most of a plan's reply."""
    if not interval_s:
        return ()
    return tuple(
        _INTEGER_ATTRIBUTE.pack(_ACCT_INTERIM_INTERVAL, 6, _jittered(interval_s, step)) for step in range(_JITTER_STEPS)
    )


def _wanted(plan: ServicePlan, central: Mapping[str, AddressPool]) -> tuple[WantedPools, WantedPools]:
    """Return which central pools a plan's customers need, in good standing and in the walled garden."""
    pools = WantedPools(
        _central(central, plan.framed_pool, 4),
        _central(central, plan.framed_ipv6_pool, 6),
        _central(central, plan.delegated_ipv6_pool, 6),
    )
    return pools, pools._replace(framed_ip_address=_central(central, plan.walled_garden_pool or plan.framed_pool, 4))


def _central(central: Mapping[str, AddressPool], name: str | None, version: int) -> AddressPool | None:
    pool = central.get(name) if name is not None else None
    return pool if pool is not None and pool.version == version else None


def _router_pool(
    attribute: Attribute[str] | VendorAttribute[str], name: str | None, central: AddressPool | None
) -> bytes:
    """Return the name of a pool on the router, encoded; nothing where the pool is a central one."""
    return _octets(attribute, name) if central is None else b""


def _rate(limit: RateLimit | None) -> bytes:
    return _octets(MIKROTIK_RATE_LIMIT, rate_limit_text(limit)) if limit is not None else b""


def _octets(attribute: Attribute[T] | VendorAttribute[T], value: T | None) -> bytes:
    """Return an attribute encoded; nothing where there is no value, or one that no attribute can hold.

    The database refuses such values. One that got past it costs its owner an attribute, and nobody else his service.
    """
    if not value:
        return b""
    try:
        return encode_attributes([attribute(value)])
    except ValueError:
        return b""


def _threshold(limit: RateLimit) -> str:
    """Without a threshold RouterOS takes the rate; it is written out so that what follows stands in its place."""
    return _pair(
        limit.burst_threshold_upload_bps or limit.upload_bps, limit.burst_threshold_download_bps or limit.download_bps
    )


def _pair(rx: int, tx: int) -> str:
    return f"{_bps(rx)}/{_bps(tx)}"


def _bps(rate: int) -> str:
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if rate and rate % unit == 0:
            return f"{rate // unit}{letter}"
    return str(rate)

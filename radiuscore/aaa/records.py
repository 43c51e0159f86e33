"""The records that decisions are made on: immutable, typed, built once per configuration change.

A field that holds a secret is not shown by ``repr``. Times are seconds since 1970 (UTC), because they are compared
once per packet; rates are bit/s; volumes are octets.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

IspId: TypeAlias = int
NasId: TypeAlias = int
PlanId: TypeAlias = int
CustomerId: TypeAlias = int
Network: TypeAlias = IPv4Network | IPv6Network
MinuteOfWeek: TypeAlias = int  # 0 is Monday 00:00 in the ISP's time zone


class MessageAuthenticatorPolicy(StrEnum):
    """Whether a NAS must sign its Access-Requests. ``AUTO`` becomes ``YES`` once it has signed one."""

    NO = "no"
    YES = "yes"
    AUTO = "auto"


class CustomerStatus(StrEnum):
    """What staff or billing have said of an account. ``UNPAID`` is treated as the plan says."""

    ACTIVE = "active"
    UNPAID = "unpaid"
    SUSPENDED = "suspended"


class ExpiredAction(StrEnum):
    """What an expired or unpaid customer of a plan gets."""

    REJECT = "reject"
    WALLED_GARDEN = "walled_garden"


class SimultaneousUseMode(StrEnum):
    """``SOFT``: accept, then end the oldest session. ``STRICT``: a slot is reserved before the Accept."""

    SOFT = "soft"
    STRICT = "strict"


class QuotaPeriod(StrEnum):
    """After which time a quota begins anew, counted from the plan's anchor day in the ISP's time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class QuotaAction(StrEnum):
    """What a customer gets who has used up a quota."""

    THROTTLE = "throttle"
    WALLED_GARDEN = "walled_garden"
    BLOCK = "block"


class QuotaDirection(StrEnum):
    """Which octets count against a data quota."""

    BOTH = "both"
    DOWNLOAD = "download"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Isp:
    """A tenant. An ISP that is not active has its customers rejected; its routers are still answered."""

    id: IspId
    name: str
    active: bool = True
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Nas:
    """The RADIUS side of a device: who may ask from where, with which secret.

    ``sources`` are the addresses its packets come from: one address or prefix as text, or several.
    ``outgoing_secret`` is accepted as well while a secret is being rotated.
    ``proved_at`` is when somebody first proved to own the device's address (seconds since 1970); of a device with a
    prefix or several addresses ``address_proofs`` says so for each address (4 or 16 octets).
    ``message_authenticator_seen`` is the latch of the policy ``AUTO``.
    """

    sources: str | Network | Iterable[str | Network]
    secret: bytes = field(repr=False)
    isp_id: IspId = 1
    id: NasId = 0
    name: str = ""
    outgoing_secret: bytes | None = field(default=None, repr=False)
    nas_identifier: str | None = None
    require_message_authenticator: MessageAuthenticatorPolicy = MessageAuthenticatorPolicy.AUTO
    message_authenticator_seen: bool = False
    limit_proxy_state: bool = True
    swap_octets: bool = False
    coa_port: int = 3799
    proved_at: float | None = None
    address_proofs: tuple[tuple[bytes, float], ...] = ()

    def __post_init__(self) -> None:
        given = self.sources
        many = [given] if isinstance(given, str | IPv4Network | IPv6Network) else given
        object.__setattr__(self, "sources", tuple(dict.fromkeys(ip_network(source) for source in many)))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The sources as networks; a single address is a network of one."""
        return self.sources  # type: ignore[return-value]  # __post_init__ made it so


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Speeds in bit/s from the customer's point of view; 0 is unlimited, as RouterOS reads it.

    ``burst_*`` apply until the average over ``burst_time_s`` passes the threshold. ``raw`` is a whole
    Mikrotik-Rate-Limit that overrides the rest.
    """

    download_bps: int = 0
    upload_bps: int = 0
    burst_download_bps: int = 0
    burst_upload_bps: int = 0
    burst_threshold_download_bps: int = 0
    burst_threshold_upload_bps: int = 0
    burst_time_s: int = 0
    priority: int = 0
    min_download_bps: int = 0
    min_upload_bps: int = 0
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What a customer has bought. Shared by all its customers; its reply attributes are encoded once.

    ``login_hours`` are half-open ranges of minutes of the local week in which a login is accepted; empty is always.
    ``interim_interval_s`` is what the NAS is told, before jitter.
    """

    id: PlanId
    isp_id: IspId
    name: str
    rate_limit: RateLimit = RateLimit()
    session_timeout_s: int | None = None
    idle_timeout_s: int | None = None
    interim_interval_s: int | None = 300
    framed_pool: str | None = None
    framed_ipv6_pool: str | None = None
    delegated_ipv6_pool: str | None = None
    address_list: str | None = None
    mikrotik_group: str | None = None
    login_hours: tuple[tuple[MinuteOfWeek, MinuteOfWeek], ...] = ()
    simultaneous_use: int | None = None
    simultaneous_use_mode: SimultaneousUseMode = SimultaneousUseMode.SOFT
    expired_action: ExpiredAction = ExpiredAction.REJECT
    walled_garden_address_list: str | None = None
    walled_garden_pool: str | None = None
    walled_garden_rate_limit: RateLimit | None = None
    data_quota_octets: int | None = None
    time_quota_s: int | None = None
    quota_period: QuotaPeriod = QuotaPeriod.MONTH
    quota_anchor_day: int = 1
    quota_direction: QuotaDirection = QuotaDirection.BOTH
    quota_action: QuotaAction = QuotaAction.THROTTLE
    throttle_rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class CustomerExtras:
    """What only some customers have; kept apart so that a plain customer stays small.

    ``mac_addresses`` (6 octets each) lock the login to these devices, ``nas_ids`` to these routers; empty is any.
    ``quota_state`` is the action in force until ``quota_until``.
    """

    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None
    framed_routes: tuple[str, ...] = ()
    mac_addresses: frozenset[bytes] = frozenset()
    nas_ids: frozenset[NasId] = frozenset()
    simultaneous_use: int | None = None
    rate_limit: RateLimit | None = None
    address_list: str | None = None
    quota_state: QuotaAction | None = None
    quota_until: float | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """An account that logs in through a NAS of its ISP.

    A customer without a password is a device known by its MAC address, which is then its username.
    """

    id: CustomerId
    isp_id: IspId
    username: str
    username_key: str
    password: bytes | None = field(repr=False)
    plan_id: PlanId | None = None
    status: CustomerStatus = CustomerStatus.ACTIVE
    expires_at: float | None = None
    extras: CustomerExtras | None = None

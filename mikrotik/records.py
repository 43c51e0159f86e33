"""What a router tells, as immutable records, the same from every way in and version. ``None`` is "it did not say".

Directions are the customer's: input is his upload, output his download (the router's rx and tx on his interface).
"""

from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """Whether a router can be asked. ``latency_ms`` is one question's time on the open connection.

    ``proof`` is what the router showed to be known by: a certificate's SHA-256 or an SSH host key; pin it.
    On failure ``error`` is one of the codes of `mikrotik.errors`, ``message`` a sentence and ``hint`` the cure.
    """

    success: bool
    connection_type: str
    latency_ms: float | None = None
    identity: str | None = None
    version: str | None = None
    board_name: str | None = None
    address: str | None = None
    proof: str | None = None
    anonymous_tls: bool = False
    error: str | None = None
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """``/system resource``. Loads in percent of all cores, sizes in octets."""

    uptime_s: int | None
    version: str | None
    board_name: str | None
    platform: str | None
    architecture: str | None
    cpu: str | None
    cpu_count: int | None
    cpu_frequency_mhz: int | None
    cpu_load_percent: int | None
    total_memory_octets: int | None
    free_memory_octets: int | None
    total_disk_octets: int | None
    free_disk_octets: int | None


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who a router is. A CHR or PC has no model, serial number or firmware."""

    identity: str | None
    model: str | None
    serial_number: str | None
    current_firmware: str | None
    upgrade_firmware: str | None
    resources: Resources


@dataclass(frozen=True, slots=True)
class HealthReading:
    """One sensor: a number in ``unit`` (``C``, ``V``, ``A``, ``W``, ``RPM``), or a word such as ``ok`` with no unit."""

    name: str
    value: float | str
    unit: str


@dataclass(frozen=True, slots=True)
class InterfaceStats:
    """One interface, with counters since the router's start or the interface's creation, whichever is later.

    rx and tx are the router's: what it received from and sent to the interface.
    """

    name: str
    type: str | None
    mac_address: str | None
    mtu: int | None
    running: bool | None
    disabled: bool
    dynamic: bool
    comment: str | None
    rx_octets: int | None
    tx_octets: int | None
    rx_packets: int | None
    tx_packets: int | None
    rx_drops: int | None
    tx_drops: int | None
    rx_errors: int | None
    tx_errors: int | None
    tx_queue_drops: int | None
    link_downs: int | None


@dataclass(frozen=True, slots=True)
class PppSession:
    """One row of ``/ppp active``. ``acct_session_id`` is in the form RADIUS has: lower case, without ``0x``.

    Traffic is not here on any version: it is on the interface ``<service-name>`` (`InterfaceStats`).
    """

    id: str
    name: str
    service: str | None
    caller_id: str | None
    address: Address | None
    uptime_s: int | None
    acct_session_id: str | None
    radius: bool | None


@dataclass(frozen=True, slots=True)
class HotspotSession:
    """One row of ``/ip hotspot active``."""

    id: str
    name: str
    server: str | None
    address: Address | None
    mac_address: str | None
    uptime_s: int | None
    idle_time_s: int | None
    session_time_left_s: int | None
    input_octets: int | None
    output_octets: int | None
    login_by: str | None
    radius: bool | None


@dataclass(frozen=True, slots=True)
class DhcpLease:
    """One row of ``/ip dhcp-server lease``; address, MAC and server are the active ones where there are."""

    id: str
    address: Address | None
    mac_address: str | None
    client_id: str | None
    server: str | None
    status: str | None
    host_name: str | None
    expires_after_s: int | None
    last_seen_s: int | None
    rate_limit: str | None
    dynamic: bool
    radius: bool | None
    disabled: bool

    @property
    def bound(self) -> bool:
        """Whether somebody uses the address now."""
        return self.status == "bound"


@dataclass(frozen=True, slots=True)
class ActiveSessions:
    """Everybody who is online. A service whose package or licence is missing has nobody."""

    ppp: tuple[PppSession, ...]
    hotspot: tuple[HotspotSession, ...]
    dhcp: tuple[DhcpLease, ...]


@dataclass(frozen=True, slots=True)
class ClientCounts:
    """How many are online, counted on the router; ``dhcp`` counts bound leases."""

    ppp: int
    hotspot: int
    dhcp: int


@dataclass(frozen=True, slots=True)
class SimpleQueue:
    """One row of ``/queue simple``; RouterOS writes pairs as upload/download. Rates in bit/s, 0 is no limit."""

    id: str
    name: str
    target: str | None
    parent: str | None
    comment: str | None
    dynamic: bool
    disabled: bool
    invalid: bool
    upload_limit_bps: int | None
    download_limit_bps: int | None
    upload_bps: int | None
    download_bps: int | None
    input_octets: int | None
    output_octets: int | None


@dataclass(frozen=True, slots=True)
class RadiusServerEntry:
    """One row of ``/radius``: a server the router asks, in this order. ``secret`` needs the policy ``sensitive``."""

    id: str
    address: str | None
    services: tuple[str, ...]
    secret: str | None = field(repr=False)
    authentication_port: int | None
    accounting_port: int | None
    timeout_ms: int | None
    src_address: str | None
    require_message_auth: str | None
    protocol: str | None
    called_id: str | None
    domain: str | None
    disabled: bool
    comment: str | None


@dataclass(frozen=True, slots=True)
class HotspotProfile:
    """The RADIUS part of one ``/ip hotspot profile``. ``radius_interim_update`` is ``received`` or a duration."""

    id: str
    name: str
    use_radius: bool | None
    radius_accounting: bool | None
    radius_interim_update: str | None


@dataclass(frozen=True, slots=True)
class RadiusSettings:
    """Everything on a router that decides how it uses RADIUS. ``None`` where the menu is not there."""

    servers: tuple[RadiusServerEntry, ...]
    incoming_accept: bool | None
    incoming_port: int | None
    ppp_use_radius: bool | None
    ppp_accounting: bool | None
    ppp_interim_update_s: int | None
    hotspot_profiles: tuple[HotspotProfile, ...]


@dataclass(frozen=True, slots=True)
class RadiusCounters:
    """``/radius monitor`` of one server entry."""

    pending: int | None
    requests: int | None
    accepts: int | None
    rejects: int | None
    resends: int | None
    timeouts: int | None
    bad_replies: int | None


def as_dict(record: object) -> Any:
    """Return a record as plain dicts, lists, texts and numbers, ready for JSON. Secrets are left out."""
    if is_dataclass(record) and not isinstance(record, type):
        return {one.name: as_dict(getattr(record, one.name)) for one in fields(record) if one.repr}
    if isinstance(record, (tuple, list)):
        return [as_dict(one) for one in record]
    if isinstance(record, Enum):
        return record.value
    return str(record) if isinstance(record, (IPv4Address, IPv6Address)) else record

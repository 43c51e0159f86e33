"""Which fields are read from which menu, and how a row becomes a record. Pure and total: a row may hold anything.

A field that this version does not have is absent from the row; one that cannot be read becomes ``None``.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from mikrotik import values
from mikrotik.records import (
    Address,
    DeviceInfo,
    DhcpLease,
    HealthReading,
    HotspotProfile,
    HotspotSession,
    InterfaceStats,
    PppSession,
    RadiusCounters,
    RadiusServerEntry,
    RadiusSettings,
    Resources,
    SimpleQueue,
)
from mikrotik.transport import Read, Row

T = TypeVar("T")

IDENTITY: Final = Read("/system/identity", ("name",), single=True)
RESOURCE: Final = Read(
    "/system/resource",
    (
        *("uptime", "version", "board-name", "platform", "architecture-name", "cpu", "cpu-count", "cpu-frequency"),
        *("cpu-load", "total-memory", "free-memory", "total-hdd-space", "free-hdd-space"),
    ),
    single=True,
)
ROUTERBOARD: Final = Read(
    "/system/routerboard",
    ("routerboard", "model", "serial-number", "current-firmware", "upgrade-firmware"),
    single=True,
)
# RouterOS 7 has a row per sensor (name, value, type), RouterOS 6 one row with a field per sensor.
HEALTH: Final = Read(
    "/system/health",
    (
        *("name", "value", "type", "voltage", "current", "temperature", "cpu-temperature", "power-consumption"),
        *("fan1-speed", "fan2-speed", "psu1-voltage", "psu2-voltage", "psu1-current", "psu2-current"),
        *("psu1-state", "psu2-state", "board-temperature1", "board-temperature2", "board-temperature"),
    ),
    single=True,
)
INTERFACES: Final = Read(
    "/interface",
    (
        *("name", "type", "mac-address", "mtu", "actual-mtu", "running", "disabled", "dynamic", "comment"),
        *("rx-byte", "tx-byte", "rx-packet", "tx-packet", "rx-drop", "tx-drop", "rx-error", "tx-error"),
        *("tx-queue-drop", "link-downs"),
    ),
)
PPP_ACTIVE: Final = Read(
    "/ppp/active", (".id", "name", "service", "caller-id", "address", "uptime", "session-id", "radius")
)
HOTSPOT_ACTIVE: Final = Read(
    "/ip/hotspot/active",
    (
        *(".id", "user", "server", "address", "mac-address", "uptime", "idle-time", "session-time-left"),
        *("bytes-in", "bytes-out", "login-by", "radius"),
    ),
)
DHCP_LEASES: Final = Read(
    "/ip/dhcp-server/lease",
    (
        *(".id", "address", "mac-address", "client-id", "server", "status", "host-name", "expires-after", "last-seen"),
        *("active-address", "active-mac-address", "active-server", "active-client-id", "rate-limit"),
        *("dynamic", "radius", "disabled"),
    ),
)
QUEUES: Final = Read(
    "/queue/simple",
    (
        *(".id", "name", "target", "parent", "comment", "dynamic", "disabled", "invalid"),
        *("max-limit", "rate", "bytes"),
    ),
)
RADIUS: Final = Read(
    "/radius",
    (
        *(".id", "address", "service", "secret", "authentication-port", "accounting-port", "timeout", "src-address"),
        *("require-message-auth", "protocol", "called-id", "domain", "disabled", "comment"),
    ),
)
RADIUS_INCOMING: Final = Read("/radius/incoming", ("accept", "port"), single=True)
PPP_AAA: Final = Read("/ppp/aaa", ("use-radius", "accounting", "interim-update"), single=True)
HOTSPOT_PROFILES: Final = Read(
    "/ip/hotspot/profile", (".id", "name", "use-radius", "radius-accounting", "radius-interim-update")
)

_UNITS: Final = {"voltage": "V", "current": "A", "temperature": "C", "consumption": "W", "speed": "RPM"}
_TENTHS: Final = ("voltage", "consumption")  # RouterOS 6 gives these over the API in tenths


def get(row: Row, name: str, parse: Callable[[str], T | None]) -> T | None:
    """Return a field read by ``parse``; ``None`` if it is absent, empty or not such a value."""
    text = row.get(name, "")
    return parse(text) if text else None


def text(row: Row, name: str) -> str | None:
    """Return a field as it is; ``None`` if it is absent or empty."""
    return row.get(name) or None


def _number(row: Row, name: str) -> int | None:
    """Read a count; the console puts a unit behind some (``650MHz``, ``1%``)."""
    return get(row, name, lambda value: values.parse_integer(re.sub(r"(?<=\d)(?:%|MHz)$", "", value)))


def _flag(row: Row, name: str) -> bool:
    """Read a flag that routers leave out where it is not set."""
    return get(row, name, values.parse_bool) is True


def _address(row: Row, name: str) -> Address | None:
    text = row.get(name, "")
    return values.parse_address(text) if text else None


def parse_resources(row: Row) -> Resources:
    """Read ``/system resource``."""
    return Resources(
        uptime_s=get(row, "uptime", values.seconds_of),
        version=text(row, "version"),
        board_name=text(row, "board-name"),
        platform=text(row, "platform"),
        architecture=text(row, "architecture-name"),
        cpu=text(row, "cpu"),
        cpu_count=_number(row, "cpu-count"),
        cpu_frequency_mhz=_number(row, "cpu-frequency"),
        cpu_load_percent=_number(row, "cpu-load"),
        total_memory_octets=get(row, "total-memory", values.parse_size),
        free_memory_octets=get(row, "free-memory", values.parse_size),
        total_disk_octets=get(row, "total-hdd-space", values.parse_size),
        free_disk_octets=get(row, "free-hdd-space", values.parse_size),
    )


def parse_device(identity: Row, resource: Row, routerboard: Row) -> DeviceInfo:
    """Put together who a router is."""
    resources = parse_resources(resource)
    return DeviceInfo(
        identity=text(identity, "name"),
        model=text(routerboard, "model"),
        serial_number=text(routerboard, "serial-number"),
        current_firmware=text(routerboard, "current-firmware"),
        upgrade_firmware=text(routerboard, "upgrade-firmware"),
        resources=resources,
    )


def parse_health(rows: Sequence[Row]) -> tuple[HealthReading, ...]:
    """Read ``/system health`` of either version."""
    readings: list[HealthReading] = []
    for row in rows:
        if "name" in row:
            readings.append(_reading(row["name"], row.get("value", ""), row.get("type", "")))
        else:
            readings += [_reading6(name, value) for name, value in row.items() if name != ".id" and value]
    return tuple(readings)


def _reading(name: str, value: str, unit: str) -> HealthReading:
    number = values.parse_decimal(value)
    return HealthReading(name, value, "") if number is None else HealthReading(name, number, unit)


def _reading6(name: str, value: str) -> HealthReading:
    kind = next((kind for kind in _UNITS if name.rstrip("0123456789").endswith(kind)), "")
    reading = _reading(name, re.sub(r"(?<=\d)(?:V|A|W|C|RPM)$", "", value), _UNITS.get(kind, ""))
    if kind in _TENTHS and value.isdigit() and isinstance(reading.value, float):
        return HealthReading(name, reading.value / 10, reading.unit)
    return reading


def parse_interface(row: Row) -> InterfaceStats:
    """Read one row of ``/interface``."""
    return InterfaceStats(
        name=row.get("name", ""),
        type=text(row, "type"),
        mac_address=get(row, "mac-address", values.parse_mac),
        mtu=_number(row, "actual-mtu") or _number(row, "mtu"),
        running=get(row, "running", values.parse_bool),
        disabled=_flag(row, "disabled"),
        dynamic=_flag(row, "dynamic"),
        comment=text(row, "comment"),
        rx_octets=_number(row, "rx-byte"),
        tx_octets=_number(row, "tx-byte"),
        rx_packets=_number(row, "rx-packet"),
        tx_packets=_number(row, "tx-packet"),
        rx_drops=_number(row, "rx-drop"),
        tx_drops=_number(row, "tx-drop"),
        rx_errors=_number(row, "rx-error"),
        tx_errors=_number(row, "tx-error"),
        tx_queue_drops=_number(row, "tx-queue-drop"),
        link_downs=_number(row, "link-downs"),
    )


def acct_session_id(session_id: str) -> str:
    """Return a router's ``session-id`` (``0x81D00000``) as RADIUS has it in Acct-Session-Id (``81d00000``)."""
    return session_id.lower().removeprefix("0x")


def parse_ppp(row: Row) -> PppSession:
    """Read one row of ``/ppp active``."""
    return PppSession(
        id=row.get(".id", ""),
        name=row.get("name", ""),
        service=text(row, "service"),
        caller_id=text(row, "caller-id"),
        address=_address(row, "address"),
        uptime_s=get(row, "uptime", values.seconds_of),
        acct_session_id=get(row, "session-id", acct_session_id),
        radius=get(row, "radius", values.parse_bool),
    )


def parse_hotspot(row: Row) -> HotspotSession:
    """Read one row of ``/ip hotspot active``; the router's "in" is what came from the customer."""
    return HotspotSession(
        id=row.get(".id", ""),
        name=row.get("user", ""),
        server=text(row, "server"),
        address=_address(row, "address"),
        mac_address=get(row, "mac-address", values.parse_mac),
        uptime_s=get(row, "uptime", values.seconds_of),
        idle_time_s=get(row, "idle-time", values.seconds_of),
        session_time_left_s=get(row, "session-time-left", values.seconds_of),
        input_octets=get(row, "bytes-in", values.parse_size),
        output_octets=get(row, "bytes-out", values.parse_size),
        login_by=text(row, "login-by"),
        radius=get(row, "radius", values.parse_bool),
    )


def parse_lease(row: Row) -> DhcpLease:
    """Read one row of ``/ip dhcp-server lease``; what is active may differ from what is configured."""
    return DhcpLease(
        id=row.get(".id", ""),
        address=_address(row, "active-address") or _address(row, "address"),
        mac_address=get(row, "active-mac-address", values.parse_mac) or get(row, "mac-address", values.parse_mac),
        client_id=text(row, "active-client-id") or text(row, "client-id"),
        server=text(row, "active-server") or text(row, "server"),
        status=text(row, "status"),
        host_name=text(row, "host-name"),
        expires_after_s=get(row, "expires-after", values.seconds_of),
        last_seen_s=get(row, "last-seen", values.seconds_of),
        rate_limit=text(row, "rate-limit"),
        dynamic=_flag(row, "dynamic"),
        radius=get(row, "radius", values.parse_bool),
        disabled=_flag(row, "disabled"),
    )


def _pair(row: Row, name: str, parse: Callable[[str], int | None]) -> tuple[int | None, int | None]:
    first, second = values.split_pair(row.get(name, ""))
    return parse(first), parse(second)


def parse_queue(row: Row) -> SimpleQueue:
    """Read one row of ``/queue simple``."""
    limit, rate = _pair(row, "max-limit", values.parse_rate), _pair(row, "rate", values.parse_rate)
    octets = _pair(row, "bytes", values.parse_integer)
    return SimpleQueue(
        id=row.get(".id", ""),
        name=row.get("name", ""),
        target=text(row, "target"),
        parent=text(row, "parent"),
        comment=text(row, "comment"),
        dynamic=_flag(row, "dynamic"),
        disabled=_flag(row, "disabled"),
        invalid=_flag(row, "invalid"),
        upload_limit_bps=limit[0],
        download_limit_bps=limit[1],
        upload_bps=rate[0],
        download_bps=rate[1],
        input_octets=octets[0],
        output_octets=octets[1],
    )


def _milliseconds(text: str) -> int | None:
    duration = values.parse_duration(text)
    return None if duration is None else round(duration.total_seconds() * 1000)


def parse_radius(row: Row) -> RadiusServerEntry:
    """Read one row of ``/radius``."""
    return RadiusServerEntry(
        id=row.get(".id", ""),
        address=text(row, "address"),
        services=values.parse_list(row.get("service", "")),
        secret=text(row, "secret"),
        authentication_port=_number(row, "authentication-port"),
        accounting_port=_number(row, "accounting-port"),
        timeout_ms=get(row, "timeout", _milliseconds),
        src_address=text(row, "src-address"),
        require_message_auth=text(row, "require-message-auth"),
        protocol=text(row, "protocol"),
        called_id=text(row, "called-id"),
        domain=text(row, "domain"),
        disabled=_flag(row, "disabled"),
        comment=text(row, "comment"),
    )


def parse_hotspot_profile(row: Row) -> HotspotProfile:
    """Read the RADIUS part of one row of ``/ip hotspot profile``."""
    return HotspotProfile(
        id=row.get(".id", ""),
        name=row.get("name", ""),
        use_radius=get(row, "use-radius", values.parse_bool),
        radius_accounting=get(row, "radius-accounting", values.parse_bool),
        radius_interim_update=_interim(row),
    )


def _interim(row: Row) -> str | None:
    """Return ``received``, or the duration in one form whatever the way in."""
    duration = get(row, "radius-interim-update", values.parse_duration)
    return values.build_duration(duration) if duration is not None else text(row, "radius-interim-update")


def parse_counters(row: Row) -> RadiusCounters:
    """Read ``/radius monitor``."""
    return RadiusCounters(
        pending=_number(row, "pending"),
        requests=_number(row, "requests"),
        accepts=_number(row, "accepts"),
        rejects=_number(row, "rejects"),
        resends=_number(row, "resends"),
        timeouts=_number(row, "timeouts"),
        bad_replies=_number(row, "bad-replies"),
    )


def parse_radius_settings(servers: Sequence[Row], incoming: Row, aaa: Row, profiles: Sequence[Row]) -> RadiusSettings:
    """Put together what decides how a router uses RADIUS."""
    return RadiusSettings(
        servers=tuple(map(parse_radius, servers)),
        incoming_accept=get(incoming, "accept", values.parse_bool),
        incoming_port=_number(incoming, "port"),
        ppp_use_radius=get(aaa, "use-radius", values.parse_bool),
        ppp_accounting=get(aaa, "accounting", values.parse_bool),
        ppp_interim_update_s=get(aaa, "interim-update", values.seconds_of),
        hotspot_profiles=tuple(map(parse_hotspot_profile, profiles)),
    )

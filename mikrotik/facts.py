"""Everything the doctor looks at, read in one go. A menu that cannot be read is ``None``: it tells nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mikrotik import reading
from mikrotik.client import AsyncMikroTikClient
from mikrotik.errors import REFUSALS
from mikrotik.records import RadiusCounters, RadiusSettings
from mikrotik.transport import Command, Read, Row, Transport
from mikrotik.values import parse_clock
from mikrotik.versions import Version, parse_version

CLOCK: Final = Read("/system/clock", ("date", "time", "gmt-offset"), single=True)
NTP: Final = Read("/system/ntp/client", ("enabled", "status", "synced"), single=True)
FILTER: Final = Read(
    "/ip/firewall/filter",
    (
        *(".id", "chain", "action", "disabled", "dynamic", "comment", "protocol", "src-address", "dst-address"),
        *("src-port", "dst-port", "port", "connection-state", "src-address-list", "dst-address-list"),
        *("in-interface", "out-interface", "in-interface-list", "out-interface-list", "jump-target", "limit"),
        *("src-address-type", "dst-address-type", "packet-mark", "connection-mark", "content", "layer7-protocol"),
        *("connection-nat-state", "dst-limit", "time", "psd", "random", "src-mac-address", "hotspot", "ipsec-policy"),
    ),
)
QUEUES: Final = Read("/queue/simple", (".id", "disabled"))


@dataclass(frozen=True, slots=True)
class RouterFacts:
    """What was read, and when (aware UTC). ``firewall`` are the filter rules in the router's order."""

    read_at: datetime
    version: Version | None
    identity: str | None
    clock: datetime | None
    ntp: Row | None
    radius: RadiusSettings | None
    counters: Mapping[str, RadiusCounters]
    firewall: Sequence[Row] | None
    has_queues: bool | None
    has_hotspot: bool | None


async def read_facts(client: AsyncMikroTikClient, *, now: datetime | None = None) -> RouterFacts:
    """Read what the doctor looks at, under one deadline. ``now`` is our own clock, by default the system's."""
    async with client.session("reading what the doctor looks at") as transport:
        resource = await transport.read(reading.RESOURCE)
        identity = await transport.read(reading.IDENTITY)
        read_at = now or datetime.now(UTC)
        clock = await _tried(transport, CLOCK) or [{}]
        radius = await _radius(transport)
        firewall = await _tried(transport, FILTER)
        queues = await _tried(transport, QUEUES)
        hotspot = await _tried(transport, Read("/ip/hotspot", (".id",)))
        ntp = await _tried(transport, NTP)
        counters = await _counters(transport, radius)
    return RouterFacts(
        read_at=read_at,
        version=parse_version(resource[0].get("version", "") if resource else ""),
        identity=identity[0].get("name") if identity else None,
        clock=parse_clock(*(clock[0].get(name, "") for name in CLOCK.fields)),
        ntp=ntp[0] if ntp else None,
        radius=radius,
        counters=counters,
        firewall=firewall,
        has_queues=None if queues is None else bool(queues),
        has_hotspot=None if hotspot is None else bool(hotspot),
    )


async def _tried(transport: Transport, what: Read) -> list[Row] | None:
    try:
        return await transport.read(what)
    except REFUSALS:
        return None


async def _radius(transport: Transport) -> RadiusSettings | None:
    servers, incoming = await _tried(transport, reading.RADIUS), await _tried(transport, reading.RADIUS_INCOMING)
    if servers is None or incoming is None:
        return None
    aaa, profiles = await _tried(transport, reading.PPP_AAA), await _tried(transport, reading.HOTSPOT_PROFILES)
    return reading.parse_radius_settings(servers, incoming[0] if incoming else {}, (aaa or [{}])[0], profiles or [])


async def _counters(transport: Transport, radius: RadiusSettings | None) -> dict[str, RadiusCounters]:
    counters: dict[str, RadiusCounters] = {}
    for server in radius.servers if radius else ():
        try:
            rows = await transport.run(Command("/radius", "monitor", {".id": server.id, "once": ""}))
        except REFUSALS:
            continue
        if rows:
            counters[server.id] = reading.parse_counters(rows[0])
    return counters

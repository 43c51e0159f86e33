"""Talking to devices: what came of it. A device that cannot be asked is an answer too, with an error and its cure."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

from mgmt.api.schemas.base import Body, Query, Shown
from mgmt.api.schemas.devices import Address
from mikrotik import ConnectionType

WAYS: Final = [way.value for way in ConnectionType]


def _only_ways(schema: dict[str, Any]) -> None:
    schema["enum"] = WAYS


# Any text is taken, because another one is 400 `unknown_connection_type` and no fault of the body.
WayText: TypeAlias = Annotated[
    str,
    Field(max_length=50, json_schema_extra=_only_ways, description="`api` of a device with `use_tls` is `api-ssl`."),
]
ErrorCode: TypeAlias = Literal[
    "unreachable",
    "refused",
    "timeout",
    "tls",
    "host_key_changed",
    "login_refused",
    "permission_missing",
    "menu_unsupported",
    "protocol",
]


class ConnectionBody(Body):
    """By which way in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"connection_type": "api"}]})

    connection_type: WayText


class ConnectionQuery(Query):
    """By which way in; by default the API, over TLS where the device has it."""

    connection_type: WayText | None = None


class DoctorQuery(ConnectionQuery):
    """By which way in, and which of our addresses the router is to ask."""

    server: Annotated[
        Address | None, Field(description="By default where its last report arrived, or our address on the way to it.")
    ] = None


class Outcome(Shown):
    """Whether a device could be asked. If not, ``error`` says why, ``message`` in a sentence, ``hint`` what to do."""

    success: bool
    connection_type: Literal["api", "api-ssl", "ssh", "rest"]
    error: ErrorCode | None
    message: str | None
    hint: str | None


class ConnectionShown(Outcome):
    """Who answered. ``latency_ms`` is one question's time.

    ``proof`` is what the device is known by from now on: its certificate's SHA-256, or its SSH host key. ``pinned``: it
    was seen for the first time, and pinned.
    """

    latency_ms: float | None
    identity: str | None
    version: str | None
    board_name: str | None
    address: str | None
    proof: str | None
    pinned: bool


class InterfaceShown(Shown):
    """An interface with its counters since the router's start. rx and tx are the router's."""

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


class InterfacesShown(Outcome):
    """The interfaces of a device, as it has them now."""

    interfaces: list[InterfaceShown]


class ClientsShown(Shown):
    """How many are online. ``dhcp`` counts bound leases, which hotspot customers have too."""

    ppp: int
    hotspot: int
    dhcp: int


class SyncShown(ConnectionShown):
    """What a device is and how it is; stored, but for the interfaces of sessions. Octets, seconds, percent."""

    model: str | None
    serial_number: str | None
    uptime_s: int | None
    cpu_percent: int | None
    memory_free_octets: int | None
    memory_total_octets: int | None
    clients: ClientsShown | None
    client_count: int | None
    interfaces: list[InterfaceShown]


class FindingShown(Shown):
    """One check. ``command`` mends a failure when pasted into the router's console; null: a person must decide.

    Only administrators see the RADIUS secret in it; others see three stars.
    """

    check: str
    status: Literal["pass", "fail", "unknown"]
    message: str
    command: str | None


class DoctorShown(Outcome):
    """What is wrong with how a device uses this RADIUS server, which is ``server`` to it; found by ``server_by``."""

    server: Address
    server_by: Literal["asked", "report", "settings", "route"]
    version: str | None
    read_at: datetime | None
    findings: list[FindingShown]

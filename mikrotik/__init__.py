"""Talks to MikroTik routers; knows no SQL, no RADIUS and none of our other packages. Licence: GPL-3.0-or-later."""

from mikrotik.addresses import AddressGuard, allowed_address
from mikrotik.client import AsyncMikroTikClient
from mikrotik.config import ConnectionType, MikroTikConnectionConfig
from mikrotik.errors import (
    AddressRefused,
    CommandRefused,
    ConnectionRefused,
    HostKeyChanged,
    LoginRefused,
    MenuUnsupported,
    MikroTikError,
    PermissionMissing,
    ProtocolFailed,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from mikrotik.records import as_dict
from mikrotik.sync import MikroTikClient

__all__ = [
    "AddressGuard",
    "AddressRefused",
    "AsyncMikroTikClient",
    "CommandRefused",
    "ConnectionRefused",
    "ConnectionType",
    "HostKeyChanged",
    "LoginRefused",
    "MenuUnsupported",
    "MikroTikClient",
    "MikroTikConnectionConfig",
    "MikroTikError",
    "PermissionMissing",
    "ProtocolFailed",
    "TimedOut",
    "TlsFailed",
    "Unreachable",
    "allowed_address",
    "as_dict",
]

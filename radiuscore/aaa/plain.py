"""An accounting event as plain values and back: what a spool keeps, and what a later release can still read.

By name, so that a field that is added has its default in old records, and one that is gone is left out.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from ipaddress import IPv4Address, IPv6Network
from typing import Any, Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.records import QuotaPeriod
from radiuscore.wire.codes import AcctStatusType

_FROM_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "status": AcctStatusType,
    "session_uuid": bytes.fromhex,
    "framed_ip_address": IPv4Address,
    "framed_ipv6_prefix": IPv6Network,
    "delegated_ipv6_prefix": IPv6Network,
    "nas_ip_address": IPv4Address,
    "quota_period": QuotaPeriod,
    "granted": bytes.fromhex,
}
_KNOWN: Final = frozenset(AccountingEvent._fields)


def to_plain(event: AccountingEvent) -> dict[str, Any]:
    """Return the fields that are not at their default; the zone is its IANA name."""
    defaults = AccountingEvent._field_defaults
    return {
        name: _plain(value)
        for name, value in zip(event._fields, event, strict=True)
        if name not in defaults or value != defaults[name]
    }


def from_plain(fields: Mapping[str, Any], zone_of: Callable[[str], tzinfo]) -> AccountingEvent:
    """Return the event that `to_plain` took apart; ``zone_of`` finds a zone by its name.

    Raises `ValueError`, `TypeError` or `KeyError` for what it did not make.
    """
    values = {
        name: _FROM_PLAIN[name](value) if name in _FROM_PLAIN else value
        for name, value in fields.items()
        if name in _KNOWN
    }
    zone = values.pop("zone", None)
    return AccountingEvent(**values, zone=UTC if zone is None else zone_of(zone))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tzinfo | IPv4Address | IPv6Network):
        return str(value)
    return value

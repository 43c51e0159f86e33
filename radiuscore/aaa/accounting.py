"""One Accounting-Request as one typed event: counters joined to 64 bits, text that PostgreSQL can hold."""

from datetime import UTC, tzinfo
from ipaddress import IPv4Address, IPv6Network
from typing import Final, NamedTuple

from radiuscore.aaa.names import text_of, username_key
from radiuscore.aaa.records import CustomerId, IspId, Nas, NasId, QuotaPeriod
from radiuscore.wire.codes import AcctStatusType

STORED: Final = frozenset(
    {
        AcctStatusType.START,
        AcctStatusType.STOP,
        AcctStatusType.INTERIM_UPDATE,
        AcctStatusType.ACCOUNTING_ON,
        AcctStatusType.ACCOUNTING_OFF,
    }
)
"""The status types that say something of a session. Others are acknowledged, counted and not stored: asked again, a NAS
could only say the same."""

_UUID_LENGTH: Final = 16


class AccountingEvent(NamedTuple):
    """What a NAS reported of one session, or of itself (Accounting-On/Off).

    Texts are in the form of `names.text_of`. ``input_octets`` are from the customer, ``output_octets`` to him,
    Gigawords added in, swapped already where the device says so; ``None`` where the NAS sent no counter.
    ``received_at`` is the server's clock in seconds since 1970; ``event_timestamp`` is the NAS's and is not believed.
    ``session_uuid`` is the Class of our Accept, 16 octets, when the NAS returned it.
    ``local_address`` is that of this machine which the NAS reports to: it takes CoA from no other.
    ``nas_address`` is where its packet came from: behind NAT that is not what it calls itself.
    ``granted`` is what the session was given at its beginning (`due.due_attributes`), told with its Start only.
    ``interim_interval_s`` is how often this session was told to report, ``zone`` the ISP's time zone; the quota's
    period and anchor day are the plan's.
    """

    isp_id: IspId
    nas_id: NasId
    status: AcctStatusType
    acct_session_id: str
    username: str
    username_key: str
    received_at: float
    delay_time: int = 0
    session_time: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    input_packets: int | None = None
    output_packets: int | None = None
    terminate_cause: int | None = None
    session_uuid: bytes | None = None
    customer_id: CustomerId | None = None
    plan_id: int | None = None
    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None
    calling_station_id: str | None = None
    called_station_id: str | None = None
    nas_ip_address: IPv4Address | None = None
    nas_identifier: str | None = None
    nas_port: int | None = None
    nas_port_id: str | None = None
    nas_port_type: int | None = None
    service_type: int | None = None
    event_timestamp: int | None = None
    interim_interval_s: int | None = None
    zone: tzinfo = UTC
    local_address: str | None = None
    quota_period: QuotaPeriod = QuotaPeriod.MONTH
    quota_anchor_day: int = 1
    nas_address: str | None = None
    granted: bytes | None = None


def read_status(first: dict[int, bytes]) -> int | None:
    """Return Acct-Status-Type, or ``None`` where it is missing or not 4 octets (RFC 2866 §5.1)."""
    return _integer(first, 40)


def read_event(
    first: dict[int, bytes],
    nas: Nas,
    status: AcctStatusType,
    received_at: float,
    local_address: str | None = None,
    nas_address: str | None = None,
) -> AccountingEvent:
    """Return the event that an Accounting-Request reports; ``first`` has the first value of each attribute type.

    A value of the wrong size counts as absent: what else the NAS reports is not lost for it. Octets are joined with
    their Gigawords (RFC 2869 §5.1, §5.2) and swapped where the device counts from the other side.
    """
    received, sent = _octets(first, 42, 52), _octets(first, 43, 53)
    received_packets, sent_packets = _integer(first, 47), _integer(first, 48)
    if nas.swap_octets:
        received, sent = sent, received
        received_packets, sent_packets = sent_packets, received_packets
    username = first.get(1, b"")
    session_class = first.get(25)
    return AccountingEvent(
        isp_id=nas.isp_id,
        nas_id=nas.id,
        status=status,
        acct_session_id=text_of(first.get(44, b"")),
        username=text_of(username),
        username_key=username_key(username),
        received_at=received_at,
        delay_time=_integer(first, 41) or 0,
        session_time=_integer(first, 46),
        input_octets=received,
        output_octets=sent,
        input_packets=received_packets,
        output_packets=sent_packets,
        terminate_cause=_integer(first, 49),
        session_uuid=session_class if session_class is not None and len(session_class) == _UUID_LENGTH else None,
        framed_ip_address=_ipv4(first, 8),
        framed_ipv6_prefix=_prefix(first.get(97)),
        delegated_ipv6_prefix=_prefix(first.get(123)),
        calling_station_id=_text(first, 31),
        called_station_id=_text(first, 30),
        nas_ip_address=_ipv4(first, 4),
        nas_identifier=_text(first, 32),
        nas_port=_integer(first, 5),
        nas_port_id=_text(first, 87),
        nas_port_type=_integer(first, 61),
        service_type=_integer(first, 6),
        event_timestamp=_integer(first, 55),
        local_address=local_address,
        nas_address=nas_address,
    )


def _integer(first: dict[int, bytes], kind: int) -> int | None:
    octets = first.get(kind)
    return int.from_bytes(octets, "big") if octets is not None and len(octets) == 4 else None


def _octets(first: dict[int, bytes], low: int, high: int) -> int | None:
    octets = _integer(first, low)
    return None if octets is None else octets | (_integer(first, high) or 0) << 32


def _text(first: dict[int, bytes], kind: int) -> str | None:
    octets = first.get(kind)
    return text_of(octets) if octets else None


def _ipv4(first: dict[int, bytes], kind: int) -> IPv4Address | None:
    octets = first.get(kind)
    return IPv4Address(octets) if octets is not None and len(octets) == 4 else None


def _prefix(octets: bytes | None) -> IPv6Network | None:
    """Return a prefix of RFC 3162 §2.3: reserved octet, length, and as many octets as it needs, or fewer."""
    if octets is None or not 2 <= len(octets) <= 18 or octets[1] > 128:
        return None
    return IPv6Network((octets[2:].ljust(16, b"\0"), octets[1]), strict=False)

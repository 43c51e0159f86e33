"""One Accounting-Request as one typed event: counters joined to 64 bits, text that PostgreSQL can hold."""

from datetime import UTC, tzinfo
from ipaddress import IPv4Address, IPv6Network
from typing import NamedTuple

from radiuscore.aaa.records import CustomerId, IspId, NasId
from radiuscore.wire.codes import AcctStatusType


class AccountingEvent(NamedTuple):
    """What a NAS reported of one session, or of itself (Accounting-On/Off).

    Texts are in the form of `names.text_of`. ``input_octets`` are from the customer, ``output_octets`` to him,
    Gigawords added in, swapped already where the device says so; ``None`` where the NAS sent no counter.
    ``received_at`` is the server's clock in seconds since 1970; ``event_timestamp`` is the NAS's and is not believed.
    ``session_uuid`` is the Class of our Accept, 16 octets, when the NAS returned it.
    ``interim_interval_s`` is how often this session was told to report, ``zone`` the ISP's time zone.
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

"""What is kept of one login attempt: who asked, from where, and what he was told. Never a password, never a packet."""

from ipaddress import IPv4Address
from typing import Literal, NamedTuple

from radiuscore.aaa.records import CustomerId, IspId, NasId


class AuthLogRow(NamedTuple):
    """One answered Access-Request, as staff will ask about it.

    ``at`` is the server's clock in seconds since 1970. Texts are in the form of `names.text_of`. ``reason`` is one of
    the closed set of reject reasons and empty for an accept; ``method`` is how the customer proved himself: ``pap``,
    ``chap``, ``mschapv1``, ``mschapv2``, ``mac`` or ``none``. ``session_uuid`` is the Class that was sent, 16 octets.
    """

    at: float
    isp_id: IspId
    nas_id: NasId
    customer_id: CustomerId | None
    username: str
    outcome: Literal["accept", "reject"]
    reason: str
    method: str
    calling_station_id: str | None
    called_station_id: str | None
    acct_session_id: str | None
    nas_port_id: str | None
    framed_ip_address: IPv4Address | None
    session_uuid: bytes | None

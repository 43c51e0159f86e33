"""Which attributes RouterOS sends for each of its services, and in which order. Pure: rows of tables.

As documented by MikroTik and seen in captures of RouterOS 6.4x and 7.x. Accounting carries what stands before the
credentials in the Access-Request.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final, NamedTuple, TypeAlias

from radiuscore.wire.codes import AcctStatusType, ServiceType, TerminateCause
from radiuscore.wire.mikrotik import MIKROTIK_HOST_IP
from radiuscore.wire.packet import Pair
from radiuscore.wire.rfc import (
    ACCT_AUTHENTIC,
    ACCT_INPUT_GIGAWORDS,
    ACCT_INPUT_OCTETS,
    ACCT_INPUT_PACKETS,
    ACCT_MULTI_SESSION_ID,
    ACCT_OUTPUT_GIGAWORDS,
    ACCT_OUTPUT_OCTETS,
    ACCT_OUTPUT_PACKETS,
    ACCT_SESSION_ID,
    ACCT_SESSION_TIME,
    ACCT_STATUS_TYPE,
    ACCT_TERMINATE_CAUSE,
    CALLED_STATION_ID,
    CALLING_STATION_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_PROTOCOL,
    NAS_PORT,
    NAS_PORT_ID,
    NAS_PORT_TYPE,
    SERVICE_TYPE,
    USER_NAME,
)
from radiuscore.wire.wispr import WISPR_LOGOFF_URL

PPP: Final = 1
BY_RADIUS: Final = 1
VIRTUAL: Final = 5
ETHERNET: Final = 15
WIRELESS_802_11: Final = 19

_LOGOFF_URL: Final = "http://10.5.50.1/logout"
_OCTETS_PER_PACKET: Final = 1000
_REBOOT_DIGITS: Final = 16
_COUNTER: Final = 1 << 20


class Service(StrEnum):
    """What logs customers in at a router."""

    PPPOE = "pppoe"
    L2TP = "l2tp"
    HOTSPOT = "hotspot"
    DHCP = "dhcp"
    WIRELESS = "wireless"

    @property
    def is_ppp(self) -> bool:
        return self in (Service.PPPOE, Service.L2TP)


_SERVICE_DIGITS: Final = {
    Service.HOTSPOT: "80",
    Service.PPPOE: "81",
    Service.L2TP: "81",
    Service.WIRELESS: "82",
    Service.DHCP: "83",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One customer's way to the router. ``username`` is in octets, ``mac`` has 6, ``address`` is the customer's.

    ``called`` is what the service calls itself: the PPPoE service, the hotspot or DHCP server, ``AP-MAC:SSID``, or
    the tunnel server's address.
    """

    service: Service
    username: bytes
    session_id: str
    port: int
    mac: bytes
    address: IPv4Address
    interface: str
    called: str


class Usage(NamedTuple):
    """What a session used so far: seconds, octets from the customer (input) and to him (output)."""

    session_time: int
    input_octets: int
    output_octets: int


Row: TypeAlias = Callable[[Line], Pair]


def session_id(service: Service, reboots: int, count: int) -> str:
    """Return an Acct-Session-Id: 8 hex digits for service (2), reboot (1) and a count of sessions (5), which wrap."""
    return f"{_SERVICE_DIGITS[service]}{reboots % _REBOOT_DIGITS:x}{count % _COUNTER:05x}"


def mac_text(service: Service, mac: bytes) -> str:
    """Return Calling-Station-Id for a device known by its MAC: DHCP's client id has no leading zeros (type 1 first)."""
    if service is Service.DHCP:
        return "1:" + ":".join(f"{octet:x}" for octet in mac)
    return mac.hex("-" if service is Service.WIRELESS else ":").upper()


def access_attributes(line: Line, credentials: Iterable[Pair]) -> list[Pair]:
    """Return the attributes of an Access-Request, apart from those that name the router."""
    rows, after = _ROWS[line.service], _AFTER_CREDENTIALS.get(line.service, ())
    only_later = _NOT_AT_LOGIN.get(line.service, ())
    before = (row(line) for row in rows if row not in only_later)
    return [*before, *credentials, *(row(line) for row in after)]


def accounting_attributes(
    line: Line, status: AcctStatusType, usage: Usage | None, cause: TerminateCause | None
) -> list[Pair]:
    """Return the attributes of an Accounting-Request, apart from the Class, the clock's and the router's own."""
    pairs = [ACCT_STATUS_TYPE(status), *(row(line) for row in _ROWS[line.service])]
    if line.service.is_ppp:
        pairs += [ACCT_AUTHENTIC(BY_RADIUS), FRAMED_IP_ADDRESS(line.address)]
    if usage is not None:
        pairs += _usage_attributes(usage)
    if cause is not None:
        pairs.append(ACCT_TERMINATE_CAUSE(cause))
    return pairs


def _usage_attributes(usage: Usage) -> list[Pair]:
    return [
        ACCT_SESSION_TIME(usage.session_time),
        ACCT_INPUT_OCTETS(usage.input_octets & 0xFFFFFFFF),
        ACCT_INPUT_GIGAWORDS(usage.input_octets >> 32),
        ACCT_INPUT_PACKETS(_packets(usage.input_octets)),
        ACCT_OUTPUT_OCTETS(usage.output_octets & 0xFFFFFFFF),
        ACCT_OUTPUT_GIGAWORDS(usage.output_octets >> 32),
        ACCT_OUTPUT_PACKETS(_packets(usage.output_octets)),
    ]


def _packets(octets: int) -> int:
    return -(-octets // _OCTETS_PER_PACKET) & 0xFFFFFFFF


def _framed(_: Line) -> Pair:
    return SERVICE_TYPE(ServiceType.FRAMED)


def _login(_: Line) -> Pair:
    return SERVICE_TYPE(ServiceType.LOGIN)


def _ppp(_: Line) -> Pair:
    return FRAMED_PROTOCOL(PPP)


def _virtual(_: Line) -> Pair:
    return NAS_PORT_TYPE(VIRTUAL)


def _ethernet(_: Line) -> Pair:
    return NAS_PORT_TYPE(ETHERNET)


def _wireless(_: Line) -> Pair:
    return NAS_PORT_TYPE(WIRELESS_802_11)


def _port(line: Line) -> Pair:
    return NAS_PORT(line.port)


def _port_is_session(line: Line) -> Pair:
    return NAS_PORT(int(line.session_id, 16))


def _interface(line: Line) -> Pair:
    return NAS_PORT_ID(line.interface)


def _name(line: Line) -> Pair:
    return USER_NAME.type, line.username


def _mac(line: Line) -> Pair:
    return CALLING_STATION_ID(mac_text(line.service, line.mac))


def _public_address(line: Line) -> Pair:
    return CALLING_STATION_ID(str(line.address))


def _called(line: Line) -> Pair:
    return CALLED_STATION_ID(line.called)


def _session(line: Line) -> Pair:
    return ACCT_SESSION_ID(line.session_id)


def _multi_session(line: Line) -> Pair:
    return ACCT_MULTI_SESSION_ID(f"{line.mac.hex('-').upper()}-{line.session_id}")


def _address(line: Line) -> Pair:
    return FRAMED_IP_ADDRESS(line.address)


def _host(line: Line) -> Pair:
    return MIKROTIK_HOST_IP(line.address)


def _logoff(_: Line) -> Pair:
    return WISPR_LOGOFF_URL(_LOGOFF_URL)


_ROWS: Final[dict[Service, Sequence[Row]]] = {
    Service.PPPOE: (_framed, _ppp, _port, _ethernet, _name, _mac, _called, _interface, _session),
    Service.L2TP: (_framed, _ppp, _port, _virtual, _name, _public_address, _called, _session),
    Service.HOTSPOT: (_wireless, _mac, _called, _interface, _name, _port_is_session, _session, _address, _host),
    Service.DHCP: (_port_is_session, _ethernet, _mac, _called, _interface, _name, _address, _session),
    Service.WIRELESS: (_framed, _interface, _wireless, _name, _session, _multi_session, _mac, _called),
}
_NOT_AT_LOGIN: Final[dict[Service, Sequence[Row]]] = {Service.DHCP: (_session,)}
_AFTER_CREDENTIALS: Final[dict[Service, Sequence[Row]]] = {Service.HOTSPOT: (_login, _logoff)}

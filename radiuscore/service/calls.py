"""What a program may say in a call, read once: anything it cannot mean is `bad_request`, with the argument's name."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.names import username_key
from radiuscore.aaa.records import IspId
from radiuscore.service.answers import CallFailed, Fault
from radiuscore.store.session_lookup import SessionName
from radiuscore.wire.codes import AcctStatusType
from radiuscore.wire.names import TERMINATE_CAUSES

T = TypeVar("T")
Address: TypeAlias = IPv4Address | IPv6Address

_MAX_INTEGER: Final = (1 << 32) - 1
_MAX_OCTETS: Final = (1 << 62) - 1
_STATUS: Final = {
    "start": AcctStatusType.START,
    "stop": AcctStatusType.STOP,
    "interim-update": AcctStatusType.INTERIM_UPDATE,
    "interim": AcctStatusType.INTERIM_UPDATE,
    "alive": AcctStatusType.INTERIM_UPDATE,
}
_CAUSES: Final = {name.lower(): number for number, name in TERMINATE_CAUSES.items()}


class Attempt(NamedTuple):
    """One login. ``isp_id`` is needed where several ISPs have a device at ``nas_ip``. ``repr`` hides the password."""

    username: bytes
    password: bytes
    nas_ip: Address
    isp_id: IspId | None
    calling_station_id: str | None

    def __repr__(self) -> str:
        return f"Attempt(nas_ip={self.nas_ip}, isp_id={self.isp_id})"


class UsageReport(NamedTuple):
    """What is said of a session, and by what that session is meant; ``None`` is not said."""

    status: AcctStatusType
    session_id: str
    nas_ip: Address | None
    isp_id: IspId | None
    username: bytes | None
    session_time: int | None
    input_octets: int | None
    output_octets: int | None
    terminate_cause: int | None
    framed_ip: IPv4Address | None
    calling_station_id: str | None

    def event_of(self, session: SessionName) -> AccountingEvent:
        """Return the report as an event of that session, received now."""
        return AccountingEvent(
            isp_id=session.isp_id,
            nas_id=session.nas_id,
            status=self.status,
            acct_session_id=session.acct_session_id,
            username=session.username,
            username_key=session.username_key,
            received_at=time.time(),
            session_time=self.session_time,
            input_octets=self.input_octets,
            output_octets=self.output_octets,
            terminate_cause=self.terminate_cause,
            session_uuid=session.id.bytes if session.id is not None else None,
            framed_ip_address=self.framed_ip,
            calling_station_id=self.calling_station_id,
        )

    @property
    def username_key(self) -> str | None:
        """The username in the form in which sessions are found."""
        return None if self.username is None else username_key(self.username)


def read_attempt(given: dict[str, Any]) -> Attempt:
    """Read the arguments of ``authenticate_user``. Raises `CallFailed`."""
    return Attempt(
        username=_required(given, "username", _octets),
        password=_required(given, "password", _octets),
        nas_ip=_required(given, "nas_ip", _address),
        isp_id=_optional(given, "isp_id", _count),
        calling_station_id=_optional(given, "calling_station_id", _text),
    )


def read_usage(given: dict[str, Any]) -> UsageReport:
    """Read the arguments of ``handle_accounting``. Raises `CallFailed`."""
    return UsageReport(
        status=_required(given, "acct_type", _status),
        session_id=_required(given, "session_id", _text),
        nas_ip=_optional(given, "nas_ip", _address),
        isp_id=_optional(given, "isp_id", _count),
        username=_optional(given, "username", _octets),
        session_time=_optional(given, "session_time", _count),
        input_octets=_total(given, "input_octets", "input_gigawords"),
        output_octets=_total(given, "output_octets", "output_gigawords"),
        terminate_cause=_optional(given, "terminate_cause", _cause),
        framed_ip=_optional(given, "framed_ip", _ipv4),
        calling_station_id=_optional(given, "calling_station_id", _text),
    )


def _required(given: dict[str, Any], name: str, read: Callable[[Any], T]) -> T:
    try:
        return read(given[name])
    except (TypeError, ValueError) as error:
        raise CallFailed(Fault.BAD_REQUEST, f"{name} {error}") from None


def _optional(given: dict[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    return None if given[name] is None else _required(given, name, read)


def _total(given: dict[str, Any], low: str, high: str) -> int | None:
    """Return octets with their Gigawords (RFC 2869 §5.1): a program may give the whole, or both as a router does."""
    octets, gigawords = _optional(given, low, _count), _optional(given, high, _count)
    if octets is None:
        return None
    total = octets + ((gigawords or 0) << 32)
    if total > _MAX_OCTETS:
        raise CallFailed(Fault.BAD_REQUEST, f"{low} with {high} is more than can be counted")
    return total


def _octets(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return _text(value, empty=True).encode("utf-8", "surrogatepass")


def _text(value: Any, *, empty: bool = False) -> str:
    if not isinstance(value, str):
        raise TypeError("is not text")
    if not value and not empty:
        raise ValueError("is empty")
    return value.replace("\0", "\\x00")


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("is not a whole number")
    if not 0 <= value <= _MAX_OCTETS:
        raise ValueError("is not a number from 0 on")
    return value


def _address(value: Any) -> Address:
    try:
        return value if isinstance(value, Address) else ip_address(_text(value))
    except ValueError:
        raise ValueError("is not an IPv4 or IPv6 address") from None


def _ipv4(value: Any) -> IPv4Address:
    address = _address(value)
    if not isinstance(address, IPv4Address):
        raise ValueError("is not an IPv4 address")
    return address


def _status(value: Any) -> AcctStatusType:
    if isinstance(value, int) and value in set(_STATUS.values()):
        return AcctStatusType(value)
    status = _STATUS.get(_text(value).lower())
    if status is None:
        raise ValueError("is not Start, Interim-Update or Stop")
    return status


def _cause(value: Any) -> int:
    if isinstance(value, str):
        cause = _CAUSES.get(value.lower())
        if cause is None:
            raise ValueError("is no name of an Acct-Terminate-Cause, such as User-Request")
        return cause
    if _count(value) > _MAX_INTEGER:
        raise ValueError("is not a number of 32 bits")
    return int(value)

"""What a call returns: success, and a dictionary that says either who it is or what is wrong."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, TypeAlias

from radiuscore.aaa.access import MESSAGES
from radiuscore.aaa.decisions import Accept, Reject, RejectReason
from radiuscore.wire.codes import Code
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.packet import HEADER_LENGTH, decode
from radiuscore.wire.registry import STANDARD
from radiuscore.wire.rfc import CLASS

Result: TypeAlias = tuple[bool, dict[str, Any]]

_ADDRESSES: Final = IPv4Address | IPv6Address | IPv4Network | IPv6Network
_TO_STAFF: Final = {
    RejectReason.UNKNOWN_USER: "No customer of the device's ISP has this username.",
    RejectReason.BAD_CREDENTIALS: "The password is wrong.",
    RejectReason.BAD_REQUEST: "The username is empty.",
}


class Fault(StrEnum):
    """Why a call failed that decided on no customer; with `RejectReason`, every value that ``error`` can have."""

    UNKNOWN_NAS = "unknown_nas"
    AMBIGUOUS_NAS = "ambiguous_nas"
    BAD_REQUEST = "bad_request"
    UNKNOWN_SESSION = "unknown_session"
    AMBIGUOUS_SESSION = "ambiguous_session"
    DATABASE_UNAVAILABLE = "database_unavailable"


class CallFailed(Exception):
    """A call's failure on its way to whoever turns it into a `Result`."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.result: Result = failure(fault, message)


def failure(error: str, message: str) -> Result:
    """Return a failed call."""
    return False, {"error": str(error), "message": message}


def rejection(reject: Reject) -> Result:
    """Return a rejected login, explained to the program that asked (the customer would be told less)."""
    reason = RejectReason(reject.reason)
    return failure(reason, MESSAGES.get(reason) or _TO_STAFF.get(reason, "This login cannot be accepted."))


def attributes_of(accept: Accept) -> dict[str, Any]:
    """Return a reply's attributes by name, without the Class, which is the session's id; several values are a list."""
    octets = accept.attributes
    header = bytes((Code.ACCESS_ACCEPT, 0)) + (HEADER_LENGTH + len(octets)).to_bytes(2, "big") + bytes(16)
    found: dict[str, list[Any]] = {}
    for key, value in read_leaves(decode(header + octets).attributes):
        attribute = STANDARD.by_key(key)
        if attribute is None or key == CLASS.key:
            continue
        parsed = attribute.parse(value)
        found.setdefault(attribute.name, []).append(str(parsed) if isinstance(parsed, _ADDRESSES) else parsed)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}

"""Dynamic authorization decided (RFC 5176): which session is meant, what to ask of its NAS, what the answer means.

RouterOS sets the rules: it wants a session named by several attributes at once, it changes some attributes of a session
that is up and not others, and it says 503 where the session is gone. Sending is in `radiuscore.server.dynauth`.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Final, NamedTuple

from radiuscore.aaa.reaction import CHANGEABLE, attributes_of, name_of
from radiuscore.aaa.records import IspId, NasId
from radiuscore.wire.codes import Code, ErrorCause
from radiuscore.wire.packet import Packet, Pair, encode_attributes
from radiuscore.wire.rfc import ACCT_SESSION_ID, ERROR_CAUSE, FRAMED_IP_ADDRESS, NAS_IP_ADDRESS, USER_NAME

_ROUTEROS_SESSION_ID: Final = re.compile(r"[0-9a-f]{8}")
_ESCAPE: Final = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


class Service(StrEnum):
    """What logs customers in at a router. RouterOS says it in the first two digits of an Acct-Session-Id."""

    HOTSPOT = "hotspot"
    PPP = "ppp"
    WIRELESS = "wireless"
    DHCP = "dhcp"
    DOT1X = "dot1x"


_SERVICES: Final = {
    "80": Service.HOTSPOT,
    "81": Service.PPP,
    "82": Service.WIRELESS,
    "83": Service.DHCP,
    "86": Service.DOT1X,
}
_KNOWN_BY_ADDRESS: Final = frozenset({Service.HOTSPOT, Service.DHCP})


class LiveSession(NamedTuple):
    """A session as its NAS reported it, as far as it takes to name it to that NAS.

    ``username`` and ``acct_session_id`` are in the form of `names.text_of`, letter case and all. ``nas_ip_address`` is
    what the NAS calls itself, which behind NAT is not where it can be reached; ``None`` leaves it out.
    """

    isp_id: IspId
    nas_id: NasId
    username: str
    acct_session_id: str
    framed_ip_address: IPv4Address | None = None
    nas_ip_address: IPv4Address | None = None


class CannotIdentify(ValueError):
    """What is known of a session is too little to name it: a request might end another one. The message says what."""


def service_of(acct_session_id: str) -> Service | None:
    """Return the service of a RouterOS session, ``None`` where the id is not RouterOS's."""
    return _SERVICES.get(acct_session_id[:2]) if _ROUTEROS_SESSION_ID.fullmatch(acct_session_id) else None


def disconnect_attributes(session: LiveSession) -> bytes:
    """Return what a Disconnect-Request says: which session is to end. Raises `CannotIdentify`."""
    return encode_attributes(_identity(session))


def coa_attributes(session: LiveSession, changes: bytes | Sequence[Pair]) -> bytes:
    """Return what a CoA-Request says: which session, then what is to change of it.

    Raises `CannotIdentify`, and `ValueError`, which names the attribute, for one that RouterOS does not change while
    a session is up.
    """
    wanted = attributes_of(changes)
    for key in wanted:
        if key not in CHANGEABLE:
            raise ValueError(f"{name_of(key)} cannot be changed while the session is up")
    octets = changes if isinstance(changes, bytes) else encode_attributes(changes)
    return encode_attributes(_identity(session)) + octets


def _identity(session: LiveSession) -> list[Pair]:
    """Return all that names the session, and not less than RouterOS needs.

    A name alone may be that of another session too. A hotspot or DHCP session without its address makes RouterOS take
    a User-Name that is a MAC for one of its *wireless* clients, and end that.
    """
    known = {
        USER_NAME.type: _octets_of(session.username),
        ACCT_SESSION_ID.type: _octets_of(session.acct_session_id),
        FRAMED_IP_ADDRESS.type: session.framed_ip_address.packed if session.framed_ip_address is not None else b"",
    }
    named = [(kind, octets) for kind, octets in known.items() if octets]
    service = service_of(session.acct_session_id)
    if service in _KNOWN_BY_ADDRESS and session.framed_ip_address is None:
        raise CannotIdentify(f"a {service} session is known by its address, and the router has not reported one")
    if len(named) < 2:
        raise CannotIdentify("of user name, session id and address the router has reported only one")
    if session.nas_ip_address is not None:
        named.append(NAS_IP_ADDRESS(session.nas_ip_address))
    return named


def _octets_of(text: str) -> bytes:
    """Return the octets that `names.text_of` made this text of."""
    octets = text.encode()
    if "\\x" not in text and "\\\\" not in text:
        return octets
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)) if match[1] else b"\\", octets)


class ReactionResult(StrEnum):
    """What came of a request to change or end a session: a closed set, stored and shown."""

    APPLIED = "applied"
    DISCONNECTED = "disconnected"
    ALREADY_GONE = "already_gone"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"


class Answer(NamedTuple):
    """What a NAS answered. ``error_cause`` is that of a NAK, if it has one (RFC 5176 §3.5)."""

    result: ReactionResult
    error_cause: int | None = None


ANSWERS: Final[Mapping[int, tuple[int, int]]] = MappingProxyType(
    {
        Code.COA_REQUEST: (Code.COA_ACK, Code.COA_NAK),
        Code.DISCONNECT_REQUEST: (Code.DISCONNECT_ACK, Code.DISCONNECT_NAK),
    }
)
"""The codes of the ACK and of the NAK that answer a request."""

_ACKS: Final = {
    Code.COA_ACK: Answer(ReactionResult.APPLIED),
    Code.DISCONNECT_ACK: Answer(ReactionResult.DISCONNECTED),
}


def read_answer(reply: Packet) -> Answer:
    """Return what an ACK or NAK means for the session. 503 is no refusal: the session has ended already."""
    acknowledged = _ACKS.get(Code(reply.code))
    if acknowledged is not None:
        return acknowledged
    cause = ERROR_CAUSE.first(reply)
    gone = cause == ErrorCause.SESSION_CONTEXT_NOT_FOUND
    return Answer(ReactionResult.ALREADY_GONE if gone else ReactionResult.REFUSED, cause)


_REFUSALS: Final[Mapping[int, str]] = {
    ErrorCause.UNSUPPORTED_ATTRIBUTE: "The router does not take one of the attributes that were sent.",
    ErrorCause.MISSING_ATTRIBUTE: "The router needs to know more to tell which session is meant.",
    ErrorCause.NAS_IDENTIFICATION_MISMATCH: "The router no longer goes by the address that it reported as its own.",
    ErrorCause.INVALID_REQUEST: "The router could not read the request.",
    ErrorCause.UNSUPPORTED_SERVICE: "The router does not offer this for the session's kind of service.",
    ErrorCause.UNSUPPORTED_EXTENSION: "The router takes no such requests: set accept=yes in /radius incoming.",
    ErrorCause.INVALID_ATTRIBUTE_VALUE: "The router does not accept a value: check the plan's speeds and names.",
    ErrorCause.ADMINISTRATIVELY_PROHIBITED: "The router is set up to refuse this.",
    ErrorCause.SESSION_CONTEXT_NOT_FOUND: "The router has no such session: it has ended already.",
    ErrorCause.SESSION_CONTEXT_NOT_REMOVABLE: "The router cannot end this session: remove it there.",
    ErrorCause.RESOURCES_UNAVAILABLE: "The router is too busy: try again.",
    ErrorCause.MULTIPLE_SESSION_SELECTION_UNSUPPORTED: "The router found several sessions that fit and takes only one.",
}


def refusal_text(error_cause: int | None) -> str:
    """Return why a NAS refused, in one sentence for staff."""
    if error_cause is None:
        return "The router refused and gave no reason."
    return _REFUSALS.get(error_cause, f"The router refused with Error-Cause {error_cause}.")


def silence_text(badly_signed: int) -> str:
    """Return why a NAS may not have answered, in one sentence for staff; ``badly_signed`` answers were not believed."""
    if badly_signed:
        return "The router answered with another secret than the one that is entered here."
    return (
        "The router did not answer: look at its port for CoA and accept=yes in /radius incoming, at the secret, at"
        " firewall and NAT, and whether this server's address is in its /radius list."
    )

"""Datagrams to packets and back: every octet is accounted for, no value is judged, one error leaves.

What attributes mean is in `attributes`; which packets to trust is in `authenticator`.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from radiuscore.wire.codes import Code
from radiuscore.wire.errors import Discard, MalformedPacket, PacketTooLong
from radiuscore.wire.secret import SharedSecret, md5

HEADER_LENGTH: Final = 20
MAX_LENGTH: Final = 4096
MAX_ATTRIBUTES: Final = 200
MAX_VALUE_LENGTH: Final = 253
AUTHENTICATOR_LENGTH: Final = 16
ZERO_AUTHENTICATOR: Final = bytes(AUTHENTICATOR_LENGTH)

MESSAGE_AUTHENTICATOR: Final = 80
MESSAGE_AUTHENTICATOR_HEADER: Final = bytes((MESSAGE_AUTHENTICATOR, 2 + AUTHENTICATOR_LENGTH))
_SIGNATURE_LENGTH: Final = 2 + AUTHENTICATOR_LENGTH
_UNSIGNED: Final = MESSAGE_AUTHENTICATOR_HEADER + ZERO_AUTHENTICATOR

_HEADER: Final = Struct("!BBH")
_OWN_AUTHENTICATOR: Final = frozenset({Code.ACCESS_REQUEST, Code.STATUS_SERVER})

Pair: TypeAlias = tuple[int, bytes]
"""An attribute on the wire: Type and Value. A vendor's is ``(26, vendor id in 4 octets + its sub-attributes)``."""


class Packet(NamedTuple):
    """One RADIUS packet: header and attributes in their order, values in octets (RFC 2865 §3).

    ``authenticator`` is 16 octets. `registry.describe` prints a packet for people; ``repr`` shows no value.
    """

    code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Pair, ...]

    def __repr__(self) -> str:
        return f"Packet(code={self.code}, identifier={self.identifier}, {len(self.attributes)} attributes)"


def decode(datagram: bytes) -> Packet:
    """Split a datagram into header and attributes, without judging any value.

    Octets after the Length field's count are padding and are ignored.
    Raises `MalformedPacket` and nothing else. (RFC 2865 §3, §5)
    """
    if len(datagram) < HEADER_LENGTH:
        raise MalformedPacket(Discard.SHORT_PACKET, len(datagram))
    code, identifier, length = _HEADER.unpack_from(datagram)
    if not HEADER_LENGTH <= length <= min(len(datagram), MAX_LENGTH):
        raise MalformedPacket(Discard.BAD_LENGTH, 2)

    attributes: list[Pair] = []
    start = end = HEADER_LENGTH
    while end < length - 1:
        start = end
        size = datagram[start + 1]
        if size < 2:
            raise MalformedPacket(Discard.BAD_ATTRIBUTE, start)
        end += size
        attributes.append((datagram[start], datagram[start + 2 : end]))
    if end != length:  # the last one is cut off, or a single octet is left
        raise MalformedPacket(Discard.BAD_ATTRIBUTE, start if end > length else end)
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedPacket(Discard.TOO_MANY_ATTRIBUTES, HEADER_LENGTH)
    return Packet(code, identifier, datagram[4:HEADER_LENGTH], tuple(attributes))


def encode_attributes(pairs: Iterable[Pair]) -> bytes:
    """Return the octets of attributes in the order given (RFC 2865 §5).

    Raises `ValueError`, which names the attribute and never shows its value, for what no attribute can hold.
    """
    parts: list[bytes] = []
    for kind, value in pairs:
        if not 0 < kind < 256:
            raise ValueError(f"there is no attribute type {kind}: it must be 1 to 255")
        if len(value) > MAX_VALUE_LENGTH:
            raise ValueError(f"attribute {kind} is {len(value)} octets long: at most {MAX_VALUE_LENGTH} fit")
        parts.append(bytes((kind, len(value) + 2)) + value)
    return b"".join(parts)


def encode_reply(
    code: int, identifier: int, request_authenticator: bytes, attributes: bytes, secret: SharedSecret, *, sign: bool
) -> bytes:
    """Return the datagram that answers a request; ``attributes`` are encoded already.

    ``sign`` puts a Message-Authenticator before all other attributes, where an attacker cannot prefix it with
    octets of his choice (RFC 3579 §3.2, CVE-2024-3596). Raises `PacketTooLong` over 4096 octets.
    """
    length = HEADER_LENGTH + len(attributes) + (_SIGNATURE_LENGTH if sign else 0)
    if length > MAX_LENGTH:
        raise PacketTooLong(f"the reply would be {length} octets long: at most {MAX_LENGTH} fit")
    header = _HEADER.pack(code, identifier, length)
    start = header + request_authenticator
    if sign:
        attributes = MESSAGE_AUTHENTICATOR_HEADER + secret.hmac_md5(start + _UNSIGNED + attributes) + attributes
    return header + md5(start + attributes + secret.octets) + attributes


def encode_request(
    code: int,
    identifier: int,
    attributes: bytes,
    secret: SharedSecret,
    *,
    authenticator: bytes | None = None,
    sign: bool = False,
) -> bytes:
    """Return the datagram of a request; ``attributes`` are encoded already.

    Access-Request and Status-Server carry an ``authenticator`` of 16 random octets, which the caller gives
    (RFC 2865 §3, RFC 5997 §3); that of the others is computed (RFC 2866 §3, RFC 5176 §2.3).
    ``sign`` puts a Message-Authenticator first. Raises `PacketTooLong` over 4096 octets.
    """
    if (code in _OWN_AUTHENTICATOR) != (authenticator is not None):
        raise ValueError("Access-Request and Status-Server need an authenticator, other requests compute theirs")
    if authenticator is None:
        return encode_reply(code, identifier, ZERO_AUTHENTICATOR, attributes, secret, sign=sign)
    if len(authenticator) != AUTHENTICATOR_LENGTH:
        raise ValueError(f"an authenticator is {AUTHENTICATOR_LENGTH} octets long, not {len(authenticator)}")
    length = HEADER_LENGTH + len(attributes) + (_SIGNATURE_LENGTH if sign else 0)
    if length > MAX_LENGTH:
        raise PacketTooLong(f"the request would be {length} octets long: at most {MAX_LENGTH} fit")
    start = _HEADER.pack(code, identifier, length) + authenticator
    if sign:
        return start + MESSAGE_AUTHENTICATOR_HEADER + secret.hmac_md5(start + _UNSIGNED + attributes) + attributes
    return start + attributes

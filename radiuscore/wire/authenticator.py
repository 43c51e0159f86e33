"""Who sent this packet: Request Authenticator, Response Authenticator, Message-Authenticator, all in constant time.

Each question is answered with true or false for octets of any kind; only octets within the Length field count.
"""

from hmac import compare_digest
from typing import Final

from radiuscore.wire.codes import Code
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import (
    AUTHENTICATOR_LENGTH,
    HEADER_LENGTH,
    MESSAGE_AUTHENTICATOR,
    MESSAGE_AUTHENTICATOR_HEADER,
    ZERO_AUTHENTICATOR,
    Packet,
    decode,
)
from radiuscore.wire.secret import SharedSecret, md5

_COMPUTED_AUTHENTICATOR: Final = frozenset({Code.ACCOUNTING_REQUEST, Code.COA_REQUEST, Code.DISCONNECT_REQUEST})


def is_signed_request(datagram: bytes, secret: SharedSecret) -> bool:
    """Tell whether the Request Authenticator was computed with ``secret``.

    For Accounting-Request, CoA-Request and Disconnect-Request (RFC 2866 §3, RFC 5176 §2.3).
    """
    if _length(datagram) < HEADER_LENGTH:
        return False
    return compare_digest(secret.md5_before(authenticated_octets(datagram)), datagram[4:HEADER_LENGTH])


def message_authenticators(packet: Packet) -> list[bytes]:
    """Return the value of every Message-Authenticator, in octets of any length; an honest packet has one or none."""
    return [value for kind, value in packet.attributes if kind == MESSAGE_AUTHENTICATOR]


def verify_message_authenticator(datagram: bytes, packet: Packet, secret: SharedSecret) -> bool:
    """Tell whether the request has exactly one Message-Authenticator and it was computed with ``secret``.

    ``packet`` is the decoded ``datagram``. It is computed over the packet with the attribute's value zeroed and, where
    the Request Authenticator is computed itself, that zeroed too (RFC 3579 §3.2, RFC 5176 §3.4).
    """
    signed = signed_octets(datagram, packet)
    return signed is not None and compare_digest(secret.hmac_md5(signed[0]), signed[1])


def verify_reply(reply: bytes, request: bytes, secret: SharedSecret) -> bool:
    """Tell whether ``reply`` answers ``request`` and was computed with ``secret``.

    Identifier and Response Authenticator must be right, and the Message-Authenticator where there is one
    (RFC 2865 §3, RFC 3579 §3.2). Whether there must be one is the caller's policy.
    """
    try:
        packet = decode(reply)
    except MalformedPacket:
        return False
    if len(request) < HEADER_LENGTH or packet.identifier != request[1]:
        return False
    request_authenticator = request[4:HEADER_LENGTH]
    expected = md5(reply[:4] + request_authenticator + reply[HEADER_LENGTH : _length(reply)] + secret.octets)
    if not compare_digest(expected, packet.authenticator):
        return False
    return not message_authenticators(packet) or _is_signed(reply, packet, request_authenticator, secret)


def signed_octets(datagram: bytes, packet: Packet) -> tuple[bytes, bytes] | None:
    """Return what a request's Message-Authenticator is computed over, and its value; ``None`` unless it has just one.

    So that several secrets can be tried on one request: its sender's is the one whose HMAC-MD5 over the first is the
    second.
    """
    signed = _signed_octets(datagram, packet)
    if packet.code not in _COMPUTED_AUTHENTICATOR or signed is None:
        return signed
    return _with_authenticator(signed[0], ZERO_AUTHENTICATOR), signed[1]


def authenticated_octets(datagram: bytes) -> bytes:
    """Return what, with the secret behind it, gives the computed Request Authenticator (RFC 2866 §3, RFC 5176 §2.3)."""
    return datagram[:4] + ZERO_AUTHENTICATOR + datagram[HEADER_LENGTH : _length(datagram)]


def _is_signed(datagram: bytes, packet: Packet, authenticator: bytes, secret: SharedSecret) -> bool:
    signed = _signed_octets(datagram, packet)
    return signed is not None and compare_digest(
        secret.hmac_md5(_with_authenticator(signed[0], authenticator)), signed[1]
    )


def _signed_octets(datagram: bytes, packet: Packet) -> tuple[bytes, bytes] | None:
    values = [value for kind, value in packet.attributes if kind == MESSAGE_AUTHENTICATOR]
    if len(values) != 1 or len(values[0]) != AUTHENTICATOR_LENGTH:
        return None
    length = datagram[2] << 8 | datagram[3]
    # The same octets inside an earlier value would be found first. The digest over them is then wrong, as it should
    # be: nobody can make a packet that contains its own digest twice.
    value = datagram.find(MESSAGE_AUTHENTICATOR_HEADER + values[0], HEADER_LENGTH, length) + 2
    zeroed = datagram[:value] + ZERO_AUTHENTICATOR + datagram[value + AUTHENTICATOR_LENGTH : length]
    return zeroed, values[0]


def _with_authenticator(octets: bytes, authenticator: bytes) -> bytes:
    return octets[:4] + authenticator + octets[HEADER_LENGTH:]


def _length(datagram: bytes) -> int:
    """Return the Length field, or 0 where the datagram is shorter than it says."""
    if len(datagram) < HEADER_LENGTH:
        return 0
    length = datagram[2] << 8 | datagram[3]
    return length if length <= len(datagram) else 0

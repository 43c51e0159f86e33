"""May this datagram be answered, and whom may it let in? Decided from octets alone, without the server's code."""

from collections.abc import Mapping

from tests.protocol import oracle
from tests.protocol.oracle import (
    ACCESS_REQUEST,
    ACCOUNTING_REQUEST,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    MICROSOFT,
    STATUS_SERVER,
)


def attributes_of(datagram: bytes) -> list[tuple[int, bytes]] | None:
    """Return the attributes within the Length, or ``None`` where this is no packet (RFC 2865 §3, §5)."""
    if len(datagram) < 20:
        return None
    length = int.from_bytes(datagram[2:4], "big")
    if not 20 <= length <= min(4096, len(datagram)):
        return None
    try:
        attributes = list(oracle.split(datagram[20:length]))
    except (AssertionError, IndexError):
        return None
    return attributes if len(attributes) <= 200 else None


def is_signed(datagram: bytes, secret: bytes) -> bool:
    """Tell whether exactly one Message-Authenticator is there and right (RFC 3579 §3.2)."""
    length, places, offset = int.from_bytes(datagram[2:4], "big"), [], 20
    while offset < length:
        if datagram[offset] == MESSAGE_AUTHENTICATOR:
            places.append(offset)
        offset += datagram[offset + 1]
    if len(places) != 1 or datagram[places[0] + 1] != 18:
        return False
    value = places[0] + 2
    authenticator = bytes(16) if datagram[0] == ACCOUNTING_REQUEST else datagram[4:20]
    unsigned = datagram[:4] + authenticator + datagram[20:value] + bytes(16) + datagram[value + 16 : length]
    return datagram[value : value + 16] == oracle.hmac_md5(secret, unsigned)


def may_answer(datagram: bytes, secret: bytes) -> bool:
    """Tell whether a NAS with this secret may have sent the request, as far as a server can know."""
    attributes = attributes_of(datagram)
    if attributes is None:
        return False
    kinds = {kind for kind, _ in attributes}
    signed = MESSAGE_AUTHENTICATOR in kinds
    if signed and not is_signed(datagram, secret):
        return False
    if datagram[0] == ACCOUNTING_REQUEST:
        length = int.from_bytes(datagram[2:4], "big")
        return datagram[4:20] == oracle.md5(datagram[:4], bytes(16), datagram[20:length], secret)
    if datagram[0] == STATUS_SERVER:
        return signed
    return datagram[0] == ACCESS_REQUEST and (signed or EAP_MESSAGE not in kinds)


def proves(datagram: bytes, password: str, secrets: list[bytes]) -> bool:
    """Tell whether an Access-Request holds a proof of the password, by any method and any of the NAS's secrets."""
    attributes = attributes_of(datagram)
    assert attributes is not None
    first: dict[int, bytes] = {}
    for kind, value in attributes:
        first.setdefault(kind, value)
    authenticator, octets = datagram[4:20], password.encode()
    if hidden := first.get(oracle.USER_PASSWORD):
        right = 16 <= len(hidden) <= 128 and len(hidden) % 16 == 0
        return right and any(oracle.reveal(hidden, secret, authenticator).rstrip(b"\0") == octets for secret in secrets)
    if response := first.get(oracle.CHAP_PASSWORD):
        challenge = first.get(oracle.CHAP_CHALLENGE) or authenticator
        return len(response) == 17 and response == oracle.chap(response[0], octets, challenge)
    return _proves_mschap(attributes, first.get(oracle.USER_NAME, b""), password)


def _proves_mschap(attributes: list[tuple[int, bytes]], username: bytes, password: str) -> bool:
    offered = _microsoft(attributes)
    challenge = offered.get(oracle.MS_CHAP_CHALLENGE, b"")
    v2, v1 = offered.get(oracle.MS_CHAP2_RESPONSE, b""), offered.get(oracle.MS_CHAP_RESPONSE, b"")
    if len(challenge) == 16 and len(v2) == 50:
        hashed = oracle.challenge_hash(v2[2:18], challenge, username.rpartition(b"\\")[2])
        return v2[26:] == oracle.nt_response(hashed, password)
    return len(challenge) == 8 and len(v1) == 50 and v1[26:] == oracle.nt_response(challenge, password)


def _microsoft(attributes: list[tuple[int, bytes]]) -> Mapping[int, bytes]:
    found: dict[int, bytes] = {}
    for kind, value in attributes:
        if kind == oracle.VENDOR_SPECIFIC and value[:4] == MICROSOFT.to_bytes(4, "big"):
            try:
                pairs = list(oracle.split(value[4:]))
            except (AssertionError, IndexError):
                continue
            for number, octets in pairs:
                found.setdefault(number, octets)
    return found

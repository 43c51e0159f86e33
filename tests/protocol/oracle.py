"""RADIUS as the RFCs write it, from digests and DES alone: nothing here comes from the server that it judges."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from Crypto.Cipher import DES
from Crypto.Hash import MD4
from pyrad.client import Client
from pyrad.dictionary import Dictionary
from pyrad.packet import Packet as PyradPacket
from pyrad.packet import PacketError

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
STATUS_SERVER = 12

USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS, NAS_PORT = 1, 2, 3, 4, 5
REPLY_MESSAGE, STATE, CLASS, VENDOR_SPECIFIC, SESSION_TIMEOUT = 18, 24, 25, 26, 27
CALLING_STATION_ID, NAS_IDENTIFIER, PROXY_STATE = 31, 32, 33
ACCT_STATUS_TYPE, ACCT_SESSION_ID, CHAP_CHALLENGE = 40, 44, 60
EAP_MESSAGE, MESSAGE_AUTHENTICATOR, ERROR_CAUSE = 79, 80, 101

MICROSOFT, MIKROTIK = 311, 14988
MS_CHAP_RESPONSE, MS_CHAP_ERROR, MS_CHAP_CHALLENGE, MS_CHAP_MPPE_KEYS = 1, 2, 11, 12
MS_MPPE_ENCRYPTION_POLICY, MS_MPPE_ENCRYPTION_TYPES, MS_MPPE_SEND_KEY, MS_MPPE_RECV_KEY = 7, 8, 16, 17
MS_CHAP2_RESPONSE, MS_CHAP2_SUCCESS = 25, 26


def md5(*parts: bytes) -> bytes:
    return hashlib.md5(b"".join(parts), usedforsecurity=False).digest()


def hmac_md5(secret: bytes, message: bytes) -> bytes:
    return hmac.new(secret, message, hashlib.md5).digest()


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()


# Attributes and packets (RFC 2865 §3, §5)


def attribute(kind: int, value: bytes | str | int) -> bytes:
    """Return one attribute; an integer takes 4 octets."""
    octets = value.to_bytes(4, "big") if isinstance(value, int) else value.encode() if isinstance(value, str) else value
    return bytes((kind, len(octets) + 2)) + octets


def vendor(number: int, *subattributes: bytes) -> bytes:
    """Return one Vendor-Specific attribute with any number of sub-attributes (RFC 2865 §5.26)."""
    return attribute(VENDOR_SPECIFIC, number.to_bytes(4, "big") + b"".join(subattributes))


def packet(code: int, identifier: int, authenticator: bytes, body: bytes) -> bytes:
    return bytes((code, identifier)) + (20 + len(body)).to_bytes(2, "big") + authenticator + body


def request(
    *attributes: bytes,
    code: int = ACCESS_REQUEST,
    identifier: int = 7,
    authenticator: bytes = bytes(range(16)),
    sign: bytes | None = None,
) -> bytes:
    """Return an Access-Request or Status-Server; ``sign`` appends a Message-Authenticator made with that secret."""
    body = b"".join(attributes)
    if sign is None:
        return packet(code, identifier, authenticator, body)
    message = packet(code, identifier, authenticator, body + attribute(MESSAGE_AUTHENTICATOR, bytes(16)))
    return message[:-16] + hmac_md5(sign, message)


def accounting(*attributes: bytes, secret: bytes, identifier: int = 7, sign: bool = False) -> bytes:
    """Return an Accounting-Request; ``sign`` appends a Message-Authenticator (RFC 2866 §3, RFC 3579 §3.2)."""
    body = b"".join(attributes)
    if sign:
        unsigned = packet(ACCOUNTING_REQUEST, identifier, bytes(16), body + attribute(MESSAGE_AUTHENTICATOR, bytes(16)))
        body = unsigned[20:-16] + hmac_md5(secret, unsigned)
    message = packet(ACCOUNTING_REQUEST, identifier, bytes(16), body)
    return message[:4] + md5(message, secret) + body


@dataclass(frozen=True)
class Reply:
    """A reply whose every octet was checked."""

    code: int
    identifier: int
    attributes: tuple[tuple[int, bytes], ...]

    def all(self, kind: int) -> list[bytes]:
        return [value for number, value in self.attributes if number == kind]

    def of_vendor(self, number: int, kind: int) -> list[bytes]:
        """Return the values of a vendor's attribute; each stands alone in its Vendor-Specific."""
        header = number.to_bytes(4, "big") + bytes((kind,))
        return [value[6:] for value in self.all(VENDOR_SPECIFIC) if value.startswith(header)]

    @property
    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.attributes]


def read_reply(octets: object, asked: bytes, secret: bytes) -> Reply:
    """Return what a reply says, having proved that it answers this request with this secret. pyrad must agree."""
    reply = check_reply(octets, asked, secret)
    assert isinstance(octets, bytes)
    assert pyrad_accepts(octets, asked, secret)
    return reply


def check_reply(octets: object, asked: bytes, secret: bytes) -> Reply:
    """Return what a reply says, having proved that it answers this request with this secret.

    A reply to an Access-Request must be signed, by its first attribute and only there; one on the accounting port must
    not be (RFC 2865 §3, RFC 2866 §3, RFC 3579 §3.2).
    """
    assert isinstance(octets, bytes), f"no reply: {octets}"
    assert 20 <= len(octets) <= 4096
    assert int.from_bytes(octets[2:4], "big") == len(octets)
    assert octets[1] == asked[1]
    request_authenticator, body = asked[4:20], octets[20:]
    assert octets[4:20] == md5(octets[:4], request_authenticator, body, secret)
    reply = Reply(octets[0], octets[1], tuple(split(body)))
    assert 0 not in reply.kinds
    if reply.code == ACCOUNTING_RESPONSE:
        assert MESSAGE_AUTHENTICATOR not in reply.kinds
    else:
        assert reply.kinds.count(MESSAGE_AUTHENTICATOR) == 1
        assert body[:2] == bytes((MESSAGE_AUTHENTICATOR, 18))
        unsigned = octets[:4] + request_authenticator + body[:2] + bytes(16) + body[18:]
        assert body[2:18] == hmac_md5(secret, unsigned)
    return reply


def split(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute; the last one must end where the packet does."""
    while body:
        length = body[1]
        assert 2 <= length <= len(body)
        yield body[0], body[2:length]
        body = body[length:]


def pyrad_accepts(reply: bytes, asked: bytes, secret: bytes) -> bool:
    """Tell whether pyrad, which shares no line with this file or the server, takes ``reply`` for the answer."""
    dictionary = Dictionary()
    client = Client(server="127.0.0.1", secret=secret, dict=dictionary)
    make = client.CreateAcctPacket if asked[0] == ACCOUNTING_REQUEST else client.CreateAuthPacket
    sent: PyradPacket = make(id=asked[1], authenticator=asked[4:20])
    sent.authenticator = asked[4:20]
    length = int.from_bytes(asked[2:4], "big")
    dict.__setitem__(sent, PROXY_STATE, [value for kind, value in split(asked[20:length]) if kind == PROXY_STATE])
    try:
        parsed = sent.CreateReply(packet=reply)
    except PacketError:
        return False
    signed = reply[20:21] == bytes((MESSAGE_AUTHENTICATOR,))
    return bool(sent.VerifyReply(parsed, reply, enforce_ma=signed))


# Passwords (RFC 2865 §5.2, §5.3; RFC 2868 §3.5)


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def hide(password: bytes, secret: bytes, authenticator: bytes = bytes(range(16)), blocks: int | None = None) -> bytes:
    """Return the value of User-Password, padded to ``blocks`` of 16 octets, or to as few as it needs."""
    size = 16 * (blocks if blocks is not None else max(1, -(-len(password) // 16)))
    hidden, before = b"", authenticator
    for start in range(0, size, 16):
        before = xor(password[start : start + 16].ljust(16, b"\0"), md5(secret, before))
        hidden += before
    return hidden


def reveal(hidden: bytes, secret: bytes, seed: bytes) -> bytes:
    """Undo `hide`, padding and all; ``seed`` is the authenticator, with the salt behind it where there is one."""
    blocks = [hidden[start : start + 16] for start in range(0, len(hidden), 16)]
    return b"".join(xor(block, md5(secret, before)) for before, block in zip([seed, *blocks], blocks, strict=False))


def reveal_key(value: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """Return the key in an MS-MPPE-Send-Key or -Recv-Key: salt, then length, key and zeros (RFC 2548 §2.4.2)."""
    salt, hidden = value[:2], value[2:]
    assert salt[0] & 0x80
    assert hidden
    assert len(hidden) % 16 == 0
    plain = reveal(hidden, secret, authenticator + salt)
    key, padding = plain[1 : 1 + plain[0]], plain[1 + plain[0] :]
    assert padding == bytes(len(padding))
    return key


def chap(ident: int, password: bytes, challenge: bytes) -> bytes:
    """Return the value of CHAP-Password."""
    return bytes((ident,)) + md5(bytes((ident,)), password, challenge)


# MS-CHAP and its keys (RFC 2433, RFC 2759 §8, RFC 3079 §3)


def nt_hash(password: str) -> bytes:
    return MD4.new(password.encode("utf-16-le")).digest()


def nt_hash_hash(password: str) -> bytes:
    return MD4.new(nt_hash(password)).digest()


def des(key: bytes, block: bytes) -> bytes:
    """Encrypt 8 octets with 7 octets of key, whose bits are spread over 8 (RFC 2759 §8.6)."""
    bits = "".join(f"{octet:08b}" for octet in key)
    spread = bytes(int(bits[start : start + 7] + "0", 2) for start in range(0, 56, 7))
    return DES.new(spread, DES.MODE_ECB).encrypt(block)


def nt_response(challenge: bytes, password: str) -> bytes:
    """Return the 24 octets that answer a challenge of 8 octets (RFC 2433 §A.5)."""
    key = nt_hash(password).ljust(21, b"\0")
    return b"".join(des(key[start : start + 7], challenge) for start in (0, 7, 14))


def challenge_hash(peer: bytes, authenticator: bytes, username: bytes) -> bytes:
    return sha1(peer, authenticator, username)[:8]


def mschap1(ident: int, challenge: bytes, password: str, flags: int = 1) -> bytes:
    """Return the value of MS-CHAP-Response with an NT response and no LM response (RFC 2548 §2.1.3)."""
    return bytes((ident, flags)) + bytes(24) + nt_response(challenge, password)


def mschap2(ident: int, authenticator: bytes, peer: bytes, username: bytes, password: str) -> bytes:
    """Return the value of MS-CHAP2-Response (RFC 2548 §2.3.2)."""
    response = nt_response(challenge_hash(peer, authenticator, username), password)
    return bytes((ident, 0)) + peer + bytes(8) + response


def success(authenticator: bytes, peer: bytes, username: bytes, password: str) -> bytes:
    """Return ``S=..``, which only who knows the password can make (RFC 2759 §8.7)."""
    challenge = challenge_hash(peer, authenticator, username)
    first = sha1(
        nt_hash_hash(password),
        nt_response(challenge, password),
        b"Magic server to client signing constant",
    )
    second = sha1(first, challenge, b"Pad to make it do more than one iteration")
    return b"S=" + second.hex().upper().encode()


def mppe_keys(response: bytes, password: str) -> tuple[bytes, bytes]:
    """Return the server's send key and receive key after MS-CHAPv2, 16 octets each (RFC 3079 §3.4)."""
    master = sha1(nt_hash_hash(password), response, b"This is the MPPE Master Key")[:16]
    sends = b"On the client side, this is the receive key; on the server side, it is the send key."
    receives = b"On the client side, this is the send key; on the server side, it is the receive key."
    send, receive = (sha1(master, bytes(40), magic, b"\xf2" * 40)[:16] for magic in (sends, receives))
    return send, receive

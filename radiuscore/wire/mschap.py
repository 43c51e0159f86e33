"""MS-CHAP, versions 1 and 2: what a customer's response must be, and the server's proof in return.

A response is three DES encryptions keyed with the NT hash of the password; `DesKeys` keeps their key schedules.
"""

from collections.abc import Callable
from hashlib import sha1
from typing import Final

from Crypto.Hash import MD4
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

AUTHENTICATION_FAILURE: Final = 691

_RESPONSE_KEY_LENGTH: Final = 21
_SIGNING: Final = b"Magic server to client signing constant"
_PADDING: Final = b"Pad to make it do more than one iteration"


def nt_hash(password: str | bytes) -> bytes:
    """Return MD4 over the password in UTF-16-LE, 16 octets (RFC 2759 §8.3). Octets are taken as UTF-8."""
    text = password.decode("utf-8", "surrogateescape") if isinstance(password, bytes) else password
    return _md4(text.encode("utf-16-le", "surrogatepass"))


def nt_hash_hash(nt_hash: bytes) -> bytes:
    """Return MD4 over the NT hash, 16 octets (RFC 2759 §8.4)."""
    return _md4(nt_hash)


class DesKeys:
    """The three DES encryptors of one NT hash: 10 us to make, 1 us to use. ``repr`` shows nothing of them."""

    __slots__ = ("_first", "_second", "_third")

    def __init__(self, nt_hash: bytes) -> None:
        key = nt_hash.ljust(_RESPONSE_KEY_LENGTH, b"\0")
        self._first = _des_encryptor(key[:7])
        self._second = _des_encryptor(key[7:14])
        self._third = _des_encryptor(key[14:])

    def response(self, challenge: bytes) -> bytes:
        """Return the 24 octets that answer a challenge of 8 octets (RFC 2433 §A.5, RFC 2759 §8.5)."""
        return self._first(challenge) + self._second(challenge) + self._third(challenge)


def v1_response(nt_hash: bytes, challenge: bytes) -> bytes:
    """Return the NT response of MS-CHAPv1 to a challenge of 8 octets: 24 octets (RFC 2433 §A.5)."""
    return DesKeys(nt_hash).response(challenge)


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, username: bytes) -> bytes:
    """Return the 8 octets that MS-CHAPv2 encrypts (RFC 2759 §8.2).

    Both challenges are 16 octets. ``username`` is as the customer typed it, without ``DOMAIN\\``.
    """
    return sha1(peer_challenge + authenticator_challenge + username, usedforsecurity=False).digest()[:8]


def v2_response(nt_hash: bytes, authenticator_challenge: bytes, peer_challenge: bytes, username: bytes) -> bytes:
    """Return the NT response of MS-CHAPv2, 24 octets (RFC 2759 §8.1)."""
    return v1_response(nt_hash, challenge_hash(peer_challenge, authenticator_challenge, username))


def v2_success(nt_hash_hash: bytes, nt_response: bytes, challenge_hash: bytes) -> bytes:
    """Return ``S=`` and 40 hex digits: the server's proof that it knows the password (RFC 2759 §8.7).

    It takes the hash of the NT hash, which a server keeps: MD4 costs more than all the rest of it.
    """
    digest = sha1(nt_hash_hash + nt_response + _SIGNING, usedforsecurity=False).digest()
    digest = sha1(digest + challenge_hash + _PADDING, usedforsecurity=False).digest()
    return b"S=" + digest.hex().upper().encode()


def failure(ident: int, challenge: bytes, *, error: int = AUTHENTICATION_FAILURE, retry: bool = False) -> bytes:
    """Return the value of MS-CHAP-Error: ident of the response, then ``E=691 R=0 C=.. V=3`` (RFC 2759 §6).

    ``challenge`` is fresh, 16 octets (8 in version 1), for the next try where ``retry`` allows one.
    """
    text = f"E={error} R={retry:d} C={challenge.hex().upper()} V=3"
    return bytes((ident,)) + text.encode()


def _md4(octets: bytes) -> bytes:
    return MD4.new(octets).digest()


def _des_encryptor(key: bytes) -> Callable[[bytes], bytes]:
    """Return DES in ECB mode as a function, from 7 octets of key (RFC 2759 §8.6). Each octet's parity bit is unused."""
    bits = int.from_bytes(key, "big")
    spread = bytes(bits >> shift & 0x7F for shift in range(49, -7, -7))
    single = bytes(octet << 1 for octet in spread)
    return Cipher(TripleDES(single * 3), ECB()).encryptor().update

"""The secret that a NAS and the server share: made once per NAS, so that every digest starts from kept states.

MD5 and HMAC-MD5 are what RADIUS asks for (RFC 2865 §3, RFC 3579 §3.2).
"""

import hashlib
from typing import Final, Protocol

_BLOCK_LENGTH: Final = 64
_INNER_PAD: Final = bytes(octet ^ 0x36 for octet in range(256))
_OUTER_PAD: Final = bytes(octet ^ 0x5C for octet in range(256))


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def copy(self) -> "_Digest": ...


def _openssl_md5(data: bytes = b"") -> _Digest:
    return hashlib.md5(data, usedforsecurity=False)


try:  # CPython's own MD5 costs a third of OpenSSL's where the input is as short as a packet.
    from _md5 import md5 as _builtin_md5  # type: ignore[import-not-found]  # private to CPython, so not in typeshed
except ImportError:
    _builtin_md5 = _openssl_md5


def md5(data: bytes) -> bytes:
    """Return the 16 octets of MD5."""
    digest: bytes = _builtin_md5(data).digest()
    return digest


class SharedSecret:
    """A shared secret: its octets, which no ``repr`` shows, and the digests keyed with it."""

    __slots__ = ("_inner", "_keyed", "_outer", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets: Final = octets
        key = octets if len(octets) <= _BLOCK_LENGTH else md5(octets)
        key = key.ljust(_BLOCK_LENGTH, b"\0")
        self._inner: Final[_Digest] = _builtin_md5(key.translate(_INNER_PAD))
        self._outer: Final[_Digest] = _builtin_md5(key.translate(_OUTER_PAD))
        self._keyed: Final[_Digest] = _builtin_md5(octets)

    def hmac_md5(self, data: bytes) -> bytes:
        """Return HMAC-MD5 over ``data``, 16 octets (RFC 2104)."""
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def md5_before(self, data: bytes) -> bytes:
        """Return MD5 over ``data`` followed by the secret, 16 octets: an authenticator (RFC 2865 §3, RFC 2866 §3)."""
        return md5(data + self.octets)

    def keyed_md5(self, data: bytes) -> bytes:
        """Return MD5 over the secret followed by ``data``, 16 octets: the stream that hides values (RFC 2865 §5.2)."""
        digest = self._keyed.copy()
        digest.update(data)
        return digest.digest()

    def __repr__(self) -> str:
        return "SharedSecret(hidden)"

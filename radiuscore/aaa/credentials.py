"""What a customer offers as proof: one class per method, each with one question, `proves`.

Comparison is in constant time, an empty password is proved only where a device is known by its MAC address,
and no credential shows what it holds.
"""

from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Final, Protocol, TypeAlias

from radiuscore.wire import mschap
from radiuscore.wire.password import chap_response, reveal_password
from radiuscore.wire.secret import SharedSecret


class NtKeys:
    """What MS-CHAP needs of a password: the hash of its NT hash, and the DES encryptors (about 25 us to make)."""

    __slots__ = ("des", "nt_hash_hash")

    def __init__(self, password: bytes) -> None:
        nt_hash = mschap.nt_hash(password)
        self.nt_hash_hash: Final = mschap.nt_hash_hash(nt_hash)
        self.des: Final = mschap.DesKeys(nt_hash)


NtKeysOf: TypeAlias = Callable[[bytes], NtKeys]


class Credential(Protocol):
    """One method's proof of a password."""

    method: str

    def proves(self, password: bytes) -> bool:
        """Tell whether who sent this knows ``password``."""
        ...


class Pap:
    """User-Password, hidden with a shared secret (RFC 2865 §5.2).

    While a NAS changes its secret, one of two may have hidden it; ``proved`` is the one that did, once that is known.
    """

    __slots__ = ("_authenticator", "_hidden", "_secrets", "proved")
    method = "pap"

    def __init__(self, hidden: bytes, authenticator: bytes, secrets: Sequence[SharedSecret]) -> None:
        self._hidden = hidden
        self._authenticator = authenticator
        self._secrets = secrets
        self.proved: SharedSecret | None = None

    def proves(self, password: bytes) -> bool:
        for secret in self._secrets:
            revealed = reveal_password(self._hidden, secret, self._authenticator)
            if revealed is not None and compare_digest(revealed, password):
                self.proved = secret
                return True
        return False


class Chap:
    """CHAP-Password over CHAP-Challenge or the Request Authenticator (RFC 2865 §5.3, §5.40)."""

    __slots__ = ("_challenge", "_response")
    method = "chap"

    def __init__(self, response: bytes, challenge: bytes) -> None:
        self._response = response
        self._challenge = challenge

    def proves(self, password: bytes) -> bool:
        expected = chap_response(self._response[0], password, self._challenge)
        return compare_digest(expected, self._response[1:])


class MsChapV1:
    """MS-CHAP-Response with an NT response (RFC 2433 §A.5, RFC 2548 §2.1.3)."""

    __slots__ = ("_challenge", "_keys_of", "_response", "proved")
    method = "mschapv1"

    def __init__(self, response: bytes, challenge: bytes, keys_of: NtKeysOf) -> None:
        self._response = response
        self._challenge = challenge
        self._keys_of = keys_of
        self.proved: NtKeys | None = None

    @property
    def ident(self) -> int:
        return self._response[0]

    def proves(self, password: bytes) -> bool:
        keys = self._keys_of(password)
        if not compare_digest(keys.des.response(self._challenge), self._response[26:50]):
            return False
        self.proved = keys
        return True


class MsChapV2:
    """MS-CHAP2-Response (RFC 2759 §8, RFC 2548 §2.3.2). The name is hashed as it was sent, without ``DOMAIN\\``.

    ``challenge_hash`` are the 8 octets that were encrypted (RFC 2759 §8.2).
    """

    __slots__ = ("_keys_of", "_response", "challenge_hash", "nt_response", "proved")
    method = "mschapv2"

    def __init__(self, response: bytes, challenge: bytes, username: bytes, keys_of: NtKeysOf) -> None:
        self._response = response
        self._keys_of = keys_of
        self.nt_response: Final = response[26:50]
        self.challenge_hash: Final = mschap.challenge_hash(response[2:18], challenge, username.rpartition(b"\\")[2])
        self.proved: NtKeys | None = None

    @property
    def ident(self) -> int:
        return self._response[0]

    def proves(self, password: bytes) -> bool:
        keys = self._keys_of(password)
        if not compare_digest(keys.des.response(self.challenge_hash), self.nt_response):
            return False
        self.proved = keys
        return True


class NoCredential:
    """A request that offers nothing that could be checked; ``method`` says whether it tried (EAP) or not."""

    __slots__ = ("method",)

    def __init__(self, method: str) -> None:
        self.method = method

    def proves(self, password: bytes) -> bool:
        return False

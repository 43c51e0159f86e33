"""How a customer proves a password through a NAS, and what the server must prove in return.

Pure: challenges are an argument. A reply is judged as the customer's own machine would judge it.
"""

from collections.abc import Callable
from enum import StrEnum
from hmac import compare_digest
from typing import Final, TypeAlias

from radiuscore.wire import mppe, mschap
from radiuscore.wire.microsoft import (
    MS_CHAP2_RESPONSE,
    MS_CHAP2_SUCCESS,
    MS_CHAP_CHALLENGE,
    MS_CHAP_MPPE_KEYS,
    MS_CHAP_RESPONSE,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
)
from radiuscore.wire.mppe import MppeKeys
from radiuscore.wire.packet import Packet, Pair
from radiuscore.wire.password import chap_response, hide_password, reveal_blocks, reveal_salted
from radiuscore.wire.rfc import CHAP_CHALLENGE, CHAP_PASSWORD, USER_PASSWORD
from radiuscore.wire.secret import SharedSecret

Random: TypeAlias = Callable[[int], bytes]

_NT_RESPONSE_FLAG: Final = 1
_LM_KEY_LENGTH: Final = 8
_KEY_LENGTH: Final = 16


class Method(StrEnum):
    """How a password is proved."""

    PAP = "pap"
    CHAP = "chap"
    MSCHAPV1 = "mschapv1"
    MSCHAPV2 = "mschapv2"


class BadProof(Exception):
    """The server accepted a login and did not prove that it knows the password, or sent keys that are not right.

    A customer's machine hangs up on this, though the router's log says that the login was accepted.
    """


class Offer:
    """What the customer offers: its attributes, and what an Access-Accept must hold for it (nothing, here)."""

    def __init__(self, *attributes: Pair) -> None:
        self.attributes: Final = attributes

    def verify_accept(self, accept: Packet, secret: SharedSecret, request_authenticator: bytes) -> MppeKeys | None:
        """Return the keys for encrypted PPP, if the Access-Accept has some. Raises `BadProof`."""
        return None


class _MsChapV1Offer(Offer):
    def __init__(self, nt_hash: bytes, challenge: bytes, ident: int) -> None:
        response = bytes((ident, _NT_RESPONSE_FLAG)) + bytes(24) + mschap.v1_response(nt_hash, challenge)
        super().__init__(MS_CHAP_CHALLENGE(challenge), MS_CHAP_RESPONSE(response))
        self._nt_hash = nt_hash

    def verify_accept(self, accept: Packet, secret: SharedSecret, request_authenticator: bytes) -> MppeKeys | None:
        hidden = MS_CHAP_MPPE_KEYS.first(accept)
        if hidden is None:
            return None
        keys = reveal_blocks(hidden, secret, request_authenticator) or b""
        key = keys[_LM_KEY_LENGTH : _LM_KEY_LENGTH + _KEY_LENGTH]
        if not compare_digest(key, mschap.nt_hash_hash(self._nt_hash)):
            raise BadProof("MS-CHAP-MPPE-Keys does not hold this password's key")
        return MppeKeys(key, key)


class _MsChapV2Offer(Offer):
    def __init__(self, nt_hash: bytes, username: bytes, challenge: bytes, peer_challenge: bytes, ident: int) -> None:
        typed = username.rpartition(b"\\")[2]
        self._nt_hash_hash = mschap.nt_hash_hash(nt_hash)
        self._ident = ident
        self._nt_response = mschap.v2_response(nt_hash, challenge, peer_challenge, typed)
        self._challenge_hash = mschap.challenge_hash(peer_challenge, challenge, typed)
        response = bytes((ident, 0)) + peer_challenge + bytes(8) + self._nt_response
        super().__init__(MS_CHAP_CHALLENGE(challenge), MS_CHAP2_RESPONSE(response))

    def verify_accept(self, accept: Packet, secret: SharedSecret, request_authenticator: bytes) -> MppeKeys | None:
        expected = bytes((self._ident,)) + mschap.v2_success(
            self._nt_hash_hash, self._nt_response, self._challenge_hash
        )
        success = MS_CHAP2_SUCCESS.first(accept)
        if success is None:
            raise BadProof("the Access-Accept has no MS-CHAP2-Success")
        if not compare_digest(success, expected):
            raise BadProof("MS-CHAP2-Success is not that of this password")
        sent, received = MS_MPPE_SEND_KEY.first(accept), MS_MPPE_RECV_KEY.first(accept)
        if sent is None or received is None:
            return None
        keys = MppeKeys(
            reveal_salted(sent, secret, request_authenticator) or b"",
            reveal_salted(received, secret, request_authenticator) or b"",
        )
        right = mppe.v2_keys(self._nt_hash_hash, self._nt_response)
        if not (compare_digest(keys.send, right.send) and compare_digest(keys.recv, right.recv)):
            raise BadProof("MS-MPPE-Send-Key or MS-MPPE-Recv-Key is not that of this login")
        return keys


def offer(
    method: Method, username: bytes, password: bytes, secret: SharedSecret, authenticator: bytes, random: Random
) -> Offer:
    """Return the customer's proof for one Access-Request with this Request Authenticator (16 octets)."""
    match method:
        case Method.PAP:
            return Offer(USER_PASSWORD(hide_password(password, secret, authenticator)))
        case Method.CHAP:
            challenge, ident = random(16), random(1)[0]
            response = bytes((ident,)) + chap_response(ident, password, challenge)
            return Offer(CHAP_CHALLENGE(challenge), CHAP_PASSWORD(response))
        case Method.MSCHAPV1:
            return _MsChapV1Offer(mschap.nt_hash(password), random(8), random(1)[0])
        case Method.MSCHAPV2:
            return _MsChapV2Offer(mschap.nt_hash(password), username, random(16), random(16), random(1)[0])

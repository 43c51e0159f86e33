"""Keys for encrypted PPP: derived from an MS-CHAP login and sent to the NAS hidden with the shared secret."""

from hashlib import sha1
from typing import Final, NamedTuple

from radiuscore.wire.microsoft import (
    MS_CHAP_MPPE_KEYS,
    MS_MPPE_ENCRYPTION_POLICY,
    MS_MPPE_ENCRYPTION_TYPES,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
)
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.password import hide_blocks, hide_salted
from radiuscore.wire.secret import SharedSecret

ENCRYPTION_ALLOWED: Final = 1
ENCRYPTION_REQUIRED: Final = 2
RC4_40_OR_128_BIT: Final = 6

_KEY_LENGTH: Final = 16
_LM_KEY_LENGTH: Final = 8
_MASTER: Final = b"This is the MPPE Master Key"
_CLIENT_SENDS: Final = b"On the client side, this is the send key; on the server side, it is the receive key."
_SERVER_SENDS: Final = b"On the client side, this is the receive key; on the server side, it is the send key."
_PAD_1: Final = bytes(40)
_PAD_2: Final = b"\xf2" * 40
_AS_CLIENT: Final = _PAD_1 + _CLIENT_SENDS + _PAD_2
_AS_SERVER: Final = _PAD_1 + _SERVER_SENDS + _PAD_2

# What is the same in every Accept is encoded once.
_POLICY_AND_TYPES: Final = {
    policy: encode_attributes((MS_MPPE_ENCRYPTION_POLICY(policy), MS_MPPE_ENCRYPTION_TYPES(RC4_40_OR_128_BIT)))
    for policy in (ENCRYPTION_ALLOWED, ENCRYPTION_REQUIRED)
}
_HIDDEN_KEY_LENGTH: Final = 34  # salt, then the key with its length, padded
_SEND_KEY: Final = encode_attributes([MS_MPPE_SEND_KEY(bytes(_HIDDEN_KEY_LENGTH))])[:-_HIDDEN_KEY_LENGTH]
_RECV_KEY: Final = encode_attributes([MS_MPPE_RECV_KEY(bytes(_HIDDEN_KEY_LENGTH))])[:-_HIDDEN_KEY_LENGTH]


class MppeKeys(NamedTuple):
    """The two keys of one session, 16 octets each, from the server's side. ``repr`` shows neither."""

    send: bytes
    recv: bytes

    def __repr__(self) -> str:
        return "MppeKeys(hidden)"


def v2_keys(nt_hash_hash: bytes, nt_response: bytes) -> MppeKeys:
    """Return the 128-bit start keys of an MS-CHAPv2 login (RFC 3079 §3.3, §3.4)."""
    master = _sha1(nt_hash_hash + nt_response + _MASTER)[:_KEY_LENGTH]
    return MppeKeys(_sha1(master + _AS_SERVER)[:_KEY_LENGTH], _sha1(master + _AS_CLIENT)[:_KEY_LENGTH])


def v2_attributes(
    keys: MppeKeys, salt: bytes, secret: SharedSecret, request_authenticator: bytes, policy: int = ENCRYPTION_ALLOWED
) -> bytes:
    """Return, encoded, what an Access-Accept carries after MS-CHAPv2: policy, types and both keys (RFC 2548 §2.4).

    ``salt`` is 2 random octets; the second key's differs from it. Policy and types go with the keys always: pppd
    drops keys that come alone.
    """
    other = bytes((salt[0], salt[1] ^ 1))
    send = hide_salted(keys.send, salt, secret, request_authenticator)
    recv = hide_salted(keys.recv, other, secret, request_authenticator)
    return _POLICY_AND_TYPES[policy] + _SEND_KEY + send + _RECV_KEY + recv


def v1_attributes(
    nt_hash_hash: bytes, secret: SharedSecret, request_authenticator: bytes, policy: int = ENCRYPTION_ALLOWED
) -> bytes:
    """Return, encoded, what an Access-Accept carries after MS-CHAPv1: policy, types, key material (RFC 2548 §2.4.1).

    The NAS derives the session keys itself (RFC 3079 §2). The NT key is the hash of the NT hash, as every NAS
    expects; the LM key, for 40 bits without an NT hash, is zero.
    """
    material = bytes(_LM_KEY_LENGTH) + nt_hash_hash
    hidden = MS_CHAP_MPPE_KEYS(hide_blocks(material, secret, request_authenticator))
    return _POLICY_AND_TYPES[policy] + encode_attributes((hidden,))


def _sha1(octets: bytes) -> bytes:
    return sha1(octets, usedforsecurity=False).digest()

"""MS-CHAP: the examples of RFC 2433, RFC 2759 and RFC 3079, and the keys as a NAS receives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.wire import mppe, mschap
from radiuscore.wire.microsoft import (
    MS_CHAP_MPPE_KEYS,
    MS_MPPE_ENCRYPTION_POLICY,
    MS_MPPE_ENCRYPTION_TYPES,
    MS_MPPE_RECV_KEY,
    MS_MPPE_SEND_KEY,
)
from radiuscore.wire.packet import Packet, decode, encode_reply
from radiuscore.wire.password import reveal_blocks, reveal_salted
from radiuscore.wire.secret import SharedSecret
from tests.wire.strategies import authenticators, salts, secrets

SECRET = SharedSecret(b"xyzzy5461")
AUTHENTICATOR = bytes(range(16))

# RFC 2759 §9.2
USERNAME = b"User"
NT_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
NT_HASH_HASH = bytes.fromhex("41C00C584BD2D91C4017A2A12FA59F3F")
AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
CHALLENGE = bytes.fromhex("D02E4386BCE91226")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
SUCCESS = b"S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_v1_response_of_rfc2433_appendix_b() -> None:
    nt_hash = mschap.nt_hash("MyPw")
    assert nt_hash.hex() == "fc156af7edcd6c0edde3337d427f4eac"
    response = mschap.v1_response(nt_hash, bytes.fromhex("102DB5DF085D3041"))
    assert response.hex() == "4e9d3c8f9cfd385d5bf4d3246791956ca4c351ab409a3d61"


def test_v2_of_rfc2759_section_9_2() -> None:
    nt_hash = mschap.nt_hash("clientPass")

    assert nt_hash == mschap.nt_hash(b"clientPass") == NT_HASH
    assert mschap.nt_hash_hash(nt_hash) == NT_HASH_HASH
    assert mschap.challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, USERNAME) == CHALLENGE
    assert mschap.v2_response(nt_hash, AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE, USERNAME) == NT_RESPONSE
    assert mschap.v2_success(NT_HASH_HASH, NT_RESPONSE, CHALLENGE) == SUCCESS


def test_one_set_of_des_keys_answers_many_challenges() -> None:
    keys = mschap.DesKeys(NT_HASH)
    assert keys.response(bytes(8)) == mschap.v1_response(NT_HASH, bytes(8))
    assert keys.response(CHALLENGE) == keys.response(CHALLENGE) == NT_RESPONSE
    assert NT_HASH.hex() not in repr(keys)


@pytest.mark.parametrize("password", ["", "пароль", "💶" * 64, "a\0b"])
def test_a3_passwords_of_any_text_hash_alike_as_text_and_as_octets(password: str) -> None:
    assert mschap.nt_hash(password) == mschap.nt_hash(password.encode())


@given(st.binary(max_size=128))
def test_a3_octets_that_are_no_text_have_a_hash(password: bytes) -> None:
    assert len(mschap.nt_hash(password)) == 16


def test_a6_the_error_says_that_the_password_was_wrong() -> None:
    """RFC 2759 §6: the ident of the response, then text."""
    value = mschap.failure(7, AUTHENTICATOR_CHALLENGE)
    assert value == b"\x07E=691 R=0 C=5B5D7C7D7B3F2F3E3C2C602132262628 V=3"
    assert mschap.failure(7, bytes(8), error=647, retry=True) == b"\x07E=647 R=1 C=0000000000000000 V=3"


def test_keys_of_rfc3079_section_3_5_3() -> None:
    keys = mppe.v2_keys(NT_HASH_HASH, NT_RESPONSE)
    assert keys.send.hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"
    assert keys.recv != keys.send
    assert keys.send.hex() not in repr(keys)


def accept(attributes: bytes) -> Packet:
    return decode(encode_reply(2, 1, bytes(16), attributes, SECRET, sign=False))


@given(st.binary(min_size=16, max_size=16), salts, secrets, authenticators)
def test_a5_the_nas_decrypts_the_keys(key: bytes, salt: bytes, secret: SharedSecret, authenticator: bytes) -> None:
    """A5, A5b: different salts with the top bit set, policy and types beside the keys."""
    keys = mppe.v2_keys(key, NT_RESPONSE)
    packet = accept(mppe.v2_attributes(keys, salt, secret, authenticator))

    sent, received = MS_MPPE_SEND_KEY.first(packet), MS_MPPE_RECV_KEY.first(packet)
    assert sent is not None
    assert received is not None
    assert reveal_salted(sent, secret, authenticator) == keys.send
    assert reveal_salted(received, secret, authenticator) == keys.recv
    assert sent[0] & received[0] & 0x80
    assert sent[:2] != received[:2]
    assert (MS_MPPE_ENCRYPTION_POLICY.first(packet), MS_MPPE_ENCRYPTION_TYPES.first(packet)) == (1, 6)


def test_a5_the_keys_of_v1_are_the_hash_of_the_nt_hash() -> None:
    """RFC 2548 §2.4.1: 8 octets for LM, 16 for NT, padded to 32 and hidden as a password is."""
    packet = accept(mppe.v1_attributes(NT_HASH_HASH, SECRET, AUTHENTICATOR, mppe.ENCRYPTION_REQUIRED))

    hidden = MS_CHAP_MPPE_KEYS.first(packet)
    assert hidden is not None
    assert reveal_blocks(hidden, SECRET, AUTHENTICATOR) == bytes(8) + NT_HASH_HASH + bytes(8)
    assert (MS_MPPE_ENCRYPTION_POLICY.first(packet), MS_MPPE_ENCRYPTION_TYPES.first(packet)) == (2, 6)

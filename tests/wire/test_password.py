"""Hidden values: User-Password and the salted keys, against the formulas of the RFCs written out once more."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.wire.password import (
    chap_response,
    hide_blocks,
    hide_password,
    hide_salted,
    reveal_blocks,
    reveal_password,
    reveal_salted,
)
from radiuscore.wire.secret import SharedSecret
from tests.wire.strategies import authenticators, salts, secrets

SECRET = b"xyzzy5461"
AUTHENTICATOR = bytes(range(16))


def formula(plain: bytes, secret: bytes, seed: bytes) -> bytes:
    """c(1) = p(1) xor MD5(S + R), c(i) = p(i) xor MD5(S + c(i-1)) (RFC 2865 §5.2, RFC 2868 §3.5)."""
    hidden = b""
    for at in range(0, len(plain), 16):
        stream = hashlib.md5(secret + seed).digest()
        seed = bytes(left ^ right for left, right in zip(plain[at : at + 16], stream, strict=True))
        hidden += seed
    return hidden


@given(st.binary(max_size=128), secrets, authenticators)
def test_a_password_is_hidden_by_the_formula_and_revealed(
    password: bytes, secret: SharedSecret, authenticator: bytes
) -> None:
    """A3: up to 128 octets, whatever they are; only NULs at the end cannot be told from padding."""
    hidden = hide_password(password, secret, authenticator)

    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    assert hidden == formula(padded, secret.octets, authenticator)
    assert hide_password(password, secret.octets, authenticator) == hidden
    assert reveal_password(hidden, secret, authenticator) == password.rstrip(b"\0")
    assert reveal_password(hidden, secret.octets, authenticator) == password.rstrip(b"\0")


@pytest.mark.parametrize("length", [0, 1, 15, 17, 127, 129, 144])
def test_a2_no_password_has_this_length(length: int) -> None:
    assert reveal_password(bytes(length), SECRET, AUTHENTICATOR) is None


def test_a2_a_password_of_129_octets_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="at most 128 octets"):
        hide_password(b"s" * 129, SECRET, AUTHENTICATOR)


def test_a3_a_nul_inside_a_password_is_part_of_it() -> None:
    hidden = hide_password(b"pass\0word", SECRET, AUTHENTICATOR)
    assert reveal_password(hidden, SECRET, AUTHENTICATOR) == b"pass\0word"


@given(authenticators, st.binary(max_size=64))
def test_the_wrong_secret_reveals_something_else(authenticator: bytes, password: bytes) -> None:
    hidden = hide_password(password + b"!", SECRET, authenticator)
    assert reveal_password(hidden, b"wrong", authenticator) != password + b"!"


@pytest.mark.parametrize("length", [8, 16, 63])
def test_a4_chap_by_rfc1994_with_challenges_of_any_length(length: int) -> None:
    challenge = bytes(range(length))
    assert chap_response(22, b"arctangent", challenge) == hashlib.md5(b"\x16arctangent" + challenge).digest()


@given(st.binary(max_size=239), salts, secrets, authenticators)
def test_a_salted_value_is_hidden_by_the_formula_and_revealed(
    value: bytes, salt: bytes, secret: SharedSecret, authenticator: bytes
) -> None:
    """RFC 2548 §2.4.2, RFC 2868 §3.5: a length octet, padding to 16, the salt's top bit set."""
    hidden = hide_salted(value, salt, secret, authenticator)

    marked = bytes((salt[0] | 0x80, salt[1]))
    plain = bytes((len(value),)) + value
    padded = plain + bytes(-len(plain) % 16)
    assert hidden == marked + formula(padded, secret.octets, authenticator + marked)
    assert len(hidden) <= 242
    assert reveal_salted(hidden, secret, authenticator) == value


def test_a_salted_value_of_240_octets_or_a_salt_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 239"):
        hide_salted(bytes(240), b"\x80\x00", SECRET, AUTHENTICATOR)
    with pytest.raises(ValueError, match="salt 2"):
        hide_salted(b"key", b"\x80", SECRET, AUTHENTICATOR)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 17, 19, 33])
def test_no_salted_value_has_this_length(length: int) -> None:
    assert reveal_salted(bytes(length), SECRET, AUTHENTICATOR) is None


def test_a_salted_value_whose_length_overruns_it_is_none() -> None:
    for length, expected in ((15, bytes(15)), (16, None), (255, None)):
        hidden = b"\x80\x01" + formula(bytes((length,)) + bytes(15), SECRET, AUTHENTICATOR + b"\x80\x01")
        assert reveal_salted(hidden, SECRET, AUTHENTICATOR) == expected


@given(st.binary(min_size=1, max_size=64), secrets, authenticators)
def test_blocks_keep_their_padding(value: bytes, secret: SharedSecret, authenticator: bytes) -> None:
    """RFC 2548 §2.4.1."""
    hidden = hide_blocks(value, secret, authenticator)
    assert reveal_blocks(hidden, secret, authenticator) == value + bytes(-len(value) % 16)
    assert reveal_blocks(hidden[:-1], secret, authenticator) is None
    assert reveal_blocks(b"", secret, authenticator) is None

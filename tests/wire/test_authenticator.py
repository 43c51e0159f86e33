"""Authenticators: the vectors of RFC 2202 and RFC 5997, and that one changed octet is noticed."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.wire.authenticator import (
    is_signed_request,
    message_authenticators,
    verify_message_authenticator,
    verify_reply,
)
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import Pair, decode, encode_attributes, encode_reply, encode_request
from radiuscore.wire.secret import SharedSecret
from tests.wire.strategies import attributes, authenticators, identifiers, secrets

SECRET = SharedSecret(b"xyzzy5461")
OTHER = SharedSecret(b"xyzzy5462")
AUTHENTICATOR = bytes(range(16))
COMPUTED = [Code.ACCOUNTING_REQUEST, Code.COA_REQUEST, Code.DISCONNECT_REQUEST]
GIVEN = [Code.ACCESS_REQUEST, Code.STATUS_SERVER]

unsigned = attributes.map(lambda pairs: tuple(pair for pair in pairs if pair[0] != 80))
"""Attributes among which no Message-Authenticator is."""


def request(code: int, pairs: tuple[Pair, ...] = (), secret: SharedSecret = SECRET, sign: bool = True) -> bytes:
    authenticator = AUTHENTICATOR if code in GIVEN else None
    return encode_request(code, 7, encode_attributes(pairs), secret, authenticator=authenticator, sign=sign)


def verifies(datagram: bytes, secret: SharedSecret = SECRET) -> bool:
    return verify_message_authenticator(datagram, decode(datagram), secret)


@pytest.mark.parametrize(
    ("key", "data", "digest"),
    [
        (b"\x0b" * 16, b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
        (b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
        (b"\xaa" * 16, b"\xdd" * 50, "56be34521d144c88dbb8c733f0e8b3f6"),
        (b"\xaa" * 80, b"Test Using Larger Than Block-Size Key - Hash Key First", "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"),
    ],
)
def test_hmac_md5_of_rfc2202_section_2(key: bytes, data: bytes, digest: str) -> None:
    assert SharedSecret(key).hmac_md5(data).hex() == digest


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_shared_secret_digests_as_the_standard_library_does(octets: bytes, data: bytes) -> None:
    secret = SharedSecret(octets)
    assert secret.hmac_md5(data) == hmac.digest(octets, data, "md5")
    assert secret.keyed_md5(data) == hashlib.md5(octets + data).digest()


# RFC 5997 §6.1 and §6.2: Status-Server to the authentication and to the accounting port
STATUS_EXAMPLES = [
    (
        """0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23
           50 12 5a 66 5e 2e 1e 84 11 f3 e2 43 82 20 97 c8 4f a3""",
        "02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66",
    ),
    (
        """0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 60
           50 12 e8 d6 ea bd a9 10 87 5c d9 1f da de 26 36 78 58""",
        "05 b3 00 14 0f 6f 92 14 5f 10 7e 2f 50 4e 86 0a 48 60 66 9c",
    ),
]


@pytest.mark.parametrize(("query", "answer"), STATUS_EXAMPLES)
def test_status_server_of_rfc5997_section_6(query: str, answer: str) -> None:
    asked, answered = bytes.fromhex(query), bytes.fromhex(answer)
    packet = decode(asked)

    assert encode_request(12, packet.identifier, b"", SECRET, authenticator=packet.authenticator, sign=True) == asked
    assert verifies(asked)
    assert not verifies(asked, OTHER)
    assert encode_reply(answered[0], packet.identifier, packet.authenticator, b"", SECRET, sign=False) == answered
    assert verify_reply(answered, asked, SECRET)


@given(st.sampled_from(COMPUTED), unsigned, secrets, st.booleans(), st.binary(max_size=30))
def test_a_computed_request_authenticator_verifies(
    code: int, pairs: tuple[Pair, ...], secret: SharedSecret, sign: bool, padding: bytes
) -> None:
    datagram = request(code, pairs, secret, sign) + padding

    assert is_signed_request(datagram, secret)
    assert not is_signed_request(datagram, SharedSecret(secret.octets + b"!"))
    assert verify_message_authenticator(datagram, decode(datagram), secret) is sign


@given(st.sampled_from(GIVEN + COMPUTED), unsigned, secrets, st.binary(max_size=30))
def test_a_message_authenticator_verifies_wherever_it_stands(
    code: int, pairs: tuple[Pair, ...], secret: SharedSecret, padding: bytes
) -> None:
    """M12: that of an accounting or CoA request is computed over a zero authenticator."""
    datagram = signed_last(code, pairs, secret)
    assert verifies(datagram + padding, secret)
    assert not verifies(datagram + padding, SharedSecret(secret.octets + b"!"))
    assert verifies(request(code, pairs, secret) + padding, secret)


def signed_last(code: int, pairs: tuple[Pair, ...], secret: SharedSecret) -> bytes:
    """Sign as RouterOS does, after everything else, with the standard library alone."""
    body = encode_attributes(pairs) + b"\x50\x12"
    header = bytes((code, 7)) + (20 + len(body) + 16).to_bytes(2, "big")
    authenticator = AUTHENTICATOR if code in GIVEN else bytes(16)
    return header + authenticator + body + hmac.digest(secret.octets, header + authenticator + body + bytes(16), "md5")


@given(st.data(), st.sampled_from(GIVEN + COMPUTED))
def test_any_changed_octet_of_a_signed_request_is_noticed(data: st.DataObject, code: int) -> None:
    """M1 and the accounting of section 5: one flipped bit anywhere, and the packet proves nothing."""
    datagram = request(code, ((1, b"nemo"), (33, b"\x00proxy"), (44, b"81d00000")))
    at = data.draw(st.integers(0, len(datagram) - 1))
    changed = datagram[:at] + bytes((datagram[at] ^ 1 << data.draw(st.integers(0, 7)),)) + datagram[at + 1 :]

    try:
        packet = decode(changed)
    except MalformedPacket:
        return
    if code in COMPUTED:
        assert not is_signed_request(changed, SECRET)
    same_digest = code in COMPUTED and 4 <= at < 20  # M12: the authenticator is taken as zero
    assert verify_message_authenticator(changed, packet, SECRET) is same_digest


@pytest.mark.parametrize("code", GIVEN + COMPUTED)
@pytest.mark.parametrize(
    "values",
    [[], [b""], [b"\x00" * 15], [b"\x00" * 16], [b"\x00" * 17], [b"\x00" * 16] * 2],
    ids=["none", "empty", "15", "zero", "17", "two"],
)
def test_m1_message_authenticators_that_prove_nothing(code: int, values: list[bytes]) -> None:
    datagram = request(code, tuple((80, value) for value in values), sign=False)
    assert message_authenticators(decode(datagram)) == values
    assert not verifies(datagram)


@pytest.mark.parametrize("code", GIVEN)
def test_m1_a_right_message_authenticator_beside_another_proves_nothing(code: int) -> None:
    right = dict(decode(request(code)).attributes)[80]
    for others in ([right], [b"\x00" * 16], [b""]):
        datagram = request(code, tuple((80, other) for other in others))
        assert not verifies(datagram)


def test_a_copy_of_the_message_authenticator_in_an_earlier_value_does_not_prove_the_packet() -> None:
    datagram = signed_last(Code.ACCESS_REQUEST, ((33, bytes(18)),), SECRET)
    assert verifies(datagram)
    assert not verifies(datagram[:22] + datagram[-18:] + datagram[40:])


@pytest.mark.parametrize("datagram", [b"", bytes(19), bytes(20), b"\x04\x07\x00\x15" + bytes(16), b"\x04" * 20])
def test_octets_that_are_no_packet_are_not_signed(datagram: bytes) -> None:
    assert not is_signed_request(datagram, SECRET)
    assert not verify_reply(datagram, request(Code.ACCESS_REQUEST), SECRET)
    assert not verify_reply(request(Code.ACCESS_REQUEST), datagram, SECRET)


@given(identifiers, authenticators, unsigned, secrets, st.booleans(), st.data())
def test_a_reply_verifies_and_no_changed_one_does(
    identifier: int,
    authenticator: bytes,
    pairs: tuple[Pair, ...],
    secret: SharedSecret,
    sign: bool,
    data: st.DataObject,
) -> None:
    asked = encode_request(1, identifier, b"", secret, authenticator=authenticator)
    reply = encode_reply(2, identifier, authenticator, encode_attributes(pairs), secret, sign=sign)
    at = data.draw(st.integers(0, len(reply) - 1))

    assert verify_reply(reply, asked, secret)
    assert verify_reply(reply + b"padding", asked, secret)
    assert not verify_reply(reply, asked, SharedSecret(secret.octets + b"!"))
    assert not verify_reply(reply[:at] + bytes((reply[at] ^ 1,)) + reply[at + 1 :], asked, secret)
    assert not verify_reply(reply, bytes((1, identifier ^ 1)) + asked[2:], secret)


def test_a_reply_with_a_wrong_message_authenticator_does_not_verify() -> None:
    """Its Response Authenticator is right: that alone can be forged by a collision (CVE-2024-3596)."""
    asked = request(Code.ACCESS_REQUEST, sign=False)
    reply = encode_reply(2, 7, AUTHENTICATOR, encode_attributes([(80, bytes(16))]), SECRET, sign=False)
    assert not verify_reply(reply, asked, SECRET)

"""The codec against pyrad, which shares no line with it: what one writes the other reads, in both directions.

pyrad's dictionary is written from our registry, so that both speak of the same attributes.
"""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket, AuthPacket, CoAPacket

from radiuscore.wire import password
from radiuscore.wire.attributes import VENDOR_SPECIFIC
from radiuscore.wire.authenticator import is_signed_request, verify_message_authenticator, verify_reply
from radiuscore.wire.packet import decode, encode_attributes, encode_reply, encode_request
from radiuscore.wire.registry import STANDARD, AnyAttribute
from radiuscore.wire.secret import SharedSecret
from radiuscore.wire.tunnel import Tagged
from tests.wire.strategies import VALUES, authenticators, identifiers, salts, secrets

PYRAD_TYPES = {
    "text": "string",
    "string": "octets",
    "integer": "integer",
    "time": "date",
    "ipv4addr": "ipaddr",
    "ipv6addr": "ipv6addr",
    "ipv6prefix": "ipv6prefix",
    "ifid": "ifid",
    "tagged-integer": "integer",
    "tagged-text": "string",
}
COMMON = [a for a in STANDARD if a.value_type.name in PYRAD_TYPES and len(a.key) in (1, 3) and a.key[0] < 241]
PROOFS = {"Message-Authenticator", "Proxy-State"}  # which a reply may not carry as it likes
REQUESTS = {4: AcctPacket, 40: CoAPacket, 43: CoAPacket}


def dictionary() -> Dictionary:
    lines = [f"VENDOR V{vendor} {vendor}" for vendor in {a.key[1] for a in COMMON if a.key[0] == VENDOR_SPECIFIC}]
    for attribute in COMMON:
        name = attribute.value_type.name
        line = f"ATTRIBUTE {attribute.name} {attribute.key[-1]} {PYRAD_TYPES[name]}"
        if attribute.key[0] == VENDOR_SPECIFIC:
            line += f" V{attribute.key[1]}"
        lines.append(line + (" has_tag" if name.startswith("tagged") else ""))
    return Dictionary(io.StringIO("\n".join(lines)))


DICTIONARY = dictionary()


def to_pyrad(attribute: AnyAttribute, value: Any) -> tuple[str, Any]:
    """Return the key and value under which pyrad takes what we call ``value``."""
    name = attribute.name
    if isinstance(value, Tagged):
        name, value = f"{name}:{value.tag}" if value.tag else name, value.value
    match attribute.value_type.name:
        case "ifid":
            return name, ":".join(f"{int.from_bytes(value[at : at + 2], 'big'):x}" for at in (0, 2, 4, 6))
        case "string":
            return name, b"0x" + value.hex().encode()  # pyrad takes octets that begin with 0x for digits
        case "ipv4addr" | "ipv6addr" | "ipv6prefix":
            return name, str(value)
    return name, value


@st.composite
def attribute_values(draw: st.DrawFn) -> list[tuple[AnyAttribute, Any]]:
    """Draw a few attributes, each with a value of its type."""
    chosen = draw(st.lists(st.sampled_from(COMMON), max_size=12, unique_by=lambda attribute: attribute.name))
    return [(attribute, draw(VALUES[attribute.value_type.name])) for attribute in chosen]


@given(attribute_values(), authenticators, secrets)
def test_we_read_the_attributes_that_pyrad_writes(
    chosen: list[tuple[AnyAttribute, Any]], authenticator: bytes, secret: SharedSecret
) -> None:
    writer = AuthPacket(id=7, secret=secret.octets, authenticator=authenticator, dict=DICTIONARY)
    for attribute, value in chosen:
        writer.AddAttribute(*to_pyrad(attribute, value))
    packet = decode(writer.RequestPacket())

    assert (packet.code, packet.identifier, packet.authenticator) == (1, 7, authenticator)
    for attribute, value in chosen:
        assert attribute.first(packet) == value


@given(attribute_values(), authenticators, identifiers, secrets)
def test_pyrad_reads_the_attributes_that_we_write(
    chosen: list[tuple[AnyAttribute, Any]], authenticator: bytes, identifier: int, secret: SharedSecret
) -> None:
    octets = encode_attributes(attribute(value) for attribute, value in chosen)
    datagram = encode_request(1, identifier, octets, secret, authenticator=authenticator)
    reader = AuthPacket(packet=datagram, secret=secret.octets, dict=DICTIONARY)

    assert (reader.code, reader.id, reader.authenticator) == (1, identifier, authenticator)
    for attribute, value in chosen:
        name, expected = to_pyrad(attribute, value)
        assert reader[name] == [value if attribute.value_type.name == "string" else expected]


@given(attribute_values(), authenticators, secrets, st.booleans())
def test_pyrad_verifies_our_replies(
    chosen: list[tuple[AnyAttribute, Any]], authenticator: bytes, secret: SharedSecret, sign: bool
) -> None:
    sent = [attribute(value) for attribute, value in chosen if attribute.name not in PROOFS]
    request = AuthPacket(id=7, secret=secret.octets, authenticator=authenticator, dict=DICTIONARY)
    reply = encode_reply(2, 7, authenticator, encode_attributes(sent), secret, sign=sign)

    assert request.VerifyReply(request.CreateReply(packet=reply), reply, enforce_ma=sign)
    forged = encode_reply(2, 7, authenticator, encode_attributes(sent), SharedSecret(secret.octets + b"!"), sign=sign)
    assert not request.VerifyReply(request.CreateReply(packet=forged), forged)


@given(attribute_values(), authenticators, secrets, st.booleans())
def test_we_verify_the_replies_of_pyrad(
    chosen: list[tuple[AnyAttribute, Any]], authenticator: bytes, secret: SharedSecret, sign: bool
) -> None:
    request = AuthPacket(id=7, secret=secret.octets, authenticator=authenticator, dict=DICTIONARY)
    reply = request.CreateReply()
    for attribute, value in chosen:
        if attribute.name not in PROOFS:
            reply.AddAttribute(*to_pyrad(attribute, value))
    if sign:
        reply.add_message_authenticator()

    asked, answered = request.RequestPacket(), reply.ReplyPacket()
    assert verify_reply(answered, asked, secret)
    assert not verify_reply(answered, asked, SharedSecret(secret.octets + b"!"))


@pytest.mark.parametrize("code", REQUESTS)
@given(identifiers, secrets, st.booleans())
def test_pyrad_verifies_our_accounting_and_coa_requests(
    code: int, identifier: int, secret: SharedSecret, sign: bool
) -> None:
    datagram = encode_request(code, identifier, encode_attributes([(44, b"81d00000")]), secret, sign=sign)
    reader = REQUESTS[code](packet=datagram, secret=secret.octets, dict=DICTIONARY)

    assert reader.VerifyAcctRequest() if code == 4 else reader.VerifyCoARequest()
    assert not sign or reader.verify_message_authenticator()


@pytest.mark.parametrize("code", REQUESTS)
@given(identifiers, secrets, st.booleans())
def test_we_verify_the_accounting_and_coa_requests_of_pyrad(
    code: int, identifier: int, secret: SharedSecret, sign: bool
) -> None:
    writer = REQUESTS[code](code, identifier, secret.octets, dict=DICTIONARY)
    writer.AddAttribute("Acct-Session-Id", "81d00000")
    if sign:
        writer.add_message_authenticator()
    datagram = writer.RequestPacket()

    assert is_signed_request(datagram, secret)
    assert verify_message_authenticator(datagram, decode(datagram), secret) is sign


@given(authenticators, secrets, st.binary(max_size=128))
def test_passwords_of_both_are_revealed_by_both(authenticator: bytes, secret: SharedSecret, plain: bytes) -> None:
    packet = AuthPacket(id=7, secret=secret.octets, authenticator=authenticator, dict=DICTIONARY)
    assert packet.PwCrypt(plain) == password.hide_password(plain, secret, authenticator)
    assert password.reveal_password(packet.PwCrypt(plain), secret, authenticator) == plain.rstrip(b"\0")


@given(authenticators, secrets, salts, st.binary(max_size=239))
def test_salted_values_of_both_are_revealed_by_both(
    authenticator: bytes, secret: SharedSecret, salt: bytes, plain: bytes
) -> None:
    packet = AuthPacket(id=7, secret=secret.octets, authenticator=authenticator, dict=DICTIONARY)
    assert packet.SaltDecrypt(password.hide_salted(plain, salt, secret, authenticator)) == plain
    assert password.reveal_salted(packet.SaltCrypt(plain), secret, authenticator) == plain


@given(authenticators, st.integers(0, 255), st.binary(max_size=60), st.none() | st.binary(min_size=1, max_size=60))
def test_pyrad_accepts_our_chap_response(
    authenticator: bytes, ident: int, plain: bytes, challenge: bytes | None
) -> None:
    """A4: over CHAP-Challenge, or without one over the Request Authenticator."""
    packet = AuthPacket(id=7, secret=b"secret", authenticator=authenticator, dict=DICTIONARY)
    if challenge is not None:
        packet[60] = [challenge]
    packet[3] = [bytes((ident,)) + password.chap_response(ident, plain, challenge or authenticator)]
    assert packet.VerifyChapPasswd(plain)

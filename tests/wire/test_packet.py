"""Packets: the examples of RFC 2865 §7 and what holds for every datagram."""

from ipaddress import IPv4Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radiuscore.wire.codes import Code
from radiuscore.wire.errors import MalformedPacket, PacketTooLong
from radiuscore.wire.packet import (
    MAX_LENGTH,
    Packet,
    Pair,
    decode,
    encode_attributes,
    encode_reply,
    encode_request,
)
from radiuscore.wire.password import chap_response, reveal_password
from radiuscore.wire.rfc import (
    CHAP_PASSWORD,
    FRAMED_COMPRESSION,
    FRAMED_IP_ADDRESS,
    FRAMED_MTU,
    FRAMED_PROTOCOL,
    FRAMED_ROUTING,
    LOGIN_IP_HOST,
    LOGIN_SERVICE,
    NAS_IP_ADDRESS,
    NAS_PORT,
    SERVICE_TYPE,
    USER_NAME,
    USER_PASSWORD,
)
from radiuscore.wire.secret import SharedSecret
from tests.wire.strategies import attributes, authenticators, codes, identifiers, packets, secrets

SECRET = SharedSecret(b"xyzzy5461")

# RFC 2865 §7.1, "User Telnet to Specified Host"
TELNET_REQUEST = bytes.fromhex("""
    01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a
    01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce 31 96 e4 3f
    78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03""")
TELNET_ACCEPT = bytes.fromhex("""
    02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2
    06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03""")

# RFC 2865 §7.2, "Framed User Authenticating with CHAP"
CHAP_REQUEST = bytes.fromhex("""
    01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2
    01 08 66 6c 6f 70 73 79 03 13 16 e9 75 57 c3 16 18 58 95 f2
    93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14
    06 06 00 00 00 02 07 06 00 00 00 01""")
CHAP_ACCEPT = bytes.fromhex("""
    02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4
    06 06 00 00 00 02 07 06 00 00 00 01 08 06 ff ff ff fe
    0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc""")


def test_reads_the_request_of_rfc2865_section_7_1() -> None:
    packet = decode(TELNET_REQUEST)

    assert (packet.code, packet.identifier) == (Code.ACCESS_REQUEST, 0)
    assert USER_NAME.first(packet) == "nemo"
    assert NAS_IP_ADDRESS.first(packet) == IPv4Address("192.168.1.16")
    assert NAS_PORT.first(packet) == 3
    hidden = USER_PASSWORD.first(packet)
    assert hidden is not None
    assert reveal_password(hidden, SECRET, packet.authenticator) == b"arctangent"


def test_writes_the_accept_of_rfc2865_section_7_1() -> None:
    accept = encode_attributes([SERVICE_TYPE(1), LOGIN_SERVICE(0), LOGIN_IP_HOST(IPv4Address("192.168.1.3"))])
    authenticator = decode(TELNET_REQUEST).authenticator
    assert encode_reply(Code.ACCESS_ACCEPT, 0, authenticator, accept, SECRET, sign=False) == TELNET_ACCEPT


def test_reads_the_request_of_rfc2865_section_7_2() -> None:
    packet = decode(CHAP_REQUEST)

    assert USER_NAME.first(packet) == "flopsy"
    assert NAS_PORT.first(packet) == 20
    response = CHAP_PASSWORD.first(packet)
    assert response is not None
    assert chap_response(response[0], b"arctangent", packet.authenticator) == response[1:]
    assert chap_response(response[0], b"arctangenT", packet.authenticator) != response[1:]


def test_writes_the_accept_of_rfc2865_section_7_2() -> None:
    pairs = [
        SERVICE_TYPE(2),
        FRAMED_PROTOCOL(1),
        FRAMED_IP_ADDRESS(IPv4Address("255.255.255.254")),
        FRAMED_ROUTING(2),
        FRAMED_COMPRESSION(1),
        FRAMED_MTU(1500),
    ]
    authenticator = decode(CHAP_REQUEST).authenticator
    reply = encode_reply(Code.ACCESS_ACCEPT, 1, authenticator, encode_attributes(pairs), SECRET, sign=False)
    assert reply == CHAP_ACCEPT


def test_writes_the_requests_of_rfc2865_section_7() -> None:
    for datagram in (TELNET_REQUEST, CHAP_REQUEST):
        packet = decode(datagram)
        octets = encode_attributes(packet.attributes)
        authenticator = packet.authenticator
        assert encode_request(1, packet.identifier, octets, SECRET, authenticator=authenticator) == datagram


@given(st.binary(max_size=300) | st.binary(min_size=20, max_size=60).map(lambda tail: b"\x01\x07\x00\x28" + tail))
@example(b"")
@example(b"\x01\x00\x00\x14" + bytes(16))
def test_decode_is_total(datagram: bytes) -> None:
    """Whatever arrives is a `Packet` that holds every octet, or a `MalformedPacket`; never another error."""
    try:
        packet = decode(datagram)
    except MalformedPacket:
        return
    length = int.from_bytes(datagram[2:4], "big")
    octets = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in packet.attributes)
    assert bytes(packet[:2]) + datagram[2:4] + packet.authenticator + octets == datagram[:length]


@given(packets, secrets, st.binary(max_size=50))
def test_decode_of_what_was_encoded_is_what_was_encoded(packet: Packet, secret: SharedSecret, padding: bytes) -> None:
    octets = encode_attributes(packet.attributes)
    datagram = encode_request(1, packet.identifier, octets, secret, authenticator=packet.authenticator)
    assert decode(datagram + padding) == packet._replace(code=1)


@given(codes, identifiers, authenticators, attributes, secrets, st.booleans())
def test_a_reply_decodes_to_what_was_encoded(
    code: int, identifier: int, authenticator: bytes, sent: tuple[Pair, ...], secret: SharedSecret, sign: bool
) -> None:
    """M3: a signed reply has its Message-Authenticator first, and nothing else is added."""
    packet = decode(encode_reply(code, identifier, authenticator, encode_attributes(sent), secret, sign=sign))

    assert (packet.code, packet.identifier) == (code, identifier)
    if sign:
        kind, value = packet.attributes[0]
        assert (kind, len(value)) == (80, 16)
    assert packet.attributes[sign:] == sent


@pytest.mark.parametrize(("sign", "room"), [(False, 4076), (True, 4058)])
def test_a_packet_of_4096_octets_is_sent_and_a_longer_one_is_not(sign: bool, room: int) -> None:
    """A11: never an oversize reply."""
    full = encode_reply(2, 1, bytes(16), bytes((1, 2)) * (room // 2), SECRET, sign=sign)
    assert len(full) == MAX_LENGTH
    with pytest.raises(PacketTooLong, match="4098 octets"):
        encode_reply(2, 1, bytes(16), bytes((1, 2)) * (room // 2 + 1), SECRET, sign=sign)
    with pytest.raises(PacketTooLong, match="4098 octets"):
        encode_request(1, 1, bytes((1, 2)) * (room // 2 + 1), SECRET, authenticator=bytes(16), sign=sign)


@pytest.mark.parametrize("pair", [(0, b"a"), (256, b"a"), (-1, b"a")])
def test_an_attribute_type_that_does_not_exist_is_refused(pair: Pair) -> None:
    with pytest.raises(ValueError, match=f"no attribute type {pair[0]}:"):
        encode_attributes([pair])


def test_a_value_too_long_is_refused_by_name_and_never_shown() -> None:
    assert encode_attributes([(1, b"s" * 253)]) == b"\x01\xff" + b"s" * 253
    with pytest.raises(ValueError, match="attribute 1 is 254 octets long") as refused:
        encode_attributes([(1, b"s" * 254)])
    assert "sss" not in str(refused.value)


@pytest.mark.parametrize("code", [Code.ACCESS_REQUEST, Code.STATUS_SERVER])
def test_a_request_whose_authenticator_is_random_needs_one_given(code: Code) -> None:
    with pytest.raises(ValueError, match="need an authenticator"):
        encode_request(code, 1, b"", SECRET)
    with pytest.raises(ValueError, match="16 octets long, not 15"):
        encode_request(code, 1, b"", SECRET, authenticator=bytes(15))


@pytest.mark.parametrize("code", [Code.ACCOUNTING_REQUEST, Code.COA_REQUEST, Code.DISCONNECT_REQUEST])
def test_a_request_whose_authenticator_is_computed_takes_none(code: Code) -> None:
    with pytest.raises(ValueError, match="compute theirs"):
        encode_request(code, 1, b"", SECRET, authenticator=bytes(16))


def test_a_packet_and_a_secret_show_nothing_by_themselves() -> None:
    packet = decode(TELNET_REQUEST)
    assert repr(packet) == str(packet) == "Packet(code=1, identifier=0, 4 attributes)"
    assert "xyzzy" not in f"{SECRET!r} {SECRET}"

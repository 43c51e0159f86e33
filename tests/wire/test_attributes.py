"""Typed attributes: reading is the inverse of building, and what does not parse is absent."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiuscore.attributes import (
    CHARGEABLE_USER_IDENTITY,
    CLASS,
    FRAMED_INTERFACE_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_RATE_LIMIT,
    MIKROTIK_RECV_LIMIT,
    NAS_PORT,
    REPLY_MESSAGE,
    SESSION_TIMEOUT,
    TUNNEL_PASSWORD,
    TUNNEL_PRIVATE_GROUP_ID,
    TUNNEL_TYPE,
    USER_NAME,
    ExtendedAttribute,
    Tagged,
)
from radiuscore.wire import registry, values
from radiuscore.wire.attributes import split_vendor
from radiuscore.wire.packet import Packet, Pair, encode_attributes
from radiuscore.wire.password import hide_salted, reveal_salted
from radiuscore.wire.registry import STANDARD, AnyAttribute
from tests.wire.strategies import VALUES, attributes, salts

EVERY = [pytest.param(attribute, id=attribute.name) for attribute in STANDARD]
LONG = ExtendedAttribute((245, 7), "Long-Text", values.TEXT)
LONG_OF_VENDOR = ExtendedAttribute((246, 26, 14988, 9), "Long-Octets", values.OCTETS)


def packet(*pairs: Pair) -> Packet:
    return Packet(1, 1, bytes(16), pairs)


@pytest.mark.parametrize("attribute", EVERY)
@settings(max_examples=15)  # of each attribute: their data types are few, so each of those is tried often enough
@given(st.data())
def test_what_is_built_is_read(attribute: AnyAttribute, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(VALUES[attribute.value_type.name], min_size=1, max_size=3))
    built = packet(*(attribute(value) for value in drawn))

    assert encode_attributes(built.attributes)
    assert attribute.first(built) == drawn[0]
    assert list(attribute.all(built)) == drawn
    assert registry.by_name(attribute.name.upper()).first(built) == drawn[0]


@pytest.mark.parametrize("attribute", EVERY)
@settings(max_examples=15)  # of each attribute: their data types are few, so each of those is tried often enough
@given(st.binary(max_size=247))
def test_reading_is_total_and_what_parses_means_the_same_when_built_again(
    attribute: AnyAttribute, octets: bytes
) -> None:
    value = attribute.parse(octets)
    if value is not None:
        assert attribute.parse(attribute.value_type.build(value)) == value


@given(attributes)
def test_every_attribute_reads_every_packet(pairs: tuple[Pair, ...]) -> None:
    """H10, H11: no octets make a reader fail or run for ever."""
    arrived = packet(*pairs)
    for attribute in STANDARD:
        read = list(attribute.all(arrived))
        assert attribute.first(arrived) == (read[0] if read else None)


def test_there_is_one_constant_for_every_attribute_of_the_registry() -> None:
    import radiuscore.attributes as public

    named = {name: getattr(public, name) for name in public.__all__ if name.isupper()}
    assert set(named.values()) == set(STANDARD)
    for constant, attribute in named.items():
        assert constant == attribute.name.upper().replace("-", "_")
        assert registry.by_name(attribute.name) is attribute is STANDARD.by_key(attribute.key)


def test_mikrotik_has_all_its_numbers() -> None:
    numbers = sorted(attribute.key[2] for attribute in STANDARD if attribute.key[:2] == (26, 14988))
    assert numbers == list(range(1, 31))


def test_h6_an_empty_value_is_absent_except_where_it_means_something() -> None:
    assert USER_NAME.first(packet((1, b""), (1, b"nemo"))) == "nemo"
    assert CLASS.first(packet((25, b""))) is None
    assert MIKROTIK_RATE_LIMIT.first(packet((26, b"\x00\x00\x3a\x8c\x08\x02"))) is None
    assert CHARGEABLE_USER_IDENTITY.first(packet((89, b""))) == b""


def test_h10_a_value_that_does_not_parse_is_absent_and_the_next_counts() -> None:
    assert NAS_PORT.first(packet((5, b"\x01"), (5, b"\x00\x00\x00\x02"))) == 2
    assert list(FRAMED_IP_ADDRESS.all(packet((8, bytes(5)), (8, bytes(3))))) == []
    assert USER_NAME.first(packet((1, b"\xff\xfe"))) is None


def test_an_attribute_of_a_vendor_is_found_among_others_in_one_vendor_specific() -> None:
    """RFC 2865 §5.26: several sub-attributes may stand in one attribute."""
    together = b"\x00\x00\x3a\x8c" + b"\x13\x05off" + b"\x01\x06\x00\x00\x00\x07" + b"\x13\x05vip"
    arrived = packet((26, together), MIKROTIK_ADDRESS_LIST("slow"), (26, b"\x00\x00\x3a\x8d\x13\x05not"))
    assert list(MIKROTIK_ADDRESS_LIST.all(arrived)) == ["off", "vip", "slow"]
    assert MIKROTIK_RECV_LIMIT.first(arrived) == 7


@pytest.mark.parametrize("tail", [b"\x01", b"\x01\x00", b"\x01\x01", b"\x01\x03", b"\x01\xff\x00"])
def test_h11_a_malformed_vendor_specific_has_no_sub_attributes(tail: bytes) -> None:
    assert split_vendor(b"\x00\x00\x3a\x8c\x13\x05off" + tail) == []


@pytest.mark.parametrize(
    ("attribute", "value", "fault"),
    [
        (SESSION_TIMEOUT, -1, "Session-Timeout: -1 does not fit into 4 octets"),
        (SESSION_TIMEOUT, 2**32, "Session-Timeout: 4294967296 does not fit into 4 octets"),
        (REPLY_MESSAGE, "x" * 254, "Reply-Message is 254 octets long: at most 253 fit"),
        (MIKROTIK_RATE_LIMIT, "x" * 248, "Mikrotik-Rate-Limit is 248 octets long: at most 247 fit"),
        (FRAMED_INTERFACE_ID, bytes(7), "Framed-Interface-Id: the value is 7 octets long, not 8"),
        (FRAMED_IP_ADDRESS, "10.0.0", "Framed-IP-Address: Expected 4 octets in '10.0.0'"),
        (TUNNEL_TYPE, 2**24, "Tunnel-Type: 16777216 does not fit into 3 octets"),
        (TUNNEL_TYPE, Tagged(13, 32), "Tunnel-Type: a tag is 0 to 31, not 32"),
        (registry.by_name("Frag-Status"), -1, "Frag-Status: -1 does not fit into 4 octets"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_name_of_its_attribute(
    attribute: AnyAttribute, value: object, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        attribute(value)


def test_addresses_are_built_from_text_too() -> None:
    by_name = registry.by_name
    assert by_name("Framed-IP-Address")("10.0.0.1") == FRAMED_IP_ADDRESS(IPv4Address("10.0.0.1"))
    assert by_name("Framed-IPv6-Prefix")("2001:db8::/32") == FRAMED_IPV6_PREFIX(IPv6Network("2001:db8::/32"))


def test_a10_a_prefix_is_as_long_as_it_needs_to_be_and_zero_after_it() -> None:
    assert FRAMED_IPV6_PREFIX(IPv6Network("::/0")) == (97, b"\x00\x00")
    assert FRAMED_IPV6_PREFIX(IPv6Network("2001:db8::/33")) == (97, b"\x00\x21\x20\x01\x0d\xb8\x00")
    set_after_it = packet((97, b"\x00\x20\x20\x01\x0d\xb8\xff\xff"))
    assert FRAMED_IPV6_PREFIX.first(set_after_it) == IPv6Network("2001:db8::/32")


def test_an_ipv4_prefix_of_rfc8044() -> None:
    assert values.IPV4_PREFIX.parse(b"\x00\x18\xc0\x00\x02\x07") == IPv4Network("192.0.2.0/24")
    with pytest.raises(ValueError, match="33"):
        values.IPV4_PREFIX.parse(b"\x00\x21\xc0\x00\x02\x00")


@pytest.mark.parametrize(
    ("built", "octets"),
    [
        (TUNNEL_TYPE(13), b"\x00\x00\x00\x0d"),
        (TUNNEL_TYPE(13, tag=1), b"\x01\x00\x00\x0d"),
        (TUNNEL_TYPE(Tagged(13, 1)), b"\x01\x00\x00\x0d"),
        (TUNNEL_PRIVATE_GROUP_ID("100"), b"100"),
        (TUNNEL_PRIVATE_GROUP_ID("100", tag=2), b"\x02100"),
        (TUNNEL_PRIVATE_GROUP_ID("\x01x"), b"\x00\x01x"),
    ],
)
def test_a9_tags(built: Pair, octets: bytes) -> None:
    """RFC 2868 §3.1, §3.6: numbers always have a tag, texts where there is one or data would look like one."""
    assert built[1] == octets


@given(st.binary(max_size=239), salts, st.integers(0, 31))
def test_a9_a_tunnel_password_is_tagged_and_salted(password: bytes, salt: bytes, tag: int) -> None:
    built = packet(TUNNEL_PASSWORD(hide_salted(password, salt, b"secret", bytes(16)), tag=tag))
    read = TUNNEL_PASSWORD.first(built)
    assert read is not None
    assert read.tag == tag
    assert reveal_salted(read.value, b"secret", bytes(16)) == password


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=900))
def test_a_long_extended_value_travels_in_fragments(text: str) -> None:
    """RFC 6929 §2.2: More is set in all fragments but the last."""
    pairs = LONG.pairs(text)

    assert [value[1] for _, value in pairs] == [0x80] * (len(pairs) - 1) + [0]
    assert len(pairs) == -(-len(text.encode()) // 251)
    assert LONG.first(packet((1, b"a"), *pairs, (245, b"\x08\x00b"))) == text
    assert LONG.first(packet(*pairs[:-1], (1, b"a"), *pairs[-1:])) != text or len(pairs) == 1


@given(st.binary(min_size=1, max_size=700), st.binary(min_size=1, max_size=300))
def test_a_long_value_of_a_vendor_travels_in_fragments(octets: bytes, following: bytes) -> None:
    arrived = packet(*LONG_OF_VENDOR.pairs(octets), *LONG_OF_VENDOR.pairs(following))
    assert list(LONG_OF_VENDOR.all(arrived)) == [octets, following]


def test_a_value_that_needs_fragments_is_not_built_as_one_attribute() -> None:
    assert LONG("x" * 251) == (245, b"\x07\x00" + b"x" * 251)
    with pytest.raises(ValueError, match="Long-Text needs 2 attributes"):
        LONG("x" * 252)
    with pytest.raises(ValueError, match="Short-Text is 253 octets long: at most 252 fit"):
        ExtendedAttribute((241, 9), "Short-Text", values.TEXT)("x" * 253)

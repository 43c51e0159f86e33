"""Extended attributes: kept whatever they hold, joined where they may be. Numbers are those of docs/protocol.md."""

import pytest

from radiuscore import Accept, AccessRequest, Nas, RadiusServer
from radiuscore.wire.attributes import Key
from radiuscore.wire.extended import FRAG_STATUS, ExtendedAttribute
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.values import OCTETS
from tests.protocol.asks import pap
from tests.protocol.bench import ONE, PASSWORD
from tests.protocol.oracle import ACCESS_ACCEPT, attribute, read_reply

SHORT = tuple(ExtendedAttribute((kind, 5), f"Test-{kind}", OCTETS) for kind in range(241, 245))
LONG = tuple(ExtendedAttribute((kind, 5), f"Test-{kind}", OCTETS) for kind in (245, 246))
MORE, LAST = b"\x05\x80", b"\x05\x00"


def asked(*attributes: bytes) -> AccessRequest:
    """Send a login with these attributes and return what its handler saw; it is answered whatever they hold."""
    seen: list[AccessRequest] = []
    server = RadiusServer([Nas("10.0.0.1", ONE)])

    @server.on_access
    def access(request: AccessRequest) -> Accept:
        seen.append(request)
        return Accept()

    ask = pap("anna", PASSWORD[1], *attributes)
    reply = read_reply(server.handle(ask, ("10.0.0.1", 40001)), ask, ONE)
    assert reply.code == ACCESS_ACCEPT
    kept = seen[0].packet.attributes[2:-1]
    assert b"".join(attribute(*pair) for pair in kept) == b"".join(attributes)
    return seen[0]


def leaves(request: AccessRequest) -> list[tuple[Key, bytes]]:
    return list(read_leaves(request.packet.attributes))[2:-1]


@pytest.mark.parametrize("known", SHORT)
def test_x1_an_extended_attribute_is_read(known: ExtendedAttribute[bytes]) -> None:
    request = asked(attribute(known.key[0], b"\x05value"), attribute(known.key[0], b"\x06other"))
    assert list(known.all(request.packet)) == [b"value"]


def test_x1_a_vendors_extended_attribute_is_read() -> None:
    ours = ExtendedAttribute((241, 26, 14988, 8), "Test-Vendor", OCTETS)
    assert ours.first(asked(attribute(241, b"\x1a\0\0\x3a\x8c\x08value")).packet) == b"value"


@pytest.mark.parametrize("known", LONG)
def test_x1_fragments_of_a_long_one_are_joined(known: ExtendedAttribute[bytes]) -> None:
    kind = known.key[0]
    request = asked(
        attribute(kind, MORE + b"a" * 251), attribute(kind, MORE + b"b" * 251), attribute(kind, LAST + b"c")
    )
    assert known.first(request.packet) == b"a" * 251 + b"b" * 251 + b"c"
    assert [key for key, _ in leaves(request)] == [(kind, 5)]


BETWEEN = {
    "another attribute": attribute(31, "x"),
    "another number": attribute(245, b"\x06\x00x"),
    "the other long type": attribute(246, LAST + b"x"),
    "a short one": attribute(241, b"\x05x"),
}


@pytest.mark.parametrize("octets", BETWEEN.values(), ids=BETWEEN)
def test_x2_fragments_with_a_gap_are_not_joined(octets: bytes) -> None:
    first, last = attribute(245, MORE + b"a"), attribute(245, LAST + b"b")
    found = leaves(asked(first, octets, last))
    assert found[0] == ((245,), MORE + b"a")  # whole, header and all: nothing is lost
    assert found[-1] == ((245, 5), b"b")


def test_x2_a_last_fragment_that_promises_more_leaves_them_all_as_they_came() -> None:
    parts = [MORE + b"a", MORE + b"b"]
    request = asked(*[attribute(245, part) for part in parts])
    assert leaves(request) == [((245,), part) for part in parts]
    assert LONG[0].first(request.packet) is None


def test_x2_a_fragment_behind_the_last_begins_a_value_of_its_own() -> None:
    request = asked(*[attribute(245, part) for part in (MORE + b"a", LAST + b"b", LAST + b"c")])
    assert list(LONG[0].all(request.packet)) == [b"ab", b"c"]


MALFORMED = {
    "empty": (241, b""),
    "a number and no value": (241, b"\x05"),
    "long, empty": (245, b""),
    "long, a number alone": (245, b"\x05"),
    "long, no value": (245, LAST),
    "long, more of nothing": (246, MORE),
    "integer of 3 octets": (241, b"\x01abc"),
}


@pytest.mark.parametrize(("kind", "octets"), MALFORMED.values(), ids=MALFORMED)
def test_x3_a_malformed_one_stays_octets(kind: int, octets: bytes) -> None:
    request = asked(attribute(kind, octets))
    assert (kind, octets) in request.packet.attributes
    assert FRAG_STATUS.first(request.packet) is None
    assert [known.first(request.packet) for known in (*SHORT, *LONG)] == [None] * 6

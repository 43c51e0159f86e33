"""Names, and packets for people: nothing secret, nothing that could forge a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.attributes import SESSION_TIMEOUT, VendorAttribute
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.packet import Packet, Pair
from radiuscore.wire.registry import STANDARD, UnknownAttribute, by_name, describe
from radiuscore.wire.values import INTEGER, OCTETS
from tests.wire.strategies import attributes, packets

HIDDEN = [attribute for attribute in STANDARD if attribute.hidden]
SECRET = bytes.fromhex("5ec4e7" * 6)


def test_a_packet_as_people_read_it() -> None:
    names = {
        "User-Name": "анна",
        "User-Password": bytes(16),
        "NAS-Port-Type": 15,
        "Framed-IP-Address": "100.64.0.7",
        "Mikrotik-Rate-Limit": "10M/50M",
    }
    packet = Packet(1, 42, bytes(16), tuple(by_name(name)(value) for name, value in names.items()))
    assert describe(packet) == (
        "Access-Request 42\n"
        '  User-Name = "анна"\n'
        "  User-Password = <hidden, 16 octets>\n"
        "  NAS-Port-Type = Ethernet\n"
        "  Framed-IP-Address = 100.64.0.7\n"
        '  Mikrotik-Rate-Limit = "10M/50M"'
    )
    assert "  User-Password = 0x00000000000000000000000000000000\n" in describe(packet, secret_free=False)


@pytest.mark.parametrize(
    ("code", "name"), [(43, "CoA-Request"), (42, "Disconnect-NAK"), (12, "Status-Server"), (99, "Code-99")]
)
def test_codes_have_names(code: int, name: str) -> None:
    assert describe(Packet(code, 0, bytes(16), ())) == f"{name} 0"


def test_what_proves_or_hides_a_password_is_hidden() -> None:
    assert {attribute.name for attribute in HIDDEN} >= {
        *("User-Password", "CHAP-Password", "Tunnel-Password", "EAP-Message"),
        *(
            "MS-CHAP-Response",
            "MS-CHAP2-Response",
            "MS-CHAP2-Success",
            "MS-CHAP-CPW-1",
            "MS-CHAP-CPW-2",
            "MS-CHAP2-CPW",
        ),
        *("MS-CHAP-LM-Enc-PW", "MS-CHAP-NT-Enc-PW"),
        *("MS-CHAP-MPPE-Keys", "MS-MPPE-Send-Key", "MS-MPPE-Recv-Key"),
        *("Mikrotik-Wireless-Enc-Key", "Mikrotik-Wireless-PSK", "Mikrotik-Wireless-MPKey"),
    }


@given(st.sampled_from(HIDDEN), attributes, st.integers(0, 60), st.binary(max_size=3))
def test_a_secret_is_not_shown_wherever_it_stands_and_however_it_is_cut(
    attribute: VendorAttribute[bytes], others: tuple[Pair, ...], cut: int, tail: bytes
) -> None:
    """Also where the sub-attribute's length is wrong, so that nobody can tell which attribute it was."""
    if len(attribute.key) == 1:
        secret: Pair = (attribute.key[0], (SECRET + tail)[: cut + 1])
    else:
        length = bytes((attribute.key[2], (len(SECRET) + 2 + cut) % 256))
        secret = (26, attribute.key[1].to_bytes(4, "big") + length + SECRET + tail)
    shown = describe(Packet(1, 1, bytes(16), (*others, secret)))
    if not any(SECRET[:3] in value for _, value in others):
        assert SECRET.hex()[:6] not in shown
    assert SECRET.hex() in describe(Packet(1, 1, bytes(16), ((25, SECRET),)))


@given(packets, st.booleans())
def test_printing_is_total_and_no_value_can_forge_a_line(packet: Packet, secret_free: bool) -> None:
    shown = describe(packet, secret_free=secret_free)
    leaves = list(read_leaves(packet.attributes))
    assert len(shown.split("\n")) == 1 + len(leaves)
    assert all(character.isprintable() or character == "\n" for character in shown)


@given(attributes)
def test_no_octet_is_lost_among_the_leaves(pairs: tuple[Pair, ...]) -> None:
    """Every value of a leaf stands in the packet, and what is of no vendor and not extended is there unchanged."""
    leaves = list(read_leaves(pairs))
    plain = [((kind,), value) for kind, value in pairs if kind != 26 and not 241 <= kind <= 246]
    assert [leaf for leaf in leaves if leaf[0][0] != 26 and not 241 <= leaf[0][0] <= 246] == plain
    of_vendors = b"".join(value for key, value in leaves if key[0] == 26)
    assert len(of_vendors) <= sum(len(value) for kind, value in pairs if kind == 26)
    assert sum(key[0] == 26 for key, _ in leaves) >= sum(kind == 26 for kind, _ in pairs)


def test_names_are_found_in_any_case_and_an_unknown_one_is_named() -> None:
    assert by_name("session-TIMEOUT") is SESSION_TIMEOUT
    with pytest.raises(UnknownAttribute) as unknown:
        by_name("Sesion-Timeout")
    assert str(unknown.value) == "there is no attribute named 'Sesion-Timeout'"


def test_a_registry_with_more_attributes_is_another_registry() -> None:
    port = VendorAttribute(12345, 1, "Example-Port", INTEGER)
    replaced = VendorAttribute(12345, 1, "Example-Port", OCTETS)
    larger = STANDARD.with_attributes([port])

    assert "Example-Port" not in STANDARD
    assert larger.by_name("example-port") is port
    assert larger.with_attributes([replaced]).by_key((26, 12345, 1)) is replaced
    packet = Packet(2, 1, bytes(16), (port(7),))
    assert larger.describe(packet).endswith("Example-Port = 7")
    assert describe(packet).endswith("Attr-26.12345.1 = 0x00000007")

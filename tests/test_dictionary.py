"""An operator's dictionary adds vendors, changes nothing that is built in, and says what is wrong with it."""

from pathlib import Path

import pytest

from radiuscore.dictionary import DictionaryError, load_dictionary
from radiuscore.wire.packet import Packet
from radiuscore.wire.registry import STANDARD
from radiuscore.wire.tunnel import Tagged

EXAMPLE = """
# A vendor that nobody has
VENDOR          Example                 32473
BEGIN-VENDOR    Example
ATTRIBUTE       Example-Profile         1       string
ATTRIBUTE       Example-Rate            2       integer
ATTRIBUTE       Example-Gateway         3       ipaddr
ATTRIBUTE       Example-Prefix          4       ipv6prefix
ATTRIBUTE       Example-Mac             5       ether
ATTRIBUTE       Example-Balance         6       signed
ATTRIBUTE       Example-Total           7       integer64
ATTRIBUTE       Example-Key             8       string  encrypt=2
ATTRIBUTE       Example-Tunnel          9       integer has_tag
ATTRIBUTE       Example-Tunnel-Name     10      string  has_tag
ATTRIBUTE       Example-Tunnel-Key      11      string  has_tag,encrypt=2
ATTRIBUTE       Example-Blob            12      octets
ATTRIBUTE       Example-Too-Far         300     integer
ATTRIBUTE       Example-Either          13      combo-ip
VALUE           Example-Rate            Slow    1
VALUE           Example-Rate            Fast    0x02
VALUE           Example-Tunnel          Green   7
END-VENDOR      Example
ATTRIBUTE       Location-Capable        131     integer
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "dictionary.example"
    path.write_text(EXAMPLE)
    return path


def test_a_vendor_is_added_and_the_standard_registry_stays_as_it_is(example: Path) -> None:
    registry, skipped = load_dictionary(example)

    assert skipped == ("Example-Either", "Example-Too-Far")
    assert "Example-Profile" not in STANDARD
    assert set(STANDARD) < set(registry)
    assert registry.by_name("Location-Capable").key == (131,)
    assert registry.by_name("example-profile").key == (26, 32473, 1)


def test_added_attributes_are_built_read_and_printed(example: Path) -> None:
    registry = load_dictionary(example).registry
    values = {
        "Example-Profile": "gold",
        "Example-Rate": 2,
        "Example-Gateway": "192.0.2.1",
        "Example-Prefix": "2001:db8::/56",
        "Example-Mac": bytes.fromhex("02a1b2c3d4e5"),
        "Example-Balance": -5,
        "Example-Total": 2**40,
        "Example-Key": b"ciphertext",
        "Example-Tunnel": Tagged(7, 1),
        "Example-Tunnel-Name": Tagged("north", 2),
        "Example-Tunnel-Key": Tagged(b"ciphertext", 3),
        "Example-Blob": b"\x00\xff",
    }
    packet = Packet(2, 9, bytes(16), tuple(registry.by_name(name)(value) for name, value in values.items()))

    assert registry.describe(packet).splitlines() == [
        "Access-Accept 9",
        '  Example-Profile = "gold"',
        "  Example-Rate = Fast",
        "  Example-Gateway = 192.0.2.1",
        "  Example-Prefix = 2001:db8::/56",
        "  Example-Mac = 0x02a1b2c3d4e5",
        "  Example-Balance = -5",
        "  Example-Total = 1099511627776",
        "  Example-Key = <hidden, 10 octets>",
        "  Example-Tunnel:1 = Green",
        '  Example-Tunnel-Name:2 = "north"',
        "  Example-Tunnel-Key = <hidden, 11 octets>",
        "  Example-Blob = 0x00ff",
    ]
    assert registry.by_name("Example-Tunnel-Key").first(packet) == Tagged(b"ciphertext", 3)


def test_a_dictionary_cannot_uncover_a_secret_or_move_a_name(tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_text("""
        ATTRIBUTE User-Password 2 string
        ATTRIBUTE Password-In-Clear 2 string
        ATTRIBUTE Session-Timeout 200 string
        VENDOR Microsoft 311
        ATTRIBUTE MS-CHAP2-Response 25 octets Microsoft
        """)
    registry = load_dictionary(path).registry

    assert set(registry) == set(STANDARD)
    assert registry.by_name("Session-Timeout").key == (27,)
    assert "<hidden" in registry.describe(Packet(1, 1, bytes(16), ((2, b"secret"),)))


def test_dictionaries_include_others_and_build_on_each_other(tmp_path: Path, example: Path) -> None:
    (tmp_path / "dictionary").write_text("$INCLUDE dictionary.example\n")
    (tmp_path / "second").write_text("VENDOR Other 99999\nATTRIBUTE Other-Name 1 string Other\n")

    first = load_dictionary(tmp_path / "dictionary").registry
    both = load_dictionary(str(tmp_path / "second"), base=first).registry
    assert set(both) - set(first) == {both.by_name("Other-Name")}
    assert "Example-Profile" in both
    together = load_dictionary(tmp_path / "dictionary", tmp_path / "second").registry
    assert {attribute.name for attribute in together} == {attribute.name for attribute in both}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ATTRIBUTE Example 1 wonder", "Illegal type: wonder"),
        ("ATTRIBUTE Example one string", "Illegal attribute code: one"),
        ("ATTRIBUTE Example", "Incorrect number of tokens"),
        ("BEGIN-VENDOR Nobody", "Unknown vendor Nobody"),
        ("VENDOR Example x", "Illegal vendor code: x"),
        ("VENDOR Example 1 format=", "Syntax error"),
        ("VENDOR Example 1 format", "cannot be read"),
    ],
)
def test_a_fault_is_named_with_its_file_and_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "dictionary.faulty"
    path.write_text(f"# one\n{text}\n")
    with pytest.raises(DictionaryError, match=fault) as refused:
        load_dictionary(path)
    assert "dictionary.faulty" in str(refused.value)


def test_a_dictionary_that_is_not_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "dictionary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DictionaryError, match="cannot be read"):
        load_dictionary(path)
    with pytest.raises(FileNotFoundError):
        load_dictionary(tmp_path / "absent")

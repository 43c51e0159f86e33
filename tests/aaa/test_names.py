"""Names: one form to compare, one text to store, and no two that meet by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.names import format_mac, parse_mac, text_of, username_key


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("00:E1:0C:38:C8:F8", "00e10c38c8f8"),
        ("00-e1-0c-38-c8-f8", "00e10c38c8f8"),
        ("00e1.0c38.c8f8", "00e10c38c8f8"),
        ("00E10C38C8F8", "00e10c38c8f8"),
        ("1:0:e1:c:38:c8:f8", "00e10c38c8f8"),
        ("0:e1:c:38:c8:f8", "00e10c38c8f8"),
    ],
)
def test_reads_a_mac_as_routers_write_it(written: str, octets: str) -> None:
    assert parse_mac(written) == bytes.fromhex(octets)
    assert username_key(written) == format_mac(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "text",
    ["", "nemo", "00:e1:0c:38:c8", "00:e1-0c:38:c8:f8", "00:e1:0c:38:c8:fg", "2:0:e1:c:38:c8:f8", "00e1.0c38c8f8x"],
)
def test_what_is_not_a_mac_is_not_read_as_one(text: str) -> None:
    assert parse_mac(text) is None


def test_usernames_that_differ_in_case_or_composition_are_one() -> None:
    assert username_key("Customer@Example.COM") == "customer@example.com"
    assert username_key("Cafe\u0301") == username_key("CAF\u00c9")


@pytest.mark.parametrize("other", [b"nemo\0", b"nemo ", b" nemo", b"nemo\xff", b"nemo\\x00"])
def test_what_is_added_to_a_name_makes_another_name(other: bytes) -> None:
    assert username_key(other) != username_key(b"nemo")


def test_a_windows_domain_stays_readable() -> None:
    assert text_of(b"EXAMPLE\\nemo") == "EXAMPLE\\nemo"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_text_of_loses_nothing(one: bytes, other: bytes) -> None:
    text = text_of(one)
    assert "\0" not in text
    assert text.encode().decode() == text
    assert (text == text_of(other)) == (one == other)


awkward = st.lists(st.sampled_from([b"\\", b"x", b"0", b"\0", b"\xff", b"f"]), max_size=8).map(b"".join)


@given(awkward, awkward)
def test_text_of_loses_nothing_where_it_escapes(one: bytes, other: bytes) -> None:
    assert (text_of(one) == text_of(other)) == (one == other)


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(name: str) -> None:
    if "\\" not in name:
        key = username_key(name)
        assert username_key(key.replace("\\x00", "\0")) == key

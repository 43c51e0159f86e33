"""Sealed secrets: what was sealed opens at its place, nothing opens elsewhere, and nothing shows."""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.store.sealing import BadKeys, CannotOpen, Keyring

OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring({"new": NEW, "old": OLD})


class Place(TypedDict):
    """Where a secret lives."""

    table: str
    row: int | str
    column: str
    isp_id: int


PLACE = Place(table="customers", row=7, column="password", isp_id=1)

places = st.builds(
    Place,
    table=st.sampled_from(["customers", "devices", "isps"]),
    row=st.integers(0, 2**63 - 1),
    column=st.sampled_from(["password", "radius_secret", "api_key"]),
    isp_id=st.integers(1, 2**31 - 1),
)


@given(st.binary(max_size=300), places)
def test_opens_what_was_sealed(secret: bytes, place: Place) -> None:
    assert RING.open(RING.seal(secret, **place), **place) == secret


@given(places, places)
def test_opens_nowhere_else(here: Place, there: Place) -> None:
    sealed = RING.seal(b"secret", **here)
    if here != there:
        with pytest.raises(CannotOpen):
            RING.open(sealed, **there)


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place(table="customers", row=7, column="password", isp_id=2),
        Place(table="customers", row=8, column="password", isp_id=1),
        Place(table="customers", row=7, column="notes", isp_id=1),
        Place(table="devices", row=7, column="password", isp_id=1),
        Place(table="customers", row="", column="password", isp_id=17),  # parts do not run into each other
    ],
)
def test_a_copied_secret_does_not_open(elsewhere: Place) -> None:
    sealed = RING.seal(b"secret", **PLACE)
    with pytest.raises(CannotOpen):
        RING.open(sealed, **elsewhere)


@given(st.text(max_size=200))
def test_whatever_the_text_is_only_cannot_open_is_raised(text: str) -> None:
    for candidate in (text, f"new:{text}"):
        with pytest.raises(CannotOpen):
            RING.open(candidate, **PLACE)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_octet_can_be_changed(at: int, change: int) -> None:
    key_id, _, encoded = RING.seal(b"secret", **PLACE).partition(":")
    octets = bytearray(b64decode(encoded))
    octets[at % len(octets)] ^= change
    with pytest.raises(CannotOpen):
        RING.open(f"{key_id}:{b64encode(octets).decode()}", **PLACE)


def test_seals_differently_each_time() -> None:
    assert RING.seal(b"secret", **PLACE) != RING.seal(b"secret", **PLACE)


def test_the_first_key_seals_and_the_others_still_open() -> None:
    sealed = Keyring({"old": OLD}).seal(b"secret", **PLACE)

    assert RING.open(sealed, **PLACE) == b"secret"
    resealed = RING.reseal(sealed, **PLACE)
    assert resealed is not None
    assert resealed.startswith("new:")
    assert Keyring({"new": NEW}).open(resealed, **PLACE) == b"secret"
    assert RING.reseal(resealed, **PLACE) is None


def test_a_key_that_is_gone_is_named() -> None:
    with pytest.raises(CannotOpen, match=r"customers\.password of row 7: its key is not among new"):
        Keyring({"new": NEW}).open(Keyring({"old": OLD}).seal(b"secret", **PLACE), **PLACE)


def test_shows_no_key_and_no_secret() -> None:
    assert repr(RING) == str(RING) == "Keyring(<hidden>)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(RING)
    with pytest.raises(CannotOpen) as caught:
        Keyring({"new": OLD}).open(RING.seal(b"canary", **PLACE), **PLACE)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_parses_a_ring() -> None:
    ring = Keyring.parse("b:" + "bmV3" * 10 + "bmU=" + ", a:" + "b2xk" * 10 + "b2w=")
    assert ring.ids == ("b", "a")
    assert ring.sealing_id == "b"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "a key id is 1 to 32"),
        ("k1", "key k1 has 0 octets, not 32"),
        ("k1:c2hvcnQ=", "key k1 has 5 octets, not 32"),
        ("k1:!!!", "a key is not base64"),
        ("k 1:" + "bmV3" * 10 + "bmU=", "a key id is 1 to 32"),
        ("a:" + "bmV3" * 10 + "bmU=," + "a:" + "bmV3" * 10 + "bmU=", "key id a is given twice"),
    ],
)
def test_names_what_is_wrong_with_a_ring(text: str, fault: str) -> None:
    with pytest.raises(BadKeys, match=fault):
        Keyring.parse(text)

"""Every line of `tests/vectors`: octets in, exact outcome out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import decode
from radiuscore.wire.registry import describe
from tests.fuzz_wire import fuzz, read_seeds

VECTORS = Path(__file__).parent.parent / "vectors"


def cases(name: str) -> Iterator[tuple[bytes, str]]:
    arrived, outcome = "", ""
    for line in (VECTORS / name).read_text(encoding="utf-8").splitlines():
        if "->" in line:
            if outcome:
                yield octets(arrived), outcome
            arrived, _, outcome = line.partition("->")
        elif line.startswith(" "):
            outcome += "\n" + line
    yield octets(arrived), outcome


def octets(text: str) -> bytes:
    words = (word.partition("*") for word in text.split())
    return b"".join(bytes.fromhex(word) * int(times or 1) for word, _, times in words)


def parameters(name: str) -> list[object]:
    return [pytest.param(*case, id=case[0][:40].hex() or "nothing") for case in cases(name)]


@pytest.mark.parametrize(("datagram", "outcome"), parameters("framing.txt"))
def test_a_datagram_is_a_packet_or_is_discarded_with_a_reason(datagram: bytes, outcome: str) -> None:
    try:
        became = f"{len(decode(datagram).attributes)} attributes"
    except MalformedPacket as error:
        became = str(error)
    assert became == outcome.strip()


@pytest.mark.parametrize(("attributes", "outcome"), parameters("attributes.txt"))
def test_attributes_are_printed_for_people(attributes: bytes, outcome: str) -> None:
    datagram = b"\x01\x07" + (20 + len(attributes)).to_bytes(2, "big") + bytes(16) + attributes
    header, *lines = describe(decode(datagram)).splitlines()
    assert header == "Access-Request 7"
    assert [line.strip() for line in lines] == [line.strip() for line in outcome.splitlines()]


def test_every_packet_that_fuzzing_begins_with_is_one() -> None:
    assert all(decode(seed).attributes for seed in read_seeds())


def test_a_short_fuzzing_run_finds_nothing() -> None:
    """The long one is `python tests/fuzz_wire.py`."""
    assert 500 < fuzz(2000, seed=0) < 2000

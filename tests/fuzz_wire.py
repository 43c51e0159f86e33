"""Feed the codec with octets nobody would send: `python tests/fuzz_wire.py --inputs 1000000 --seed 1`.

Half of the inputs are mutations of the packets in vectors/seeds.txt, the rest is made up. Whatever is asked of them,
the only error that may come out is `MalformedPacket`. Anything else stops the run with the input and exit status 1.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from rich.console import Console
from rich.progress import Progress

from radiuscore.wire.attributes import split_vendor
from radiuscore.wire.authenticator import is_signed_request, verify_message_authenticator, verify_reply
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.mschap import nt_hash
from radiuscore.wire.packet import HEADER_LENGTH, Packet, decode, encode_attributes, encode_request
from radiuscore.wire.password import chap_response, reveal_blocks, reveal_password, reveal_salted
from radiuscore.wire.registry import STANDARD
from radiuscore.wire.secret import SharedSecret

SECRET: Final = SharedSecret(b"fuzz-secret")
SEEDS: Final = Path(__file__).parent / "vectors" / "seeds.txt"
INTERESTING: Final = (0, 1, 2, 3, 4, 6, 16, 18, 20, 26, 69, 79, 80, 97, 127, 128, 241, 245, 246, 253, 254, 255)
READERS_PER_INPUT: Final = 4
INPUTS_PER_UPDATE: Final = 1000

_attributes: Final = tuple(STANDARD)


def read_seeds() -> list[bytes]:
    """Return the datagrams of seeds.txt."""
    lines = SEEDS.read_text(encoding="utf-8").splitlines()
    return [bytes.fromhex(line.partition("->")[0]) for line in lines if "->" in line and not line.startswith("#")]


def examine(datagram: bytes, other: bytes, random: Random) -> bool:
    """Ask of one input everything that a server asks of a datagram. Returns whether it was a packet."""
    is_signed_request(datagram, SECRET)
    verify_reply(datagram, other, SECRET)
    verify_reply(other, datagram, SECRET)
    try:
        packet = decode(datagram)
    except MalformedPacket:
        return False
    verify_message_authenticator(datagram, packet, SECRET)
    read(packet, random)
    encode_again(packet, datagram)
    return True


def read(packet: Packet, random: Random) -> None:
    """Print the packet, read all its values by key and some attributes by name, reveal what might be hidden."""
    for shown in (STANDARD.describe(packet), STANDARD.describe(packet, secret_free=False)):
        assert shown.replace("\n", "").isprintable()
    for key, octets in read_leaves(packet.attributes):
        attribute = STANDARD.by_key(key)
        value = None if attribute is None else attribute.parse(octets)
        if attribute is not None and value is not None:
            assert attribute.parse(attribute.value_type.build(value)) == value
    for attribute in random.choices(_attributes, k=READERS_PER_INPUT):
        assert attribute.first(packet) == next(attribute.all(packet), None)
    for _, octets in packet.attributes:
        split_vendor(octets)
        reveal_password(octets, SECRET, packet.authenticator)
        reveal_salted(octets, SECRET, packet.authenticator)
        reveal_blocks(octets, SECRET, packet.authenticator)
    _, octets = packet.attributes[0] if packet.attributes else (0, b"")
    nt_hash(octets)
    chap_response(packet.identifier, octets, packet.authenticator)


def encode_again(packet: Packet, datagram: bytes) -> None:
    """Write what was read: the same octets, but for a type 0 that no attribute has and padding."""
    if any(kind == 0 for kind, _ in packet.attributes):
        return
    octets = encode_attributes(packet.attributes)
    again = encode_request(1, packet.identifier, octets, SECRET, authenticator=packet.authenticator)
    assert again[1:] == datagram[1 : len(again)]


def flip(octets: bytearray, random: Random) -> None:
    octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)


def put(octets: bytearray, random: Random) -> None:
    octets[random.randrange(len(octets))] = random.choice(INTERESTING)


def cut(octets: bytearray, random: Random) -> None:
    start = random.randrange(len(octets))
    del octets[start : start + random.randrange(1, 20)]


def insert(octets: bytearray, random: Random) -> None:
    start = random.randrange(len(octets))
    octets[start:start] = random.randbytes(random.randrange(1, 20))


def repeat(octets: bytearray, random: Random) -> None:
    start = random.randrange(len(octets))
    octets[start:start] = octets[start : start + random.randrange(1, 60)] * random.randrange(1, 4)


def truncate(octets: bytearray, random: Random) -> None:
    del octets[random.randrange(len(octets)) :]


MUTATIONS: Final[Sequence[Callable[[bytearray, Random], None]]] = (
    *(flip, flip, put, put, put),  # small faults oftener: after a large one little is read
    *(cut, insert, repeat, truncate),
)


def mutated(seeds: Sequence[bytes], random: Random) -> bytes:
    octets = bytearray(random.choice(seeds))
    if random.random() < 0.2:  # two packets in one: the end of another one's attributes
        octets += random.choice(seeds)[random.randrange(HEADER_LENGTH, 60) :]
    for _ in range(random.randrange(1, 6)):
        if octets:
            random.choice(MUTATIONS)(octets, random)
    return with_length(octets, random)


def made_up(random: Random) -> bytes:
    if random.random() < 0.1:
        return random.randbytes(random.randrange(64))
    octets = bytearray(random.randbytes(HEADER_LENGTH))
    for _ in range(random.randrange(12)):
        value = random.randbytes(random.choice((0, 1, 2, 3, 4, 5, 6, 8, 16, 17, 18, 19, 20, 50, 52, 253)))
        if random.random() < 0.3:  # a vendor's, sometimes with a sub-attribute that fits
            vendor = random.choice((14988, 311, 14122, 529, 9)).to_bytes(4, "big")
            value = vendor + bytes((random.randrange(40), random.choice((len(value) + 2, 0, 1, 255)) & 255)) + value
        value = value[:253]
        kind = random.choice(INTERESTING) if random.random() < 0.5 else random.randrange(256)
        octets += bytes((kind, len(value) + 2)) + value
    return with_length(octets, random)


def with_length(octets: bytearray, random: Random) -> bytes:
    """Put the right Length into the header, mostly: otherwise nothing after it would ever be read."""
    if len(octets) >= 4 and random.random() < 0.9:
        octets[2:4] = min(len(octets), 0xFFFF).to_bytes(2, "big")
    return bytes(octets)


def fuzz(inputs: int, seed: int, advance: Callable[[int], object] = lambda count: None) -> int:
    """Examine that many inputs, the same ones for the same seed. Returns how many of them were packets."""
    random = Random(seed)
    seeds = read_seeds()
    packets = 0
    for number in range(1, inputs + 1):
        datagram = mutated(seeds, random) if random.random() < 0.5 else made_up(random)
        try:
            packets += examine(datagram, random.choice(seeds), random)
        except Exception as error:
            error.add_note(f"input {number} of seed {seed}: {datagram.hex()}")
            raise
        if number % INPUTS_PER_UPDATE == 0:
            advance(INPUTS_PER_UPDATE)
    return packets


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    console = Console(stderr=True)
    started = perf_counter()
    try:
        with Progress(console=console) as progress:
            task = progress.add_task("fuzzing", total=arguments.inputs)
            packets = fuzz(arguments.inputs, arguments.seed, lambda count: progress.advance(task, count))
    except Exception:  # noqa: BLE001  (whatever it is, it is what was looked for)
        traceback.print_exc()
        return 1
    took = perf_counter() - started
    console.print(f"{arguments.inputs} inputs, {packets} of them packets: no unexpected error")
    console.print(f"seed {arguments.seed}, {took:.0f} s, {arguments.inputs / took:.0f} inputs a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How the value of one attribute is coded: octets to a Python value and back (RFC 8044).

``parse`` raises `ValueError` for octets that are no such value and nothing else; ``parse(build(x)) == x``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ValueType(Generic[T]):
    """One data type: its name in RFC 8044, and both directions."""

    name: str
    parse: Callable[[bytes], T]
    build: Callable[[T], bytes]


def _parse_text(octets: bytes) -> str:
    return octets.decode()


def _parse_octets(octets: bytes) -> bytes:
    return octets


def _integer(name: str, width: int, *, signed: bool = False) -> ValueType[int]:
    def parse(octets: bytes) -> int:
        _check_length(octets, width)
        return int.from_bytes(octets, "big", signed=signed)

    def build(value: int) -> bytes:
        try:
            return value.to_bytes(width, "big", signed=signed)
        except OverflowError:
            raise ValueError(f"{value} does not fit into {width} octets") from None

    return ValueType(name, parse, build)


def _parse_ipv4(octets: bytes) -> IPv4Address:
    _check_length(octets, 4)
    return IPv4Address(octets)


def _parse_ipv6(octets: bytes) -> IPv6Address:
    _check_length(octets, 16)
    return IPv6Address(octets)


def _build_ipv4(value: IPv4Address | str) -> bytes:
    return IPv4Address(value).packed


def _build_ipv6(value: IPv6Address | str) -> bytes:
    return IPv6Address(value).packed


def _parse_ipv6_prefix(octets: bytes) -> IPv6Network:
    """Read a reserved octet, the length in bits, and as many octets of address as are given (RFC 3162 §2.3).

    A NAS that leaves bits after the prefix set, which it must not, means the prefix all the same.
    """
    if not 2 <= len(octets) <= 18:
        raise ValueError("an IPv6 prefix is 2 to 18 octets long")
    return IPv6Network((octets[2:].ljust(16, b"\0"), octets[1]), strict=False)


def _build_ipv6_prefix(value: IPv6Network | str) -> bytes:
    network = IPv6Network(value)
    return bytes((0, network.prefixlen)) + network.network_address.packed[: (network.prefixlen + 7) // 8]


def _parse_ipv4_prefix(octets: bytes) -> IPv4Network:
    """Read a reserved octet, the length in bits, and the address (RFC 8044 §3.11)."""
    _check_length(octets, 6)
    return IPv4Network((octets[2:], octets[1] & 0x3F), strict=False)


def _build_ipv4_prefix(value: IPv4Network | str) -> bytes:
    network = IPv4Network(value)
    return bytes((0, network.prefixlen)) + network.network_address.packed


def _octets_of(name: str, width: int) -> ValueType[bytes]:
    def check(octets: bytes) -> bytes:
        _check_length(octets, width)
        return octets

    return ValueType(name, check, check)


def _check_length(octets: bytes, expected: int) -> None:
    if len(octets) != expected:
        raise ValueError(f"the value is {len(octets)} octets long, not {expected}")


TEXT: Final = ValueType("text", _parse_text, str.encode)
OCTETS: Final = ValueType("string", _parse_octets, bytes)
INTEGER: Final = _integer("integer", 4)
INTEGER64: Final = _integer("integer64", 8)
SHORT: Final = _integer("short", 2)
BYTE: Final = _integer("byte", 1)
SIGNED: Final = _integer("signed", 4, signed=True)
TIME: Final = _integer("time", 4)
IPV4: Final = ValueType("ipv4addr", _parse_ipv4, _build_ipv4)
IPV6: Final = ValueType("ipv6addr", _parse_ipv6, _build_ipv6)
INTERFACE_ID: Final = _octets_of("ifid", 8)
ETHERNET_ADDRESS: Final = _octets_of("ether", 6)
IPV6_PREFIX: Final = ValueType("ipv6prefix", _parse_ipv6_prefix, _build_ipv6_prefix)
IPV4_PREFIX: Final = ValueType("ipv4prefix", _parse_ipv4_prefix, _build_ipv4_prefix)

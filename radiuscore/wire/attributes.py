"""Typed attributes: what a number on the wire is called, how its value is coded, and how to read and build it.

A value that does not parse is that one attribute's fault: it counts as absent here and stays in the packet as octets.
So does an empty value, except where the RFC gives emptiness a meaning.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final, Generic, TypeAlias, TypedDict, Unpack

from radiuscore.wire.names import NO_NAMES, Names
from radiuscore.wire.packet import MAX_VALUE_LENGTH, Packet, Pair
from radiuscore.wire.values import T, ValueType

VENDOR_SPECIFIC: Final = 26
_VENDOR_ID_LENGTH: Final = 4
_TYPE_LENGTH: Final = 2

Key: TypeAlias = tuple[int, ...]
"""Where an attribute lives: ``(27,)``, ``(26, 14988, 8)``, ``(241, 5)``; written 27, 26.14988.8, 241.5."""


class Options(TypedDict, total=False):
    """What is said of an attribute only where it is so.

    ``names`` are those of an enumerated attribute's values, ``hidden`` values are never shown, and ``may_be_empty``
    says that an empty value means something.
    """

    names: Names
    hidden: bool
    may_be_empty: bool


class TypedAttribute(ABC, Generic[T]):
    """An attribute of any space: its number, its name in dictionaries, and how its value is coded."""

    __slots__ = ("hidden", "key", "may_be_empty", "name", "names", "value_type")

    def __init__(self, key: Key, name: str, value_type: ValueType[T], **options: Unpack[Options]) -> None:
        self.key: Final = key
        self.name: Final = name
        self.value_type: Final = value_type
        self.names: Final = options.get("names", NO_NAMES)
        self.hidden: Final = options.get("hidden", False)
        self.may_be_empty: Final = options.get("may_be_empty", False)

    @abstractmethod
    def octets(self, packet: Packet) -> Iterator[bytes]:
        """Return the octets of every value in the packet, parsed or not, in their order."""

    @abstractmethod
    def __call__(self, value: T) -> Pair:
        """Build the attribute. Raises `ValueError`, which names it, for a value that does not fit."""

    def first(self, packet: Packet) -> T | None:
        """Return the first value that parses, or ``None``."""
        return next(self.all(packet), None)

    def all(self, packet: Packet) -> Iterator[T]:
        """Return every value that parses, in their order."""
        for octets in self.octets(packet):
            value = self.parse(octets)
            if value is not None:
                yield value

    def parse(self, octets: bytes) -> T | None:
        """Return the value that these octets are, or ``None`` where they are none."""
        if not octets and not self.may_be_empty:
            return None
        try:
            return self.value_type.parse(octets)
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'.'.join(map(str, self.key))} {self.name}>"

    def _build(self, value: T, room: int) -> bytes:
        try:
            octets = self.value_type.build(value)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        if len(octets) > room:
            raise ValueError(f"{self.name} is {len(octets)} octets long: at most {room} fit")
        return octets


class Attribute(TypedAttribute[T]):
    """A standard attribute, such as ``Attribute(27, "Session-Timeout", INTEGER)`` (RFC 2865 §5)."""

    __slots__ = ()

    def __init__(self, number: int, name: str, value_type: ValueType[T], **options: Unpack[Options]) -> None:
        super().__init__((number,), name, value_type, **options)

    @property
    def type(self) -> int:
        return self.key[0]

    def octets(self, packet: Packet) -> Iterator[bytes]:
        wanted = self.key[0]
        return (value for kind, value in packet.attributes if kind == wanted)

    def __call__(self, value: T) -> Pair:
        return self.key[0], self._build(value, MAX_VALUE_LENGTH)


class VendorAttribute(TypedAttribute[T]):
    """A vendor's attribute in the format RFC 2865 §5.26 suggests: type and length of one octet each."""

    __slots__ = ("_header",)

    def __init__(
        self, vendor: int, number: int, name: str, value_type: ValueType[T], **options: Unpack[Options]
    ) -> None:
        super().__init__((VENDOR_SPECIFIC, vendor, number), name, value_type, **options)
        self._header: Final = vendor.to_bytes(_VENDOR_ID_LENGTH, "big")

    @property
    def vendor(self) -> int:
        return self.key[1]

    @property
    def type(self) -> int:
        return self.key[2]

    def octets(self, packet: Packet) -> Iterator[bytes]:
        wanted = self.key[2]
        for kind, value in packet.attributes:
            if kind == VENDOR_SPECIFIC and value.startswith(self._header):
                yield from (octets for kind, octets in split_vendor(value) if kind == wanted)

    def __call__(self, value: T) -> Pair:
        octets = self._build(value, MAX_VALUE_LENGTH - _VENDOR_ID_LENGTH - _TYPE_LENGTH)
        return VENDOR_SPECIFIC, self._header + bytes((self.key[2], len(octets) + _TYPE_LENGTH)) + octets


def split_vendor(value: bytes) -> list[Pair]:
    """Return the sub-attributes of a Vendor-Specific value; none where they do not fill it exactly."""
    first = _VENDOR_ID_LENGTH + _TYPE_LENGTH
    if len(value) >= first and value[_VENDOR_ID_LENGTH + 1] == len(value) - _VENDOR_ID_LENGTH:
        return [(value[_VENDOR_ID_LENGTH], value[first:])]  # one alone, as most send them
    pairs: list[Pair] = []
    offset = _VENDOR_ID_LENGTH
    while offset + _TYPE_LENGTH <= len(value):
        end = offset + value[offset + 1]
        if not offset + _TYPE_LENGTH <= end <= len(value):
            return []
        pairs.append((value[offset], value[offset + _TYPE_LENGTH : end]))
        offset = end
    return pairs if offset == len(value) else []

"""Extended attributes, types 241 to 246: more numbers, and values longer than 253 octets (RFC 6929)."""

from collections.abc import Iterator
from typing import Final, Unpack

from radiuscore.wire import names
from radiuscore.wire.attributes import Key, Options, TypedAttribute
from radiuscore.wire.leaves import FIRST_LONG_EXTENDED, MORE, header_length, read_leaves
from radiuscore.wire.packet import MAX_LENGTH, MAX_VALUE_LENGTH, Packet, Pair
from radiuscore.wire.values import INTEGER, T, ValueType


class ExtendedAttribute(TypedAttribute[T]):
    """An extended attribute, ``(241, 5)`` or ``(245, 1)``, or a vendor's, ``(241, 26, 14988, 8)`` (RFC 6929 §2)."""

    __slots__ = ("_header",)

    def __init__(self, key: Key, name: str, value_type: ValueType[T], **options: Unpack[Options]) -> None:
        super().__init__(key, name, value_type, **options)
        self._header: Final = b"" if len(key) == 2 else key[2].to_bytes(4, "big") + bytes((key[3],))

    def octets(self, packet: Packet) -> Iterator[bytes]:
        return (value for key, value in read_leaves(packet.attributes) if key == self.key)

    def __call__(self, value: T) -> Pair:
        pairs = self.pairs(value)
        if len(pairs) > 1:
            raise ValueError(f"{self.name} needs {len(pairs)} attributes: build it with pairs()")
        return pairs[0]

    def pairs(self, value: T) -> tuple[Pair, ...]:
        """Build the attribute, of types 245 and 246 in as many fragments as it needs, to be sent without a gap."""
        kind, number = self.key[:2]
        room = MAX_VALUE_LENGTH - header_length(kind)
        octets = self._header + self._build(value, MAX_LENGTH if kind >= FIRST_LONG_EXTENDED else room)
        if kind < FIRST_LONG_EXTENDED:
            return ((kind, bytes((number,)) + octets),)
        parts = [octets[start : start + room] for start in range(0, len(octets), room)]
        flags = [MORE] * (len(parts) - 1) + [0]
        return tuple((kind, bytes((number, flag)) + part) for flag, part in zip(flags, parts, strict=True))


# RFC 7499, RFC 7930
FRAG_STATUS: Final = ExtendedAttribute((241, 1), "Frag-Status", INTEGER, names=names.FRAG_STATUSES)
PROXY_STATE_LENGTH: Final = ExtendedAttribute((241, 2), "Proxy-State-Length", INTEGER)
RESPONSE_LENGTH: Final = ExtendedAttribute((241, 3), "Response-Length", INTEGER)
ORIGINAL_PACKET_CODE: Final = ExtendedAttribute((241, 4), "Original-Packet-Code", INTEGER)

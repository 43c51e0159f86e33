"""Attributes within attributes, taken apart: every octet of a packet's attributes comes out under exactly one key.

What is malformed comes out whole under the outer type alone: never lost, never half, never an error.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from radiuscore.wire.attributes import VENDOR_SPECIFIC, Key, split_vendor
from radiuscore.wire.packet import Pair

FIRST_EXTENDED: Final = 241
FIRST_LONG_EXTENDED: Final = 245
LAST_EXTENDED: Final = 246
MORE: Final = 0x80

_VENDOR_ID_LENGTH: Final = 4
_VENDOR_HEADER_LENGTH: Final = 5


def read_leaves(attributes: Sequence[Pair]) -> Iterator[tuple[Key, bytes]]:
    """Return the key and value of every attribute that holds no other, in their order.

    Sub-attributes of a vendor have keys such as ``(26, 14988, 8)`` (RFC 2865 §5.26), extended attributes ``(241, 5)``
    or ``(241, 26, 14988, 8)``. A value in fragments is joined where they follow each other without a gap and the last
    one, and only that, says that it is the last. (RFC 6929 §2)
    """
    fragments: list[Pair] = []
    for pair in attributes:
        kind, value = pair
        if fragments and not _continues(pair, fragments[-1]):
            yield from _whole(fragments)
            fragments = []
        if kind == VENDOR_SPECIFIC:
            yield from _vendor_leaves(value)
        elif not _is_extended(pair):
            yield (kind,), value
        else:
            fragments.append(pair)
            if not _has_more(pair):
                yield _joined(fragments)
                fragments = []
    yield from _whole(fragments)


def header_length(kind: int) -> int:
    """Return how many octets of an extended attribute's value come before its data (RFC 6929 §2.1, §2.2)."""
    return 1 if kind < FIRST_LONG_EXTENDED else 2


def _vendor_leaves(value: bytes) -> Iterator[tuple[Key, bytes]]:
    pairs = split_vendor(value)
    if not pairs:
        yield (VENDOR_SPECIFIC,), value
    vendor = int.from_bytes(value[:_VENDOR_ID_LENGTH], "big")
    for kind, octets in pairs:
        yield (VENDOR_SPECIFIC, vendor, kind), octets


def _is_extended(pair: Pair) -> bool:
    """Tell whether this is an extended attribute with data in it."""
    kind, value = pair
    return FIRST_EXTENDED <= kind <= LAST_EXTENDED and len(value) > header_length(kind)


def _has_more(pair: Pair) -> bool:
    kind, value = pair
    return kind >= FIRST_LONG_EXTENDED and bool(value[1] & MORE)


def _continues(pair: Pair, previous: Pair) -> bool:
    """Tell whether ``pair`` is the next fragment of the value of which ``previous`` is one."""
    return _is_extended(pair) and pair[0] == previous[0] and pair[1][0] == previous[1][0]


def _joined(fragments: Sequence[Pair]) -> tuple[Key, bytes]:
    kind, first = fragments[0]
    value = b"".join(fragment[header_length(kind) :] for _, fragment in fragments)
    if first[0] == VENDOR_SPECIFIC and len(value) > _VENDOR_HEADER_LENGTH:
        vendor = int.from_bytes(value[:_VENDOR_ID_LENGTH], "big")
        return (kind, VENDOR_SPECIFIC, vendor, value[_VENDOR_ID_LENGTH]), value[_VENDOR_HEADER_LENGTH:]
    return (kind, first[0]), value


def _whole(fragments: Sequence[Pair]) -> Iterator[tuple[Key, bytes]]:
    return (((kind,), value) for kind, value in fragments)

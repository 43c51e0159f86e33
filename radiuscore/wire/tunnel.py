"""Tagged attributes: those of tunnels, where several may stand in one packet and a tag groups them (RFC 2868).

Tunnel-Password is built from what `password.hide_salted` returns, with a salt of its own for every one of a reply.
"""

from typing import Final, Generic, NamedTuple

from radiuscore.wire import names
from radiuscore.wire.attributes import Attribute
from radiuscore.wire.packet import Pair
from radiuscore.wire.values import OCTETS, TEXT, T, ValueType

MAX_TAG: Final = 0x1F
_MAX_INTEGER: Final = 0xFFFFFF


class Tagged(NamedTuple, Generic[T]):
    """A value and the tag of its tunnel, 1 to 31; 0 belongs to none."""

    value: T
    tag: int = 0


class TaggedAttribute(Attribute[Tagged[T]]):
    """An attribute whose values are `Tagged`: ``TUNNEL_TYPE(13, tag=1)``, ``TUNNEL_TYPE.first(packet)``."""

    __slots__ = ()

    def __call__(self, value: T | Tagged[T], tag: int = 0) -> Pair:
        return super().__call__(value if isinstance(value, Tagged) else Tagged(value, tag))


def _parse_integer(octets: bytes) -> Tagged[int]:
    """Read a tag, which is always there, and 3 octets (RFC 2868 §3.1)."""
    if len(octets) != 4 or octets[0] > MAX_TAG:
        raise ValueError("a tagged integer is a tag of at most 31 and 3 octets")
    return Tagged(int.from_bytes(octets[1:], "big"), octets[0])


def _build_integer(tagged: Tagged[int]) -> bytes:
    if not 0 <= tagged.value <= _MAX_INTEGER:
        raise ValueError(f"{tagged.value} does not fit into 3 octets")
    return _tag(tagged.tag) + tagged.value.to_bytes(3, "big")


def tagged(inner: ValueType[T]) -> ValueType[Tagged[T]]:
    """Return the data type of a text or octets with a tag before it that may be left out (RFC 2868 §3.3).

    A first octet over 31 is data. The tag 0 is written only where data could be mistaken for a tag without it.
    """

    def parse(octets: bytes) -> Tagged[T]:
        if octets and octets[0] <= MAX_TAG:
            return Tagged(inner.parse(octets[1:]), octets[0])
        return Tagged(inner.parse(octets))

    def build(tagged: Tagged[T]) -> bytes:
        octets = inner.build(tagged.value)
        bare = tagged.tag == 0 and octets and octets[0] > MAX_TAG
        return octets if bare else _tag(tagged.tag) + octets

    return ValueType(f"tagged-{inner.name}", parse, build)


def _parse_hidden(octets: bytes) -> Tagged[bytes]:
    """Read a tag, always there and ignored over 31, and what `password.reveal_salted` reads (RFC 2868 §3.5)."""
    if not octets:
        raise ValueError("there is no tag")
    return Tagged(octets[1:], octets[0] if octets[0] <= MAX_TAG else 0)


def _build_hidden(tagged: Tagged[bytes]) -> bytes:
    return _tag(tagged.tag) + tagged.value


def _tag(tag: int) -> bytes:
    if not 0 <= tag <= MAX_TAG:
        raise ValueError(f"a tag is 0 to {MAX_TAG}, not {tag}")
    return bytes((tag,))


TAGGED_INTEGER: Final = ValueType("tagged-integer", _parse_integer, _build_integer)
TAGGED_TEXT: Final = tagged(TEXT)
TAGGED_OCTETS: Final = tagged(OCTETS)
TAGGED_HIDDEN: Final = ValueType("tagged-salted", _parse_hidden, _build_hidden)

TUNNEL_TYPE: Final = TaggedAttribute(64, "Tunnel-Type", TAGGED_INTEGER, names=names.TUNNEL_TYPES)
TUNNEL_MEDIUM_TYPE: Final = TaggedAttribute(65, "Tunnel-Medium-Type", TAGGED_INTEGER, names=names.TUNNEL_MEDIUM_TYPES)
TUNNEL_CLIENT_ENDPOINT: Final = TaggedAttribute(66, "Tunnel-Client-Endpoint", TAGGED_TEXT)
TUNNEL_SERVER_ENDPOINT: Final = TaggedAttribute(67, "Tunnel-Server-Endpoint", TAGGED_TEXT)
TUNNEL_PASSWORD: Final = TaggedAttribute(69, "Tunnel-Password", TAGGED_HIDDEN, hidden=True)
TUNNEL_PRIVATE_GROUP_ID: Final = TaggedAttribute(81, "Tunnel-Private-Group-Id", TAGGED_TEXT)
TUNNEL_ASSIGNMENT_ID: Final = TaggedAttribute(82, "Tunnel-Assignment-Id", TAGGED_TEXT)
TUNNEL_PREFERENCE: Final = TaggedAttribute(83, "Tunnel-Preference", TAGGED_INTEGER)
TUNNEL_CLIENT_AUTH_ID: Final = TaggedAttribute(90, "Tunnel-Client-Auth-Id", TAGGED_TEXT)
TUNNEL_SERVER_AUTH_ID: Final = TaggedAttribute(91, "Tunnel-Server-Auth-Id", TAGGED_TEXT)

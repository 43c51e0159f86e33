"""Every known attribute by name and by number, and packets printed for people.

A registry never changes: `Registry.with_attributes` makes another one, for example with an operator's vendors.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from radiuscore.wire import ascend, extended, microsoft, mikrotik, names, rfc, tunnel, wispr
from radiuscore.wire.attributes import VENDOR_SPECIFIC, Key, TypedAttribute
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.packet import Packet
from radiuscore.wire.tunnel import Tagged
from radiuscore.wire.values import TEXT

AnyAttribute: TypeAlias = TypedAttribute[Any]

_TABLES: Final = (rfc, tunnel, extended, mikrotik, microsoft, wispr, ascend)
_VENDOR_ID_LENGTH: Final = 4


class UnknownAttribute(KeyError):
    """No attribute has this name."""

    def __str__(self) -> str:
        return f"there is no attribute named {self.args[0]!r}"


class Registry:
    """Attributes by name, whatever the case of its letters, and by key."""

    __slots__ = ("_by_key", "_by_name", "_vendors_with_secrets")

    def __init__(self, attributes: Iterable[AnyAttribute]) -> None:
        known = tuple(attributes)
        self._by_key: Final = {attribute.key: attribute for attribute in known}
        self._by_name: Final = {attribute.name.lower(): attribute for attribute in known}
        self._vendors_with_secrets: Final = frozenset(
            attribute.key[1] for attribute in known if attribute.hidden and attribute.key[0] == VENDOR_SPECIFIC
        )

    def __iter__(self) -> Iterator[AnyAttribute]:
        return iter(self._by_name.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def with_attributes(self, attributes: Iterable[AnyAttribute]) -> "Registry":
        """Return a registry that knows these as well; of two with one name or one key the later counts."""
        return Registry([*self, *attributes])

    def by_name(self, name: str) -> AnyAttribute:
        """Return the attribute of that name. Raises `UnknownAttribute`."""
        try:
            return self._by_name[name.lower()]
        except KeyError:
            raise UnknownAttribute(name) from None

    def by_key(self, key: Key) -> AnyAttribute | None:
        """Return the attribute with that number, such as ``(27,)`` or ``(26, 14988, 8)``, or ``None``."""
        return self._by_key.get(key)

    def describe(self, packet: Packet, *, secret_free: bool = True) -> str:
        """Return the packet as text: a line for the header and one per attribute, safe in any log or terminal.

        ``secret_free`` shows only the length of passwords, responses, keys and EAP. Texts are quoted, and what is not
        printable in them is escaped.
        """
        lines = [f"{names.CODES.get(packet.code, f'Code-{packet.code}')} {packet.identifier}"]
        lines += (f"  {self._line(key, octets, secret_free)}" for key, octets in read_leaves(packet.attributes))
        return "\n".join(lines)

    def _line(self, key: Key, octets: bytes, secret_free: bool) -> str:
        attribute = self._by_key.get(key)
        name = "Attr-" + ".".join(map(str, key)) if attribute is None else attribute.name
        if secret_free and self._may_hold_secret(key, octets):
            return f"{name} = <hidden, {len(octets)} octets>"
        if attribute is None:
            return f"{name} = 0x{octets.hex()}"
        value = attribute.parse(octets)
        if isinstance(value, Tagged):
            name, value = f"{name}:{value.tag}" if value.tag else name, value.value
        return f"{name} = {_shown(value, attribute, octets)}"

    def _may_hold_secret(self, key: Key, octets: bytes) -> bool:
        """Tell whether to hide a value: it is a secret, or one of a vendor who has some, too malformed to tell."""
        attribute = self._by_key.get(key)
        if attribute is not None:
            return attribute.hidden
        vendor = int.from_bytes(octets[:_VENDOR_ID_LENGTH], "big")
        return key == (VENDOR_SPECIFIC,) and vendor in self._vendors_with_secrets


def _shown(value: object, attribute: AnyAttribute, octets: bytes) -> str:
    """Return a value as people write it, and what did not parse as octets; text that is no UTF-8 stays readable."""
    if value is None and attribute.value_type is TEXT and octets:
        return _quoted(octets.decode("utf-8", "surrogateescape"))
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return attribute.names.get(value, str(value))
    if value is None or isinstance(value, bytes):
        return f"0x{octets.hex()}"
    return str(value)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how "surrogateescape" writes an octet that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


STANDARD: Final = Registry(
    value for table in _TABLES for value in vars(table).values() if isinstance(value, TypedAttribute)
)
by_name: Final = STANDARD.by_name
describe: Final = STANDARD.describe

"""Dictionaries in FreeRADIUS's format, read by pyrad's parser, for vendors that the tables of `wire` do not know.

What is built in stays as it is: a dictionary adds attributes and changes none, so that no file can uncover a secret.
"""

from collections.abc import Iterator
from os import PathLike, fspath
from typing import Any, Final, NamedTuple

from pyrad.dictionary import Dictionary, ParseError

from radiuscore.wire import tunnel, values
from radiuscore.wire.attributes import Attribute, Options, VendorAttribute
from radiuscore.wire.registry import STANDARD, AnyAttribute, Registry
from radiuscore.wire.values import ValueType

_VALUE_TYPES: Final[dict[str, ValueType[Any]]] = {
    "string": values.TEXT,
    "octets": values.OCTETS,
    "abinary": values.OCTETS,
    "tlv": values.OCTETS,
    "integer": values.INTEGER,
    "integer64": values.INTEGER64,
    "signed": values.SIGNED,
    "short": values.SHORT,
    "byte": values.BYTE,
    "date": values.TIME,
    "ipaddr": values.IPV4,
    "ipv6addr": values.IPV6,
    "ipv6prefix": values.IPV6_PREFIX,
    "ifid": values.INTERFACE_ID,
    "ether": values.ETHERNET_ADDRESS,
}
_LAST_NUMBER: Final = 255
_SALTED: Final = 2


class DictionaryError(ValueError):
    """A dictionary cannot be read. The message names the file, the line and what is wrong there."""


class LoadedDictionary(NamedTuple):
    """A registry that knows a dictionary's attributes as well, and the names of those that it could not take."""

    registry: Registry
    skipped: tuple[str, ...]


def load_dictionary(*paths: str | PathLike[str], base: Registry = STANDARD) -> LoadedDictionary:
    """Return ``base`` with the attributes that the dictionary files, and those they include, define.

    Skipped are attributes that no packet of ours can hold: numbers over 255, vendors with another format than type
    and length of one octet each, and data types that pyrad does not know. Raises `DictionaryError` and `OSError`.
    """
    dictionary = Dictionary()
    for path in paths:
        try:
            dictionary.ReadDictionary(fspath(path))
        except ParseError as error:
            raise DictionaryError(str(error)) from error
        except (ValueError, LookupError) as error:  # not text, or a fault that pyrad does not name
            raise DictionaryError(f"{fspath(path)} cannot be read as a dictionary: {error}") from error
    added: list[AnyAttribute] = []
    skipped = set(dictionary.skipped_attributes)
    for definition in dictionary.attributes.values():
        attribute = _attribute(definition, dictionary.vendors.forward.get(definition.vendor, 0))
        if attribute is None:
            skipped.add(definition.name)
        elif base.by_key(attribute.key) is None and attribute.name not in base:
            added.append(attribute)
    return LoadedDictionary(base.with_attributes(added), tuple(sorted(skipped)))


def _attribute(definition: Any, vendor: int) -> AnyAttribute | None:
    """Return one definition of pyrad's as an attribute, or ``None`` where the codec has no place for it."""
    if definition.is_sub_attribute or not 0 < definition.code <= _LAST_NUMBER:
        return None
    options = Options(names=dict(_names(definition)), hidden=bool(definition.encrypt))
    if vendor:
        return VendorAttribute(vendor, definition.code, definition.name, _value_type(definition), **options)
    return Attribute(definition.code, definition.name, _value_type(definition), **options)


def _value_type(definition: Any) -> ValueType[Any]:
    """Return how the value is coded. Of an encrypted one that is how its ciphertext is: the codec has no secret."""
    if definition.encrypt:
        salted_with_tag = definition.has_tag and definition.encrypt == _SALTED
        return tunnel.TAGGED_HIDDEN if salted_with_tag else values.OCTETS
    value_type = _VALUE_TYPES[definition.type]
    if not definition.has_tag:
        return value_type
    return tunnel.TAGGED_INTEGER if value_type is values.INTEGER else tunnel.tagged(value_type)


def _names(definition: Any) -> Iterator[tuple[int, str]]:
    """Return the numbers that have names; pyrad holds them as they are encoded."""
    value_type = _VALUE_TYPES[definition.type]
    for octets, name in definition.values.backward.items():
        value = value_type.parse(octets)
        if isinstance(value, int):
            yield value, name

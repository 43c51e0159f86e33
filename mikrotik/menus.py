"""The menus we set up: one entry per menu, one line per field we own, with how its values compare.

RouterOS writes one value in several ways (``3s``, ``00:00:03``; ``yes``, ``true``; ``ppp,hotspot`` in any order), so
what is compared is the canonical value, never the text.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mikrotik import values
from mikrotik.transport import Read
from mikrotik.versions import Version

_FIRST: Final = Version(6, 0)

COMMENT: Final = "radiuscore"  # the mark of an entry that is ours, alone or before "/name"


def _text(text: str) -> Hashable:
    return text


def _bool(text: str) -> Hashable:
    return values.parse_bool(text)


def _integer(text: str) -> Hashable:
    return values.parse_integer(text)


def _duration(text: str) -> Hashable:
    duration = values.parse_duration(text)
    return text if duration is None else duration


def _set(text: str) -> Hashable:
    return frozenset(values.parse_list(text))


def _address(text: str) -> Hashable:
    address = values.parse_address(text)
    return text if address is None else address


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a menu: how two of its values compare, whether it may be shown, and since when it is there."""

    name: str
    canonical: Callable[[str], Hashable] = _text
    secret: bool = False
    since: Version = _FIRST


@dataclass(frozen=True, slots=True)
class Menu:
    """One menu. ``single`` has one entry; elsewhere ``key`` finds an entry again: ours by their comment."""

    path: str
    fields: tuple[Field, ...] = field(repr=False)
    single: bool = False
    key: str = "comment"

    def read(self, version: Version) -> Read:
        """Return what must be read to compare this menu on a router of that version."""
        names = [one.name for one in self.fields if one.since <= version]
        if not self.single:
            names = [".id", "dynamic", *dict.fromkeys((self.key, *names))]
        return Read(self.path, tuple(names), single=self.single)

    def known(self, wanted: Mapping[str, str], version: Version) -> dict[str, str]:
        """Return the wanted fields that a router of that version has; raises KeyError for one that is not ours."""
        since = {one.name: one.since for one in self.fields}
        return {name: value for name, value in wanted.items() if since[name] <= version}

    def differs(self, name: str, one: str, other: str) -> bool:
        """Tell whether two texts of a field mean different values."""
        return self.field(name).canonical(one) != self.field(name).canonical(other)

    def field(self, name: str) -> Field:
        """Return the field of that name; raises KeyError."""
        for one in self.fields:
            if one.name == name:
                return one
        raise KeyError(name)


RADIUS: Final = Menu(
    "/radius",
    (
        Field("service", _set),
        Field("address", _address),
        Field("secret", secret=True),
        Field("authentication-port", _integer),
        Field("accounting-port", _integer),
        Field("timeout", _duration),
        Field("src-address", _address),
        Field("disabled", _bool),
        Field("comment"),
        Field("require-message-auth", since=Version(7, 15)),
    ),
)
RADIUS_INCOMING: Final = Menu("/radius/incoming", (Field("accept", _bool), Field("port", _integer)), single=True)
PPP_AAA: Final = Menu(
    "/ppp/aaa",
    (Field("use-radius", _bool), Field("accounting", _bool), Field("interim-update", _duration)),
    single=True,
)
HOTSPOT_PROFILE: Final = Menu(
    "/ip/hotspot/profile",
    (
        Field("name"),
        Field("use-radius", _bool),
        Field("radius-accounting", _bool),
        Field("radius-interim-update", _duration),
    ),
    key="name",
)
NTP_CLIENT: Final = Menu(
    "/system/ntp/client",
    (
        Field("enabled", _bool),
        Field("servers", _set, since=Version(7, 0)),
        Field("server-dns-names", _set),  # RouterOS 6
    ),
    single=True,
)
USER_GROUP: Final = Menu("/user/group", (Field("name"), Field("policy", _set), Field("comment")))
USER: Final = Menu(
    "/user",
    (
        Field("name"),
        Field("group"),
        Field("password", secret=True),
        Field("address", _set),
        Field("disabled", _bool),
        Field("comment"),
    ),
)

"""What we want of a router -> wanted entries per menu. Pure; the same for a plan, a diff and a script to paste."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from mikrotik import menus, values
from mikrotik.menus import COMMENT, Menu
from mikrotik.versions import Version

Address: TypeAlias = IPv4Address | IPv6Address

REQUIRE: Final = "yes-for-request-resp"  # RouterOS's own default from 7.15
# What watching, doctor, sessions and RADIUS settings need; health wants reboot on some versions, export wants ftp.
POLICIES: Final = ("read", "write", "api", "rest-api", "ssh", "test", "sensitive", "ftp", "reboot")
_SINCE_REST: Final = Version(7, 1)


class Scope(Enum):
    """Which entries of a menu a wish is about."""

    OURS = "ours"  # those with our mark: added, changed and removed until they are as wanted
    SINGLE = "single"  # the one entry of the menu: changed
    EXISTING = "existing"  # every entry that is there: changed, never added or removed


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a menu is to be. ``entries`` are fields as `set` takes them; SINGLE and EXISTING have one."""

    menu: Menu
    scope: Scope
    entries: tuple[Mapping[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RadiusIntent:
    """A router that asks this RADIUS server. ``source`` is the router's own address to send from, where it matters.

    Routers wait 0.3 to 1.1 s by themselves, too short for a server that is not in the same building. The interim
    interval counts only where an Accept names none; hotspot takes the Accept's only if told ``received``.
    """

    server: Address
    secret: str = field(repr=False)
    auth_port: int = 1812
    acct_port: int = 1813
    coa_port: int = 3799
    services: tuple[str, ...] = ("ppp", "hotspot")
    source: Address | None = None
    timeout: timedelta = timedelta(seconds=3)
    interim_update: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class UserIntent:
    """A user of ours on the router, with no more policies than we use, from our addresses only."""

    name: str
    password: str = field(repr=False)
    from_addresses: tuple[Address, ...] = ()


def wanted_radius(intent: RadiusIntent) -> tuple[Wanted, ...]:
    """Return how RADIUS menus are to be. Other servers in the router's list stay; order is by entry, ours last."""
    entry = {
        "service": values.build_list(intent.services),
        "address": str(intent.server),
        "secret": intent.secret,
        "authentication-port": str(intent.auth_port),
        "accounting-port": str(intent.acct_port),
        "timeout": values.build_duration(intent.timeout),
        "disabled": "no",
        "comment": COMMENT,
        "require-message-auth": REQUIRE,
    }
    if intent.source is not None:
        entry["src-address"] = str(intent.source)
    wanted = [
        Wanted(menus.RADIUS, Scope.OURS, (entry,)),
        Wanted(menus.RADIUS_INCOMING, Scope.SINGLE, ({"accept": "yes", "port": str(intent.coa_port)},)),
    ]
    if "ppp" in intent.services:
        interim = values.build_duration(intent.interim_update)
        aaa = {"use-radius": "yes", "accounting": "yes", "interim-update": interim}
        wanted.append(Wanted(menus.PPP_AAA, Scope.SINGLE, (aaa,)))
    if "hotspot" in intent.services:
        profile = {"use-radius": "yes", "radius-accounting": "yes", "radius-interim-update": "received"}
        wanted.append(Wanted(menus.HOTSPOT_PROFILE, Scope.EXISTING, (profile,)))
    return tuple(wanted)


def wanted_user(intent: UserIntent, version: Version) -> tuple[Wanted, ...]:
    """Return a group with our policies and a user in it; RouterOS 6 does not know the policy ``rest-api``."""
    policies = [policy for policy in POLICIES if policy != "rest-api" or version >= _SINCE_REST]
    group = {"name": COMMENT, "policy": values.build_list(tuple(policies)), "comment": COMMENT}
    user = {
        "name": intent.name,
        "group": COMMENT,
        "password": intent.password,
        "address": values.build_list(tuple(map(str, intent.from_addresses))),
        "disabled": "no",
        "comment": COMMENT,
    }
    return (Wanted(menus.USER_GROUP, Scope.OURS, (group,)), Wanted(menus.USER, Scope.OURS, (user,)))


def wanted_time(servers: tuple[str, ...], version: Version) -> tuple[Wanted, ...]:
    """Return the router's clock kept right from NTP servers, given by name."""
    field = "servers" if version.major >= 7 else "server-dns-names"
    client = {"enabled": "yes", field: values.build_list(servers)}
    return (Wanted(menus.NTP_CLIENT, Scope.SINGLE, (client,)),)

"""Would a packet pass a chain of ``/ip firewall filter``? Pure; says "cannot tell" where it does not know a matcher.

The first rule that surely matches decides, as on the router; no rule is "passes". A rule before it that may or may not
match and would do otherwise makes the answer unknown. (RouterOS manual: Filter.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, TypeAlias

from mikrotik.transport import Row
from mikrotik.values import parse_bool

Address: TypeAlias = IPv4Address | IPv6Address
_Test: TypeAlias = Callable[[str], bool | None]

_ENDS: Final = {"accept": True, "drop": False, "reject": False, "tarpit": False}
_PASSED_BY: Final = frozenset(
    {"passthrough", "log", "fasttrack-connection", "add-src-to-address-list", "add-dst-to-address-list"}
)
_NO_MATCHER: Final = frozenset({".id", "chain", "action", "disabled", "dynamic", "comment", "jump-target"})


@dataclass(frozen=True, slots=True)
class Packet:
    """A UDP packet as a chain sees it; an address or a port that is not known is ``None``."""

    chain: str
    source: Address | None
    destination: Address | None
    source_port: int | None
    destination_port: int
    state: str  # "new" or "established"


def blocking_rule(rules: Sequence[Row], packet: Packet) -> Row | bool | None:
    """Return the rule that surely drops the packet; ``False`` if it surely passes, ``None`` if that cannot be told."""
    possible: set[bool] = set()  # what rules that may match would do: pass or not
    for rule in rules:
        if rule.get("chain") != packet.chain or parse_bool(rule.get("disabled", "")):
            continue
        action = rule.get("action", "accept")
        matches = _matches(rule, packet)
        if matches is False or action in _PASSED_BY:
            continue
        if action not in _ENDS:
            return None  # a jump: its chain is not followed
        possible.add(_ENDS[action])
        if matches:
            return None if len(possible) > 1 else False if _ENDS[action] else rule
    return None if False in possible else False


def _matches(rule: Row, packet: Packet) -> bool | None:
    results = [_matcher(name, value, packet) for name, value in rule.items() if name not in _NO_MATCHER and value]
    if False in results:
        return False
    return None if None in results else True


def _matcher(name: str, value: str, packet: Packet) -> bool | None:
    match name:
        case "protocol":
            return _negated(value, lambda text: text in ("udp", "17"))
        case "connection-state":
            return _negated(value, lambda text: packet.state in text.split(","))
        case "src-port":
            return _negated(value, lambda text: _in_ports(text, packet.source_port))
        case "dst-port":
            return _negated(value, lambda text: _in_ports(text, packet.destination_port))
        case "src-address":
            return _negated(value, lambda text: _in_network(text, packet.source))
        case "dst-address":
            return _negated(value, lambda text: _in_network(text, packet.destination))
        case _:
            return None


def _negated(value: str, test: _Test) -> bool | None:
    if value.startswith("!"):
        result = test(value[1:])
        return None if result is None else not result
    return test(value)


def _in_ports(text: str, port: int | None) -> bool | None:
    if port is None:
        return None
    for part in text.split(","):
        low, _, high = part.partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            return None
        if int(low) <= port <= int(high or low):
            return True
    return False


def _in_network(text: str, address: Address | None) -> bool | None:
    try:
        return None if address is None else address in ip_network(text, strict=False)
    except ValueError:
        return None

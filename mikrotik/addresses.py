"""Which addresses this server may connect to, when somebody else names the router. A name is resolved once.

What is connected to is the address that was checked, never the name again, so an answer that changes between two
look-ups gains nothing; forms like ``0x7f.1`` or ``2130706433`` are judged by what they resolve to.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from mikrotik.errors import AddressRefused, Unreachable

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NEVER: Final = tuple(map(ip_network, ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8")))
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST6: Final = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"), _NAT64)
# Allowed only by a network of OUTBOUND_ALLOW that lies within: a wide one (0.0.0.0/0) does not name them.
_NAMED_ONLY: Final = tuple(
    map(ip_network, ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10", "fd00:ec2::254/128"))
)


def allowed_address(address: Address, allowed: Sequence[Network] | None = None, *, own: bool = False) -> bool:
    """Tell whether ``address`` may be connected to; pure.

    ``allowed`` are the networks of OUTBOUND_ALLOW, ``None`` for every private or public unicast address. Loopback,
    link-local and this machine's own addresses (``own``) need a network that names them. An IPv4 address inside an
    IPv6 one (mapped, 6to4, Teredo, NAT64) must be allowed as well.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return allowed_address(address.ipv4_mapped, allowed, own=own)
        if not all(allowed_address(inner, allowed) for inner in _inside(address)):
            return False
    return _allowed_itself(address, allowed or (), own) and (
        allowed is None or any(address in network for network in allowed)
    )


def _allowed_itself(address: Address, allowed: Sequence[Network], own: bool) -> bool:
    if any(address in network for network in _NEVER):
        return False
    for special in _NAMED_ONLY:
        if address in special:
            return any(address in network and _within(network, special) for network in allowed)
    if own and not any(address in network and network.num_addresses == 1 for network in allowed):
        return False
    return isinstance(address, IPv4Address) or any(address in network for network in _UNICAST6)


def _within(network: Network, outer: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(outer, IPv4Network) and network.subnet_of(outer)
    return isinstance(outer, IPv6Network) and network.subnet_of(outer)


def _inside(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield address.teredo[1]
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def is_own_address(address: Address) -> bool:
    """Tell whether this machine has the address: the kernel lets only its own be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """`allowed_address` with the networks of one installation. ``is_own`` is replaced in tests only."""

    allowed: tuple[Network, ...] | None = None
    is_own: Callable[[Address], bool] = is_own_address

    def allows(self, address: Address) -> bool:
        """Tell whether a connection to ``address`` may be opened."""
        return allowed_address(address, self.allowed, own=self.is_own(address))


async def resolve(host: str, port: int, guard: AddressGuard | None) -> str:
    """Return the one address to connect to: the first of the name's that is allowed.

    Raises `Unreachable` for a name without addresses and `AddressRefused`.
    """
    addresses = await _addresses(host, port)
    if guard is None:
        return addresses[0]
    for address in addresses:
        if guard.allows(ip_address(address)):
            return address
    raise AddressRefused(
        f"{host} is an address this server does not connect to.",
        "Use the router's own address. Loopback, link-local and this server's addresses, and addresses outside "
        "OUTBOUND_ALLOW, must be named in OUTBOUND_ALLOW by whoever runs the server.",
    )


async def _addresses(host: str, port: int) -> list[str]:
    try:
        return [str(ip_address(host))]  # most routers are given by address: no thread for a look-up
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host} has no address.", "Check the router's address or its name in DNS.") from error
    return [str(entry[4][0]) for entry in found]

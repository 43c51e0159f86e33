"""Central pools: addresses and IPv6 prefixes that this server gives by itself, where else the router's pool would.

A pool's leases are in the database; here is only what can be said of a pool without it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from itertools import chain, islice
from typing import Final, NamedTuple, TypeAlias

from radiuscore.aaa.records import IspId

PoolId: TypeAlias = int
HostAddress: TypeAlias = IPv4Address | IPv6Address
LeasedAddress: TypeAlias = IPv4Address | IPv6Network

_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128


@dataclass(frozen=True)
class AddressPool:
    """What one ISP's customers are given of: IPv4 addresses (``prefix_length`` 32), or IPv6 prefixes of one length.

    ``ranges`` are first and last address, both included, sorted, and none of them overlaps another of the same ISP;
    those of prefixes begin and end where a prefix does.
    """

    id: PoolId
    isp_id: IspId
    name: str
    prefix_length: int
    ranges: tuple[tuple[HostAddress, HostAddress], ...]

    @cached_property
    def version(self) -> int:
        """4 or 6."""
        return self.ranges[0][0].version

    @cached_property
    def size(self) -> int:
        """How many addresses or prefixes there are."""
        return sum((int(last) - int(first) + 1) // self._step for first, last in self.ranges)

    def after(self, highest: Sequence[HostAddress | None], count: int) -> list[LeasedAddress]:
        """Return the next ``count`` after the highest known address of each range, or fewer where no more are left."""
        begins = (None if known is None else int(known) + self._step for known in highest)
        return list(islice(chain.from_iterable(map(self._addresses, self.ranges, begins)), count))

    def starting_with(self, address: HostAddress, count: int) -> list[LeasedAddress]:
        """Return an address and those that follow it in its range, ``count`` at most."""
        for first, last in self.ranges:
            if int(first) <= int(address) <= int(last):
                return list(islice(self._addresses((first, last), int(address)), count))
        return []

    @property
    def _step(self) -> int:
        bits = _IPV4_BITS if self.version == 4 else _IPV6_BITS
        return 1 << (bits - self.prefix_length)

    def _addresses(self, within: tuple[HostAddress, HostAddress], begin: int | None) -> Iterator[LeasedAddress]:
        first, last = map(int, within)
        for number in range(first if begin is None else begin, last + 1, self._step):
            yield IPv4Address(number) if self.version == 4 else IPv6Network((number, self.prefix_length))


class WantedPools(NamedTuple):
    """The central pools that a reply needs an address of; ``None`` where the router gives it, or nobody does."""

    framed_ip_address: AddressPool | None = None
    framed_ipv6_prefix: AddressPool | None = None
    delegated_ipv6_prefix: AddressPool | None = None


class Leases(NamedTuple):
    """What a login was given of central pools."""

    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None


NO_POOLS: Final = WantedPools()
NO_LEASES: Final = Leases()

"""What belongs to which address prefix: one dict hit for each prefix length in use, however many prefixes there are."""

from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

from radiuscore.aaa.records import Network

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class PrefixTable(Generic[K, V]):
    """Values by prefix and key, for addresses of one family: ``bits`` is 32 or 128."""

    __slots__ = ("_bits", "_by_length")

    def __init__(self, bits: int) -> None:
        self._bits: Final = bits
        self._by_length: dict[int, dict[int, dict[K, V]]] = {}

    def add(self, network: Network, key: K, value: V) -> None:
        """Put a value at a prefix; the same key there again replaces it."""
        length = network.prefixlen
        if length not in self._by_length:
            self._by_length = dict(sorted([*self._by_length.items(), (length, {})], reverse=True))
        self._by_length[length].setdefault(self._leading_bits(network), {})[key] = value

    def remove(self, network: Network, key: K) -> None:
        """Take away what `add` put there."""
        of_length = self._by_length[network.prefixlen]
        prefix = self._leading_bits(network)
        del of_length[prefix][key]
        if not of_length[prefix]:
            del of_length[prefix]
        if not of_length:
            del self._by_length[network.prefixlen]

    def matching(self, address: bytes) -> Iterator[dict[K, V]]:
        """Yield what is at each prefix that holds the address (in octets), longest prefix first."""
        number, bits = int.from_bytes(address, "big"), self._bits
        for length, of_length in self._by_length.items():
            values = of_length.get(number >> bits - length)
            if values is not None:
                yield values

    def _leading_bits(self, network: Network) -> int:
        return int(network.network_address) >> self._bits - network.prefixlen

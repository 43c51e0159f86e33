"""Prefixes against the obvious way to look them up: compare with all."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiuscore.aaa.records import Network
from radiuscore.state.prefixes import PrefixTable

# Few addresses, so that prefixes nest and meet.
v4 = st.tuples(st.integers(0, 255), st.integers(22, 32)).map(
    lambda drawn: IPv4Network((0x0A000000 + drawn[0] * 16, drawn[1]), strict=False)
)
v6 = st.tuples(st.integers(0, 63), st.sampled_from([0, 1, 47, 48, 64, 126, 127, 128])).map(
    lambda drawn: IPv6Network((drawn[0] << 62 | drawn[0], drawn[1]), strict=False)
)


class AgainstAll(RuleBasedStateMachine):
    """Adding and removing in any order; each lookup compares with every prefix there is."""

    bits = 32

    def __init__(self) -> None:
        super().__init__()
        self.table: PrefixTable[int, str] = PrefixTable(self.bits)
        self.all: dict[tuple[Network, int], str] = {}

    networks: st.SearchStrategy[Network] = v4

    @rule(data=st.data(), key=st.integers(0, 3), value=st.text(max_size=3))
    def add(self, data: st.DataObject, key: int, value: str) -> None:
        network = data.draw(self.networks)
        self.table.add(network, key, value)
        self.all[network, key] = value

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.all:
            network, key = data.draw(st.sampled_from(sorted(self.all, key=str)))
            self.table.remove(network, key)
            del self.all[network, key]

    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        address = data.draw(self.networks).network_address
        holding = sorted({network for network, _ in self.all if address in network}, key=lambda net: -net.prefixlen)
        expected = [{key: value for (net, key), value in self.all.items() if net == network} for network in holding]
        assert list(self.table.matching(address.packed)) == expected

    @invariant()
    def nothing_is_left_behind(self) -> None:
        if not self.all:
            assert not list(self.table.matching(bytes(self.bits // 8)))


class AgainstAllOfSix(AgainstAll):
    bits = 128
    networks = v6


TestIPv4 = AgainstAll.TestCase
TestIPv6 = AgainstAllOfSix.TestCase


@pytest.mark.parametrize("network", ["0.0.0.0/0", "255.255.255.255/32", "128.0.0.0/1", "10.0.0.0/31"])
def test_the_edges_of_a_prefix_are_in_it_and_what_is_beside_is_not(network: str) -> None:
    net = IPv4Network(network)
    table: PrefixTable[str, str] = PrefixTable(32)
    table.add(net, "key", "value")
    for address in (net.network_address, net.broadcast_address):
        assert list(table.matching(address.packed)) == [{"key": "value"}]
    for beside in (int(net.network_address) - 1, int(net.broadcast_address) + 1):
        if 0 <= beside < 2**32:
            assert list(table.matching(ip_address(beside).packed)) == []


@given(st.binary(min_size=16, max_size=16))
def test_every_ipv6_address_is_in_the_prefix_of_all(address: bytes) -> None:
    table: PrefixTable[int, int] = PrefixTable(128)
    table.add(ip_network("::/0"), 1, 1)
    assert list(table.matching(address)) == [{1: 1}]

"""What packets are made of, for Hypothesis."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from hypothesis import strategies as st

from radiuscore.wire.packet import Packet
from radiuscore.wire.secret import SharedSecret
from radiuscore.wire.tunnel import Tagged

authenticators = st.binary(min_size=16, max_size=16)
salts = st.binary(min_size=2, max_size=2)
secrets = st.binary(min_size=1, max_size=100).map(SharedSecret)
identifiers = st.integers(0, 255)
codes = st.integers(0, 255)

pairs = st.tuples(st.integers(1, 255), st.binary(max_size=40))
long_pairs = st.tuples(st.integers(1, 255), st.binary(max_size=253))
attributes = (st.lists(pairs, max_size=60) | st.lists(long_pairs, max_size=15)).map(tuple)
packets = st.builds(Packet, codes, identifiers, authenticators, attributes)

_integers = {"byte": 8, "short": 16, "integer": 32, "time": 32, "integer64": 64}
_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
_octets = st.binary(min_size=1, max_size=240)
_tags = st.integers(0, 31)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.integers(0, 2**bits - 1) for name, bits in _integers.items()},
    "signed": st.integers(-(2**31), 2**31 - 1),
    "text": _texts,
    "string": _octets,
    "ifid": st.binary(min_size=8, max_size=8),
    "ether": st.binary(min_size=6, max_size=6),
    "ipv4addr": st.ip_addresses(v=4),
    "ipv6addr": st.ip_addresses(v=6),
    "ipv4prefix": st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda drawn: IPv4Network((IPv4Address(drawn[0]), drawn[1]), strict=False)
    ),
    "ipv6prefix": st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda drawn: IPv6Network((IPv6Address(drawn[0]), drawn[1]), strict=False)
    ),
    "tagged-integer": st.builds(Tagged, st.integers(0, 2**24 - 1), _tags),
    "tagged-text": st.builds(Tagged, _texts, _tags),
    "tagged-string": st.builds(Tagged, _octets, _tags),
    "tagged-salted": st.builds(Tagged, _octets, _tags),
}
"""Values of each data type, by its name."""

"""Which addresses may be connected to, as a table; and that a name is resolved once."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrotik import AddressGuard, AddressRefused, AsyncMikroTikClient, Unreachable, allowed_address
from mikrotik.addresses import is_own_address, resolve
from tests.mikrotik.conftest import config_for
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.personalities import routeros7

UNICAST = [
    *("192.168.88.1", "10.0.0.1", "172.16.0.1", "100.64.0.1", "203.0.113.7", "8.8.8.8", "169.253.0.1"),
    *("2001:db8::1", "fd00::1", "2a00::1", "::ffff:192.168.88.1", "64:ff9b::808:808"),
]
NEVER = [
    *("0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "ff02::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::192.0.2.1", "100::1", "4000::1"),
]
NAMED_ONLY = [
    *("127.0.0.1", "127.8.8.8", "169.254.169.254", "169.254.0.1", "::1", "fe80::1", "fd00:ec2::254"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254"),
]
HIDDEN = [
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize("address", UNICAST)
def test_private_and_public_unicast_is_allowed(address: str) -> None:
    assert allowed_address(ip_address(address))
    assert allowed_address(ip_address(address), EVERYTHING)


@pytest.mark.parametrize("address", NEVER)
def test_what_is_no_unicast_never_is(address: str) -> None:
    assert not allowed_address(ip_address(address))
    assert not allowed_address(ip_address(address), EVERYTHING)


@pytest.mark.parametrize("address", NAMED_ONLY)
def test_loopback_and_link_local_must_be_named(address: str) -> None:
    named = ip_address(address)
    plain = getattr(named, "ipv4_mapped", None) or named

    assert not allowed_address(named)
    assert not allowed_address(named, EVERYTHING), "a wide network does not name them"
    assert allowed_address(named, (ip_network(str(plain)),))
    assert allowed_address(ip_address("127.0.0.5"), (ip_network("127.0.0.0/8"),))


@pytest.mark.parametrize("address", HIDDEN)
def test_an_address_inside_an_address_counts(address: str) -> None:
    assert not allowed_address(ip_address(address))
    assert not allowed_address(ip_address(address), EVERYTHING)


def test_only_named_networks_when_some_are_named() -> None:
    allowed = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))

    assert allowed_address(ip_address("10.1.2.3"), allowed)
    assert allowed_address(ip_address("2001:db8::9"), allowed)
    assert not allowed_address(ip_address("192.168.88.1"), allowed)
    assert not allowed_address(ip_address("2001:db9::9"), allowed)
    assert not allowed_address(ip_address("10.1.2.3"), ())


def test_this_machines_own_addresses_must_be_named_one_by_one() -> None:
    own = ip_address("10.1.2.3")

    assert not allowed_address(own, own=True)
    assert not allowed_address(own, (ip_network("10.0.0.0/8"),), own=True)
    assert allowed_address(own, (ip_network("10.1.2.3/32"),), own=True)


@given(st.ip_addresses())
def test_loopback_is_reached_by_no_spelling(address: Any) -> None:
    """Whatever is allowed is no loopback, link-local, multicast or unspecified address, also not inside."""
    if allowed_address(address):
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        assert not inner.is_loopback
        assert not inner.is_link_local
        assert not inner.is_multicast
        assert not inner.is_unspecified


def test_the_kernel_knows_its_own_addresses() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("192.0.2.1"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "::1"])
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, Unreachable)):
        await resolve(host, 8728, AddressGuard())


async def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second answer of a name that changes (DNS rebinding) is never asked for."""
    async with serve_api(routeros7()) as server:
        asked: list[str] = []

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            address = "127.0.0.9" if len(asked) == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("169.254.169.254", address)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        guard = AddressGuard((ip_network("127.0.0.0/8"),))
        config = replace(config_for(server.router, server.port), host="router.example", guard=guard)
        async with AsyncMikroTikClient(config) as client:
            result = await client.test_connection()
    # 127.0.0.9 has no listener: the refusal shows that it was tried, and nothing else was.
    assert (result.error, asked) == ("refused", ["router.example"])

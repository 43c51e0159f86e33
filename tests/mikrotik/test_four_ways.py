"""The same router gives the same records by the API, the API over TLS, SSH and REST, on RouterOS 6 and 7."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from mikrotik import AsyncMikroTikClient, CommandRefused, ConnectionType, MenuUnsupported, PermissionMissing
from mikrotik.records import ClientCounts, HealthReading, RadiusCounters
from mikrotik.transport import Command, Read
from tests.mikrotik.conftest import WAYS, Open
from tests.mikrotik.standin.personalities import AWKWARD, ppp, routeros6, routeros7
from tests.mikrotik.standin.state import Router

ROUTERS = [
    pytest.param(routeros7, "7.16.2 (stable)", id="7.16"),
    pytest.param(routeros7, "7.20.4 (stable)", id="7.20"),
    pytest.param(routeros6, "6.48.6 (long-term)", id="6.48"),
    pytest.param(routeros6, "6.40.9 (bugfix)", id="6.40"),
]
Make = Callable[[str], Router]


def ways_of(version: str) -> list[ConnectionType]:
    return [way for way in WAYS if way is not ConnectionType.REST or version.startswith("7")]


async def everything(client: AsyncMikroTikClient) -> list[object]:
    """Return what every method gives, in the order of the class."""
    return [
        replace(await client.test_connection(), connection_type="", latency_ms=0.0, proof=None),
        await client.get_device_info(),
        await client.get_resources(),
        await client.get_health(),
        await client.get_interface_stats(),
        await client.get_queues(),
        await client.get_ppp_sessions(),
        await client.get_hotspot_sessions(),
        await client.get_dhcp_leases(),
        await client.get_active_sessions(),
        await client.get_client_counts(),
        await client.get_radius_settings(),
        await client.get_radius_counters("*1"),
        await client.export(),
    ]


@pytest.mark.parametrize(("make", "version"), ROUTERS)
async def test_every_way_in_gives_the_same(open_client: Open, make: Make, version: str) -> None:
    router = make(version)
    first, *others = [await everything(await open_client(router, way)) for way in ways_of(version)]

    for other in others:
        assert other == first


@pytest.mark.parametrize("way", WAYS)
async def test_a_router_of_version_7_is_read_whole(open_client: Open, way: ConnectionType) -> None:
    client = await open_client(routeros7(), way)

    info = await client.get_device_info()
    assert (info.identity, info.model, info.serial_number) == ("POP Žižkov; 1", "CCR2004-16G-2S+", "HC00000000")
    assert (info.resources.uptime_s, info.resources.cpu_load_percent) == (1034769, 7)
    assert info.resources.total_memory_octets == 4227858432
    ether, unifi, session, bridge = await client.get_interface_stats()
    assert (ether.name, ether.tx_octets, ether.running, ether.comment) == (
        *("ether1", 18_446_744_073_709_551_001, True, "uplink; a=b"),
    )
    assert (unifi.name, unifi.running, unifi.disabled) == ("ether3 UniFi1", False, True)
    assert (session.dynamic, session.rx_errors, session.mac_address) == (True, None, None)
    assert (bridge.mtu, bridge.comment) == (1500, "first line\nsecond line")
    sessions = await client.get_active_sessions()
    assert tuple(one.name for one in sessions.ppp) == AWKWARD
    assert sessions.ppp[0].acct_session_id == "81d00001"
    assert sessions.hotspot[0].input_octets == 5_000_000_000
    assert sessions.dhcp[0].address == IPv4Address("192.168.88.253")
    assert (sessions.dhcp[1].last_seen_s, sessions.dhcp[1].bound) == (None, False)
    assert await client.get_client_counts() == ClientCounts(len(AWKWARD), 1, 1)
    settings = await client.get_radius_settings()
    assert settings.servers[0].services == ("ppp", "hotspot")
    assert (settings.servers[0].timeout_ms, settings.servers[0].secret) == (1100, "canary radius secret")
    assert (settings.incoming_port, settings.ppp_interim_update_s) == (3799, 300)
    assert [profile.radius_interim_update for profile in settings.hotspot_profiles] == ["received", "5m"]
    assert await client.get_radius_counters("*1") == RadiusCounters(0, 10, 4, 1, 15, 5, 2)


@pytest.mark.parametrize(("make", "version"), ROUTERS)
async def test_health_of_both_versions_reads_alike(open_client: Open, make: Make, version: str) -> None:
    for way in ways_of(version):
        client = await open_client(make(version), way)
        assert set(await client.get_health()) == {
            HealthReading("temperature", 46.0, "C"),
            HealthReading("voltage", 23.8, "V"),
            HealthReading("psu1-state", "ok", ""),
        }


@pytest.mark.parametrize(("make", "version"), ROUTERS)
async def test_what_a_router_lacks_is_empty_or_named(open_client: Open, make: Make, version: str) -> None:
    for way in ways_of(version):
        router = make(version)
        for menu in ("/system/health", "/ip/hotspot/active", "/ip/hotspot/profile", "/system/routerboard"):
            router.tables.pop(menu, None)
            router.singles.pop(menu, None)
        router.tables["/ppp/active"].clear()
        client = await open_client(router, way)

        assert await client.get_health() == ()
        assert (await client.get_active_sessions()).hotspot == ()
        assert await client.get_ppp_sessions() == ()
        assert (await client.get_device_info()).model is None
        assert (await client.get_radius_settings()).hotspot_profiles == ()
        with pytest.raises(MenuUnsupported, match="/ip/hotspot/active"):
            await client.get_hotspot_sessions()
        assert router.logins == (0 if way is ConnectionType.REST else 1), "a refusal keeps the connection"


@pytest.mark.parametrize("way", WAYS)
async def test_a_missing_policy_is_named(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    router.policies.discard("write")
    client = await open_client(router, way)

    with pytest.raises(PermissionMissing, match="not enough permissions") as caught:
        await client.run(Command("/radius", "add", {"address": "192.0.2.1", "secret": "canary secret"}))
    assert "policy" in caught.value.hint
    assert (await client.get_radius_settings()).servers[0].id == "*1"


@pytest.mark.parametrize("way", WAYS)
async def test_secrets_need_the_policy_sensitive(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    router.policies.discard("sensitive")

    assert (await (await open_client(router, way)).get_radius_settings()).servers[0].secret is None


@pytest.mark.parametrize("way", WAYS)
async def test_entries_are_added_changed_and_removed(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    client = await open_client(router, way)
    secret = 'a "secret" $x ? \\ é\nnext'

    added = await client.run(Command("/radius", "add", {"address": "192.0.2.1", "secret": secret, "service": "ppp"}))
    identity = added[0]["ret"]
    assert router.find("/radius", identity)["secret"] == secret
    await client.run(Command("/radius", "set", {".id": identity, "disabled": "yes", "comment": "mine; x=y"}))
    rows = await client.read(Read("/radius", (".id", "comment", "disabled"), where={"comment": "mine; x=y"}))
    assert rows == [{".id": identity, "comment": "mine; x=y", "disabled": "true"}]
    await client.run(Command("/radius/incoming", "set", {"port": "1700"}))
    assert router.singles["/radius/incoming"]["port"] == "1700"
    await client.run(Command("/radius", "remove", {".id": identity}))
    assert len(router.tables["/radius"]) == 1
    with pytest.raises(CommandRefused, match="no such item"):
        await client.run(Command("/radius", "remove", {".id": "*FFFF"}))


@pytest.mark.parametrize("way", WAYS)
async def test_a_session_is_removed_and_a_queue_changed(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    client = await open_client(router, way)

    await client.disconnect((await client.get_ppp_sessions())[0])
    await client.disconnect((await client.get_hotspot_sessions())[0])
    await client.set_queue_limit((await client.get_queues())[0], 1_000_000, 2_000_000)

    assert [row["name"] for row in router.tables["/ppp/active"]] == list(AWKWARD[1:])
    assert router.tables["/ip/hotspot/active"] == []
    assert (await client.get_queues())[0].download_limit_bps == 2_000_000


@pytest.mark.parametrize(("make", "version"), ROUTERS)
@pytest.mark.parametrize("show_sensitive", [True, False])
async def test_an_export_shows_secrets_only_when_asked(
    open_client: Open, make: Make, version: str, show_sensitive: bool
) -> None:
    for way in ways_of(version):
        router = make(version)
        text = await (await open_client(router, way)).export(show_sensitive=show_sensitive)

        assert text.startswith("# ")
        assert ("canary radius secret" in text) is show_sensitive
        assert router.tables["/file"] == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_long_export_is_read_in_pieces(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    router.padding = 3000
    lines = (await (await open_client(router, way)).export()).splitlines()

    assert lines[-1] == "/ip firewall address-list add address=10.0.0.2999 list=many"
    assert len(lines) == 3005
    assert router.tables["/file"] == []


async def test_a_long_export_of_an_old_router_needs_ssh(open_client: Open) -> None:
    router = routeros6()
    router.padding = 3000

    with pytest.raises(MenuUnsupported, match="too long") as caught:
        await (await open_client(router, ConnectionType.API)).export()
    assert "SSH" in caught.value.hint
    assert router.tables["/file"] == []
    assert "10.0.0.2999" in await (await open_client(router, ConnectionType.SSH)).export()


@pytest.mark.parametrize("way", WAYS)
async def test_thousands_of_sessions(open_client: Open, way: ConnectionType) -> None:
    router = routeros7()
    router.tables["/ppp/active"] = [ppp(number, f"user{number}") for number in range(2000)]

    sessions = await (await open_client(router, way)).get_ppp_sessions()

    assert [one.name for one in sessions] == [f"user{number}" for number in range(2000)]

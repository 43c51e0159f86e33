"""The specification's device story, told to stand-in routers: connect by API and SSH, know the device, watch it.

Runs as a script too: ``python tests/test_devices_integration.py``.
"""

import logging

import asyncssh
import pytest

from mikrotik import AsyncMikroTikClient, ConnectionType, MikroTikConnectionConfig
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.personalities import routeros6, routeros7
from tests.mikrotik.standin.ssh import serve_ssh
from tests.mikrotik.standin.state import Router

ROUTERS = [pytest.param(routeros7(), id="RouterOS 7"), pytest.param(routeros6(), id="RouterOS 6")]


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    """The routers' SSH host key."""
    return asyncssh.generate_private_key("ssh-ed25519")


def _config(router: Router, port: int, way: ConnectionType) -> MikroTikConnectionConfig:
    return MikroTikConnectionConfig(
        host="127.0.0.1",
        port=port,
        username=router.username,
        password=router.password,
        api_key="your_api_key",
        connection_type=way,
    )


@pytest.mark.parametrize("router", ROUTERS)
async def test_a_device_is_tested_known_and_watched_by_api_and_by_ssh(router: Router, key: asyncssh.SSHKey) -> None:
    seen = []
    async with serve_api(router) as api, serve_ssh(router, key) as ssh:
        for way, port in ((ConnectionType("api"), api.port), (ConnectionType("ssh"), ssh.port)):
            async with AsyncMikroTikClient(_config(router, port, way)) as client:
                result = await client.test_connection()
                assert (result.success, result.connection_type, result.error) == (True, way.value, None)
                info = await client.get_device_info()
                assert (info.identity, info.serial_number) == ("POP Žižkov; 1", "HC00000000")
                assert info.resources.uptime_s == 1034769
                counts = await client.get_client_counts()
                assert (counts.ppp, counts.hotspot, counts.dhcp) == (8, 1, 1)
                stats = await client.get_interface_stats()
                assert stats[0].rx_octets == 10_000_000_001
                seen.append((info, counts, stats))
    assert seen[0] == seen[1], "API and SSH tell the same"


async def test_what_went_wrong_can_be_told_apart(key: asyncssh.SSHKey) -> None:
    router = routeros7()
    async with serve_api(router) as api:
        wrong = MikroTikConnectionConfig("127.0.0.1", api.port, "admin", "not the password", timeout=2)
        async with AsyncMikroTikClient(wrong) as client:
            assert (await client.test_connection()).error == "login_refused"
        other = MikroTikConnectionConfig("127.0.0.1", api.port, "admin", "x", None, ConnectionType.SSH, 0.5)
        async with AsyncMikroTikClient(other) as client:
            assert (await client.test_connection()).error in ("timeout", "protocol")
    async with AsyncMikroTikClient(wrong) as client:
        result = await client.test_connection()
    assert result.error == "refused"
    assert result.hint is not None
    assert "/ip service set api disabled=no" in result.hint


async def test_debug_logging_tells_the_steps_and_no_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    router = routeros7()
    async with serve_api(router) as api, AsyncMikroTikClient(_config(router, api.port, ConnectionType.API)) as client:
        await client.get_device_info()
    assert "connecting as admin" in caplog.text
    assert router.password not in caplog.text
    assert "your_api_key" not in caplog.text


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))

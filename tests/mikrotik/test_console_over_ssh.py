"""Consoles that print log lines in between, or do not run our scripts, are read all the same."""

from collections.abc import Callable

import asyncssh
import pytest

from mikrotik import AsyncMikroTikClient, ConnectionType
from tests.mikrotik.conftest import config_for
from tests.mikrotik.standin.personalities import AWKWARD, routeros6, routeros7
from tests.mikrotik.standin.ssh import serve_ssh
from tests.mikrotik.standin.state import Router


async def test_log_lines_in_between_are_left_out(host_key: asyncssh.SSHKey) -> None:
    router = routeros7()
    router.noise = "17:20:06 echo: system,error,critical login failure for user admin from 192.0.2.9 via ssh"
    for scripts in (True, False):
        async with (
            serve_ssh(router, host_key, scripts=scripts) as server,
            AsyncMikroTikClient(config_for(router, server.port, ConnectionType.SSH)) as client,
        ):
            assert (await client.get_resources()).board_name == "CCR2004-16G-2S+"
            names = [one.name for one in await client.get_interface_stats()]
            assert names == ["ether1", "ether3 UniFi1", "<pppoe-true>", "bridge"]


@pytest.mark.parametrize("make", [routeros6, routeros7])
async def test_a_console_without_scripts_is_read_by_what_it_shows(
    make: Callable[[], Router], host_key: asyncssh.SSHKey
) -> None:
    router = make()
    async with (
        serve_ssh(router, host_key, scripts=False) as server,
        AsyncMikroTikClient(config_for(router, server.port, ConnectionType.SSH)) as client,
    ):
        info = await client.get_device_info()
        assert (info.identity, info.resources.uptime_s) == ("POP Žižkov; 1", 1034769)
        ether, unifi, *_ = await client.get_interface_stats()
        assert (ether.name, ether.running, unifi.disabled) == ("ether1", True, True)
        assert [one.name for one in await client.get_ppp_sessions()] == list(AWKWARD)
        await client.get_ppp_sessions()
        scripts = [line for line in server.lines if line.startswith(":")]
        assert len(scripts) == len({line.split("print")[0] for line in scripts}) == 5, "found out once per menu"


async def test_a_console_that_cannot_get_a_whole_entry_does_not_look_empty(host_key: asyncssh.SSHKey) -> None:
    router = routeros6()
    router.gets_whole_entries = False
    async with (
        serve_ssh(router, host_key) as server,
        AsyncMikroTikClient(config_for(router, server.port, ConnectionType.SSH)) as client,
    ):
        assert [one.name for one in await client.get_ppp_sessions()] == list(AWKWARD)
        router.tables["/ip/hotspot/active"].clear()
        assert await client.get_hotspot_sessions() == ()
        assert sum("hotspot" in line for line in server.lines) == 1, "nothing found is nothing to read otherwise"

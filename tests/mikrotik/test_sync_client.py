"""The synchronous client: the specification's sample, threads, a running loop, plain dicts, nothing left behind."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import asyncssh
import pytest

import mikrotik
from mikrotik import ConnectionType, MikroTikClient, MikroTikConnectionConfig, MikroTikError
from tests.mikrotik.conftest import config_for
from tests.mikrotik.standin.api import ApiServer, serve_api
from tests.mikrotik.standin.personalities import AWKWARD, routeros7
from tests.mikrotik.standin.ssh import SshServer, serve_ssh

# As the specification has it, but for the address and the ports of a router that is a stand-in here.
SAMPLE = """
from mikrotik_client import MikroTikClient, MikroTikConnectionConfig, ConnectionType

## API Connection
config = MikroTikConnectionConfig(
    host='192.168.1.1',
    port=8728,
    username='admin',
    password='admin123',
    api_key='your_api_key',
    connection_type=ConnectionType.API
)

## SSH Connection
config = MikroTikConnectionConfig(
    host='192.168.1.1',
    port=22,
    username='admin',
    password='admin123',
    connection_type=ConnectionType.SSH
)

with MikroTikClient(config) as client:
    # Test connection
    result = client.test_connection()

    # Get device info
    device_info = client.get_device_info()

    # Get interface stats
    stats = client.get_interface_stats()
"""


@contextmanager
def elsewhere(fault: str = "") -> Iterator[tuple[ApiServer, SshServer]]:
    """Serve a router from a thread with a loop of its own: a synchronous call holds this one."""
    loop = asyncio.new_event_loop()
    started, stopping = threading.Event(), asyncio.Event()
    servers: list[tuple[ApiServer, SshServer]] = []

    async def serve() -> None:
        router = routeros7()
        router.password = "admin123"
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with serve_api(router, fault) as api, serve_ssh(router, key) as ssh:
            servers.append((api, ssh))
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    try:
        yield servers[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize("way", ["api", "ssh"])
def test_the_specifications_sample(way: str) -> None:
    with elsewhere() as (api, ssh):
        code = SAMPLE.replace("192.168.1.1", "127.0.0.1").replace("port=8728", f"port={api.port}")
        code = code.replace("port=22", f"port={ssh.port}")
        if way == "api":
            before, _, rest = code.partition("## SSH Connection")
            code = before + rest[rest.index("with MikroTikClient") :]
        names: dict[str, Any] = {}
        exec(code, names)

    assert names["result"]["success"] is True
    assert names["result"]["connection_type"] == way
    assert names["result"]["latency_ms"] >= 0
    assert (names["result"]["identity"], names["result"]["version"]) == ("POP Žižkov; 1", "7.16.2 (stable)")
    assert names["device_info"]["serial_number"] == "HC00000000"
    assert names["device_info"]["uptime_s"] == 1034769
    assert [row["name"] for row in names["stats"]] == ["ether1", "ether3 UniFi1", "<pppoe-true>", "bridge"]
    assert names["stats"][0]["rx_octets"] == 10_000_000_001
    json.dumps([names["result"], names["device_info"], names["stats"]])


def test_the_sample_is_kept_word_for_word() -> None:
    """The sample's configurations are as written; only connecting needs the stand-in."""
    names: dict[str, Any] = {}
    exec(SAMPLE[: SAMPLE.index("with MikroTikClient")], names)
    config = names["config"]

    assert (config.host, config.port, config.api_key) == ("192.168.1.1", 22, None)
    assert names["ConnectionType"]("ssh") is mikrotik.ConnectionType.SSH
    assert names["MikroTikClient"] is MikroTikClient


def test_every_result_is_plain_and_without_secrets() -> None:
    with elsewhere() as (api, _), MikroTikClient(config_for(api.router, api.port)) as client:
        sessions = client.get_active_sessions()
        results: list[object] = [
            sessions,
            client.get_resources(),
            client.get_health(),
            client.get_client_counts(),
            client.get_queues(),
            client.get_radius_settings(),
        ]
        assert client.export().startswith("# 20")
        assert client.peer is not None
    text = json.dumps(results, ensure_ascii=False)
    assert "canary" not in text
    assert [one["name"] for one in sessions["ppp"]] == list(AWKWARD)
    assert '"10.64.0.1"' in text


def test_a_failure_is_a_result_of_the_test_and_an_error_of_everything_else() -> None:
    with elsewhere() as (api, _):
        config = replace(config_for(api.router, api.port), password="wrong")
        with MikroTikClient(config) as client:
            result = client.test_connection()
            assert set(result) == {"success", "connection_type", "error", "message", "hint", "anonymous_tls"}
            assert (result["success"], result["error"]) == (False, "login_refused")
            with pytest.raises(MikroTikError) as caught:
                client.get_device_info()
            assert caught.value.code == "login_refused"


def test_threads_share_a_client_and_each_may_have_its_own() -> None:
    with elsewhere() as (api, _):
        config = config_for(api.router, api.port)

        def own() -> int:
            with MikroTikClient(config) as client:
                return len(client.get_interface_stats())

        with MikroTikClient(config) as shared, ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(shared.get_interface_stats) for _ in range(40)]
            owns = [pool.submit(own) for _ in range(8)]
            assert {len(call.result()) for call in calls} == {4}
            assert {call.result() for call in owns} == {4}
        assert api.accepted == 9
        _wait_until_closed(api)


async def test_it_works_inside_a_running_loop() -> None:
    with elsewhere() as (api, _), MikroTikClient(config_for(api.router, api.port)) as client:
        assert client.test_connection()["success"] is True


def test_an_exception_closes_the_connection_and_ends_the_thread() -> None:
    with elsewhere() as (api, _):
        config = config_for(api.router, api.port)
        client = MikroTikClient(config)

        def fail_while_connected() -> None:
            with client:
                client.get_resources()
                assert api.open == 1
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_while_connected()
        _wait_until_closed(api)
        assert client.get_resources()["cpu_count"] == 4, "it may be used again"
        client.close()
        client.close()
        assert not any(thread.name.startswith("mikrotik ") for thread in threading.enumerate())


def test_a_client_that_was_never_used_starts_nothing() -> None:
    threads = threading.active_count()
    with MikroTikClient(MikroTikConnectionConfig("192.0.2.1", connection_type=ConnectionType.SSH)):
        assert threading.active_count() == threads


def test_a_router_that_hangs_is_given_up_in_time() -> None:
    with elsewhere("silent") as (api, _):
        config = replace(config_for(api.router, api.port), timeout=0.3)
        with MikroTikClient(config) as client:
            assert client.test_connection()["error"] == "timeout"


def _wait_until_closed(api: ApiServer) -> None:
    deadline = time.monotonic() + 10
    while api.open:
        assert time.monotonic() < deadline
        time.sleep(0.002)

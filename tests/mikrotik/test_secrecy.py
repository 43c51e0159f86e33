"""Passwords and secrets show in no log line, no repr and no error, on any way in, also when things go wrong."""

import logging
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import asyncssh
import pytest

from mikrotik import AsyncMikroTikClient, ConnectionType, MikroTikConnectionConfig, MikroTikError
from mikrotik.reading import parse_radius
from mikrotik.records import as_dict
from mikrotik.transport import Command
from tests.mikrotik.conftest import WAYS, Open, config_for
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.personalities import routeros6, routeros7
from tests.mikrotik.standin.rest import serve_rest
from tests.mikrotik.standin.ssh import serve_ssh
from tests.mikrotik.standin.state import Router

CANARY = "canary-4711"


def test_a_configuration_does_not_show_its_secrets() -> None:
    config = MikroTikConnectionConfig("192.0.2.1", password=CANARY, api_key=f"{CANARY}-key")

    assert CANARY not in f"{config!r} {config}"
    assert "192.0.2.1" in repr(config)


@pytest.mark.parametrize("way", WAYS)
async def test_steps_are_logged_without_secrets(
    open_client: Open, way: ConnectionType, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    router = routeros7()
    router.password = CANARY
    client = await open_client(router, way)

    await client.test_connection()
    await client.get_radius_settings()
    await client.export(show_sensitive=True)
    await client.run(Command("/radius", "add", {"address": "192.0.2.1", "secret": f"{CANARY}-radius"}))
    with pytest.raises(MikroTikError) as caught:
        await client.run(Command("/radius", "add", {"secret": f"{CANARY}-radius", "no-such": "x"}))

    ours = [record.message for record in caplog.records if record.name.startswith("mikrotik")]
    for step in ("connecting as admin", "logged in", "reading the RADIUS settings", "running /radius/add"):
        assert any(step in message for message in ours), step
    everything = caplog.text + "".join(str(record.args) for record in caplog.records)
    assert CANARY not in everything
    assert "canary radius secret" not in everything
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@asynccontextmanager
async def _serve(
    router: Router, way: ConnectionType, fault: str, key: asyncssh.SSHKey, tls: ssl.SSLContext
) -> AsyncIterator[int]:
    """Serve a router one way with a fault, and give its port."""
    wrong = fault if fault == "cut" else ""
    async with AsyncExitStack() as stack:
        if fault == "garbage" or way in (ConnectionType.API, ConnectionType.API_SSL):
            secured = tls if way is ConnectionType.API_SSL else None
            api = serve_api(router, "garbage" if fault == "garbage" else wrong, secured)
            yield (await stack.enter_async_context(api)).port
        elif way is ConnectionType.SSH:
            yield (await stack.enter_async_context(serve_ssh(router, key, fault=wrong))).port
        else:
            yield (await stack.enter_async_context(serve_rest(router, tls, fault=wrong))).port


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", ["garbage", "cut", "wrong password"])
async def test_what_goes_wrong_is_told_without_secrets(
    way: ConnectionType,
    fault: str,
    host_key: asyncssh.SSHKey,
    tls: tuple[ssl.SSLContext, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    router = routeros6("6.40.9 (bugfix)") if way is ConnectionType.API else routeros7()
    async with _serve(router, way, fault, host_key, tls[0]) as port:
        config = replace(config_for(router, port, way), timeout=2.0, password=CANARY)
        if fault != "wrong password":
            router.password = CANARY
        async with AsyncMikroTikClient(config) as client:
            with pytest.raises(MikroTikError) as caught:
                await client.run(Command("/radius", "add", {"secret": f"{CANARY}-radius"}))
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint
    assert CANARY not in told + caplog.text


async def test_a_router_that_repeats_a_secret_is_not_quoted(open_client: Open) -> None:
    router = routeros7()
    client = await open_client(router, ConnectionType.API)
    router.known["/radius"] = {"secret"}

    with pytest.raises(MikroTikError) as caught:
        await client.run(Command("/radius", "add", {"secret": CANARY, CANARY: "x"}))
    assert "***" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_record_leaves_its_secret_out() -> None:
    entry = parse_radius({".id": "*1", "secret": CANARY})

    assert entry.secret == CANARY
    assert CANARY not in f"{entry!r} {as_dict(entry)}"
    assert CANARY not in repr(Command("/radius", "add", {"secret": CANARY}))

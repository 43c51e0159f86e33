"""A stand-in router behind each of the four ways in, on real sockets of 127.0.0.1."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import asyncssh
import pytest

from mikrotik import AsyncMikroTikClient, ConnectionType, MikroTikConnectionConfig
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.certificates import certificate
from tests.mikrotik.standin.rest import serve_rest
from tests.mikrotik.standin.ssh import serve_ssh
from tests.mikrotik.standin.state import Router

Open: TypeAlias = Callable[[Router, ConnectionType], Awaitable[AsyncMikroTikClient]]
WAYS = tuple(ConnectionType)


def config_for(router: Router, port: int, way: ConnectionType = ConnectionType.API) -> MikroTikConnectionConfig:
    """How to reach a stand-in."""
    return MikroTikConnectionConfig("127.0.0.1", port, router.username, router.password, "canary api key", way, 5.0)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true that no event announces; fail when it is not so in time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@pytest.fixture(scope="session")
def host_key() -> asyncssh.SSHKey:
    """An SSH host key."""
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A router's TLS with a certificate, and its fingerprint."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return certificate(folder)


@pytest.fixture
async def open_client(host_key: asyncssh.SSHKey, tls: tuple[ssl.SSLContext, str]) -> AsyncIterator[Open]:
    """A function that serves a router one way and returns a client for it; all is closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_client(router: Router, way: ConnectionType) -> AsyncMikroTikClient:
            match way:
                case ConnectionType.SSH:
                    port = (await stack.enter_async_context(serve_ssh(router, host_key))).port
                case ConnectionType.REST:
                    port = (await stack.enter_async_context(serve_rest(router, tls[0]))).port
                case ConnectionType.API_SSL:
                    port = (await stack.enter_async_context(serve_api(router, tls=tls[0]))).port
                case ConnectionType.API:
                    port = (await stack.enter_async_context(serve_api(router))).port
            config = replace(config_for(router, port, way))
            return await stack.enter_async_context(AsyncMikroTikClient(config))

        yield open_client

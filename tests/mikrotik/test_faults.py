"""Each fault gives its error within the time, leaves no socket behind, and the next call gets its own rows."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from mikrotik import AddressGuard, AsyncMikroTikClient, ConnectionType, MikroTikConnectionConfig, MikroTikError
from mikrotik.transport import Read
from tests.mikrotik.conftest import WAYS, config_for, until
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.certificates import anonymous, certificate
from tests.mikrotik.standin.personalities import AWKWARD, routeros6, routeros7
from tests.mikrotik.standin.rest import serve_rest
from tests.mikrotik.standin.ssh import serve_ssh

TIMEOUT = 0.5
PPP_NAMES = Read("/ppp/active", ("name",))


def sockets() -> int:
    """Return how many sockets this process has open."""
    return sum(
        os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in os.listdir("/proc/self/fd") if _is(fd)
    )


def _is(fd: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{fd}")


async def fault_of(config: MikroTikConnectionConfig) -> MikroTikError:
    """Ask for rows, check the time that took, and return the error."""
    started = time.monotonic()
    async with AsyncMikroTikClient(config) as client:
        with pytest.raises(MikroTikError) as caught:
            await client.read(PPP_NAMES)
    assert time.monotonic() - started < config.timeout + 1
    assert caught.value.hint
    return caught.value


API_FAULTS = [
    ("eof", "refused"),
    ("hang", "timeout"),
    ("garbage", "protocol"),
    ("silent", "timeout"),
    ("cut", "protocol"),
    ("fatal", "protocol"),
    ("bare fatal", "protocol"),
    ("reserved", "protocol"),
    ("long word", "protocol"),
    ("endless", "protocol"),
    ("two answers", "protocol"),
    ("bare trap", "protocol"),
]


@pytest.mark.parametrize(("fault", "code"), API_FAULTS)
async def test_a_fault_of_the_api(fault: str, code: str) -> None:
    async with serve_api(routeros7(), fault) as server:
        config = replace(config_for(server.router, server.port), timeout=5 if fault == "endless" else TIMEOUT)
        assert (await fault_of(config)).code == code
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("fault", ["odd words", "drip"])
async def test_what_is_only_odd_is_read(fault: str) -> None:
    async with serve_api(routeros7(), fault) as server, _client(config_for(server.router, server.port)) as client:
        assert [row["name"] for row in await client.read(PPP_NAMES) if row.get("name")] == list(AWKWARD)


@asynccontextmanager
async def _client(config: MikroTikConnectionConfig) -> AsyncIterator[AsyncMikroTikClient]:
    async with AsyncMikroTikClient(config) as client:
        yield client


@pytest.mark.parametrize("version", ["6.40.9 (bugfix)", "6.49.17 (long-term)", "7.20 (stable)"])
async def test_a_wrong_password_of_either_login(version: str) -> None:
    router = (routeros6 if version.startswith("6") else routeros7)(version)
    async with serve_api(router) as server:
        fault = await fault_of(replace(config_for(router, server.port), password="wrong canary"))
    assert fault.code == "login_refused"
    assert "canary" not in f"{fault} {fault.hint}"


async def test_an_old_router_is_logged_in_by_its_challenge() -> None:
    """It answers the new login with ``!done`` too; who believes that is told "not logged in" later."""
    router = routeros6("6.40.9 (bugfix)")
    async with serve_api(router) as server, _client(config_for(router, server.port)) as client:
        assert len(await client.read(PPP_NAMES)) == len(AWKWARD)
        assert [words[0] for words in server.commands] == ["/login", "/login", "/ppp/active/print"]
        assert not any("=password=" in word for word in server.commands[1])


async def test_a_closed_port_and_a_name_without_address() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        for way in WAYS:
            config = replace(config_for(routeros7(), port, way), timeout=TIMEOUT)
            assert (await fault_of(config)).code == "refused"
    config = replace(config_for(routeros7(), 8728), host="no-such-router.invalid", timeout=3.0)
    assert (await fault_of(config)).code == "unreachable"


async def test_an_unreachable_router_is_given_up_in_time() -> None:
    """A listener with a full queue lets no connection come about, as a firewall that drops does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            for way in WAYS:
                fault = await fault_of(replace(config_for(routeros7(), port, way), timeout=TIMEOUT))
                assert fault.code == "timeout"
                assert "connecting" in str(fault)
        finally:
            for filler in fillers:
                filler.close()


async def test_a_refused_address_is_not_connected_to() -> None:
    async with serve_api(routeros7()) as server:
        config = replace(config_for(server.router, server.port), guard=AddressGuard())
        assert (await fault_of(config)).code == "unreachable"
        assert server.accepted == 0


async def test_tls_that_is_none(tmp_path: Path) -> None:
    router = routeros7()
    async with serve_api(router, "garbage") as plain:
        config = replace(config_for(router, plain.port, ConnectionType.API_SSL), timeout=TIMEOUT)
        assert (await fault_of(config)).code == "tls"
        assert (await fault_of(replace(config, connection_type=ConnectionType.REST))).code == "tls"
    async with serve_api(router, tls=anonymous(tmp_path)) as server:
        config = replace(config_for(router, server.port, ConnectionType.API_SSL), timeout=3.0)
        fault = await fault_of(config)
        assert fault.code == "tls"
        assert "certificate=" in fault.hint


async def test_anonymous_tls_when_it_is_allowed(tmp_path: Path) -> None:
    router = routeros6()
    async with serve_api(router, tls=anonymous(tmp_path)) as server:
        config = replace(config_for(router, server.port, ConnectionType.API_SSL), allow_anonymous_tls=True)
        async with AsyncMikroTikClient(config) as client:
            result = await client.test_connection()
        assert (result.success, result.anonymous_tls, result.proof) == (True, True, None)


@pytest.mark.parametrize("way", [ConnectionType.API_SSL, ConnectionType.REST])
async def test_a_certificate_is_pinned(way: ConnectionType, tmp_path: Path) -> None:
    router = routeros7()
    context, fingerprint = certificate(tmp_path)
    other, _ = certificate(tmp_path, "impostor")

    async def serve(tls: ssl.SSLContext, pin: str | None) -> tuple[bool, str | None, str | None]:
        server = serve_api(router, tls=tls) if way is ConnectionType.API_SSL else serve_rest(router, tls)
        async with server as running:
            config = replace(config_for(router, running.port, way), tls_fingerprint=pin)
            async with AsyncMikroTikClient(config) as client:
                result = await client.test_connection()
            return result.success, result.proof, result.error

    assert await serve(context, None) == (True, fingerprint, None)
    assert await serve(context, fingerprint.upper()) == (True, fingerprint, None)
    logins = router.logins
    assert await serve(other, fingerprint) == (False, None, "tls")
    assert router.logins == logins, "the password is not sent to whoever shows another certificate"


async def test_an_ssh_host_key_is_pinned(host_key: asyncssh.SSHKey) -> None:
    router = routeros7()
    async with serve_ssh(router, host_key) as server:
        config = config_for(router, server.port, ConnectionType.SSH)
        async with AsyncMikroTikClient(config) as client:
            pin = (await client.test_connection()).proof
        assert pin == f"ssh-ed25519 {host_key.get_fingerprint()}"
        async with AsyncMikroTikClient(replace(config, ssh_host_key=pin)) as client:
            assert (await client.test_connection()).success
        assert server.users == ["admin+ct511w"] * 2
    async with serve_ssh(router, asyncssh.generate_private_key("ssh-ed25519")) as server:
        fault = await fault_of(replace(config, port=server.port, ssh_host_key=pin))
        assert fault.code == "host_key_changed"
        assert server.users == [], "the password is not sent to whoever shows another key"


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
async def test_old_algorithms_must_be_allowed() -> None:
    router = routeros6()
    async with serve_ssh(router, asyncssh.generate_private_key("ssh-rsa", key_size=2048), old=True) as server:
        config = config_for(router, server.port, ConnectionType.SSH)
        fault = await fault_of(config)
        assert fault.code == "protocol"
        assert "ssh_legacy" in fault.hint
        async with AsyncMikroTikClient(replace(config, ssh_legacy=True)) as client:
            result = await client.test_connection()
        assert result.success
        assert result.proof is not None
        assert result.proof.startswith("ssh-rsa SHA256:")
        async with AsyncMikroTikClient(replace(config, ssh_legacy=True, ssh_host_key=result.proof)) as client:
            assert (await client.test_connection()).success


SSH_FAULTS = [("silent", "timeout"), ("cut", "protocol"), ("endless", "protocol")]


@pytest.mark.parametrize(("fault", "code"), SSH_FAULTS)
async def test_a_fault_of_ssh(fault: str, code: str, host_key: asyncssh.SSHKey) -> None:
    async with serve_ssh(routeros7(), host_key, fault=fault) as server:
        config = config_for(server.router, server.port, ConnectionType.SSH)
        assert (await fault_of(replace(config, timeout=10 if fault == "endless" else TIMEOUT))).code == code


@pytest.mark.parametrize(("fault", "code"), [("eof", "refused"), ("garbage", "protocol"), ("hang", "timeout")])
async def test_an_ssh_port_without_ssh(fault: str, code: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault == "garbage":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n" * 2000)
        if fault == "hang":
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        config = replace(config_for(routeros7(), port, ConnectionType.SSH), timeout=TIMEOUT)
        assert (await fault_of(config)).code == code
    finally:
        server.close()


@pytest.mark.parametrize("way", [ConnectionType.SSH, ConnectionType.REST])
async def test_a_wrong_password(
    way: ConnectionType, host_key: asyncssh.SSHKey, tls: tuple[ssl.SSLContext, str]
) -> None:
    router = routeros7()
    server = serve_ssh(router, host_key) if way is ConnectionType.SSH else serve_rest(router, tls[0])
    async with server as running:
        assert (await fault_of(replace(config_for(router, running.port, way), password="x"))).code == "login_refused"


REST_FAULTS = [
    ("redirect", "protocol"),
    ("not json", "protocol"),
    ("not rows", "protocol"),
    ("500", "protocol"),
    ("404", "menu_unsupported"),
    ("endless", "protocol"),
    ("cut", "protocol"),
]


@pytest.mark.parametrize(("fault", "code"), REST_FAULTS)
async def test_a_fault_of_rest(fault: str, code: str, tls: tuple[ssl.SSLContext, str]) -> None:
    async with serve_rest(routeros7(), tls[0], fault=fault) as server:
        assert (await fault_of(config_for(server.router, server.port, ConnectionType.REST))).code == code


async def test_rest_of_a_beta_and_in_clear() -> None:
    async with serve_rest(routeros7(), None, beta=True) as server:
        config = replace(config_for(server.router, server.port, ConnectionType.REST), https=False)
        async with AsyncMikroTikClient(config) as client:
            assert (await client.get_device_info()).model == "CCR2004-16G-2S+"
            assert client.peer is not None
            assert client.peer.proof is None


async def test_after_a_timeout_the_next_call_gets_its_own_rows() -> None:
    async with serve_api(routeros7(), "wait") as server:
        config = replace(config_for(server.router, server.port), timeout=TIMEOUT)
        async with AsyncMikroTikClient(config) as client:
            with pytest.raises(MikroTikError):
                await client.read(PPP_NAMES)
            server.gate.set()
            assert await client.read(Read("/system/identity", ("name",))) == [{"name": "POP Žižkov; 1"}]
            assert server.accepted == 2


async def test_a_cancelled_call_closes_its_connection() -> None:
    async with serve_api(routeros7(), "wait") as server, _client(config_for(server.router, server.port)) as client:
        call = asyncio.create_task(client.read(PPP_NAMES))
        await until(lambda: len(server.commands) == 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        server.gate.set()
        assert len(await client.read(PPP_NAMES)) == len(AWKWARD)
        assert server.accepted == 2


async def test_calls_take_turns_on_one_connection() -> None:
    async with serve_api(routeros7()) as server, _client(config_for(server.router, server.port)) as client:
        menus = [PPP_NAMES, Read("/interface", ("name",))] * 25
        answers = await asyncio.gather(*map(client.read, menus))
        assert {len(rows) for rows in answers[::2]} == {len(AWKWARD)}
        assert {len(rows) for rows in answers[1::2]} == {4}
        assert (server.accepted, server.router.logins) == (1, 1)


async def test_a_dead_router_is_not_hammered() -> None:
    async with serve_api(routeros7(), "eof") as server, _client(config_for(server.router, server.port)) as client:
        faults = []
        for _ in range(50):
            with pytest.raises(MikroTikError) as caught:
                await client.read(PPP_NAMES)
            faults.append(caught.value)
        assert {fault.code for fault in faults} == {"refused"}
        assert server.accepted == 1
        assert "Not tried again for" in str(faults[-1])

        server.fault = ""
        assert (await client.test_connection()).success, "a person who asks is not told to wait"
        assert len(await client.read(PPP_NAMES)) == len(AWKWARD)


async def test_a_router_that_closed_is_asked_again_at_once() -> None:
    async with serve_api(routeros7()) as server, _client(config_for(server.router, server.port)) as client:
        await client.read(PPP_NAMES)
        for task in server.tasks:
            task.cancel()
        await until(lambda: server.open == 0)
        assert len(await client.read(PPP_NAMES)) == len(AWKWARD)
        assert server.accepted == 2


async def test_an_ssh_connection_that_was_closed_is_opened_again(host_key: asyncssh.SSHKey) -> None:
    async with serve_ssh(routeros7(), host_key) as server:
        config = config_for(server.router, server.port, ConnectionType.SSH)
        async with AsyncMikroTikClient(config) as client:
            await client.read(PPP_NAMES)
            open_before = sockets()
            server.hang_up()
            await until(lambda: sockets() == open_before - 2)
            assert len(await client.read(PPP_NAMES)) == len(AWKWARD)
            assert len(server.users) == 2


async def test_a_thousand_faulty_connections_leave_nothing_behind(
    host_key: asyncssh.SSHKey, tls: tuple[ssl.SSLContext, str]
) -> None:
    before, tasks = sockets(), len(asyncio.all_tasks())
    limit = asyncio.Semaphore(20)

    async def ask(config: MikroTikConnectionConfig) -> str:
        async with limit:
            return (await fault_of(replace(config, timeout=0.2))).code

    codes: list[str] = []
    quick = [fault for fault, _ in API_FAULTS if fault not in ("endless", "bare trap")]
    for fault in quick:
        async with serve_api(routeros7(), fault) as server, serve_api(routeros7(), fault, tls[0]) as secure:
            plain = config_for(server.router, server.port)
            wrapped = config_for(secure.router, secure.port, ConnectionType.API_SSL)
            codes += await asyncio.gather(*[ask(plain) for _ in range(70)], *[ask(wrapped) for _ in range(18)])
    async with serve_api(routeros7(), "hang") as mute:  # takes the connection and never says a word
        silent = [config_for(mute.router, mute.port, way) for way in (ConnectionType.SSH, ConnectionType.REST)]
        codes += await asyncio.gather(*map(ask, silent * 10))
    async with (
        serve_ssh(routeros7(), host_key, fault="silent") as ssh,
        serve_rest(routeros7(), tls[0], fault="cut") as rest,
    ):
        codes += await asyncio.gather(*[ask(config_for(ssh.router, ssh.port, ConnectionType.SSH)) for _ in range(30)])
        codes += await asyncio.gather(
            *[ask(config_for(rest.router, rest.port, ConnectionType.REST)) for _ in range(70)]
        )

    assert len(codes) == 1000
    assert set(codes) == {"refused", "timeout", "protocol", "tls"}
    await until(lambda: sockets() <= before and len(asyncio.all_tasks()) <= tasks)

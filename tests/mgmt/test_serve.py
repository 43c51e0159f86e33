"""A whole server, as its operator has it: processes, sockets, HTTP, commands."""

import asyncio
import json
import re
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from mgmt.passwords import is_password
from radiuscore.testing import FakeNas
from tests.conftest import Cluster, Db, Tenant
from tests.end_to_end.conftest import Server, run_server, until
from tests.mgmt.conftest import Done, inherited

Environ = dict[str, str]
Run = Callable[..., Done]
Insert = Callable[..., Awaitable[Tenant]]


@asynccontextmanager
async def serving(environ: Environ) -> AsyncIterator[Server]:
    async with run_server(Path(environ["DATA_DIR"]), environ) as server:
        yield server


@pytest.fixture
async def tenant(db: Db, insert_tenant: Insert) -> Tenant:
    return await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")


async def test_it_says_how_it_is_over_http(own_database: Environ, tenant: Tenant) -> None:
    async with serving(own_database) as server:
        auth = ("127.0.0.1", int(own_database["RADIUS_AUTH_PORT"]))
        async with FakeNas(tenant.secret, auth=auth) as nas:
            assert (await nas.login(tenant.username, tenant.password)).accepted
            assert not (await nas.login(tenant.username, "wrong")).accepted

        assert await server.get("/healthz") == (200, '{"status": "ok"}')
        status, body = await server.get("/readyz")
        state = json.loads(body)
        assert (status, state["status"], state["reasons"], state["database"]) == (200, "ready", [], "ok")
        assert (state["workers_ready"], state["workers_wanted"]) == (2, 2)
        assert state["replica_age_s"] < 5
        await until(lambda: server.metric("radius_requests_total"), lambda count: count == 2)
        await until(lambda: server.metric("radius_rejects_total"), lambda count: count == 1)
        assert (await server.get("/nothing"))[0] == 404
        assert await server.stop() == 0


@pytest.fixture
def core_dumps() -> Iterator[None]:
    """As on a machine that keeps them: the limit that our programs inherit is as high as it may be."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("core_dumps")
async def test_a_crash_leaves_no_memory_on_the_disk(own_database: Environ) -> None:
    async with serving(own_database) as server:
        workers = await server.children("radiuscore.server.worker")
        management = await server.children("mgmt.management")
        for pid in (server.process.pid, *workers, *management):
            assert resource.prlimit(pid, resource.RLIMIT_CORE)[0] == 0
        assert (len(workers), len(management)) == (2, 1)


async def test_http_answers_carry_the_headers_of_a_careful_server(own_database: Environ) -> None:
    async with serving(own_database) as server:
        answers = [await raw_http(server, f"GET {path} HTTP/1.1") for path in ("/healthz", "/metrics", "/nothing")]
        malformed = await raw_http(server, "NOT HTTP AT ALL \x01")

        for answer in answers:
            assert "x-content-type-options: nosniff" in answer
            assert "content-security-policy: default-src 'none'" in answer
            assert "cache-control: no-store" in answer
            assert "server: radiuscore\r\n" in answer
        assert " 400 " in malformed.splitlines()[0]
        assert "Traceback" not in server.log.read_text()


async def raw_http(server: Server, first_line: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.api_port)
    writer.write(f"{first_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        async with asyncio.timeout(10):
            return (await reader.read()).decode().lower()
    finally:
        writer.close()


async def test_readyz_tells_that_a_database_is_gone(own_database: Environ, postgres: Cluster, database: str) -> None:
    name = urlsplit(database).path[1:]
    async with serving(own_database) as server:
        admin = await asyncpg.connect(postgres.admin)
        try:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            _, body = await until(lambda: server.get("/readyz"), lambda answer: "degraded" in answer[1], within_s=15)
            state = json.loads(body)
            assert state["workers_ready"] == 2
            assert any("logins go on" in reason for reason in state["reasons"]), body
        finally:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await admin.close()
        await until(lambda: server.get("/readyz"), lambda answer: '"ready"' in answer[1], within_s=30)


async def test_a_second_server_is_refused(own_database: Environ, radiuscore: Run, data_dir: Path) -> None:
    async with serving(own_database):
        same = await asyncio.to_thread(radiuscore, own_database, "serve")
        elsewhere = own_database | {"DATA_DIR": str(data_dir / "other")}
        ports = await asyncio.to_thread(radiuscore, elsewhere, "serve")
        checked = await asyncio.to_thread(radiuscore, own_database, "check-config")

    assert same.code == ports.code == 1
    assert same.err == f"A server runs with DATA_DIR {data_dir} already: stop that one, or set another DATA_DIR.\n"
    assert re.fullmatch(r"UDP .* is taken, most likely by another RADIUS server: .*RADIUS_AUTH_PORT.*\n", ports.err)
    assert checked.code == 0
    assert "are those of the server that runs with this DATA_DIR" in checked.out


async def test_the_first_start_creates_an_admin_once(own_database: Environ, db: Db) -> None:
    for start in ("first", "second"):
        async with serving(own_database) as server:
            assert await server.stop() == 0
            shown = re.findall(r"^Administrator (\S+) was created\. .*: (\S+)$", server.log.read_text(), re.MULTILINE)
            assert len(shown) == 1, start

    email, password = shown[0]
    stored = await db.fetchval("SELECT password_hash FROM control.users WHERE email = $1 AND role = 'admin'", email)
    assert await is_password(password, stored)
    assert await db.fetchval("SELECT count(*) FROM control.users") == 1


async def test_radtest_asks_the_running_server_and_tells_the_reason(
    own_database: Environ, tenant: Tenant, radiuscore: Run
) -> None:
    async with serving(own_database):
        by_method = {
            method: await asyncio.to_thread(
                radiuscore, own_database, "radtest", tenant.username, "password123", "--method", method
            )
            for method in ("pap", "chap", "mschapv1", "mschapv2")
        }
        wrong = await asyncio.to_thread(radiuscore, own_database, "radtest", tenant.username, "-", stdin="other\n")
        unknown = await asyncio.to_thread(radiuscore, own_database, "radtest", "nobody", "x", "--nas", "127.0.0.1")

    for method, done in by_method.items():
        assert done.code == 0, (method, done.out, done.err)
        assert 'Mikrotik-Rate-Limit = "10M/50M"' in done.out
        assert done.out.endswith("Accepted.\n")
    assert (wrong.code, unknown.code) == (1, 1)
    assert wrong.out.endswith("Rejected, because of bad_credentials.\n")
    assert unknown.out.endswith("Rejected, because of unknown_user.\n")
    assert "s3cret" not in wrong.out + unknown.out


async def test_radtest_asks_as_a_router_that_is_elsewhere(
    own_database: Environ, db: Db, insert_tenant: Insert, radiuscore: Run
) -> None:
    one = await insert_tenant(db, device_ip="203.0.113.9", secret=b"secret of A")
    other = await insert_tenant(db, device_ip="203.0.113.9", secret=b"secret of B", password=b"another password")

    async def ask(nas: object, password: str) -> Done:
        return await asyncio.to_thread(radiuscore, own_database, "radtest", one.username, password, "--nas", str(nas))

    both = await ask("203.0.113.9", "password123")
    assert both.code == 1
    assert re.match(rf"There are several devices: .* {one.device_id} .*, {other.device_id} ", both.err)
    assert (await ask(one.device_id, "password123")).out.endswith("Accepted.\n")
    assert (await ask(other.device_id, "another password")).out.endswith("Accepted.\n")
    rejected = await ask(other.device_id, "password123")
    assert (rejected.code, rejected.out.splitlines()[-1]) == (1, "Rejected, because of bad_credentials.")
    assert "is not this machine's, so the same engine is asked here" in rejected.out


async def test_radtest_of_a_server_that_is_not_there(own_database: Environ, tenant: Tenant, radiuscore: Run) -> None:
    done = await asyncio.to_thread(radiuscore, own_database, "radtest", tenant.username, "password123")

    assert done.code == 1
    assert re.search(r"^No answer: .* did not answer .*\nDoes the server run", done.out, re.MULTILINE)


async def test_trace_shows_packets_with_reasons_and_without_secrets(
    own_database: Environ, db: Db, insert_tenant: Insert, tmp_path: Path
) -> None:
    mine = await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")
    other = await insert_tenant(db, device_ip="127.0.0.2", secret=b"s3cret of another")
    async with serving(own_database):
        tracing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mgmt", "trace", "--nas", str(mine.device_id)),
            env=inherited() | own_database,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        assert tracing.stdout is not None
        try:
            async with asyncio.timeout(30):
                assert await tracing.stdout.readline() == b"Tracing; Ctrl-C ends it.\n"
                shown = await provoke(own_database, mine, other, tracing.stdout)
        finally:
            tracing.send_signal(signal.SIGINT)
            await tracing.wait()

    assert f"ISP {mine.isp_id}, device {mine.device_id}" in shown
    assert f"device {other.device_id}," not in shown
    assert "User-Password = <hidden" in shown
    assert "password of this test" not in shown
    assert tracing.returncode == 130


async def test_a_server_that_stops_ends_its_traces(own_database: Environ, tenant: Tenant, tmp_path: Path) -> None:
    async with serving(own_database) as server:
        tracing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mgmt", "trace", "--user", tenant.username),
            env=inherited() | own_database,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert tracing.stdout is not None
        assert await tracing.stdout.readline() == b"Tracing; Ctrl-C ends it.\n"
        assert await server.stop() == 0
        _, said = await tracing.communicate()

        assert said.startswith(b"The server's management process ended the trace")
        assert tracing.returncode == 1
        assert '"level":"error"' not in server.log.read_text()


async def provoke(environ: Environ, mine: Tenant, other: Tenant, out: Any) -> str:
    """Log in at both routers until a packet of the traced one is shown; the worker is told while we ask."""
    auth = ("127.0.0.1", int(environ["RADIUS_AUTH_PORT"]))
    async with (
        FakeNas(mine.secret, auth=auth, source="127.0.0.1") as one,
        FakeNas(other.secret, auth=auth, source="127.0.0.2") as two,
    ):
        reading = asyncio.create_task(out.readuntil(b"bad_credentials"))
        while not reading.done():
            await two.login(other.username, "password of this test")
            await one.login(mine.username, "password of this test")
            await asyncio.wait([reading], timeout=0.2)
        octets: bytes = await reading
        return octets.decode()


async def test_trace_says_that_a_device_is_not_registered(own_database: Environ, radiuscore: Run) -> None:
    async with serving(own_database):
        unknown = await asyncio.to_thread(radiuscore, own_database, "trace", "--nas", "203.0.113.77")
        no_address = await asyncio.to_thread(radiuscore, own_database, "trace", "--nas", "router")

    assert unknown.err == (
        "No device is registered with 203.0.113.77: the packets it sends are discarded as unknown_nas.\n"
    )
    assert no_address.err == "'router' is neither the address nor the id of a device.\n"
    assert unknown.code == no_address.code == 1

"""A running server that is killed, doubled, stopped and asked at every address: what it promised stays promised."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from radiuscore.testing import FakeNas, NoReply
from tests.conftest import Db, Tenant
from tests.end_to_end.conftest import Server, run_server, until

Start = Callable[..., Awaitable[Server]]
Insert = Callable[..., Awaitable[Tenant]]

SESSIONS = 60
INTERIMS = 20


@pytest.fixture
async def tenant(db: Db, insert_tenant: Insert) -> Tenant:
    return await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that the embedded database's user may enter, which pytest's own are not."""
    path = Path(mkdtemp(prefix="radiuscore-"))
    path.chmod(0o755)
    yield path
    rmtree(path, ignore_errors=True)


def nas_of(server: Server, tenant: Tenant, host: str = "127.0.0.1", **more: object) -> FakeNas:
    ports = {"auth": (host, server.auth_port), "acct": (host, server.acct_port)}
    return FakeNas(tenant.secret, **ports, tries=12, timeout_s=0.5, **more)  # type: ignore[arg-type]  # passed through


async def report(nas: FakeNas, tenant: Tenant, acknowledged: Counter[str]) -> None:
    """One customer's session, noting of each report that was acknowledged how many octets it held."""
    login = await nas.login(tenant.username, tenant.password)
    assert login.session is not None
    session = login.session
    with suppress(NoReply):
        await session.start()
        for number in range(1, INTERIMS + 1):
            await session.interim(input_octets=number * 1000, output_octets=number * 10, session_time=number)
            acknowledged[session.acct_session_id] = number * 1000


async def test_a_killed_worker_is_replaced_and_loses_nothing_it_acknowledged(
    tenant: Tenant, start_server: Start, db: Db
) -> None:
    server = await start_server()
    acknowledged: Counter[str] = Counter()
    kills = 0
    async with nas_of(server, tenant) as nas, asyncio.TaskGroup() as load:
        sessions = [load.create_task(report(nas, tenant, acknowledged)) for _ in range(SESSIONS)]
        while kills < 4 and not all(session.done() for session in sessions):
            await _grown(acknowledged)
            workers = await server.children("radiuscore.server.worker")
            if workers:
                os.kill(workers[kills % len(workers)], signal.SIGKILL)
                kills += 1
    assert kills == 4
    assert len(acknowledged) == SESSIONS
    rows = await db.fetch(
        "SELECT acct_session_id, input_octets FROM accounting.sessions WHERE isp_id = $1", tenant.isp_id
    )
    stored = {row["acct_session_id"]: row["input_octets"] for row in rows}
    assert {session: octets for session, octets in acknowledged.items() if stored.get(session) != octets} == {}
    used = await db.fetchval("SELECT sum(input_octets) FROM accounting.usage_hour WHERE isp_id = $1", tenant.isp_id)
    assert used == sum(acknowledged.values())
    assert await server.stop() == 0


async def test_a_restart_of_a_worker_never_lowers_a_counter(tenant: Tenant, start_server: Start) -> None:
    server = await start_server(RADIUS_WORKERS="1")
    async with nas_of(server, tenant) as nas:
        for _ in range(5):
            assert (await nas.login(tenant.username, tenant.password)).accepted
        counted = await until(lambda: server.metric("radius_requests_total"), lambda count: count >= 5)
        (worker,) = await server.children("radiuscore.server.worker")
        os.kill(worker, signal.SIGKILL)
        assert (await nas.login(tenant.username, tenant.password)).accepted
        assert await until(lambda: server.metric("radius_requests_total"), lambda count: count > counted) >= counted + 1


async def test_everything_killed_recovers_by_itself(open_dir: Path) -> None:
    """The embedded database, the supervisor and its children die at once; the next start serves the same data."""
    data_dir = open_dir / "data"
    async with run_server(data_dir, {"RADIUS_WORKERS": "1"}) as server:
        for pid in _descendants(server.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await server.process.wait()
    async with run_server(data_dir, {"RADIUS_WORKERS": "1"}) as again:
        assert (await again.get("/readyz"))[0] == 200
        assert await again.stop() == 0
    assert again.log.read_text().count("Administrator") == 1


async def test_a_second_server_on_the_same_ports_refuses_to_start(tenant: Tenant, start_server: Start) -> None:
    first = await start_server()
    ports = {"RADIUS_AUTH_PORT": str(first.auth_port), "RADIUS_ACCT_PORT": str(first.acct_port)}
    with pytest.raises(pytest.fail.Exception, match=rf"{first.auth_port}.*taken"):
        await start_server("second", **ports)
    async with nas_of(first, tenant) as nas:
        assert (await nas.login(tenant.username, tenant.password)).accepted


async def test_answers_from_the_address_that_was_asked(db: Db, insert_tenant: Insert, start_server: Start) -> None:
    """The socket is bound to all addresses; a connected client takes a reply from no other than the one it asked."""
    four = await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")
    six = await insert_tenant(db, device_ip="::1", secret=b"s3cret")
    server = await start_server()
    for tenant, host in ((four, "127.0.0.1"), (four, "127.0.0.5"), (four, "127.8.9.10"), (six, "::1")):
        async with nas_of(server, tenant, host, source=tenant.device_ip) as nas:
            assert (await nas.login(tenant.username, tenant.password)).accepted, host


async def _grown(acknowledged: Counter[str]) -> None:
    """Wait until more has been acknowledged than now."""
    before = acknowledged.total()

    async def total() -> int:
        return acknowledged.total()

    await until(total, lambda now: now > before)


def _descendants(pid: int) -> list[int]:
    """Return a process and all below it, the deepest last."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in below for found in _descendants(int(child)))]

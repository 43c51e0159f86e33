"""The database is killed, frozen or slow while customers are online: nothing is lost and nothing counted twice."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from radiuscore.store.embedded import EmbeddedPostgres
from radiuscore.store.migrate import migrate
from radiuscore.testing import FakeNas
from tests.conftest import Tenant
from tests.end_to_end.conftest import Server, run_server, until

Insert = Callable[..., Awaitable[Tenant]]

OUTAGE_S = 6.0
SESSIONS = 40
PAUSE_S = 0.2  # 40 sessions: 200 records/s

SLOW = """
CREATE FUNCTION public.be_slow() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;
CREATE TRIGGER be_slow AFTER INSERT ON accounting.sessions FOR EACH STATEMENT EXECUTE FUNCTION public.be_slow();
"""


@pytest.fixture
async def postgres_of_our_own() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that this test may do anything to."""
    home = Path(tempfile.mkdtemp(prefix="radiuscore-"))
    home.chmod(0o755)
    async with EmbeddedPostgres(home / "postgres") as server:
        await migrate(server.dsn(), schema="control")
        await migrate(server.dsn(), schema="accounting")
        yield server
    shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def killed(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """All of its processes die at once, as in a power cut; afterwards it is started again."""
    for pid in _processes(server):
        os.kill(pid, signal.SIGKILL)
    yield
    await server.revive()


@asynccontextmanager
async def frozen(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """It keeps its connections and does nothing, which is worse than refusing them."""
    stopped = _processes(server)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def slow(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """Every batch of accounting takes 0.4 s, longer than a router waits."""
    db = await asyncpg.connect(server.dsn(user="postgres"))
    await db.execute(SLOW)
    yield
    await db.execute("DROP TRIGGER be_slow ON accounting.sessions")
    await db.close()


@pytest.mark.parametrize("trouble", [killed, frozen, slow], ids=["killed", "frozen", "slow"])
async def test_an_outage_of_the_database_loses_and_doubles_nothing(
    postgres_of_our_own: EmbeddedPostgres,
    insert_tenant: Insert,
    encryption_keys: str,
    tmp_path: Path,
    trouble: Callable[[EmbeddedPostgres], AbstractAsyncContextManager[None]],
) -> None:
    dsn = postgres_of_our_own.dsn()
    db = await asyncpg.connect(dsn)
    tenant = await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")
    await db.close()
    environment = {"DATABASE_URL": dsn, "ENCRYPTION_KEYS": encryption_keys}
    async with run_server(tmp_path / "server", environment) as server:
        stop = asyncio.Event()
        async with FakeNas(
            tenant.secret, auth=("127.0.0.1", server.auth_port), acct=("127.0.0.1", server.acct_port)
        ) as nas:
            async with asyncio.TaskGroup() as load:
                online = [load.create_task(_stay_online(nas, tenant, stop)) for _ in range(SESSIONS)]
                await asyncio.sleep(0.5)
                async with trouble(postgres_of_our_own):
                    await _customers_notice_nothing(nas, tenant)
                    _, body = await server.get("/readyz")
                    assert '"degraded"' in body, body
                stop.set()
            octets = dict(task.result() for task in online)
        await _is_exact(server, dsn, tenant, octets)
        assert await server.stop() == 0


async def _stay_online(nas: FakeNas, tenant: Tenant, stop: asyncio.Event) -> tuple[str, int]:
    """Log in and report until told to stop; every report must be acknowledged (FakeNas raises otherwise)."""
    login = await nas.login(tenant.username, tenant.password)
    assert login.session is not None
    session = login.session
    await session.start()
    count = 0
    while not stop.is_set():
        count += 1
        await session.interim(input_octets=count * 1000, output_octets=count, session_time=count)
        await asyncio.sleep(PAUSE_S)
    await session.stop(input_octets=(count + 1) * 1000, output_octets=count + 1, session_time=count + 1)
    return session.acct_session_id, (count + 1) * 1000


async def _customers_notice_nothing(nas: FakeNas, tenant: Tenant) -> None:
    """Known customers log in and wrong passwords are refused for as long as the trouble lasts."""
    ends = asyncio.get_running_loop().time() + OUTAGE_S
    while asyncio.get_running_loop().time() < ends:
        assert (await nas.login(tenant.username, tenant.password)).accepted
        assert not (await nas.login(tenant.username, b"wrong")).accepted
        await nas.status(acct=True)
        await asyncio.sleep(0.1)


async def _is_exact(server: Server, dsn: str, tenant: Tenant, octets: dict[str, int]) -> None:
    await until(lambda: server.metric("radius_accounting_spool_records"), lambda records: records == 0, within_s=30)
    await until(lambda: server.metric("radius_accounting_spooling"), lambda spooling: spooling == 0, within_s=30)
    db = await asyncpg.connect(dsn)
    rows = await db.fetch(
        "SELECT acct_session_id, input_octets, state FROM accounting.sessions WHERE isp_id = $1", tenant.isp_id
    )
    used = await db.fetchval(
        "SELECT sum(input_octets) FROM accounting.usage_hour WHERE isp_id = $1 AND customer_id = $2",
        tenant.isp_id,
        tenant.customer_id,
    )
    await db.close()
    assert {row["acct_session_id"]: row["input_octets"] for row in rows} == octets
    assert {row["state"] for row in rows} == {"closed"}
    assert used == sum(octets.values())


def _processes(server: EmbeddedPostgres) -> list[int]:
    """Return the postmaster and its children."""
    (pid_file,) = server.home.glob("**/postmaster.pid")
    postmaster = int(pid_file.read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]

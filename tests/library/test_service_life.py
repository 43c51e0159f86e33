"""Where the synchronous service runs and on what: threads, loops, processes, and which database with which keys."""

import asyncio
import logging
import os
import shutil
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from radiuscore import MultiTenantRadiusService
from radiuscore.service import Fault, ServiceError
from radiuscore.store.embedded import EmbeddedPostgres, make_directory
from radiuscore.store.keys import KeyFault
from radiuscore.store.migrate import Schema, migrate

Db: TypeAlias = "asyncpg.Connection[Any]"
Insert: TypeAlias = Callable[..., Awaitable[Any]]

NAS = "192.168.88.1"
SCHEMAS: tuple[Schema, ...] = ("control", "accounting")
USER, PASSWORD = "customer@example.com", "password123"

pytestmark = pytest.mark.postgres


async def test_many_threads_share_one_service(service: MultiTenantRadiusService, tenant: Any, db: Db) -> None:
    def one_session(number: int) -> None:
        success, login = service.authenticate_user(USER, PASSWORD, NAS)
        assert success
        for acct_type, seconds in (("Start", 0), ("Interim-Update", 60), ("Stop", 120)):
            assert service.handle_accounting(login["session_id"], acct_type, seconds, number * seconds, seconds)[0]

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(one_session, number) for number in range(24)]:
            done.result()

    rows = await db.fetch("SELECT state, input_octets FROM accounting.sessions")
    assert len(rows) == 24
    assert {row["state"] for row in rows} == {"closed"}
    assert sorted(row["input_octets"] for row in rows) == [number * 120 for number in range(24)]


async def test_calls_work_inside_a_running_loop_and_leave_nothing_behind(
    open_service: Callable[..., MultiTenantRadiusService], tenant: Any
) -> None:
    before = threading.active_count()
    with open_service() as service:
        assert asyncio.get_running_loop().is_running()
        assert service.authenticate_user(USER, PASSWORD, NAS)[0]
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(ServiceError, match="closed"):
        service.authenticate_user(USER, PASSWORD, NAS)


PROGRAM = f"""
import os, sys
from radiuscore import MultiTenantRadiusService

service = MultiTenantRadiusService(sys.argv[1], encryption_keys=sys.argv[2])

def login():
    return service.authenticate_user({USER!r}, {PASSWORD!r}, {NAS!r})[0]
"""


async def run_program(program: str, database: str, encryption_keys: str) -> str:
    """Run a program of somebody who embeds the service; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", PROGRAM + program, database, encryption_keys),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, complaints = await process.communicate()
    assert (process.returncode, complaints.decode()) == (0, "")
    return printed.decode().strip()


async def test_a_forked_child_gets_a_thread_of_its_own(database: str, tenant: Any, encryption_keys: str) -> None:
    program = """
assert login()
child = os.fork()
if child == 0:
    os._exit(0 if login() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), login())
"""
    assert await run_program(program, database, encryption_keys) == "0 True"


async def test_a_program_that_just_ends_loses_no_login(
    database: str, tenant: Any, encryption_keys: str, db: Db
) -> None:
    assert await run_program("print(login())", database, encryption_keys) == "True"
    assert await db.fetchval("SELECT count(*) FROM accounting.auth_log") == 1


async def test_without_an_argument_it_is_the_settings_database(
    database: str,
    tenant: Any,
    encryption_keys: str,
    session_like: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("ENCRYPTION_KEYS", encryption_keys)
    monkeypatch.setenv("JWT_SECRET_KEY", "a secret of more than thirty-two octets")
    with MultiTenantRadiusService() as service:
        assert service.authenticate_user(USER, PASSWORD, NAS)[0]
    with MultiTenantRadiusService(session_like(database)) as service:
        assert service.authenticate_user(USER, PASSWORD, NAS)[0]


async def test_a_database_that_is_away_is_an_error_and_the_next_call_tries_again(tmp_path: Path) -> None:
    service = MultiTenantRadiusService(
        f"postgresql://radiuscore@/radius?host={tmp_path}", encryption_keys="k:" + "A" * 43 + "="
    )
    for _ in range(2):
        success, result = service.authenticate_user(USER, PASSWORD, NAS)
        assert not success
        assert result["error"] == Fault.DATABASE_UNAVAILABLE
    service.close()


async def test_a_database_without_the_schema_names_the_command(empty_database: str, encryption_keys: str) -> None:
    with (
        pytest.raises(ServiceError, match="run radiuscore migrate"),
        MultiTenantRadiusService(empty_database, encryption_keys=encryption_keys),
    ):
        pass


async def test_keys_of_another_database_are_refused(
    open_service: Callable[..., MultiTenantRadiusService], tenant: Any, database: str
) -> None:
    with open_service():
        pass
    with (
        pytest.raises(KeyFault, match="ENCRYPTION_KEYS"),
        MultiTenantRadiusService(database, encryption_keys="other:" + "QUJD" * 10 + "QUI="),
    ):
        pass


async def test_without_keys_it_says_where_they_are_looked_for(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ServiceError, match="set ENCRYPTION_KEYS"), MultiTenantRadiusService(database):
        pass


def test_what_is_no_postgresql_is_refused_at_once(session_like: Callable[[str], Any]) -> None:
    for given, error in (
        (5, TypeError),
        ("sqlite:///billing.db", ServiceError),
        (session_like("mysql://billing:secret@host/db"), ServiceError),
    ):
        with pytest.raises(error) as caught:
            MultiTenantRadiusService(given)
        assert "billing" not in str(caught.value)


async def test_nothing_shows_the_password_or_the_keys(
    open_service: Callable[..., MultiTenantRadiusService], tenant: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = open_service()
    service.authenticate_user(USER, PASSWORD, NAS)
    service.authenticate_user(USER, "another password", NAS)
    service.close()
    said = caplog.text + repr(service._source)
    assert PASSWORD not in said
    assert "another password" not in said
    assert "test2:" not in said


async def test_joins_the_embedded_database_that_runs_and_starts_it_if_none_does(
    monkeypatch: pytest.MonkeyPatch, encryption_keys: str, insert_tenant: Insert, data_dir: Path
) -> None:
    """M22 without an argument: beside a running server, and after that has gone."""
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir("/")
    (data_dir / "keys.json").write_text(f'{{"ENCRYPTION_KEYS": "{encryption_keys}", "JWT_SECRET_KEY": ""}}')
    async with EmbeddedPostgres(data_dir / "postgres", ephemeral=True) as server:
        for schema in SCHEMAS:
            await migrate(server.dsn(), schema=schema)
        db = await asyncpg.connect(server.dsn())
        await insert_tenant(db)
        await db.close()
        with MultiTenantRadiusService() as service:
            assert service.authenticate_user(USER, PASSWORD, NAS)[0]
            assert service.handle_accounting("81000001", "Start", nas_ip=NAS, username=USER)[0]
    with MultiTenantRadiusService() as service:
        assert service.handle_accounting("81000001", "Stop", 60, 1, 2)[0]


async def test_a_program_that_just_ends_stops_the_embedded_database_it_started(
    database: str, encryption_keys: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (data_dir / "keys.json").write_text(f'{{"ENCRYPTION_KEYS": "{encryption_keys}", "JWT_SECRET_KEY": ""}}')
    async with EmbeddedPostgres(data_dir / "postgres", ephemeral=True) as server:
        for schema in SCHEMAS:
            await migrate(server.dsn(), schema=schema)
    program = "print(MultiTenantRadiusService().authenticate_user('a', 'b', '192.0.2.1')[1]['error'])"
    assert await run_program(program, database, encryption_keys) == "unknown_nas"
    assert not (data_dir / "postgres" / "data" / "postmaster.pid").exists()


@pytest.fixture
def data_dir(postgres: Any) -> Iterator[Path]:
    """A data directory that the embedded database's user can enter; skipped where that cannot run."""
    if "TEST_DATABASE_URL" in os.environ:
        pytest.skip("TEST_DATABASE_URL is set: no embedded PostgreSQL in this run")
    path = Path("/tmp", f"radiuscore-test-{uuid4().hex[:12]}")
    make_directory(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)
